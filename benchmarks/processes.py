"""Rows that need a process of their own: memory and start-up."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from data import huge_map, sixteen_tiles
from harness import Check, Row, in_process, seconds_of

_PEAK = """
import gc, json, sys
sys.path.insert(0, sys.argv[1])
from data import CHANNELS, settings
from napari_slicemap import Region, open_dataset
from napari_slicemap.images.cache import ChunkCache
from napari_slicemap.render.virtual_map import VirtualMap

one = open_dataset(sys.argv[2]).maps["m"]
looks = settings(CHANNELS[: int(sys.argv[3])])
# what a first small picture brings in (compiled code, libraries) is no part of the large one's memory
VirtualMap(one.placement, ChunkCache(2**20)).render_region(Region(0, 64, 0, 64), looks)
gc.collect()
def kilobytes(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name))


before = kilobytes("VmRSS")
"""

_REGION = (
    _PEAK
    + """
small = VirtualMap(one.placement, ChunkCache(32 * 2**20))
made = small.render_region(Region(0, 4096, 0, 4096), looks)
peak = kilobytes("VmHWM")
print(json.dumps({"MB": (peak - before) / 1024, "picture MB": made.nbytes / 2**20}))
"""
)

_HUGE = (
    _PEAK
    + """
made = one.render_region(None, looks, downsample=16, levels="stored")
assert one.stored.levels, "there are no levels"
peak = kilobytes("VmHWM")
print(json.dumps({"MB": (peak - before) / 1024, "picture MB": made.nbytes / 2**20}))
"""
)

_FIRST = """
import json, sys, time
import numpy
start = time.perf_counter()
from napari_slicemap import ChannelSettings, render_fov_to_array
made = render_fov_to_array({"A": numpy.zeros((512, 512), "uint16")}, {"A": ChannelSettings("red", (0, 100))})
seconds = time.perf_counter() - start
loads = 0
if "numba" in sys.modules:
    from napari_slicemap.render import kernel
    from numba.core.dispatcher import Dispatcher
    for one in vars(kernel).values():
        if isinstance(one, Dispatcher):
            loads += sum(one.stats.cache_hits.values())
print(json.dumps({"ms": 1000 * seconds, "loaded from the kernel cache": loads, "numba": float("numba" in sys.modules)}))
"""


def memory(root: Path) -> list[Row]:
    """Measure what pictures take beyond the process itself."""
    from napari_slicemap import open_dataset
    from napari_slicemap.render.build_levels import build_levels

    here = str(Path(__file__).parent)
    region = in_process(_REGION, here, str(sixteen_tiles(root, "zarr")), "5")
    huge = huge_map(root)
    one = open_dataset(huge).maps["m"]
    if not one.stored.levels:
        build_levels(one)
    whole = in_process(_HUGE, here, str(huge), "3")
    return [
        Row(
            "extra memory, 4096² × 5 region (cache of 32 MiB)",
            region,
            [Check("beyond the process", region["MB"], 150, at_most=True, unit="MB")],
            unit="MB",
        ),
        Row(
            f"extra memory, map of {one.shape[1]}² at 1/16 from stored levels",
            whole,
            [Check("beyond the process", whole["MB"], 500, at_most=True, unit="MB")],
            unit="MB",
        ),
    ]


def start_up(_root: Path) -> list[Row]:
    """Measure the shell's help and the first picture of a fresh process."""
    python = seconds_of(sys.executable, "-c", "pass")
    help_ = seconds_of(str(Path(sys.executable).with_name("slicemap")), "--help")
    in_process(_FIRST)
    runs = sorted((in_process(_FIRST) for _ in range(5)), key=lambda run: run["ms"])
    first = runs[len(runs) // 2]
    return [
        Row(
            "start-up",
            {
                "bare Python": python,
                "slicemap --help": help_,
                "first picture over numpy": first["ms"],
                "kernels from disk": first["loaded from the kernel cache"],
            },
            [
                Check("slicemap --help over bare Python", (help_ - python) / 1000, 0.4, at_most=True, unit="s"),
                Check("first picture over importing numpy", first["ms"] / 1000, 0.5, at_most=True, unit="s"),
            ],
        )
    ]


ROWS: dict[str, Callable[[Path], list[Row]]] = {"peak": memory, "start": start_up}
