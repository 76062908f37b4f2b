"""What the tests of runs share: many cells to crop, and how two folders compare."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np

TEMPORARY = re.compile(r"\.slicemap-[0-9a-f]{32}.*")


def write_cells(folder: Path, count: int, fovs: str = "ab") -> None:
    """Give a dataset so many cells, spread over FOVs of 40 × 32 px."""
    rng = np.random.default_rng(7)
    rows = [
        f"{fovs[number % len(fovs)]},{number + 1},{x:.2f},{y:.2f},{number}"
        for number, (x, y) in enumerate(rng.uniform((0, 0), (39, 31), (count, 2)))
    ]
    (folder / "cells.csv").write_text("\n".join(["fov,label,X,Y,area", *rows]) + "\n")


def bytes_of(folder: Path) -> dict[str, str]:
    """Hash the pictures in a folder by name."""
    pictures = (path for path in folder.iterdir() if path.suffix in (".png", ".tif"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(pictures)}


def temporaries(folder: Path) -> list[str]:
    """List what should not be left in a folder or below it."""
    return [path.name for path in folder.rglob("*") if TEMPORARY.fullmatch(path.name)]


def record_of(folder: Path, name: str) -> dict:
    return json.loads((folder / f"{name}.provenance.json").read_text())
