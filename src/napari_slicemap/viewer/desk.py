"""The docks on the desk: which there are, and how they come to the front."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from .settings import PLUGIN

if TYPE_CHECKING:
    import napari

DOCKS = ("Slice config", "ROI drawing", "Galvo inspector", "Batch export")
"""The docks, in the order of their tabs."""


def show_dock(viewer: napari.Viewer, name: str) -> QWidget:
    """Bring a dock to the front; one that is not there yet becomes a tab on the right.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose window.
    name : str
        One of :data:`DOCKS`.

    Returns
    -------
    QWidget
        The dock.
    """
    frame, dock = viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
    frame.show()
    frame.raise_()
    dock.setFocus()
    return dock


def show_all_docks(viewer: napari.Viewer) -> None:
    """Show all docks as tabs on the right, the first of them in front."""
    for name in (*DOCKS, DOCKS[0]):
        show_dock(viewer, name)


def is_behind(dock: QWidget) -> bool:
    """Say whether a dock lies behind another tab, so that nobody sees it."""
    frame: QWidget | None = dock
    while frame is not None and not isinstance(frame, QDockWidget):
        frame = frame.parentWidget()
    window = dock.window()
    if frame is None or not isinstance(window, QMainWindow):
        return False
    return bool(window.tabifiedDockWidgets(frame)) and dock.visibleRegion().isEmpty()
