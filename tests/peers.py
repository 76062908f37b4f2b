"""Released packages that ours is held against: laid into a folder of their own, beside what is installed already."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

_BUILD = Path(__file__).resolve().parents[1] / "build" / "peers"
_NO_NETWORK = ("NewConnectionError", "Temporary failure in name resolution", "ConnectTimeoutError", "ProxyError")


def environment_with(name: str, wanted: Sequence[str]) -> dict[str, str]:
    """Give the environment in which a Python finds some packages more.

    Parameters
    ----------
    name : str
        Of the folder that they lie in, which is made anew unless it is whole.
    wanted : sequence of str
        What pip installs, without their dependencies: those are installed already, or are named as well.

    Returns
    -------
    dict
        For :func:`subprocess.run`.
    """
    folder, mark = _BUILD / name, _BUILD / f"{name}.json"
    if not (mark.is_file() and json.loads(mark.read_text()) == list(wanted)):
        mark.unlink(missing_ok=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        done = subprocess.run([*pip, "--upgrade", "--target", str(folder), *wanted], capture_output=True, text=True)
        if done.returncode and any(sign in done.stderr for sign in _NO_NETWORK):
            pytest.skip(f"PyPI is not reachable, and {name} comes from there")
        assert done.returncode == 0, done.stderr
        mark.write_text(json.dumps(list(wanted)))
    source = Path(__file__).resolve().parents[1] / "src"
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(source)]), "PYTHONUTF8": "1"}
