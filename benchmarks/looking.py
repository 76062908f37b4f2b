"""Rows about looking around in napari, at a map whose files are slow."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from harness import Check, Row

_WINDOW = Path(__file__).with_name("looking_window.py")
_MOVES = 200


def looking(root: Path) -> list[Row]:
    """Pan and zoom about a map of 98,304², in a window of 1280 × 800."""
    folder = root / "looking"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [sys.executable, str(_WINDOW), str(folder), str(_MOVES)]
    if not os.environ.get("DISPLAY") and shutil.which("xvfb-run"):
        command = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24", *command]
    kept = {"NAPARI_CONFIG": str(folder / "napari.yaml"), "SLICEMAP_STATE": str(folder / "state")}
    environment = {**os.environ, **kept}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    name = "looking about a map of 98,304² px, 3 channels, 10 ms a tile"
    rows = []
    for display in ("channels", "composite"):
        own = {key.removeprefix(f"{display}, "): value for key, value in found.items() if key.startswith(display)}
        checks = [
            Check("first paint", own["first paint less drawing, median"], 150, at_most=True, unit="ms"),
            Check("longest block", own["block less drawing, longest"], 200, at_most=True, unit="ms"),
        ]
        note = "drawing is what software OpenGL takes; the checks are on the rest"
        rows.append(Row(f"{name}: {display}, {_MOVES} moves", own, checks, note))
    whole = {key: value for key, value in found.items() if not key.startswith(("channels", "composite"))}
    checks = [
        Check("values that differ from render_region", whole["values off"], 0, at_most=True, unit=""),
        Check("blocks kept, of the setting", whole["blocks kept"], 1, at_most=True),
        Check(
            "memory beyond that at opening, of both caches",
            whole["memory beyond that at opening, at most, MB"] / whole["both caches full, MB"],
            1.5,
            at_most=True,
        ),
    ]
    rows.append(Row(f"{name}: in the end", whole, checks, unit=""))
    return rows


ROWS: dict[str, Callable[[Path], list[Row]]] = {"looking": looking}
