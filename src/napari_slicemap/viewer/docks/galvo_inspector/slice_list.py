"""The table of slices: how sure the detection is, what is decided, and by whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QModelIndex, QRect, QSignalBlocker, QSize, QSortFilterProxyModel, Qt, Signal
from qtpy.QtGui import QBrush, QColor, QPainter
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QStyledItemDelegate, QStyleOptionViewItem, QTableView

from ....slices.galvo.decisions import CONFIDENCE, Standing, standing
from ....slices.galvo.record import DETECTION, IN_TABLE, GalvoRecord
from ....slices.slice_values import id_key, number_of
from ..colours import THEME, colours_of
from ..row_model import RowModel
from .ring import is_near
from .sentences import CONSIDER

_COLUMNS = ("Slice", "Confidence", "Decision", "By", "Agree", "Fixed")
_WIDTHS = (46, 106, 74, 0, 54, 44)
_STRETCHED, _WIDTH_PX = 3, 486
_CONFIDENCE = 1
_ROW_PX, _ROWS_SHOWN = 22, 3
_DOT_PX, _BAR_PX, _NUMBER_PX = 9, 5, 38
_GREY = QBrush(QColor(128, 128, 128))  # is read on both themes
_TIPS = (
    "The slice; grey where it has no tiles",
    "How sure the detection is that the return lies inside the tiles: grey below 0.5, amber up to the threshold, red "
    "from there on. Click the header to sort",
    "What is decided: fix, by so many A-lines, or leave",
    "Who decided: the detection, or a person",
    "How many of the tiles that were looked at have the return where the best one has it",
    "✓ where a fix was written",
)


@dataclass(frozen=True)
class SliceLine:
    """A row of the table.

    Parameters
    ----------
    slice_id : str
        The slice.
    has_tiles : bool
        Whether there are tiles to look at.
    confidence : float or None
        Of the detection; ``None`` where there was none.
    threshold : float
        That it was held to.
    standing : Standing
        What is decided.
    by : str
        Who decided, in words.
    agree : tuple of int or None
        How many tiles agree with the best one, itself included, and how many were looked at.
    applied : str
        Where the fix was written to; empty where none was.
    """

    slice_id: str
    has_tiles: bool
    confidence: float | None
    threshold: float
    standing: Standing
    by: str
    agree: tuple[int, int] | None
    applied: str

    @property
    def decision(self) -> str:
        """What is decided, in words."""
        fix, shift = self.standing.fix, self.standing.shift
        if fix is None:
            return "–"
        if not fix:
            return "leave"
        return "fix" if shift is None else f"fix by {shift}"


def line_of(slice_id: str, row: Mapping[str, Any], record: GalvoRecord | None, has_tiles: bool) -> SliceLine:
    """Say how a slice stands, by its row in the slice table and what is on record."""
    now = standing(row, record)
    who = "" if record is None or record.decided_by in (DETECTION, IN_TABLE) else record.decided_by
    by = (who or "slice table") if now.by == "reviewer" else now.by
    stated = row.get(CONFIDENCE)
    return SliceLine(
        slice_id,
        has_tiles,
        stated if stated is not None or record is None else record.confidence,
        0.6 if record is None else record.threshold,
        now,
        f"override, {by}" if now.overridden else by,
        None if record is None else agreeing(record),
        "" if record is None or record.applied is None else record.applied.path,
    )


def agreeing(record: GalvoRecord) -> tuple[int, int] | None:
    """Count the tiles that have the return within one A-line of where the best one has it, itself included.

    Returns
    -------
    tuple of int or None
        How many, and of how many; ``None`` if all were background.
    """
    if record.likeliest is None:
        return None
    agree = [tile for tile in record.tiles if is_near(tile.shift, record.likeliest, record.lines)]
    return len(agree), len(record.tiles)


class SliceLines(RowModel[SliceLine]):
    """The rows, by slice."""

    def __init__(self) -> None:
        super().__init__(_COLUMNS)

    def put(self, lines: Iterable[SliceLine]) -> None:
        """Replace all rows; those of the same slices stay where they are."""
        lines = sorted(lines, key=lambda one: id_key(one.slice_id))
        if [one.slice_id for one in lines] == [one.slice_id for one in self.rows]:
            changed = [n for n, (old, new) in enumerate(zip(self.rows, lines, strict=True)) if old != new]
            self.rows = lines
            for row in changed:
                self.dataChanged.emit(self.index(row, 0), self.index(row, len(_COLUMNS) - 1))
            return
        self.beginResetModel()
        self.rows = lines
        self.endResetModel()

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Give what a cell shows."""
        line, column = self.rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return _texts(line)[column]
        if role == Qt.ItemDataRole.ForegroundRole and not line.has_tiles:
            return _GREY
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tip(line)
        if role == Qt.ItemDataRole.TextAlignmentRole and column >= 4:
            return Qt.AlignmentFlag.AlignCenter
        return None

    def headerData(self, section: int, orientation: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: N802
        """Give the title of a column, and what it means."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.ToolTipRole:
            return _TIPS[section]
        return super().headerData(section, orientation, role)


def _texts(line: SliceLine) -> tuple[str, ...]:
    agree = "" if line.agree is None else f"{line.agree[0]} of {line.agree[1]}"
    confidence = "" if line.confidence is None else f"{line.confidence:.3f}"
    return line.slice_id, confidence, line.decision, line.by, agree, "✓" if line.applied else ""


def _tip(line: SliceLine) -> str:
    said = [f"Slice {line.slice_id}" if line.has_tiles else f"Slice {line.slice_id}: it has no tiles"]
    if line.confidence is not None:
        said.append(f"confidence {line.confidence:.3f}, threshold {line.threshold:g}")
    if line.standing.by:
        said.append(f"{line.decision}, decided by {line.by}")
    if line.applied:
        said.append(f"the fix was written to {line.applied}")
    return "\n".join(said)


class _Sorted(QSortFilterProxyModel):
    """Sorts by slice, by confidence, or by the words of a column; slices that are equal by id."""

    def lessThan(self, left: QModelIndex, right: QModelIndex) -> bool:  # noqa: N802 - Qt's name
        model: Any = self.sourceModel()
        one, other = model.rows[left.row()], model.rows[right.row()]
        if left.column() == _CONFIDENCE:
            keys: list[Any] = [-1.0 if it.confidence is None else it.confidence for it in (one, other)]
        else:
            keys = [_texts(it)[left.column()] for it in (one, other)]
        if left.column() == 0 or keys[0] == keys[1]:
            return bool(id_key(one.slice_id) < id_key(other.slice_id))
        return bool(keys[0] < keys[1])


class SliceList(QTableView):
    """The table; one slice is chosen."""

    chosen = Signal(str)
    """The slice that somebody chose."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = SliceLines()
        self._sorted = _Sorted(self)
        self._sorted.setSourceModel(self.lines)
        self.setModel(self._sorted)
        self._delegate = _ConfidenceBar(self)
        self.setItemDelegateForColumn(_CONFIDENCE, self._delegate)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # names of slices differ at their ends
        self.setTabKeyNavigation(False)
        self.setAccessibleName("Slices")
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(_ROW_PX)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setMinimumSectionSize(24)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(_STRETCHED, QHeaderView.ResizeMode.Stretch)
        for column, width in enumerate(_WIDTHS):
            if width:
                self.setColumnWidth(column, width)
        self.setMinimumHeight(_ROW_PX * (_ROWS_SHOWN + 1) + 6)
        self.setSortingEnabled(True)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.selectionModel().currentRowChanged.connect(self._on_current)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Prefer to be low: the slice that is chosen matters more."""
        return QSize(_WIDTH_PX, self.minimumHeight() + _ROW_PX)

    @property
    def current(self) -> str:
        """The slice that is chosen; empty where none is."""
        index = self.currentIndex()
        return self._line(index).slice_id if index.isValid() else ""

    def line(self, slice_id: str) -> SliceLine | None:
        """Give the row of a slice, matched by number."""
        own = (one for one in self.lines.rows if number_of(one.slice_id) == number_of(slice_id))
        return next(own, None) if slice_id else None

    def put(self, lines: Iterable[SliceLine]) -> None:
        """Replace all rows; the slice that is chosen stays so if it is still there."""
        before = self.current
        with QSignalBlocker(self):
            self.lines.put(lines)
            if before != self.current:
                self.choose(before)

    def choose(self, slice_id: str) -> bool:
        """Choose a slice, matched by number; say whether there is one."""
        for row in range(self._sorted.rowCount()):
            index = self._sorted.index(row, 0)
            if slice_id and number_of(self._line(index).slice_id) == number_of(slice_id):
                self.setCurrentIndex(index)
                self.scrollTo(index)
                return True
        return False

    def step(self, by: int) -> bool:
        """Choose the next (or previous) slice that has tiles, as the rows are sorted; say whether there is one."""
        row = self.currentIndex().row() + by if self.currentIndex().isValid() else 0
        while 0 <= row < self._sorted.rowCount():
            index = self._sorted.index(row, 0)
            if self._line(index).has_tiles:
                self.setCurrentIndex(index)
                self.scrollTo(index)
                return True
            row += by
        return False

    def set_theme(self, theme: str) -> None:
        """Paint in the colours of a theme of napari, by its name."""
        self._delegate.set_theme(theme)
        self.viewport().update()

    def _on_current(self, current: QModelIndex, _before: object = None) -> None:
        if current.isValid():
            self.chosen.emit(self._line(current).slice_id)

    def _line(self, index: QModelIndex) -> SliceLine:
        return self.lines.rows[self._sorted.mapToSource(index).row()]


class _ConfidenceBar(QStyledItemDelegate):
    """Paints a confidence as a dot, a number and a bar."""

    def __init__(self, view: SliceList) -> None:
        super().__init__(view)
        self._view = view
        self._colours = colours_of(THEME)

    def set_theme(self, theme: str) -> None:
        """Paint in the colours of a theme of napari, by its name."""
        self._colours = colours_of(theme)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Paint a cell: what is beneath the text is the style's."""
        beneath = QStyleOptionViewItem(option)
        self.initStyleOption(beneath, index)
        beneath.text = ""
        self._view.style().drawControl(self._view.style().ControlElement.CE_ItemViewItem, beneath, painter, self._view)
        line = self._view._line(index)
        if line.confidence is None:
            return
        colours, room, colour = self._colours, option.rect.adjusted(4, 0, -6, 0), self._colour(line)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        middle = room.center().y() + 1
        painter.drawEllipse(QRect(room.left(), middle - _DOT_PX // 2 - 1, _DOT_PX, _DOT_PX))
        left = room.left() + _DOT_PX + 6
        painter.setPen(colours.text)
        words = QRect(left, room.top(), _NUMBER_PX, room.height())
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, f"{line.confidence:.3f}")
        bar = QRect(left + _NUMBER_PX + 2, middle - _BAR_PX // 2 - 1, room.right() - left - _NUMBER_PX - 2, _BAR_PX)
        painter.fillRect(bar, colours.track)
        painter.fillRect(QRect(bar.topLeft(), QSize(round(bar.width() * line.confidence), bar.height())), colour)
        painter.restore()

    def _colour(self, line: SliceLine) -> QColor:
        confidence, colours = line.confidence or 0.0, self._colours
        if confidence >= line.threshold:
            return colours.fix
        return colours.consider if confidence >= CONSIDER else colours.leave
