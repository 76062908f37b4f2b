"""``slicemap view``: napari with a dataset and all docks."""

from __future__ import annotations

import napari

from ..dataset import Dataset
from .desk import show_all_docks
from .missing_dialog import ask_for_missing
from .remembered import last_remembered, open_remembered
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
    viewer = _window(dataset)
    session = session_of(viewer)
    session.open(dataset, map_id)
    show_all_docks(viewer)
    ask_for_missing(session)
    return _run(viewer, block=block)


def launch_again(*, block: bool = True) -> napari.Viewer:
    """Open napari on the dataset that was open last, as it was seen; all docks where none were open.

    Parameters
    ----------
    block : bool
        Stay until the window is closed.

    Returns
    -------
    napari.Viewer

    Raises
    ------
    SlicemapError
        If none was, or if it cannot be opened; there is no window then.
    """
    seen = last_remembered()
    dataset = open_remembered(seen)
    viewer = _window(dataset)
    session_of(viewer).remembering.show(seen, dataset)
    if not seen.docks:
        show_all_docks(viewer)
    return _run(viewer, block=block)


def _window(dataset: Dataset) -> napari.Viewer:
    return napari.Viewer(title=f"{dataset.name} - slicemap")


def _run(viewer: napari.Viewer, *, block: bool) -> napari.Viewer:
    if block:
        napari.run()
    return viewer
