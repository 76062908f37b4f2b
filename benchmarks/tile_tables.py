"""A ``tiles.csv`` of 100,000 tiles, opened for the first and for the second time."""

from __future__ import annotations

import csv
import shutil
import statistics
from pathlib import Path

import numpy as np
import tifffile
from harness import Check, Row, in_process

TILES, TILES_A_MAP, ACROSS = 100_000, 2500, 50
ROUNDS = 5

_START = """
import json, sys, time
start = time.perf_counter()
"""

_END = """
seconds = time.perf_counter() - start
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(json.dumps({"ms": 1000 * seconds, "MB": peak / 1024}))
"""

_OPEN = f"""{_START}
from napari_slicemap import open_dataset
dataset = open_dataset(sys.argv[1])
assert (len(dataset.fovs), len(dataset.maps)) == ({TILES}, {TILES // TILES_A_MAP})
{_END}"""

_INFO = f"""{_START}
from napari_slicemap import open_dataset
from napari_slicemap.cli.info import describe
assert describe(open_dataset(sys.argv[1]))["counts"]["fovs"] == {TILES}
{_END}"""

_IMPORT = f"""{_START}
import napari_slicemap.dataset
{_END}"""

_RAW = f"""{_START}
import csv
with open(sys.argv[1], newline="") as stream:
    rows = list(csv.DictReader(stream))
{_END}"""


def tile_tables(root: Path) -> list[Row]:
    """Open a table of 100,000 tiles in processes of their own, beside reading it with the csv module only."""
    table = _table(root / "many_tiles")
    kept = table.parent / ".slicemap-cache"
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(ROUNDS):
        shutil.rmtree(kept, ignore_errors=True)
        for name, code in {
            "rows as dicts (csv)": _RAW,
            "import alone": _IMPORT,
            "the first time": _OPEN,
            "the second time": _OPEN,
            "what `slicemap info` tells": _INFO,
        }.items():
            found.setdefault(name, []).append(in_process(code, str(table)))
    figures = {name: statistics.median(one["ms"] for one in runs) for name, runs in found.items()}
    peak = max(one["MB"] for one in found["the first time"])
    first, second, raw = (figures[name] for name in ("the first time", "the second time", "rows as dicts (csv)"))
    checks = [
        Check("the first time", first, 5000, at_most=True, unit="ms"),
        Check("memory at most", peak, 500, at_most=True, unit="MB"),
        Check("the second time", second, 1000, at_most=True, unit="ms"),
        Check("the first time / rows as dicts", first / raw, 12, at_most=True),
        Check("the second time / rows as dicts", second / raw, 4, at_most=True),
    ]
    return [Row(f"a tiles.csv of {TILES:,} tiles opened, imports counted", figures, checks)]


def _table(folder: Path) -> Path:
    """Write maps of tiles that abut; only the first image is there, which says what the others are like."""
    table = folder / "tiles.csv"
    if table.exists():
        return table
    (folder / "s00").mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(folder / "s00" / "t_0000.tif", np.zeros((512, 512), np.uint16))
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "map_id", "x_um", "y_um", "pixel_size_um", "width_px", "height_px"])
        for number in range(TILES):
            section, tile = divmod(number, TILES_A_MAP)
            y, x = divmod(tile, ACROSS)
            path = f"s{section:02d}/t_{tile:04d}.tif"
            writer.writerow([path, f"{section:02d}", x * 200.0, y * 200.0, 0.39, 512, 512])
    return table


ROWS = {"tiles-csv": tile_tables}
