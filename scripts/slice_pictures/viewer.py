"""The picture of an excluded slice in napari, beside one that is used."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def draw(folder: Path) -> None:
    """Write ``napari-excluded.png``; needs a screen, or ``xvfb-run`` in front of Python."""
    # in a process of its own: napari reads its settings once, and those of the user are to stay as they are
    with tempfile.TemporaryDirectory() as scratch:
        kept = {"NAPARI_CONFIG": str(Path(scratch) / "settings.yaml"), "SLICEMAP_STATE": str(Path(scratch) / "state")}
        environment = {**os.environ, **kept}
        made = str(folder / "napari-excluded.png")
        subprocess.run([sys.executable, __file__, scratch, made], check=True, env=environment)


def photograph(scratch: Path, picture: Path) -> None:
    """Save slice 01 and slice 00 of the sample, one beside the other, as napari's canvas shows them."""
    import napari
    import numpy as np
    from PIL import Image
    from qtpy.QtWidgets import QApplication

    from napari_slicemap.sample import make_sample
    from napari_slicemap.viewer.session import session_of

    viewer = napari.Viewer()
    viewer.window._qt_window.resize(880, 470)
    session, shots = session_of(viewer), []
    session.open(make_sample(scratch / "block 12"))
    for number in (1, 0):
        viewer.dims.set_current_step(0, number)
        session.look_at(number)
        for _ in range(100):
            QApplication.processEvents()
            time.sleep(0.01)
        shots.append(viewer.screenshot(canvas_only=True, flash=False)[..., :3])
    viewer.close()
    both = Image.fromarray(np.hstack([shots[0], np.full((len(shots[0]), 8, 3), 255, np.uint8), shots[1]]))
    both.quantize(256, kmeans=1, dither=Image.Dither.NONE).save(picture, optimize=True)


if __name__ == "__main__":
    photograph(Path(sys.argv[1]), Path(sys.argv[2]))
