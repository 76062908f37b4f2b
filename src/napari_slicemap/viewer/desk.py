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
    frame.setWindowTitle(name)  # which its tab says; with the plugin's name behind it, tabs are cut off
    frame.show()
    frame.raise_()
    dock.setFocus()
    return dock


def show_all_docks(viewer: napari.Viewer) -> None:
    """Show all docks as tabs on the right, the first of them in front."""
    for name in (*DOCKS, DOCKS[0]):
        show_dock(viewer, name)


def docks_of(viewer: napari.Viewer) -> tuple[str, ...]:
    """List the docks that are open, whether they lie in front or behind, by name."""
    return tuple(_open_docks(viewer))


def front_of(viewer: napari.Viewer) -> str:
    """Give the dock that lies in front; the first of them where several do, empty where none does."""
    return next((name for name, dock in _open_docks(viewer).items() if not is_behind(dock)), "")


def _open_docks(viewer: napari.Viewer) -> dict[str, QWidget]:
    there = viewer.window.dock_widgets
    docks = {name: there[title] for name in DOCKS if (title := f"{name} ({PLUGIN})") in there}
    return {name: dock for name, dock in docks.items() if (frame := _frame_of(dock)) is None or not frame.isHidden()}


def is_behind(dock: QWidget) -> bool:
    """Say whether a dock lies behind another tab, so that nobody sees it."""
    frame, window = _frame_of(dock), dock.window()
    if frame is None or not isinstance(window, QMainWindow):
        return False
    return bool(window.tabifiedDockWidgets(frame)) and dock.visibleRegion().isEmpty()


def _frame_of(dock: QWidget) -> QDockWidget | None:
    frame: QWidget | None = dock
    while frame is not None and not isinstance(frame, QDockWidget):
        frame = frame.parentWidget()
    return frame
