"""``slicemap view``: napari with a dataset and all docks."""

from __future__ import annotations

import napari
from qtpy.QtWidgets import QApplication

from ..dataset import Dataset
from .desk import show_all_docks
from .session import session_of
from .settings import PLUGIN as PLUGIN


def launch(dataset: Dataset, map_id: str | None = None, *, block: bool = True) -> napari.Viewer:
    """Open napari on a dataset.

    Parameters
    ----------
    dataset : Dataset
        What to show.
    map_id : str, optional
        Map to show first.
    block : bool
        Stay until the window is closed.

    Returns
    -------
    napari.Viewer

    Raises
    ------
    UnknownNameError
        If there is no such map.
    """
    if map_id is not None:
        dataset.maps[map_id]
    viewer = napari.Viewer(title=f"{dataset.name} - slicemap")
    session_of(viewer).open(dataset, map_id)
    show_all_docks(viewer)
    QApplication.processEvents()  # the docks have taken their place: what is left is the canvas
    session = session_of(viewer)
    session.look_at(session.page_number)
    if block:
        napari.run()
    return viewer
