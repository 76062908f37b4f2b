"""What can go wrong, by name.

Each error derives from :class:`SlicemapError` and from the builtin a caller would expect, and its message
names the culprit (file, row, FOV) and what would have been right.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager


class SlicemapError(Exception):
    """Base of every error that napari-slicemap raises on purpose."""


class DatasetNotFoundError(SlicemapError, FileNotFoundError):
    """The path given is not there, or no reader recognises it."""


class FileFormatError(SlicemapError, ValueError):
    """A file's content is not what its format asks for."""


class UnknownNameError(SlicemapError, KeyError):
    """A channel, profile, FOV, map or the like that does not exist.

    Parameters
    ----------
    kind : str
        What was looked up, such as ``"channel"``.
    name : str
        The name that was not found.
    available : iterable of str
        The names that would have been valid.
    where : str, optional
        The place looked in, such as ``"FOV r2c3"``.
    """

    def __init__(self, kind: str, name: str, available: Iterable[str], where: str = "") -> None:
        self.kind, self.name, self.where = kind, name, where
        self.available = list(available)
        super().__init__(kind, name, self.available, where)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}unknown {self.kind} {self.name!r} (there is {listing(self.available)})"


class TileReadError(SlicemapError, OSError):
    """The pixels of a FOV, mask or annotation cannot be read."""


class RegionError(SlicemapError, ValueError):
    """A region is empty, or lies wholly outside the data."""


class PixelSizeUnknownError(SlicemapError, ValueError):
    """A physical length was asked for, but no pixel size is known."""


class PlacementError(SlicemapError, ValueError):
    """Tiles cannot be placed on a map as described."""


class StackError(SlicemapError, ValueError):
    """A stack of frames is empty, does not agree with itself, or cannot be exported as asked."""


class PlanError(SlicemapError, ValueError):
    """An export was asked for that cannot be done.

    Parameters
    ----------
    faults : sequence of str
        Everything found wrong, each one a sentence.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = list(faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        return "; ".join(self.faults)


class CancelledError(SlicemapError, RuntimeError):
    """Somebody stopped what was being done; nothing of it was kept."""


@contextmanager
def in_words(path: str | os.PathLike[str], failed: str = "written", *, beside: bool = False) -> Iterator[None]:
    """Say an error of the system in words: ``PATH cannot be written: No space left on device``.

    Parameters
    ----------
    path : path-like
        The file that is worked on.
    failed : str
        What cannot be done with it then: be ``"written"`` or ``"read"``.
    beside : bool
        Files beside it are worked on, too: where the error names one, that one is said.

    Raises
    ------
    PlanError
        Instead of the system's error; one that is ours goes on as it is.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, SlicemapError):
            raise
        culprit = (beside and error.filename) or path
        raise PlanError([f"{culprit} cannot be {failed}: {error.strerror or error}"]) from error


def listing(names: Iterable[str], limit: int = 12) -> str:
    """Join names for a message, the first `limit` of them.

    Parameters
    ----------
    names : iterable of str
        Names in the order to show.
    limit : int
        How many to write out.

    Returns
    -------
    str
        ``"a, b, c"``, ``"a, b … and 40 more"`` or ``"none"``.
    """
    names = list(names)
    if not names:
        return "none"
    more = f" … and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
