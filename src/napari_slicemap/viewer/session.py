"""The session: what is open in one viewer. Docks are views of it, and talk to it alone."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtCore import QObject
from qtpy.QtGui import QUndoCommand, QUndoStack

from ..dataset import Dataset, open_dataset
from ..errors import SlicemapError
from ..files import now_iso
from ..render.profile import Profile
from ..render.starter import starter_profile
from ..rois.roi import Roi
from ..rois.table import RoiTable
from ..slices.slice_values import number_of
from .galvo_review import GalvoReview
from .map_layer import VirtualMapLayer
from .roi_layer import RoiLayer
from .veil import ExcludedVeil

if TYPE_CHECKING:
    import napari

_sessions: weakref.WeakKeyDictionary[Any, Session] = weakref.WeakKeyDictionary()


def session_of(viewer: napari.Viewer) -> Session:
    """Give the one session of a viewer; it is made at the first call."""
    key = getattr(viewer, "__wrapped__", viewer)  # plugins are handed a proxy of the viewer
    if key not in _sessions:
        _sessions[key] = Session(key)
    return _sessions[key]


class Session:
    """What is open in one viewer: dataset, map layer, slice table, profile, ROI table, undo history.

    Use :func:`session_of`. Changes go through its methods; each is undoable and has a name. ROIs are saved at
    every change.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer.
    """

    opened = Signal()
    """A dataset was opened or closed."""
    rois_changed = Signal()
    """The ROI table is another one."""
    slices_changed = Signal()
    """The slice table is another one."""
    profiles_changed = Signal()
    """The profiles are other ones, or another one is active."""
    page_changed = Signal(int)
    """The slider moved."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = weakref.ref(viewer)
        self._alive = QObject()  # owns the undo stack, so that Qt frees it with the session
        self.undo_stack = QUndoStack(self._alive)
        self.dataset: Dataset | None = None
        self.map_layer: VirtualMapLayer | None = None
        self.roi_layer: RoiLayer | None = None
        self.veil: ExcludedVeil | None = None
        self.profile_name = ""
        self.galvo = GalvoReview(self)
        viewer.dims.events.current_step.connect(self._on_step)

    @property
    def viewer(self) -> napari.Viewer:
        """The viewer.

        Raises
        ------
        RuntimeError
            If it is closed.
        """
        viewer = self._viewer()
        if viewer is None:
            raise RuntimeError("the viewer of this session is closed")
        return viewer

    # --- opening --------------------------------------------------------------------------------------------
    def open(self, source: Dataset | str | Path, map_id: str | None = None) -> Dataset:
        """Open a dataset in the viewer, in place of the one that is open.

        Parameters
        ----------
        source : Dataset or path-like
            What to open.
        map_id : str, optional
            Map to show first.

        Returns
        -------
        Dataset

        Raises
        ------
        SlicemapError
            If it cannot be opened; what was open stays.
        """
        dataset = source if isinstance(source, Dataset) else open_dataset(source)
        profile = dataset.profiles.get_default()
        if profile is None:
            profile = starter_profile(list(dataset.fovs.values()))
        layer = VirtualMapLayer(dataset, profile)
        self.close()
        self.dataset, self.map_layer, self.profile_name = dataset, layer, profile.name
        if profile.name not in dataset.profiles.names:
            # not saved: a starter profile is a guess until somebody says it is good
            dataset.profiles = dataset.profiles.with_profile(profile)
        self.undo_stack.clear()
        self._show(layer, map_id)
        self.opened.emit()
        return dataset

    def _show(self, layer: VirtualMapLayer, map_id: str | None) -> None:
        viewer = self.viewer
        for one in layer.layers:
            viewer.add_layer(one)
        self.roi_layer = RoiLayer(self, layer.pages)
        viewer.add_layer(self.roi_layer.layer)
        self.veil = ExcludedVeil(self, layer.pages)
        viewer.canvas.overlays.scale_bar.visible = True
        viewer.dims.axis_labels = ("slice", "y", "x")
        number = max(0, layer.pages.index_of(map_id)) if map_id else self._first_used_page()
        viewer.dims.set_current_step(0, number)
        viewer.canvas.overlays.text.visible = True
        self._say_page(number)
        self.look_at(number)

    def _first_used_page(self) -> int:
        """Give the first page whose slice is to be used: that is where work begins."""
        count = 0 if self.map_layer is None else len(self.map_layer.pages.pages)
        return next((number for number in range(count) if not self.why_excluded(number)), 0)

    def close(self) -> None:
        """Take the dataset's layers out of the viewer."""
        viewer, layer = self.viewer, self.map_layer
        mine: list[Any] = [] if layer is None else list(layer.layers)
        for part in (self.veil, self.roi_layer):
            if part is not None:
                part.detach()
                mine.append(part.layer)
        self.dataset = self.map_layer = self.roi_layer = self.veil = None
        for one in mine:
            if one in viewer.layers:
                viewer.layers.remove(one)

    # --- looking --------------------------------------------------------------------------------------------
    @property
    def page_number(self) -> int:
        """Which page the slider shows."""
        return int(self.viewer.dims.current_step[0]) if self.map_layer is not None else 0

    @property
    def slice_id(self) -> str:
        """Which slice the slider shows; empty where none is open, or a FOV is shown alone."""
        if self.map_layer is None:
            return ""
        page = self.map_layer.page(self.page_number)
        return "" if page.fov else page.map.slice_id

    def show_slice(self, slice_id: str) -> None:
        """Move the slider to the first map of a slice, matched by number, if it has one that is not shown."""
        pages = () if self.map_layer is None else self.map_layer.pages.pages
        own = [
            n for n, page in enumerate(pages) if not page.fov and number_of(page.map.slice_id) == number_of(slice_id)
        ]
        if own and self.page_number not in own:
            self.viewer.dims.set_current_step(0, own[0])

    def look_at(self, number: int) -> None:
        """Centre the camera on a page's map, so that all of it is seen."""
        if self.map_layer is None:
            return
        pages = self.map_layer.pages
        window, viewer = pages.pages[number].window, self.viewer
        _, top, left = pages.translate
        size = pages.scale[1]
        height, width = window.shape
        viewer.scene.camera.center = (0.0, top + (window.y0 + height / 2) * size, left + (window.x0 + width / 2) * size)
        canvas = viewer.canvas.size
        viewer.scene.camera.zoom = 0.95 * min(canvas[0] / (height * size), canvas[1] / (width * size))

    def _on_step(self, _event: Any = None) -> None:
        if self.map_layer is None:
            return
        number = self.page_number
        if not self._sees(number):
            self.look_at(number)
        self._say_page(number)
        self.page_changed.emit(number)

    def _say_page(self, number: int) -> None:
        """Write on the canvas which slice is shown, and why it is excluded if it is."""
        if self.dataset is None or self.map_layer is None:
            return
        title, why = self.map_layer.page(number).title, self.why_excluded(number)
        self.viewer.canvas.overlays.text.text = f"{title} (excluded: {why})" if why else title

    def _sees(self, number: int) -> bool:
        """Whether any of a page's map is within the view; stages of slides may lie far apart."""
        if self.map_layer is None or number >= len(self.map_layer.pages.pages):
            return True
        pages, viewer = self.map_layer.pages, self.viewer
        window, size = pages.pages[number].window, pages.scale[1]
        half = [extent / 2 / viewer.scene.camera.zoom for extent in viewer.canvas.size]
        _, y, x = viewer.scene.camera.center
        _, top, left = pages.translate
        rows = top + window.y0 * size < y + half[0] and top + window.y1 * size > y - half[0]
        columns = left + window.x0 * size < x + half[1] and left + window.x1 * size > x - half[1]
        return bool(rows and columns)

    # --- deciding -------------------------------------------------------------------------------------------
    def why_excluded(self, number: int) -> str:
        """Say why the slice of a page is not to be used, or ``""``; a FOV that is shown alone is of no slice."""
        if self.dataset is None or self.map_layer is None:
            return ""
        page = self.map_layer.page(number)
        return "" if page.fov else self.dataset.why_excluded(page.map.slice_id)

    def set_slices(self, rows: Mapping[str, dict[str, Any]] | None) -> None:
        """Decide by another slice table: what it excludes is greyed and left out of exports. No file is written.

        Parameters
        ----------
        rows : mapping of str to dict, or None
            Slice id → row, as :func:`napari_slicemap.slices.slice_config.read` gives it; ``None`` for no table.
        """
        if self.dataset is None:
            return
        self.dataset.slices = rows
        self._on_slices()

    def reload_slices(self) -> None:
        """Read the slice table anew, because something else wrote it.

        Raises
        ------
        FileFormatError
            Naming the file and line, if it is no slice table; the one read before stays.
        """
        if self.dataset is None:
            return
        self.dataset.reload_slices()
        self._on_slices()

    def _on_slices(self) -> None:
        self._say_page(self.page_number)
        self.slices_changed.emit()

    # --- commands -------------------------------------------------------------------------------------------
    @property
    def rois(self) -> RoiTable:
        """The ROIs of the dataset."""
        return RoiTable() if self.dataset is None else self.dataset.rois

    def add_roi(self, roi: Roi) -> None:
        """Add an ROI, and save the table."""
        self._set_rois(f"add {roi.label}", self.rois.with_roi(roi))

    def change_roi(self, roi: Roi) -> None:
        """Put an ROI in place of the one of its id, and save the table."""
        changed = roi.model_copy(update={"updated_at": now_iso()})
        self._set_rois(f"change {roi.label}", self.rois.with_roi(changed))

    def remove_rois(self, roi_ids: list[str]) -> None:
        """Remove ROIs, and save the table."""
        table = self.rois
        for roi_id in roi_ids:
            table = table.without(roi_id)
        self._set_rois(f"remove {len(roi_ids)} ROI" + ("s" if len(roi_ids) > 1 else ""), table)

    def _set_rois(self, name: str, table: RoiTable) -> None:
        before = self.rois
        self.undo_stack.push(_Command(name, lambda: self._store_rois(table), lambda: self._store_rois(before)))

    def _store_rois(self, table: RoiTable) -> None:
        if self.dataset is None:
            return
        self.dataset.rois = table
        try:
            table.write(self.dataset.places.written("rois"))
        except OSError as error:
            place = self.dataset.places.written("rois")
            warnings.warn(
                f"The ROIs could not be saved to {place} ({error.strerror}); they are kept while napari is open. "
                "Make a project in a folder of yours: slicemap init DATA --project-folder FOLDER",
                stacklevel=2,
            )
        self.rois_changed.emit()

    def activate_profile(self, name: str) -> None:
        """Show the channels by a saved profile.

        Raises
        ------
        UnknownNameError
            If there is none of that name.
        """
        if self.dataset is None or self.map_layer is None:
            return
        self.map_layer.apply(self.dataset.profiles[name])
        self.profile_name = name
        self.profiles_changed.emit()

    def save_profile(self, name: str) -> None:
        """Save what napari's controls show now as a profile; masks and annotations keep their styles.

        Raises
        ------
        SlicemapError
            If there is nothing open.
        """
        if self.dataset is None or self.map_layer is None:
            raise SlicemapError("there is no dataset open, so there is no profile to save")
        book = self.dataset.profiles
        base = book[name] if name in book.names else book[self.profile_name]
        made = Profile(name=name, channels=self.map_layer.settings(), masks=base.masks, annotations=base.annotations)
        changed = book.with_profile(made)
        changed.write(self.dataset.places.written("profiles"))
        self.dataset.profiles, self.profile_name = changed, name
        self.profiles_changed.emit()


class _Command(QUndoCommand):
    """A change with a name: how to do it, and how to undo it."""

    def __init__(self, name: str, do: Callable[[], None], undo: Callable[[], None]) -> None:
        super().__init__(name)
        self._do, self._undo = do, undo

    def redo(self) -> None:
        """Do it; Qt calls this when the command is pushed, too."""
        self._do()

    def undo(self) -> None:
        """Undo it."""
        self._undo()
