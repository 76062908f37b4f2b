"""Profiles as they are shown and saved in a session: each a step of the undo history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtGui import QUndoCommand

from ..errors import SlicemapError, in_words
from ..files import atomic_path
from ..render.channels import ChannelSettings
from ..render.profile import Profile, ProfileBook

if TYPE_CHECKING:
    from .session import Session


_WAIT_S = 1.0
"""How long to wait for another program that is writing: it takes milliseconds."""


@dataclass(frozen=True)
class _Saved:
    """The profiles before or after a save; `written` is the file's content, ``None`` where there is no file."""

    book: ProfileBook
    active: str
    written: bytes | None


class Looks:
    """Shows the channels of a session by its profiles, and saves what napari's controls show.

    Parameters
    ----------
    session : Session
        Holds the dataset, the map layer and the undo history.
    """

    def __init__(self, session: Session) -> None:
        self._session, self.stack = session, session.undo_stack

    # --- showing --------------------------------------------------------------------------------------------
    def shown(self) -> Profile | None:
        """Give what napari's controls show, under the name of the active profile; ``None`` if nothing is open."""
        session = self._session
        if session.dataset is None or session.map_layer is None:
            return None
        base = session.dataset.profiles[session.profile_name]
        return base.model_copy(update={"channels": _with(base.channels, session.map_layer.settings())})

    def choose(self, name: str) -> None:
        """Show a profile, in place of what is shown.

        Raises
        ------
        UnknownNameError
            If there is none of that name.
        """
        before = self.shown()
        if before is None or self._session.dataset is None:
            return
        after = self._session.dataset.profiles[name]
        if name != before.name or self._session.profile_is_edited:
            self.stack.push(_Choice(self, before, after))

    def show(self, profile: Profile) -> None:
        """Set napari's controls to a profile, which becomes the active one."""
        session = self._session
        if session.map_layer is not None:
            session.map_layer.apply(profile)
            session.profile_name = profile.name
            session.profiles_changed.emit()

    # --- saving ---------------------------------------------------------------------------------------------
    def save(self, name: str = "") -> Path:
        """Save what napari's controls show as a profile; what others added to the file meanwhile stays.

        Parameters
        ----------
        name : str
            Of the profile; by default the active one's, whose channels it replaces.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        SlicemapError
            If nothing is open, if the file cannot be written to, or if something else changed that profile in it.
        """
        shown, dataset = self.shown(), self._session.dataset
        if shown is None or dataset is None:
            raise SlicemapError("there is no dataset open, so there is no profile to save")
        name, known, path = name or shown.name, dataset.profiles, dataset.places.written("profiles")
        base = known[name] if name in known.names else shown
        made = base.model_copy(update={"name": name, "channels": shown.channels})
        with _held(path):
            before = _Saved(known, shown.name, _content(path))
            book = known if before.written is None else ProfileBook.read(path)
            if name in book.names and (name not in known.names or book[name] != known[name]):
                raise SlicemapError(
                    f"{path}: profile {name!r} was changed by something else since it was read; save under another name"
                )
            changed = book.with_profile(made)
            changed.write(path)
            after = _Saved(changed, name, _content(path))
        self._take(after)
        self.stack.push(_Save(self, before, after))
        return path

    def put(self, source: _Saved, target: _Saved) -> bool:
        """Put the file and the profiles back as they were; say whether that was possible.

        It is not where something else wrote the file since.
        """
        dataset = self._session.dataset
        if dataset is None:
            return False
        path = dataset.places.written("profiles")
        try:
            with _held(path):
                if _content(path) != source.written:
                    raise SlicemapError(f"{path} was changed by something else since; nothing is changed")
                if target.written is None:
                    path.unlink()
                else:
                    with atomic_path(path) as temporary:
                        temporary.write_bytes(target.written)
        except SlicemapError as error:
            from napari.utils.notifications import show_error

            show_error(str(error))
            return False
        self._take(target)
        return True

    def _take(self, state: _Saved) -> None:
        session = self._session
        if session.dataset is not None:
            session.dataset.profiles, session.profile_name = state.book, state.active
            session.profiles_changed.emit()


def _with(channels: Mapping[str, ChannelSettings], shown: Mapping[str, ChannelSettings]) -> dict[str, ChannelSettings]:
    """Put what controls show into channels; those without controls stay, and hidden new ones are left out."""
    new = {name: one for name, one in shown.items() if name not in channels and one.visible}
    return {name: shown.get(name, one) for name, one in channels.items()} | new


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Keep others from writing the profiles between their being read and written; what fails is said in words."""
    from filelock import FileLock, Timeout

    with in_words(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(path.with_name(f".{path.name}.lock"), timeout=_WAIT_S):
                yield
        except Timeout:
            raise SlicemapError(f"{path} cannot be written: another program is writing it") from None


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


class _Choice(QUndoCommand):
    """Another profile is shown; what the controls showed before comes back, saved or not."""

    def __init__(self, looks: Looks, before: Profile, after: Profile) -> None:
        super().__init__(f"show profile {after.name}")
        self._looks, self._before, self._after = looks, before, after

    def redo(self) -> None:
        """Show the profile."""
        self._looks.show(self._after)

    def undo(self) -> None:
        """Show what was shown before."""
        self._looks.show(self._before)


class _Save(QUndoCommand):
    """A profile that was saved: it is written before it comes into the history, so that a refused one never does."""

    def __init__(self, looks: Looks, before: _Saved, after: _Saved) -> None:
        super().__init__(f"save profile {after.active}")
        self._looks, self._before, self._after, self._done = looks, before, after, True

    def redo(self) -> None:
        """Write it again, and show it: what an earlier step shows is something else."""
        if not self._done:
            self._done = self._looks.put(self._before, self._after)
            if self._done:
                self._looks.show(self._after.book[self._after.active])
            else:  # the history goes back to what is so
                QTimer.singleShot(0, self._looks.stack.undo)

    def undo(self) -> None:
        """Put the file back as it was."""
        if self._done:
            self._done = not self._looks.put(self._after, self._before)
            if self._done:
                QTimer.singleShot(0, self._looks.stack.redo)
