"""The rows of the table: what is said of each ROI."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from qtpy.QtCore import QModelIndex, Qt, Signal
from qtpy.QtGui import QColor, QImage

from ....errors import SlicemapError
from ....rois.measures import Measures, share_text
from ....rois.roi import Roi
from ...marking import Marking
from ..row_model import RowModel

COLUMNS = ("", "Name", "Slice", "Kind", "Size (µm)", "Area", "Empty", "Profile", "Tags", "Comment")
PICTURE, NAME, SLICE, KIND, SIZE, AREA, EMPTY, PROFILE, TAGS, COMMENT = range(len(COLUMNS))
_TIPS = {
    PICTURE: "As the export renders it",
    SLICE: "The slice that it is on; a FOV of it in brackets",
    SIZE: "Sides of a rectangle; width and height of other shapes",
    AREA: "The area; of a line its length",
    EMPTY: "How much of it lies where there is no data; on the map such an ROI is orange and thin",
}
_FIELDS = {NAME: "name", PROFILE: "profile", TAGS: "tags", COMMENT: "comment"}
_ORANGE = QColor(230, 110, 20)  # seen on both themes


@dataclass(frozen=True)
class RoiRow:
    """What the table says of an ROI.

    Parameters
    ----------
    roi : Roi
        The ROI.
    slice_id : str
        The slice that it is on; empty where it is on none.
    measures : Measures or None
        Its size; ``None`` where it cannot be measured.
    empty : float
        The share of it that lies where there is no data, 0 to 1.
    fault : str
        What is wrong with what it is on, or nothing.
    """

    roi: Roi
    slice_id: str
    measures: Measures | None
    empty: float
    fault: str

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """What the columns show."""
        roi, one = self.roi, self.measures
        slice_text = f"{self.slice_id} ({roi.fov})" if roi.fov and self.slice_id else self.slice_id or roi.fov
        return (
            "",
            roi.name,
            slice_text,
            "turned rectangle" if roi.kind == "rotated-rectangle" else roi.kind,
            one.size_text.removesuffix(" µm") if one else "?",
            one.extent_text if one else "?",
            share_text(self.empty),
            roi.profile,
            ", ".join(roi.tags),
            roi.comment,
        )

    @cached_property
    def words(self) -> str:
        """What the filter looks into."""
        return " ".join(self.texts).lower()


def row_of(roi: Roi, marking: Marking) -> RoiRow:
    """Say how an ROI stands."""
    ground = marking.ground
    try:
        measures, fault = ground.measure(roi), ground.fault(roi)
    except SlicemapError as error:  # a FOV that cannot be read
        return RoiRow(roi, ground.slice_id(roi), None, 0.0, str(error))
    return RoiRow(roi, ground.slice_id(roi), measures, marking.empty_share(roi), fault)


class RoiRows(RowModel[RoiRow]):
    """The rows; sorting and filtering change what is shown, never the order of the file.

    Parameters
    ----------
    marking : Marking
        Makes the changes.
    """

    refused = Signal(str)
    """A cell cannot be what somebody wrote: why, in words."""
    arranged = Signal()
    """Other rows are shown, or in another order."""

    def __init__(self, marking: Marking) -> None:
        super().__init__(COLUMNS)
        self._marking = marking
        self._all: dict[str, RoiRow] = {}
        self._next: list[RoiRow] = []
        self._words: list[str] = []
        self._sorted: tuple[int, bool] | None = None
        self.picture_of: Callable[[Roi], QImage | None] = lambda _: None
        self.calmly: Callable[[Callable[[], object]], object] = lambda command: command()
        """How to do what moves rows: a view may want that to wait."""

    # --- rows -----------------------------------------------------------------------------------------------
    def put(self, rois: Iterable[Roi]) -> None:
        """Show these ROIs; rows of those that are as they were are not made again."""
        old = self._all
        self._all = {roi.roi_id: self._row(roi, old.get(roi.roi_id)) for roi in rois}
        self._show()

    def _row(self, roi: Roi, known: RoiRow | None) -> RoiRow:
        return known if known is not None and known.roi is roi else row_of(roi, self._marking)

    @property
    def total(self) -> int:
        """Number of ROIs, shown or not."""
        return len(self._all)

    def set_filter(self, text: str) -> None:
        """Show only the ROIs that hold all of these words, in whatever column."""
        self._words = text.lower().split()
        self._show()

    def sort(self, column: int, order: Any = Qt.SortOrder.AscendingOrder) -> None:
        """Show the rows in the order of a column; in that of the file for a column below 0."""
        self._sorted = None if column < 0 else (column, order == Qt.SortOrder.DescendingOrder)
        self._show()

    def _show(self) -> None:
        self._next = shown = [one for one in self._all.values() if _holds(one, self._words)]
        if self._sorted is not None:
            column, backwards = self._sorted
            shown.sort(key=lambda one: _key(one, column), reverse=backwards)
        if [one.roi.roi_id for one in shown] == [one.roi.roi_id for one in self.rows]:
            changed = [n for n, (one, other) in enumerate(zip(shown, self.rows, strict=True)) if one is not other]
            self.rows = shown
            for number in changed:
                self.dataChanged.emit(self.index(number, 0), self.index(number, len(COLUMNS) - 1))
            return
        self.calmly(self._show_next)

    def _show_next(self) -> None:
        self.beginResetModel()
        self.rows = self._next
        self.endResetModel()
        self.arranged.emit()

    def tell_pictures(self, roi_ids: set[str]) -> None:
        """Say that there are other pictures of these ROIs."""
        for number, one in enumerate(self.rows):
            if one.roi.roi_id in roi_ids:
                self.dataChanged.emit(self.index(number, PICTURE), self.index(number, PICTURE))

    # --- what Qt asks ---------------------------------------------------------------------------------------
    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Give what a cell shows, or what is edited of it."""
        one, column = self.rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole or (role == Qt.ItemDataRole.EditRole and column in _FIELDS):
            return one.texts[column]
        if role == Qt.ItemDataRole.DecorationRole and column == PICTURE:
            return self.picture_of(one.roi)
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tip(one)
        if role == Qt.ItemDataRole.ForegroundRole and (one.fault or (one.empty and column == EMPTY)):
            return _ORANGE
        if role == Qt.ItemDataRole.TextAlignmentRole and column in (SIZE, AREA, EMPTY):
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def headerData(self, section: int, orientation: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: N802
        """Give the title of a column, and what it means."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.ToolTipRole:
            return _TIPS.get(section)
        return super().headerData(section, orientation, role)

    def flags(self, index: QModelIndex) -> Any:
        """Say that names, profiles, tags and comments can be edited."""
        made = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return made | Qt.ItemFlag.ItemIsEditable if index.column() in _FIELDS else made

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:  # noqa: N802
        """Change an ROI, undoable; what it may not be is refused in words."""
        field = _FIELDS.get(index.column())
        if role != Qt.ItemDataRole.EditRole or field is None:
            return False
        shown = self.rows[index.row()].roi
        if shown.roi_id not in self._all:
            self.refused.emit(f"ROI {shown.label} is not there any more, so its {field} cannot be edited")
            return False
        roi = self._all[shown.roi_id].roi  # somebody else may have changed the rest of it since
        text = str(value).strip()
        made: Any = tags_of(text) if field == "tags" else text
        try:
            self._marking.change([roi.model_copy(update={field: made})], f"change {field} of {roi.label}")
        except SlicemapError as error:
            self.refused.emit(str(error))
            return False
        return True


def tags_of(text: str) -> tuple[str, ...]:
    """Split what somebody wrote as tags: between them are commas or semicolons."""
    return tuple(dict.fromkeys(tag.strip() for tag in re.split("[,;]", text) if tag.strip()))


def _holds(one: RoiRow, words: list[str]) -> bool:
    return all(word in one.words for word in words)


def _key(one: RoiRow, column: int) -> Any:
    measures = one.measures
    if column in (EMPTY, PICTURE):
        return one.empty
    if column in (SIZE, AREA):
        if measures is None:
            return -1.0, 0.0
        if column == SIZE:
            return measures.width, measures.height
        return (0.0, measures.length or 0.0) if measures.area is None else (1.0, measures.area)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in _parts(one.texts[column])]


def _parts(text: str) -> list[str]:
    """Split text before and after numbers, so that ``ROI_2`` comes before ``ROI_10``."""
    return [part for part in re.split(r"(\d+)", text.lower()) if part]


def _tip(one: RoiRow) -> str:
    said = [one.roi.label, f"on {'FOV ' + one.roi.fov if one.roi.fov else 'map ' + one.roi.map_id}"]
    if one.fault:
        said.append(one.fault)
    elif one.empty:
        said.append(f"{share_text(one.empty)} of it lies where there is no data")
    if one.roi.updated_at:
        said.append(f"changed {one.roi.updated_at}")
    return "\n".join(said)
