"""The picture of a report: the page of the sample sections, as a browser shows it.

A browser is no part of the project. ``pip install PyQt6-WebEngine`` brings one; without it the picture stays as it is.
"""

from __future__ import annotations

import importlib.util
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

WIDTH, HEIGHT = 1040, 1530  # px; all of the page is seen
CHAIN = """\
sample --sections run
slices generate run/mosaics t0.csv
slices quality run/mosaics t1.csv --config t0.csv --min-quality 0.75 --diagnostics diagnostics
slices rehoming run/shifts_xy.csv t2.csv --config t1.csv --tile-fov-mm 1.28
slices auto-exclude run/pairs slice_config.csv --config t2.csv
slices report slice_config.csv report.html --mosaics run/mosaics
"""


def draw(folder: Path) -> None:
    """Write ``slice-report.png``, if there is a browser."""
    if importlib.util.find_spec("PyQt6.QtWebEngineWidgets") is None:
        print("slice-report.png stays as it is: PyQt6-WebEngine is not installed")
        return
    with tempfile.TemporaryDirectory() as scratch:
        for line in CHAIN.splitlines():
            words = [sys.executable, "-m", "napari_slicemap", *line.split()]
            subprocess.run(words, check=True, capture_output=True, cwd=scratch)
        # a browser must start before anything else of Qt does
        page = Path(scratch) / "report.html"
        photograph = [sys.executable, __file__, str(page), str(folder / "slice-report.png")]
        subprocess.run(photograph, check=True, capture_output=True)


def photograph(page: Path, picture: Path) -> None:
    """Show a page off screen, and save what a window of it shows."""
    os.environ["QTWEBENGINE_CHROMIUM_FLAGS"] = "--no-sandbox --disable-gpu --hide-scrollbars"
    from PIL import Image
    from PyQt6.QtCore import QBuffer, QTimer, QUrl
    from PyQt6.QtWebEngineWidgets import QWebEngineView
    from PyQt6.QtWidgets import QApplication

    application = QApplication(["report", "-platform", "offscreen"])
    view = QWebEngineView()
    view.resize(WIDTH, HEIGHT)

    def save() -> None:
        buffer = QBuffer()
        buffer.open(QBuffer.OpenModeFlag.WriteOnly)
        view.grab().save(buffer, "PNG")
        shown = Image.open(io.BytesIO(bytes(buffer.data()))).convert("RGB")
        shown.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(picture, optimize=True)
        application.quit()

    view.loadFinished.connect(lambda _: QTimer.singleShot(1500, save))  # painting comes after loading
    view.load(QUrl.fromLocalFile(str(page)))
    view.show()
    application.exec()


if __name__ == "__main__":
    photograph(Path(sys.argv[1]), Path(sys.argv[2]))
