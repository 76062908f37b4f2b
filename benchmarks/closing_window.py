"""Viewers opened and closed one after the other; prints as JSON what the process holds after each round, in MB."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import sys
import time
from pathlib import Path

import numpy as np

CLOSING_S = 0.3
"""For timers to end and widgets to be deleted."""


def held_mb() -> float:
    """Give what the process holds when all garbage is collected and free memory is given back."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # without glibc, what is free counts, too
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    with Path("/proc/self/status").open() as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def wait(app, seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        app.processEvents()
        time.sleep(0.002)


def with_the_plugin(viewer, app, sample: str) -> None:
    """Open the sample and all docks, look at another slice and at the composite."""
    from napari_slicemap.viewer.desk import show_all_docks
    from napari_slicemap.viewer.session import session_of

    session = session_of(viewer)
    session.open(sample)
    show_all_docks(viewer)
    while session.on_screen.loader.busy:
        wait(app, 0.05)
    viewer.dims.set_current_step(0, 2)
    wait(app, 0.3)
    session.set_display("composite")
    wait(app, 0.3)
    # longer than it takes until what is in memory is taken as lasting
    wait(app, 2.0)


def bare(viewer, app, _sample: str) -> None:
    """Show an image of the sample's size."""
    viewer.add_image(np.zeros((5, 900, 1200), np.uint16), multiscale=False, contrast_limits=(0, 100))
    wait(app, 0.3)
    viewer.dims.set_current_step(0, 2)
    wait(app, 2.3)


def main() -> None:
    import napari
    from qtpy.QtCore import QCoreApplication, QEvent
    from qtpy.QtWidgets import QApplication

    how = {"bare": bare, "plugin": with_the_plugin}[sys.argv[1]]
    held = []
    for _ in range(int(sys.argv[3])):
        viewer = napari.Viewer(show=False)
        viewer.window._qt_window.resize(1280, 800)
        viewer.show()
        app = QApplication.instance()
        how(viewer, app, sys.argv[2])
        viewer.close()
        del viewer
        for _ in range(2):
            wait(app, CLOSING_S)
            QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        held.append(held_mb())
    print(json.dumps(held))


if __name__ == "__main__":
    main()
