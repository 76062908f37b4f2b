"""What ``napari.yaml`` names: reader, sample data, menu commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
from napari.utils import progress

from ..dataset import open_dataset
from ..errors import SlicemapError
from ..images.readers import find_acquisition
from ..project import Places, find_project
from ..render.starter import spread, starter_profile
from ..sample import cached_sample
from .desk import show_dock
from .map_layer import VirtualMapLayer
from .missing_dialog import ask_for_missing
from .session import session_of

LayerData = tuple[Any, ...]

# napari wants layers from a function that gives sample data, but takes any reader's word that there are none; so the
# sample is an address that the reader knows
_SAMPLE = "slicemap-sample://"


def get_reader(path: str | list[str]) -> Callable[[str | list[str]], list[LayerData]] | None:
    """Say whether a path is an acquisition: a folder, ``tiles.csv`` or ``slicemap.toml``.

    Returns
    -------
    callable or None
        Opens it; ``None`` leaves the path to napari's other readers.
    """
    if isinstance(path, list):
        if len(path) != 1:
            return None
        path = path[0]
    if path.startswith(_SAMPLE):
        return read_acquisition
    try:
        project, home, file = find_project(path)
        if file is None:
            find_acquisition(Places(project, home).data, project.layout)
    except (SlicemapError, OSError):
        # a project file that is wrong is ours, and is to say so when it is opened
        return read_acquisition if Path(path).name == "slicemap.toml" else None
    return read_acquisition


def read_acquisition(path: str | list[str]) -> list[LayerData]:
    """Open an acquisition in the viewer that asks for it.

    Returns
    -------
    list of tuple
        napari's sign for "nothing to add", because the session adds the layers itself (ROIs and scale bar belong
        to them); without a viewer, the image layers.
    """
    path = path[0] if isinstance(path, list) else path
    if path.startswith(_SAMPLE):
        path = str(_sample())
    viewer = napari.current_viewer()
    if viewer is not None:
        session = session_of(viewer)
        session.open(path)
        ask_for_missing(session)
        return [(None,)]
    dataset = open_dataset(path)
    profile = dataset.profiles.get_default() or starter_profile(spread(dataset.fovs, dataset.distinct_fovs))
    return [layer.as_layer_data_tuple() for layer in VirtualMapLayer(dataset, profile).layers]


def _sample() -> Path:
    """Give the sample, made in the user's cache at the first use; napari's bar says how far that is."""
    with progress(total=0, desc="Making the sample") as bar:

        def tell(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return cached_sample(tell)


def show_batch_export(viewer: napari.Viewer) -> None:
    """Show the Batch export dock (File ▸ IO Utilities)."""
    show_dock(viewer, "Batch export")


def show_slice_config(viewer: napari.Viewer) -> None:
    """Show the Slice config dock."""
    show_dock(viewer, "Slice config")


def show_roi_drawing(viewer: napari.Viewer) -> None:
    """Show the ROI drawing dock (Layers ▸ Annotate)."""
    show_dock(viewer, "ROI drawing")


def show_galvo_inspector(viewer: napari.Viewer) -> None:
    """Show the Galvo inspector dock."""
    show_dock(viewer, "Galvo inspector")
