"""The viewer runs with the binding of Qt that is asked for, and with no other one beside it."""

from __future__ import annotations

import os
import sys

import pyqtgraph
import qtpy
from pytestqt.qt_compat import qt_api

BINDINGS = ("PyQt5", "PyQt6", "PySide2", "PySide6")


def test_all_parts_take_the_binding_that_is_asked_for(viewer):
    viewer.window.add_plugin_dock_widget("napari-slicemap", "Galvo inspector")
    wanted = os.environ.get("QT_API", "pyqt6")
    found = {
        "qtpy": qtpy.API_NAME,
        "pytest-qt": qt_api.pytest_qt_api,
        "pyqtgraph": pyqtgraph.Qt.QT_LIB,
        "the window": type(viewer.window._qt_window.layout()).__module__.split(".")[0],
    }
    assert {part: name.lower() for part, name in found.items()} == dict.fromkeys(found, wanted)
    loaded = [one for one in BINDINGS if f"{one}.QtWidgets" in sys.modules]
    assert [one.lower() for one in loaded] == [wanted]
