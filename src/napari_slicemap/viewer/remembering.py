"""Remembers what is open in a viewer while it changes, since nobody asks before a crash; and opens it again."""

from __future__ import annotations

import logging
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QDockWidget

from ..dataset import Dataset
from .desk import DOCKS, docks_of, front_of, show_dock
from .map_layer import Display
from .remembered import Remembered, last_remembered, open_remembered, remember, state_file

if TYPE_CHECKING:
    from .session import Session

WAIT_MS = 800
"""A change is on disk within this time and that of writing."""


class Remembering:
    """Keeps what is open in a session; a window that nobody sees keeps nothing.

    Parameters
    ----------
    session : Session
        The session.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._file = state_file()
        self._seen: Remembered | None = None
        self._kept: Remembered | None = None
        self._has_path = False
        self.as_seen = False
        """Whether the dataset was opened as it was seen last: nothing moves the slider then but who asks for it."""
        self._writing: threading.Thread | None = None
        self._timer = QTimer(session.alive)
        self._timer.setSingleShot(True)
        self._timer.setInterval(WAIT_MS)
        self._timer.timeout.connect(self._keep)
        window = getattr(session.viewer, "window", None)
        self._window = None if window is None else window._qt_window
        if self._window is None:
            return
        _Watch(self._window, self)
        camera = session.viewer.scene.camera.events
        for event in (camera.center, camera.zoom):
            event.connect(self.notice)
        for signal in (session.page_changed, session.profiles_changed):
            signal.connect(self.notice)

    # --- keeping ------------------------------------------------------------------------------------------------
    def begin(self, dataset: Dataset) -> None:
        """Follow a dataset that was opened; one that is on no disk cannot be opened again."""
        self._has_path, self.as_seen = dataset.path.exists(), False
        if self._session.map_layer is not None:
            self._session.map_layer.display_changed.connect(self.notice)
        self.notice()

    def notice(self, *_: object) -> None:
        """See what is open now, and keep it soon if it is something else."""
        self._look()
        if self._seen != self._kept and not self._timer.isActive():
            self._timer.start()

    def notice_docks(self, *_: object) -> None:
        """See soon which docks there are: one came, went, or changed its place."""
        if self._session.dataset is not None and not self._timer.isActive():
            self._timer.start()

    def flush(self) -> None:
        """Keep at once what was to be kept soon."""
        self._wait()
        if self._timer.isActive():
            self._timer.stop()
            self._keep()
            self._wait()

    def leave(self) -> None:
        """Keep what was seen, and nothing from now on."""
        self._window = None  # Qt may have freed it
        self.flush()
        self._seen = self._kept = None

    def _look(self) -> None:
        """See what is open; what is being closed stays as it was."""
        window = self._window
        if window is None or not window.isVisible() or window.isMinimized() or not self._has_path:
            return
        seen = _seen_in(self._session)
        if seen is not None:
            self._seen = seen

    def _keep(self) -> None:
        """Write what is seen, if it is another one; files may be slow, and the window does not wait for them."""
        self._look()
        if self._seen is None or self._seen == self._kept:
            return
        if self._writing is not None and self._writing.is_alive():
            self._timer.start()
            return
        self._kept = self._seen
        self._writing = threading.Thread(target=_write, args=(self._seen, self._file), name="slicemap-remembering")
        self._writing.start()

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.join()

    # --- opening again ------------------------------------------------------------------------------------------
    def open_again(self) -> Dataset:
        """Open what was open last, in this viewer or another one, and show it as it was seen.

        Raises
        ------
        SlicemapError
            If nothing was, or if it cannot be opened; what is open stays.
        """
        self.flush()
        seen = last_remembered()
        return self.show(seen, open_remembered(seen))

    def show(self, seen: Remembered, dataset: Dataset) -> Dataset:
        """Open a dataset and show it as it was seen: slice, camera, display, profile, docks.

        What it does not have any more is left out.
        """
        session = self._session
        session.open(dataset)
        self.as_seen = True
        for display in get_args(Display):
            if display == seen.display:
                session.set_display(display)
        if seen.profile in dataset.profiles.names and seen.profile != session.profile_name:
            session.looks.show(dataset.profiles[seen.profile])  # no step of the history: this is where it begins
        for name in () if self._window is None else _in_front_last(seen):
            show_dock(session.viewer, name)
        number = _number_of(session, seen)
        if number is None:
            session.show_slice(seen.slice_id)
        else:
            session.viewer.dims.set_current_step(0, number)
            camera = session.viewer.scene.camera
            camera.center = (0.0, *seen.center)
            camera.zoom = seen.zoom
        return dataset


class _Watch(QObject):
    """Hears of docks that come and go, and of the window being closed; the window owns it."""

    def __init__(self, window: QObject, told: Remembering) -> None:
        super().__init__(window)
        self._told = weakref.ref(told)
        window.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Look out for docks and for the end."""
        if event.type() == QEvent.Type.ChildAdded and isinstance(event.child(), QDockWidget):
            event.child().visibilityChanged.connect(self._on_dock)
        elif event.type() == QEvent.Type.Close and (told := self._told()) is not None:
            told.flush()  # while all docks are there; whoever is asked may still stay
        return False

    def _on_dock(self, *_: object) -> None:
        if (told := self._told()) is not None:
            told.notice_docks()


def _seen_in(session: Session) -> Remembered | None:
    """See what a session shows; ``None`` where it shows no dataset of which there is a path."""
    dataset, layer = session.dataset, session.map_layer
    if dataset is None or layer is None:
        return None
    viewer, number = session.viewer, session.page_number
    shown = any(one in viewer.layers for one in layer.layers)
    if not shown or number >= len(layer.pages.pages) or viewer.scene.camera.zoom <= 0:
        return None
    page = layer.page(number)
    _, y, x = viewer.scene.camera.center
    docks = docks_of(viewer)
    return Remembered(
        path=str(dataset.path.absolute()),
        name=dataset.name,
        map_id="" if page.fov else page.map.map_id,
        slice_id="" if page.fov else page.map.slice_id,
        fov=page.fov,
        center=(float(y), float(x)),
        zoom=float(viewer.scene.camera.zoom),
        display=session.display,
        profile=session.profile_name,
        docks=docks,
        front=front_of(viewer),
    )


def _number_of(session: Session, seen: Remembered) -> int | None:
    """Give the page that was seen, by its id; ``None`` where the dataset has it no more."""
    pages = () if session.map_layer is None else session.map_layer.pages.pages
    wanted = (seen.fov, seen.map_id)
    found = (number for number, page in enumerate(pages) if (page.fov, "" if page.fov else page.map.map_id) == wanted)
    return next(found, None)


def _in_front_last(seen: Remembered) -> tuple[str, ...]:
    """Give the docks in the order in which they are to be shown."""
    known = [name for name in DOCKS if name in seen.docks]
    return tuple(sorted(known, key=lambda name: name == seen.front))


def _write(seen: Remembered, file: Path) -> None:
    """Write what was seen; where that cannot be, the log says so, since nobody's work is lost by it."""
    try:
        remember(seen, file)
    except OSError as error:
        logging.getLogger("napari_slicemap").warning("what is open is not kept for the next time: %s", error)
