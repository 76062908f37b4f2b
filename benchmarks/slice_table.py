"""The dock Slice config with a table of 10,000 slices: opened, edited, sorted, filtered."""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SLICES = 10_000
CONDITION = "quality < 0.3 and use and not rehomed"


def slice_table(_root: Path) -> list[Row]:
    """Time each in a process of its own, that needs no screen."""
    with tempfile.TemporaryDirectory() as folder:
        surroundings = {"QT_QPA_PLATFORM": "offscreen", "NAPARI_CONFIG": str(Path(folder) / "settings.yaml")}
        done = subprocess.run(
            [sys.executable, __file__, folder],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | surroundings,
        )
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    limits = {"open": 1000, "edit": 20, "sort": 300, "filter by a condition": 300, "filter by words": 300}
    checks = [Check(what, found[what], limit, at_most=True, unit="ms") for what, limit in limits.items()]
    return [Row(f"a slice table of {SLICES:,} rows and 14 columns in napari", found, checks)]


def measure(folder: Path) -> dict[str, float]:
    """Do everything as a user does, on the sample with a longer table; medians in ms."""
    from napari.components import ViewerModel
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QApplication

    from napari_slicemap.sample import make_sample
    from napari_slicemap.viewer.docks.slice_config import SliceConfigDock
    from napari_slicemap.viewer.session import session_of

    application = QApplication([])
    sample = make_sample(folder / "sample")
    write_table(sample / "slice_config.csv")
    viewer = ViewerModel()
    session = session_of(viewer)

    def timed(
        run: Callable[[], object], rounds: int, before: Callable[[], object] = application.processEvents
    ) -> float:
        times = []
        for _ in range(rounds):
            before()
            start = time.perf_counter()
            run()
            application.processEvents()
            times.append(1000 * (time.perf_counter() - start))
        return statistics.median(times)

    docks: list[SliceConfigDock] = []

    def hide() -> None:
        for one in docks:
            one.close()

    def show() -> None:
        session.reload_slices()
        docks.append(SliceConfigDock(viewer))
        docks[-1].resize(480, 700)
        docks[-1].show()
        docks[-1].grab()

    session.open(sample)
    found = {"open": timed(show, 5, before=hide)}
    dock = docks[-1]
    slices = iter(dock.model.ids[100:])
    orders = iter([Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder] * 100)

    def edit() -> None:
        dock.table.select([next(slices)])
        dock.editing.append_note("folded")

    def sort() -> None:
        dock.table.sortByColumn(dock.model.number_of_column("flags"), next(orders))

    def narrow(text: str) -> None:
        dock.set_filter(text)

    found["edit"] = timed(edit, 40)
    found["sort"] = timed(sort, 7)
    found["filter by a condition"] = timed(lambda: narrow(CONDITION), 7)
    found["filter by words"] = timed(lambda: narrow("note 7"), 7)
    narrow("")
    found["save"] = timed(dock.editing.save, 1)
    dock.close()
    return found


def write_table(path: Path) -> None:
    """Write a table of so many slices, with something in most columns."""
    from napari_slicemap.slices import slice_config
    from napari_slicemap.slices.generate import new_table

    chance = random.Random(0)
    rows = new_table([f"{number:02d}" for number in range(SLICES)])
    stamps = {
        one: {
            "quality_score": chance.random(),
            "galvo_confidence": chance.random(),
            "rehomed": chance.random() < 0.1,
            "notes": f"note {chance.randrange(99)}",
        }
        for one in rows
    }
    slice_config.write(path, slice_config.stamp_many(rows, stamps))


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]))), flush=True)
    os._exit(0)  # what Qt takes down in which order is no part of it
else:
    from harness import Check, Row

    ROWS = {"slice-table": slice_table}
