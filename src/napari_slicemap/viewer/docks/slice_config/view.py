"""The table as it is seen: selection by slice, keys, which columns are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, QItemSelection, QItemSelectionModel, QModelIndex, QPoint, Qt, Signal
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QAbstractItemView, QHeaderView

from ..patient import PatientTable
from .cells import Cells
from .columns import MAIN, PICTURE, Column
from .model import SliceModel

_ROW_PX, _TALL_PX, _ROWS_SHOWN, _NOTES_PX, _LEAST_PX = 24, 50, 6, 160, 60
_SELECT = QItemSelectionModel.SelectionFlag
_POINTING = (QEvent.Type.MouseButtonPress, QEvent.Type.MouseMove, QEvent.Type.MouseButtonDblClick)


class SliceTable(PatientTable):
    """Shows the slices; space, E and the arrows work on those that are selected.

    Parameters
    ----------
    model : SliceModel
        The rows.
    picture : callable
        Gives the small picture of a slice.
    """

    chosen = Signal(str)
    """The slice that somebody went to."""
    toggle_asked = Signal()
    """Space was pressed."""
    note_asked = Signal()
    """E was pressed."""
    append_asked = Signal()
    """Shift+E was pressed."""
    flags_asked = Signal()
    """F was pressed."""
    menu_asked = Signal(QPoint)
    """The rows' menu is asked for, there on the screen."""
    columns_asked = Signal(QPoint)
    """The columns' menu is asked for, there on the screen."""

    def __init__(self, model: SliceModel, picture: Callable[[str], QImage | None]) -> None:
        super().__init__()
        self._shown = {one.key for one in MAIN if one.key != PICTURE}
        self._fitted: tuple[Column, ...] = ()
        self._before: tuple[list[str], str] = ([], "")
        self._silent, self._wanted = False, ""
        none, shift = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
        self._keys: dict[Any, Any] = {
            (Qt.Key.Key_Space, none): self.toggle_asked,
            (Qt.Key.Key_E, none): self.note_asked,
            (Qt.Key.Key_E, shift): self.append_asked,
            (Qt.Key.Key_F, none): self.flags_asked,
        }
        self.rows_model = model
        self.setModel(model)
        model.calmly = self.calmly
        self.cells = Cells(self, picture)
        self.setItemDelegate(self.cells)
        self._set_up()
        model.modelAboutToBeReset.connect(self._remember)
        model.modelReset.connect(self._restore)
        self.selectionModel().currentRowChanged.connect(self._on_current)
        self._fit()

    def _set_up(self) -> None:
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        triggers = QAbstractItemView.EditTrigger
        self.setEditTriggers(triggers.DoubleClicked | triggers.EditKeyPressed)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setAccessibleName("Slices")
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(_ROW_PX)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setMinimumSectionSize(24)
        header.setStretchLastSection(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(lambda at: self.columns_asked.emit(header.mapToGlobal(at)))
        self.setSortingEnabled(True)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(lambda at: self.menu_asked.emit(self.viewport().mapToGlobal(at)))
        self.setMinimumHeight(_ROW_PX * (_ROWS_SHOWN + 1) + 6)

    # --- columns ------------------------------------------------------------------------------------------------
    @property
    def shown_columns(self) -> set[str]:
        """Names of the columns that are shown, where the table has them."""
        return set(self._shown)

    def show_column(self, key: str, shown: bool = True) -> None:
        """Show a column, or hide it."""
        self._shown = self._shown | {key} if shown else self._shown - {key}
        self._fitted = ()
        self._fit()

    def _fit(self) -> None:
        """Show the columns that are wanted, each as wide as it needs."""
        if self._fitted == self.rows_model.columns:
            return
        self._fitted = self.rows_model.columns
        for number, column in enumerate(self._fitted):
            self.setColumnHidden(number, column.key not in self._shown)
            is_last = not any(one.key in self._shown for one in self._fitted[number + 1 :])
            self.setColumnWidth(number, column.width or (_LEAST_PX if is_last else _NOTES_PX))
        self.verticalHeader().setDefaultSectionSize(_TALL_PX if PICTURE in self._shown else _ROW_PX)

    # --- rows ---------------------------------------------------------------------------------------------------
    @property
    def current(self) -> str:
        """The slice that the keys begin from; empty where none is."""
        index = self.currentIndex()
        return self.rows_model.ids[index.row()] if index.isValid() else ""

    @property
    def selected(self) -> list[str]:
        """The slices that are selected, as they are shown."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows(1))
        return [self.rows_model.ids[row] for row in rows]

    def choose(self, slice_id: str) -> bool:
        """Go to a slice, matched by number, in silence; say whether it is shown."""
        row = self.rows_model.row_of(slice_id)
        if row < 0:
            return False
        self._wanted = slice_id
        if self.current != self.rows_model.ids[row]:
            self.calmly(self._go)
        return True

    def _go(self) -> None:
        row = self.rows_model.row_of(self._wanted)
        if row >= 0 and self.current != self.rows_model.ids[row]:
            self._quietly(lambda: self.setCurrentIndex(self.rows_model.index(row, 1)))
            self.scrollTo(self.rows_model.index(row, 1))

    def select(self, slice_ids: list[str]) -> None:
        """Select slices, those that are shown, and no others."""
        rows = sorted({row for one in slice_ids if (row := self.rows_model.place_of(one)) >= 0})
        last = self.rows_model.columnCount() - 1
        chosen, start = QItemSelection(), 0
        for n, row in enumerate(rows):
            if n + 1 == len(rows) or rows[n + 1] != row + 1:
                chosen.select(self.rows_model.index(rows[start], 0), self.rows_model.index(row, last))
                start = n + 1
        self.selectionModel().select(chosen, _SELECT.ClearAndSelect)

    def edit_note(self) -> None:
        """Edit the notes of the slice that is current."""
        index = self.currentIndex()
        if index.isValid():
            number = self.rows_model.number_of_column("notes")
            self.show_column("notes")
            place = self.rows_model.index(index.row(), number)
            self.scrollTo(place)
            self.selectionModel().setCurrentIndex(place, _SELECT.NoUpdate)
            self.edit(place)

    def _remember(self) -> None:
        self._before = self.selected, self.current

    def _restore(self) -> None:
        selected, current = self._before
        self._fit()

        def again() -> None:
            row = self.rows_model.row_of(current) if current else -1
            if row >= 0:
                self.selectionModel().setCurrentIndex(self.rows_model.index(row, 1), _SELECT.NoUpdate)
                self.scrollTo(self.rows_model.index(row, 1))
            self.select(selected)

        self._quietly(again)

    def _quietly(self, move: Callable[[], object]) -> None:
        before, self._silent = self._silent, True
        move()
        self._silent = before

    def _on_current(self, current: QModelIndex, _before: object = None) -> None:
        if current.isValid() and not self._silent:
            self._wanted = self.rows_model.ids[current.row()]
            self.chosen.emit(self._wanted)

    def viewportEvent(self, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Stay in a cell that would not validate: to go elsewhere would lose what is typed there."""
        if event.type() in _POINTING and self.is_editing and self.cells.is_refusing:
            return True
        return bool(super().viewportEvent(event))

    # --- keys and looks -----------------------------------------------------------------------------------------
    def keyPressEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Space turns `use` over, E edits the note, Shift+E adds to notes, F clears flags; the rest is a table's."""
        asked = self._keys.get((event.key(), event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier))
        if asked is None:
            super().keyPressEvent(event)
        else:
            asked.emit()

    def set_theme(self, theme: str) -> None:
        """Paint in the colours of a theme of napari, by its name."""
        self.cells.set_theme(theme)
        self.viewport().update()
