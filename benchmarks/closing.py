"""A row about viewers that are opened and closed all day: what stays in memory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from harness import Check, Row

from napari_slicemap.sample import make_sample

_WINDOW = Path(__file__).with_name("closing_window.py")
_ROUNDS, _SETTLED = 20, 3
"""Rounds, and the one from which growth counts: what is imported and compiled in the first ones stays."""


def closing(root: Path) -> list[Row]:
    """Open and close 20 viewers with the sample and all docks, and 20 of bare napari, in a process each."""
    folder = root / "closing"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sample = make_sample(folder / "sample")
    held = {how: _held(how, sample, folder) for how in ("bare", "plugin")}
    growth = {how: one[-1] - one[_SETTLED - 1] for how, one in held.items()}
    figures = {
        "napari with an image, after round 3": held["bare"][_SETTLED - 1],
        "napari with an image, after round 20": held["bare"][-1],
        "sample and all docks, after round 3": held["plugin"][_SETTLED - 1],
        "sample and all docks, after round 20": held["plugin"][-1],
        "growth of napari with an image": growth["bare"],
        "growth with sample and docks": growth["plugin"],
    }
    checks = [
        Check("growth with the plugin", growth["plugin"], 20, at_most=True, unit="MB"),
        Check("growth beyond bare napari's", growth["plugin"] - growth["bare"], 10, at_most=True, unit="MB"),
    ]
    note = "what the process holds when garbage is collected and free memory is given back"
    return [Row(f"{_ROUNDS} viewers opened and closed", figures, checks, note, unit="MB")]


def _held(how: str, sample: Path, folder: Path) -> list[float]:
    command = [sys.executable, str(_WINDOW), how, str(sample), str(_ROUNDS)]
    if not os.environ.get("DISPLAY") and shutil.which("xvfb-run"):
        command = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24", *command]
    environment = {**os.environ, "NAPARI_CONFIG": str(folder / "napari.yaml")}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    found: list[float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


ROWS: dict[str, Callable[[Path], list[Row]]] = {"closing": closing}
