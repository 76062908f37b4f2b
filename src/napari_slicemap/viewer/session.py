"""The session: what is open in one viewer. Docks are views of it, and talk to it alone."""

from __future__ import annotations

import atexit
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtCore import QObject
from qtpy.QtGui import QUndoStack

from ..dataset import Dataset, open_dataset
from ..render.starter import spread, starter_profiles
from ..rois.roi import Roi
from ..rois.table import RoiTable
from ..slices.slice_values import number_of
from .block_loader import BlockLoader
from .blocks import BlockCache
from .closing import Closing
from .framing import Framing
from .galvo_review import GalvoReview
from .long_lived import collecting_later
from .looks import Looks
from .map_layer import Display, VirtualMapLayer
from .marking import Marking
from .on_screen import OnScreen
from .remembering import Remembering
from .roi_layer import RoiLayer
from .settings import read_settings
from .slice_edits import SliceEdits
from .veil import ExcludedVeil

if TYPE_CHECKING:
    import napari

    from ..render.profile import Profile

_sessions: weakref.WeakKeyDictionary[Any, Session] = weakref.WeakKeyDictionary()


def session_of(viewer: napari.Viewer) -> Session:
    """Give the one session of a viewer; it is made at the first call."""
    key = getattr(viewer, "__wrapped__", viewer)  # plugins are handed a proxy of the viewer
    if key not in _sessions:
        from .commands import bind_keys  # which gives its commands to sessions

        _sessions[key] = Session(key)
        bind_keys(key)
    return _sessions[key]


def _with_starters(dataset: Dataset) -> Profile:
    """Give a dataset starter profiles, and say which to begin with.

    They are not saved: a starter profile is a guess until somebody says it is good.
    """
    made = starter_profiles(spread(dataset.fovs, dataset.distinct_fovs))
    for one in made:
        dataset.profiles = dataset.profiles.with_profile(one)
    return made[0]


@atexit.register
def _end_all() -> None:
    """Let all sessions end before Qt is taken down; viewers may never have been closed."""
    for one in list(_sessions.values()):
        one.end()


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
    """A dataset was opened."""
    closing = Signal()
    """The window, or the dataset, is about to be closed: what is being typed belongs to the one that is open."""
    rois_changed = Signal()
    """The ROI table is another one."""
    slices_changed = Signal()
    """The slice table is another one."""
    profiles_changed = Signal()
    """The profiles are other ones, or another one is active."""
    look_changed = Signal()
    """Somebody changed the look of a channel with napari's controls; see :attr:`profile_is_edited`."""
    page_changed = Signal(int)
    """The slider moved."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = weakref.ref(viewer)
        self._ended = False
        self.alive = QObject()  # owns what is Qt's, so that Qt frees it with the session
        self.undo_stack = QUndoStack(self.alive)
        self.dataset: Dataset | None = None
        self.map_layer: VirtualMapLayer | None = None
        self.roi_layer: RoiLayer | None = None
        self.veil: ExcludedVeil | None = None
        self.on_screen: OnScreen | None = None
        self.framing: Framing | None = None
        self.profile_name = ""
        self.cache_bytes: int | None = None
        """Bytes of pixels that a dataset opened from now on keeps for the screen; by default what the settings say."""
        self.galvo = GalvoReview(self)
        self.marking = Marking(self)
        self.edits = SliceEdits(self)
        self.looks = Looks(self)
        viewer.dims.events.current_step.connect(self._on_step)
        window = getattr(viewer, "window", None)
        if window is not None:
            Closing(window._qt_window, self._finish_typing, self.end)
        self.remembering = Remembering(self)

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
        settings = read_settings()
        if settings.profile in dataset.profiles.names:
            profile = dataset.profiles[settings.profile]
        else:
            profile = dataset.profiles.get_default() or _with_starters(dataset)
        kept = settings.cache_bytes if self.cache_bytes is None else self.cache_bytes
        loader = BlockLoader(BlockCache(kept), settings.threads)
        layer = VirtualMapLayer(dataset, profile, loader)
        self.close()
        self.dataset, self.map_layer, self.profile_name = dataset, layer, profile.name
        self.undo_stack.clear()
        self.marking.open(dataset)
        self.edits.begin(dataset)
        self._show(layer, loader, map_id)
        self.set_display(settings.display)
        self.remembering.begin(dataset)
        self.opened.emit()
        return dataset

    def _show(self, layer: VirtualMapLayer, loader: BlockLoader, map_id: str | None) -> None:
        viewer = self.viewer
        self.on_screen = OnScreen(viewer, layer, loader, self.why_excluded)
        self.framing = Framing(viewer, layer.pages)
        layer.look_changed.connect(self.look_changed.emit)
        for one in layer.layers:
            viewer.add_layer(one)
        self.roi_layer = RoiLayer(self, layer.pages)
        viewer.add_layer(self.roi_layer.layer)
        self.veil = ExcludedVeil(self, layer.pages)
        self.on_screen.speak_for(self.roi_layer.layer, self.veil.layer)
        viewer.canvas.overlays.scale_bar.visible = True
        viewer.dims.axis_labels = ("slice", "y", "x")
        number = max(0, layer.pages.index_of(map_id)) if map_id else self._first_used_page()
        viewer.dims.set_current_step(0, number)
        viewer.canvas.overlays.text.visible = True
        self._say_page(number)
        self.look_at(number)
        layer.reveal()

    def _first_used_page(self) -> int:
        """Give the first page whose slice is to be used: that is where work begins."""
        count = 0 if self.map_layer is None else len(self.map_layer.pages.pages)
        return next((number for number in range(count) if not self.why_excluded(number)), 0)

    def _finish_typing(self) -> None:
        self.closing.emit()

    def close(self) -> None:
        """Take the dataset's layers out of the viewer."""
        self._finish_typing()
        layers, mine = self.viewer.layers, self._let_go()
        with collecting_later():
            for one in mine:
                if one in layers:
                    layers.remove(one)

    def end(self) -> None:
        """Let everything go, because the viewer is closed.

        Layers know the canvas, and the canvas the viewer: a session that held them would keep a closed viewer in
        memory. Commands belong to Qt, and hold the session.
        """
        if self._ended:  # at the end of Python, Qt says once more that the window is gone, and has freed the history
            return
        self._ended = True
        self.remembering.leave()
        self._let_go()
        self.undo_stack.blockSignals(True)
        self.undo_stack.clear()
        if (viewer := self._viewer()) is not None:
            _sessions.pop(viewer, None)

    def _let_go(self) -> list[Any]:
        """Stop reading, drawing and listening; give the layers that there were."""
        layer = self.map_layer
        mine: list[Any] = [] if layer is None else layer.all_layers
        for watching in (self.on_screen, self.framing):
            if watching is not None:
                watching.close()
        for part in (self.veil, self.roi_layer):
            if part is not None:
                part.detach()
                mine.append(part.layer)
        self.edits.leave()
        self.marking.leave()
        self.dataset = self.map_layer = self.roi_layer = self.veil = self.on_screen = self.framing = None
        return mine

    # --- looking --------------------------------------------------------------------------------------------
    @property
    def page_number(self) -> int:
        """Which page the slider shows."""
        if self.map_layer is None:
            return 0
        last = len(self.map_layer.pages.pages) - 1  # without layers, as when a viewer is closed, the slider is another
        return min(int(self.viewer.dims.current_step[0]), last)

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
        if self.framing is not None:
            self.framing.frame_page(number)

    def _on_step(self, _event: Any = None) -> None:
        if self.map_layer is None:
            return
        number = self.page_number
        if self.framing is not None and not self.framing.sees(number):
            self.look_at(number)
        self._say_page(number)
        self.page_changed.emit(number)

    def _say_page(self, number: int) -> None:
        """Write on the canvas which slice is shown, and why it is excluded if it is."""
        if self.dataset is None or self.map_layer is None:
            return
        title, why = self.map_layer.page(number).title, self.why_excluded(number)
        self.viewer.canvas.overlays.text.text = f"{title} (excluded: {why})" if why else title

    @property
    def display(self) -> Display:
        """How the channels are shown."""
        return "channels" if self.map_layer is None else self.map_layer.display

    def set_display(self, display: Display) -> None:
        """Show the channels one by one (``channels``), or exactly what an export gives (``composite``).

        Raises
        ------
        ValueError
            If there is no such display.
        """
        if self.map_layer is not None:
            self.map_layer.set_display(display)

    # --- deciding -------------------------------------------------------------------------------------------
    def why_excluded(self, number: int) -> str:
        """Say why the slice of a page is not to be used, or ``""``; a FOV that is shown alone is of no slice."""
        dataset, layer = self.dataset, self.map_layer  # once: the status bar asks from a thread of its own
        if dataset is None or layer is None:
            return ""
        page = layer.page(number)
        return "" if page.fov else dataset.why_excluded(page.map.slice_id)

    def set_slices(self, rows: Mapping[str, dict[str, Any]] | None) -> None:
        """Decide by another slice table: what it excludes is greyed and left out of exports. No file is written.

        Edits that are not saved stay, over this table.

        Parameters
        ----------
        rows : mapping of str to dict, or None
            Slice id → row, as :func:`napari_slicemap.slices.slice_config.read` gives it; ``None`` for no table.
        """
        if self.dataset is None:
            return
        self.dataset.slices = self.edits.over(rows)
        self._on_slices()

    def reload_slices(self) -> None:
        """Read the slice table anew, because something else wrote it; edits that are not saved stay.

        Raises
        ------
        FileFormatError
            Naming the file and line, if it is no slice table; the one read before stays.
        """
        if self.dataset is None:
            return
        self.dataset.reload_slices()
        self.set_slices(self.dataset.slices)

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
        self.marking.add([roi])

    def change_roi(self, roi: Roi) -> None:
        """Put an ROI in place of the one of its id, and save the table."""
        self.marking.change([roi])

    def remove_rois(self, roi_ids: list[str]) -> None:
        """Remove ROIs, and save the table."""
        self.marking.remove(roi_ids)

    def activate_profile(self, name: str) -> None:
        """Show the channels by a profile, in place of what is shown.

        Raises
        ------
        UnknownNameError
            If there is none of that name.
        """
        self.looks.choose(name)

    @property
    def profile_is_edited(self) -> bool:
        """Whether napari's controls show something else than the active profile says."""
        shown = self.looks.shown()
        if self.dataset is None or shown is None:
            return False
        return dict(shown.channels) != dict(self.dataset.profiles[self.profile_name].channels)

    def save_profile(self, name: str = "") -> None:
        """Save what napari's controls show now as a profile; masks and annotations keep their styles.

        Parameters
        ----------
        name : str
            Of the profile; by default the active one's, whose channels it replaces.

        Raises
        ------
        SlicemapError
            If there is nothing open, if the file cannot be written to, or if something else changed that profile in it.
        """
        self.looks.save(name)
