"""``rois.csv`` as several programs may change it: each change is made to what the file holds now, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import FileFormatError
from ..files import table_text, write_text
from .roi import Roi
from .table import COLUMNS, RoiTable, cells_of

_WAIT_S = 1.0
"""How long to wait for another program that is writing: it takes milliseconds."""


@dataclass(frozen=True)
class Change:
    """One ROI before and after.

    Parameters
    ----------
    before, after : Roi or None
        ``None`` where it is not there; at least one is, and both are of one id.
    place : int or None
        Where in the table it goes if it comes into it; at the end where ``None``.
    """

    before: Roi | None
    after: Roi | None
    place: int | None = None

    @property
    def roi(self) -> Roi:
        """The ROI that it is about."""
        made = self.after or self.before
        if made is None:
            raise ValueError("a change of nothing into nothing")
        return made

    def undone(self) -> Change:
        """Give the change that takes this one back."""
        return Change(self.after, self.before, self.place)


@dataclass(frozen=True)
class Outcome:
    """What became of changes.

    Parameters
    ----------
    done : tuple of Change
        Those that were made.
    conflicts : tuple of str
        Why the others were not: sentences that name the ROI.
    unsaved : str
        Why the file could not be written, if it could not: the changes are kept, and written with the next ones.
    """

    done: tuple[Change, ...]
    conflicts: tuple[str, ...] = ()
    unsaved: str = ""


class RoiFile:
    """The table of ROIs and its file.

    Parameters
    ----------
    path : path-like
        Where it is written; it may not be there yet.
    table : RoiTable
        What was read of it, or of another file that it begins with.
    """

    def __init__(self, path: Path, table: RoiTable) -> None:
        self.path, self.table = path, table
        self._seen: tuple[int, ...] | None = None
        self._looked_at: tuple[int, ...] | None = None
        self._unsaved: list[Change] = []
        self._lines: dict[str, tuple[Roi, str]] = {}

    def change(self, changes: Sequence[Change]) -> Outcome:
        """Make changes to what the file holds now, and write it.

        An ROI that something else changed or removed since is left as it is there.

        Parameters
        ----------
        changes : sequence of Change
            Each of another ROI.

        Returns
        -------
        Outcome
            `table` is what the file holds now, or would hold if it could be written.
        """
        try:
            with self._locked():
                state = _state(self.path)
                known = state is None or state == self._seen
                base, waited, conflicts = _made(self.table if known else RoiTable.read(self.path), self._unsaved)
                table, done, more = _made(base, changes)
                if done or waited:
                    write_text(self.path, self._text(table))
                    state = _state(self.path)
                self.table, self._unsaved, self._seen = table, [], state
                return Outcome(tuple(done), (*conflicts, *more))
        except (OSError, FileFormatError) as error:
            return self._kept(changes, error)

    def refresh(self) -> Outcome | None:
        """Take in what something else wrote, if anything did; `table` is what the file holds then.

        Returns
        -------
        Outcome or None
            ``None`` where there is nothing new.

        Raises
        ------
        FileFormatError
            Naming the file and line, if it is no table of ROIs any more, once for each of its states; `table` stays.
        OSError
            If it cannot be read.
        """
        state = _state(self.path)
        if state in (None, self._seen, self._looked_at):
            return None
        self._looked_at, before = state, self.table
        if self._unsaved:
            outcome = self.change(())
            return None if self.table == before and not outcome.conflicts else outcome
        # whoever writes puts a whole file in its place, so nobody needs to wait
        self.table, self._seen = RoiTable.read(self.path), state
        return None if self.table == before else Outcome(())

    def _kept(self, changes: Sequence[Change], error: OSError | FileFormatError) -> Outcome:
        """Keep changes in memory, because the file cannot be read or written."""
        self.table, done, conflicts = _made(self.table, changes)
        self._unsaved = _joined(self._unsaved, done)
        why = str(error) if isinstance(error, FileFormatError) else (error.strerror or str(error))
        return Outcome(tuple(done), tuple(conflicts), why)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path.with_name(f".{self.path.name}.lock"), timeout=_WAIT_S)
        try:
            lock.acquire()
        except Timeout:
            raise OSError(None, "another program is writing it") from None
        try:
            yield
        finally:
            lock.release()

    def _text(self, table: RoiTable) -> str:
        """Give the file's text; lines of ROIs that are as they were are not made again."""
        lines = {}
        for roi in table:
            known = self._lines.get(roi.roi_id)
            lines[roi.roi_id] = known if known is not None and known[0] is roi else (roi, _line(roi))
        self._lines = lines
        return table_text(COLUMNS, ()) + "".join(line for _, line in lines.values())


def _made(table: RoiTable, changes: Sequence[Change]) -> tuple[RoiTable, list[Change], list[str]]:
    """Make those changes whose ROI is as it was before them."""
    rois = {roi.roi_id: roi for roi in table}
    done, conflicts, new = list[Change](), list[str](), list[Change]()
    for change in changes:
        here = rois.get(change.roi.roi_id)
        if not (_same(here, change.before) or _same(here, change.after)):
            conflicts.append(_conflict(here, change))
            continue
        done.append(change)
        if change.after is None:
            rois.pop(change.roi.roi_id, None)
        elif here is None:
            new.append(change)
        else:
            rois[here.roi_id] = change.after
    return RoiTable(_inserted(rois.values(), new)), done, conflicts


def _same(one: Roi | None, other: Roi | None) -> bool:
    """Say whether a file would tell them apart."""
    if one is None or other is None:
        return one is other
    return one is other or one == other or _line(one) == _line(other)


def _inserted(rois: Iterable[Roi], new: Sequence[Change]) -> list[Roi]:
    """Put ROIs where they belong, the foremost first."""
    made = list(rois)
    for change in sorted(new, key=lambda one: len(made) + len(new) if one.place is None else one.place):
        made.insert(len(made) if change.place is None else change.place, change.roi)
    return made


def _joined(before: Sequence[Change], after: Sequence[Change]) -> list[Change]:
    """Make one change of two to the same ROI."""
    made = {change.roi.roi_id: change for change in before}
    for change in after:
        first = made.get(change.roi.roi_id)
        both = change if first is None else Change(first.before, change.after, first.place)
        made[change.roi.roi_id] = both
        if both.before is None and both.after is None:
            del made[change.roi.roi_id]
    return list(made.values())


def _conflict(here: Roi | None, change: Change) -> str:
    if here is None:
        return f"ROI {change.roi.label} was removed by another program since, and stays so"
    what = "is there already" if change.before is None else f"was changed by another program at {here.updated_at}"
    return f"ROI {here.label} {what}, and stays as it is there"


def _line(roi: Roi) -> str:
    return table_text(COLUMNS, [cells_of(roi)]).split("\n", 1)[1]


def _state(path: Path) -> tuple[int, ...] | None:
    """Tell one state of a file from another: whoever writes it puts a new file in its place."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
