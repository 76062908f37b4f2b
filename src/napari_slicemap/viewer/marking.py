"""What somebody marks: ROIs are on disk at once, each change has a name and can be undone.

Changes are made to what ``rois.csv`` holds at that moment, so that what other programs wrote since stays.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

import pydantic
from psygnal import Signal
from qtpy.QtGui import QUndoCommand

from ..dataset import Dataset
from ..errors import PlanError, SlicemapError
from ..files import explain, now_iso
from ..rois.drawing import NAME_PATTERN, check_pattern, copy_to_map, next_names
from ..rois.ground import Ground
from ..rois.interchange import Merge
from ..rois.roi import Points, Roi
from ..rois.table import RoiTable
from ..rois.table_file import Change, Outcome, RoiFile
from .file_watch import FileWatch
from .roi_places import RoiPlaces
from .telling import tell

if TYPE_CHECKING:
    from .session import Session

_ROOM = 0.8
"""The share of the canvas that an ROI takes when it is looked at."""


class Marking:
    """Changes the ROIs of one session, and knows which of them are selected.

    Parameters
    ----------
    session : Session
        Holds the dataset and the undo history.
    """

    told = Signal(str)
    """Something could not be done, or was done by another program: what, in words."""
    selection_changed = Signal()
    """Other ROIs are selected."""
    looked_at = Signal(str)
    """The view went to this ROI."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._file: RoiFile | None = None
        self._watch = FileWatch(session.alive)
        self._watch.changed.connect(self.look_for_changes)
        self._empty: dict[str, tuple[tuple[str, Points], float]] = {}
        self.ground = Ground({}, {})
        self.selected: tuple[str, ...] = ()
        self.pattern = NAME_PATTERN
        self.on_fovs = False
        self.turned = False

    def open(self, dataset: Dataset) -> None:
        """Begin with a dataset."""
        self._file = RoiFile(dataset.places.written("rois"), dataset.rois)
        self.ground = Ground({name: one.placement for name, one in dataset.maps.items()}, dataset.fovs)
        self._empty, self.selected = {}, ()
        self._watch.watch(self._file.path)

    def leave(self) -> None:
        """Look after no file any more."""
        self._watch.watch(None)
        self._file = None

    # --- what is known ------------------------------------------------------------------------------------------
    def empty_share(self, roi: Roi) -> float:
        """Give the share of an ROI that lies where there is no data; worked out once."""
        key = (f"{roi.fov}/{roi.map_id}", roi.points)
        known = self._empty.get(roi.roi_id)
        if known is None or known[0] != key:
            known = self._empty[roi.roi_id] = (key, self.ground.empty_share(roi))
        return known[1]

    def next_names(self, count: int = 1) -> list[str]:
        """Give the first names of the pattern that no ROI has."""
        return next_names((roi.name for roi in self._session.rois), count, self.pattern) if count else []

    def set_pattern(self, pattern: str) -> None:
        """Call ROIs that are drawn from now on by another pattern.

        Raises
        ------
        PlanError
            If it is none.
        """
        self.pattern = check_pattern(pattern)

    def tags(self) -> list[str]:
        """List the tags in use, by the alphabet."""
        return sorted({tag for roi in self._session.rois for tag in roi.tags}, key=str.lower)

    # --- changing -----------------------------------------------------------------------------------------------
    def add(self, rois: Sequence[Roi], name: str = "") -> None:
        """Add ROIs; undoable."""
        self._push(name or f"add {_named(rois)}", [Change(None, roi) for roi in rois])

    def change(self, rois: Iterable[Roi], name: str = "") -> None:
        """Put ROIs in place of those of their ids; undoable. Those that are as they were are left alone.

        Raises
        ------
        PlanError
            If an ROI is not what one may be, in words; nothing is changed then.
        """
        table, now = self._session.rois, now_iso()
        made, places = [(table[roi.roi_id], _checked(roi)) for roi in rois], _places(table)
        changes = [
            Change(old, new.model_copy(update={"updated_at": now}), places[old.roi_id])
            for old, new in made
            if new.model_copy(update={"updated_at": old.updated_at}) != old
        ]
        if changes:
            self._push(name or f"change {_named([one.roi for one in changes])}", changes)

    def remove(self, roi_ids: Collection[str]) -> None:
        """Remove ROIs; undoable."""
        ids = set(roi_ids)
        gone = [Change(roi, None, place) for place, roi in enumerate(self._session.rois) if roi.roi_id in ids]
        if gone:
            self._push(f"remove {_named([one.roi for one in gone])}", gone)

    def copy_to(self, roi_ids: Collection[str], map_ids: Sequence[str]) -> list[str]:
        """Copy ROIs to the same stage µm of other maps; undoable.

        Returns
        -------
        list of str
            Ids of the copies; a map that an ROI is on already gets none of it.

        Raises
        ------
        SlicemapError
            If a map has no pixel size, or an ROI is on no map; nothing is copied then.
        """
        table, placements = self._session.rois, self.ground.placements
        chosen = [roi for roi in table if roi.roi_id in set(roi_ids)]
        pairs = []
        for roi in chosen:
            source = self.ground.placement(roi)
            if source is None:
                raise PlanError([f"ROI {roi.label} is on no map, so it has no place on others"])
            pairs += [(roi, source, placements[one]) for one in map_ids if one != source.map_id]
        names = self.next_names(len(pairs))
        made = [copy_to_map(*pair, name) for pair, name in zip(pairs, names, strict=True)]
        if made:
            self.add(made, f"copy {_named(chosen)}")
        return [roi.roi_id for roi in made]

    def take(self, found: Merge) -> None:
        """Take in what was imported; undoable as one."""
        table = self._session.rois
        places = _places(table)
        changes = [Change(None, roi) for roi in found.new]
        changes += [Change(table[roi.roi_id], roi, places[roi.roi_id]) for roi in found.changed]
        if changes:
            self._push(f"import {len(changes)} ROI" + ("s" if len(changes) > 1 else ""), changes)

    def look_for_changes(self) -> None:
        """Take in what another program wrote to ``rois.csv`` since."""
        if self._file is None:
            return
        try:
            outcome = self._file.refresh()
        except (SlicemapError, OSError) as error:
            tell(self.told, f"{self._file.path.name} was changed by another program, and cannot be read: {error}")
            return
        if outcome is not None:
            self._take(outcome)

    def _push(self, name: str, changes: Sequence[Change]) -> None:
        self._session.undo_stack.push(_Command(self, name, changes))

    def make(self, changes: Sequence[Change]) -> tuple[Change, ...]:
        """Make changes, and give those that could be made; the others are told of."""
        if self._file is None:
            return ()
        outcome = self._file.change(changes)
        self._take(outcome)
        return outcome.done

    def _take(self, outcome: Outcome) -> None:
        session, file = self._session, self._file
        if session.dataset is None or file is None:
            return
        session.dataset.rois = file.table
        if outcome.unsaved:
            warnings.warn(
                f"The ROIs could not be saved to {file.path} ({outcome.unsaved}); they are kept while napari is open. "
                "Make a project in a folder of yours: slicemap init DATA --project-folder FOLDER",
                stacklevel=2,
            )
        self._forget_gone(file.table)
        session.rois_changed.emit()
        if outcome.conflicts:
            tell(self.told, ". ".join(outcome.conflicts))

    def _forget_gone(self, table: RoiTable) -> None:
        self._empty = {one: known for one, known in self._empty.items() if one in table}
        left = tuple(one for one in self.selected if one in table)
        if left != self.selected:
            self.selected = left
            self.selection_changed.emit()

    # --- selecting and looking ------------------------------------------------------------------------------------
    def select(self, roi_ids: Iterable[str]) -> None:
        """Select these ROIs and no others."""
        made = tuple(dict.fromkeys(roi_ids))
        if set(made) != set(self.selected):
            self.selected = made
            self.selection_changed.emit()

    def look_at(self, roi_id: str) -> None:
        """Show an ROI: the slider goes to its slice, and the view to its box.

        Raises
        ------
        SlicemapError
            If what it is on is not in the viewer.
        """
        session = self._session
        roi = session.rois[roi_id]
        if session.map_layer is None or session.framing is None:
            raise SlicemapError("there is no dataset open, so there is nothing to look at")
        place = RoiPlaces(session.map_layer.pages).of(roi)
        if place is None:
            raise SlicemapError(f"ROI {roi.label} cannot be shown: {self.ground.fault(roi) or 'it is on no map'}")
        session.viewer.dims.set_current_step(0, place.number)
        first, last = place.to_canvas(((roi.x_min, roi.y_min), (roi.x_max, roi.y_max)))
        session.framing.frame((*first, *last), _ROOM)
        self.looked_at.emit(roi_id)


class _Command(QUndoCommand):
    """Changes with a name; those that cannot be made leave the history."""

    def __init__(self, marking: Marking, name: str, changes: Sequence[Change]) -> None:
        super().__init__(name)
        self._marking, self._changes = marking, tuple(changes)

    def redo(self) -> None:
        """Make them; Qt calls this when the command is pushed, too."""
        self._changes = self._marking.make(self._changes)
        self.setObsolete(not self._changes)

    def undo(self) -> None:
        """Take them back."""
        made = self._marking.make([change.undone() for change in self._changes])
        self._changes = tuple(change.undone() for change in made)
        self.setObsolete(not self._changes)


def _checked(roi: Roi) -> Roi:
    """Validate what somebody changed; texts lose outer blanks, as they would in the file."""
    try:
        return Roi.model_validate(roi.model_dump())
    except pydantic.ValidationError as error:
        raise PlanError([f"ROI {roi.label}: {explain(error)}"]) from None


def _places(table: RoiTable) -> dict[str, int]:
    return {roi.roi_id: place for place, roi in enumerate(table)}


def _named(rois: Sequence[Roi]) -> str:
    return rois[0].label if len(rois) == 1 else f"{len(rois)} ROIs"
