"""Real viewers on the sample acquisition, and leaks that fail the test."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

napari = pytest.importorskip("napari", reason="the viewer's tests need napari and a Qt binding")


@pytest.fixture(scope="session")
def sample_made(tmp_path_factory):
    from napari_slicemap.sample import make_sample

    return make_sample(tmp_path_factory.mktemp("made") / "sample")


@pytest.fixture(scope="session")
def detected_made(sample_made, tmp_path_factory) -> Path:
    """The sample acquisition, with the mirror's return looked for: slice 03 is to be fixed by 28 A-lines."""
    folder = Path(shutil.copytree(sample_made, tmp_path_factory.mktemp("detected") / "sample"))
    words = ["galvo", "detect", folder / "raw_tiles", "--config", folder / "slice_config.csv", "--in-place"]
    subprocess.run([sys.executable, "-m", "napari_slicemap", *words], check=True, capture_output=True)
    return folder


@pytest.fixture
def sample(sample_made, tmp_path) -> Path:
    """A copy of the sample acquisition that the test may write to."""
    return Path(shutil.copytree(sample_made, tmp_path / "sample"))


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch) -> Path:
    """What was open in one test is not remembered in another."""
    monkeypatch.setenv("SLICEMAP_STATE", str(tmp_path / "state"))
    return tmp_path / "state" / "opened.json"


@pytest.fixture
def viewer(make_napari_viewer):
    """A shown viewer, large enough for its docks: without being shown it has no pixels."""
    made = make_napari_viewer(show=True)
    made.window._qt_window.resize(1280, 800)
    return made


@pytest.fixture
def session(viewer, sample):
    from napari_slicemap.viewer.session import session_of

    one = session_of(viewer)
    one.open(sample)
    return one
