"""Runs the examples of README and docs: each file in a folder of its own that holds the sample as ``my_run``."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import shutil
import sys
from pathlib import Path

from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

ROOT = Path(__file__).parent


def run_shell(example: Example) -> None:
    """Run each line that begins with ``slicemap`` as the command would, without starting Python anew for each."""
    from napari_slicemap.cli import main

    for line in str(example.parsed).strip().splitlines():
        words = shlex.split(line)
        assert words[0] == "slicemap", f"only slicemap commands can be shown: {line}"
        if words[1] == "sample":
            shutil.rmtree(words[-1], ignore_errors=True)
        said, code, before = io.StringIO(), 0, sys.argv
        sys.argv = words
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                main()
        except SystemExit as end:
            code = end.code
        finally:
            sys.argv = before
        assert not code, f"{line}\n{said.getvalue()}"


def enter(namespace: dict[str, object]) -> None:
    """Work in a new folder beside the others, with the sample in it."""
    import tempfile

    namespace["_back"], namespace["_folder"] = Path.cwd(), Path(tempfile.mkdtemp())
    folder = Path(str(namespace["_folder"]))
    shutil.copytree(ROOT / "sample_data", folder / "my_run")
    os.chdir(folder)


def leave(namespace: dict[str, object]) -> None:
    """Go back, and take the folder away."""
    os.chdir(str(namespace["_back"]))
    shutil.rmtree(str(namespace["_folder"]))


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), CodeBlockParser(language="bash", evaluator=run_shell)],
    patterns=["README.md", "docs/*.md"],
    setup=enter,
    teardown=leave,
).pytest()
