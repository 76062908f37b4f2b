"""What the tests of the shell share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from napari_slicemap.cli import main
from scenes import write_dataset

Shell = Callable[..., tuple[int, str, str]]


@pytest.fixture
def slicemap(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Run ``slicemap …`` and give exit code, output and error output."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["slicemap", *map(str, words)])
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def shell(slicemap: Shell) -> Shell:
    """Run ``slicemap export …``."""
    return partial(slicemap, "export")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A dataset of the test's own, to change."""
    return write_dataset(tmp_path / "own")
