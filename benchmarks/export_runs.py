"""Rows about runs of many small items: cell crops, one after the other and side by side."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from data import CHANNELS, settings, sixteen_tiles
from harness import Check, Row, in_process

from napari_slicemap.export.running.dask_runner import OWN_CLUSTER

_CELLS = 640
"""On each of 16 tiles."""

_PEAK = """
import json, sys, tempfile
from napari_slicemap import ExportPlan, open_dataset, run_export

dataset = open_dataset(sys.argv[1])

def kilobytes(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name))

def export(labels):
    select = {"kind": "cell", "query": f"label <= {labels}", "size_px": 128}
    with tempfile.TemporaryDirectory(dir=sys.argv[2]) as folder:
        plan = ExportPlan.model_validate({"output_folder": folder, "select": [select]})
        return run_export(plan, dataset).counts["ok"]

few = export(64)
before = kilobytes("VmHWM")
many = export(640)
print(json.dumps({"few": few, "many": many, "MB more": (kilobytes("VmHWM") - before) / 1024}))
"""


def _dataset(root: Path) -> Path:
    """Give sixteen tiles with 10,240 cells in a table."""
    from napari_slicemap import Profile
    from napari_slicemap.render.profile import ProfileBook

    folder = root / "cells"
    if not folder.exists():
        part = root / "cells.part"
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(sixteen_tiles(root, "zarr"), part)
        places = np.random.default_rng(0).uniform(70, 1050, (16, _CELLS, 2))
        rows = [f"t{n},{i + 1},{x:.2f},{y:.2f}" for n, tile in enumerate(places) for i, (x, y) in enumerate(tile)]
        (part / "cells.csv").write_text("\n".join(["fov,label,X,Y", *rows]) + "\n", encoding="utf-8")
        (part / "slicemap.toml").write_text('version = 1\ncells = "cells.csv"\n', encoding="utf-8")
        profile = Profile(name="five", channels=settings(CHANNELS))
        ProfileBook().with_profile(profile).write(part / "profiles.json")
        part.rename(folder)
    return folder


@contextmanager
def _folder(root: Path) -> Iterator[Path]:
    folder = root / "crops"
    shutil.rmtree(folder, ignore_errors=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _seconds(root: Path, labels: int = _CELLS, **how: object) -> float:
    """Export crops of the cells of each tile up to a label, and give the time."""
    from napari_slicemap import ExportPlan, open_dataset, run_export

    dataset = open_dataset(_dataset(root))
    select = {"kind": "cell", "query": f"label <= {labels}", "size_px": 128}
    with _folder(root) as folder:
        plan = ExportPlan.model_validate({"output_folder": str(folder), "select": [select]})
        start = time.perf_counter()
        report = run_export(plan, dataset, **how)  # type: ignore[arg-type]
        taken = time.perf_counter() - start
    assert report.counts["ok"] == 16 * labels, report.counts
    return taken


def cells(root: Path) -> list[Row]:
    """Export 10,240 crops of 128² × 5: serially (one thread each), in two threads, and in two processes."""
    import dask
    from distributed import Client, LocalCluster

    _seconds(root, 4)
    with (
        dask.config.set(OWN_CLUSTER),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
    ):
        address = cluster.scheduler_address
        with Client(cluster):
            _seconds(root, 4, runner="dask", scheduler=address)
        # in turn, since this takes minutes, in which a machine may change its pace
        runs = {
            "serial": {},
            "threads, 2 workers": {"runner": "threads", "workers": 2},
            "dask, 2 workers": {"runner": "dask", "scheduler": address},
        }
        turns = [{name: _seconds(root, **how) for name, how in runs.items()} for _ in range(3)]
    found = {name: statistics.median(turn[name] for turn in turns) for name in runs}
    found["dask, 2 workers, with their start"] = _seconds(root, runner="dask", workers=2)
    each = {name: 1000 * seconds / (16 * _CELLS) for name, seconds in found.items()}
    memory = in_process(_PEAK, str(_dataset(root)), str(root))
    # its item and its result; nothing of its pixels and of its record
    kilobytes = 1024 * memory["MB more"] / (memory["many"] - memory["few"])
    return [
        Row(
            "10,240 cell crops of 128² × 5, each",
            each,
            [
                Check("2 workers against serial", each["serial"] / each["dask, 2 workers"], 1.5, at_most=False),
                Check("memory of each further crop", kilobytes, 10, at_most=True, unit="kB"),
            ],
        )
    ]


ROWS: dict[str, Callable[[Path], list[Row]]] = {"cells": cells}
