"""What a dock that is closed leaves for the next one of its viewer."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

from ....dataset import Dataset
from ...session import Session
from .where import Labour


@dataclass(frozen=True)
class Kept:
    """What a dock showed.

    Parameters
    ----------
    wishes : dict
        The content of its plan, which may choose nothing yet.
    labour : Labour
        Who was to do the work.
    tab : int
        Which kind of items was shown.
    expanded : dict of str to bool
        Which sections were open.
    """

    wishes: dict[str, Any]
    labour: Labour
    tab: int
    expanded: dict[str, bool]


_kept: weakref.WeakKeyDictionary[Session, tuple[weakref.ref[Dataset], Kept]] = weakref.WeakKeyDictionary()


def keep(session: Session, kept: Kept) -> None:
    """Keep what a dock showed, as long as its viewer shows the same dataset."""
    if session.dataset is not None:
        _kept[session] = weakref.ref(session.dataset), kept


def kept_of(session: Session) -> Kept | None:
    """Give what the last dock of a session showed of its dataset, if there was one."""
    dataset, kept = _kept.get(session, (None, None))
    return kept if dataset is not None and dataset() is session.dataset else None
