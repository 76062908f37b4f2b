"""The dialog that asks for what the files of a dataset do not state: pixel size, stage direction, how tiles lie."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QFormLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ..dataset import Dataset, open_dataset
from ..errors import SlicemapError, in_words
from ..images.acquisition import Missing
from ..project import PROJECT_FILE, write_project
from .docks.parts import choose, row

if TYPE_CHECKING:
    from .session import Session

_WIDTH = 460
_MOST_TILES = 100_000


class MissingDialog(QDialog):
    """Asks for what a dataset's files do not state, and opens it anew with the answers; it may stay open.

    Parameters
    ----------
    session : Session
        Whose dataset.
    parent : QWidget
        The window.
    """

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self._session = session
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Slice map: what the files do not state")
        self.found, self.message = QLabel(), QLabel()
        for label in (self.found, self.message):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
        # there may be a command in it
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.keep = QCheckBox(f"&Remember it in {PROJECT_FILE}")
        self.keep.setToolTip("Write the answers into the project file, so that nobody has to give them again")
        self.keep.setChecked(True)
        self.use = QPushButton("&Use")
        self.use.setToolTip("Open the dataset anew with these answers")
        self.use.setDefault(True)
        self.later = QPushButton("&Not now")
        self.later.setToolTip("Go on without; Plugins ▸ Slice map ▸ What the files do not state... asks again")
        self._form, self._answers = QFormLayout(), dict[str, Callable[[], Any]]()
        self._fields: list[QWidget] = []
        layout = QVBoxLayout(self)
        layout.addWidget(self.found)
        layout.addLayout(self._form)
        layout.addWidget(self.keep)
        layout.addWidget(self.message)
        layout.addLayout(row(None, self.later, self.use))
        self.setMinimumWidth(_WIDTH)
        self.use.clicked.connect(self._use)
        self.later.clicked.connect(self._leave)
        # of another dataset, something else is missing
        session.opened.connect(self._leave)
        self._fill(session.dataset)
        self._order()

    def _fill(self, dataset: Dataset | None) -> None:
        asked = [] if dataset is None else _questions(dataset)
        self.found.setText("There is no dataset open." if dataset is None else _told(dataset, asked))
        for widget in (self.keep, self.use):
            widget.setVisible(bool(asked))
        for one in asked:
            _ASK[one.field](self, one)

    def _order(self) -> None:
        """Let Tab go down the dialog, from the first question."""
        order = [*self._fields, self.keep, self.later, self.use]
        for before, after in pairwise(order):
            self.setTabOrder(before, after)
        order[0].setFocus()

    def _leave(self) -> None:
        self.close()

    def done(self, result: int) -> None:
        """Stop listening, and close."""
        self._session.opened.disconnect(self._leave, missing_ok=True)
        super().done(result)

    # --- questions ----------------------------------------------------------------------------------------------
    def _add(self, one: Missing, label: str, widget: QWidget) -> None:
        widget.setAccessibleName(label.replace("&", ""))
        widget.setToolTip(f"Until it is stated: {one.meanwhile}" if one.meanwhile else "Stated before")
        self._form.addRow(label, widget)
        self._fields.append(widget)

    def ask_pixel_size(self, one: Missing) -> None:
        """Ask for a length; what is no length is said when it is used."""
        size = None if self._session.dataset is None else self._session.dataset.project.pixel_size_um
        text = QLineEdit("" if size is None else f"{size} µm")
        text.setPlaceholderText("such as 390 nm, or 0.39 (µm)")
        self._add(one, "&Pixel size", text)
        self._answers["pixel_size_um"] = lambda: text.text().strip() or None

    def ask_stage_y(self, one: Missing) -> None:
        """Ask which way y grows; the choice that is made already is an assumption until it is confirmed."""
        choice = QComboBox()
        for label, value in (("not stated: taken as downwards", None), ("y grows downwards", "down")):
            choice.addItem(label, value)
        choice.addItem("y grows upwards", "up")
        choose(choice, None if self._session.dataset is None else self._session.dataset.project.stage_y)
        self._add(one, "&Stage", choice)
        self._answers["stage_y"] = choice.currentData

    def ask_tiles(self, one: Missing) -> None:
        """Ask how the names of tiles say where they lie."""
        pattern, overlap, order = QLineEdit(), QLineEdit(), QComboBox()
        rows, columns, serpentine = QSpinBox(), QSpinBox(), QCheckBox("every other one backwards (serpentine)")
        pattern.setPlaceholderText("{slice}_{row}_{col}_{channel}.tif, or tile_{index}.tif")
        overlap.setPlaceholderText("10 % or 24 px")
        for label, value in (("rows first", "rows"), ("columns first", "columns")):
            order.addItem(label, value)
        for count in (rows, columns):
            count.setRange(0, _MOST_TILES)
            count.setSpecialValueText("by the names")
        tiles = None if self._session.dataset is None else self._session.dataset.project.tiles
        if tiles is not None:
            pattern.setText(tiles.pattern)
            overlap.setText(tiles.overlap)
            rows.setValue(tiles.rows or 0)
            columns.setValue(tiles.columns or 0)
            choose(order, tiles.order)
            serpentine.setChecked(tiles.serpentine)
        for title, widget in (
            ("Names of &tiles", pattern),
            ("&Overlap of neighbours", overlap),
            ("&Rows", rows),
            ("&Columns", columns),
            ("Counted tiles &go", order),
            ("", serpentine),
        ):
            self._add(one, title, widget)

        def answer() -> dict[str, Any] | None:
            counts = {"rows": rows.value() or None, "columns": columns.value() or None}
            stated = {"pattern": pattern.text().strip(), "overlap": overlap.text().strip(), **counts}
            if not any(stated.values()):
                return None
            stated |= {"order": order.currentData(), "serpentine": serpentine.isChecked()}
            return {key: value for key, value in stated.items() if value not in ("", None)}

        self._answers["tiles"] = answer

    # --- answers ------------------------------------------------------------------------------------------------
    def _use(self) -> None:
        dataset = self._session.dataset
        if dataset is None:
            return
        answers = {field: answer() for field, answer in self._answers.items()}
        # what is stated already can be taken back
        stated = {field: said for field, said in answers.items() if said is not None or _is_stated(dataset, field)}
        if not stated:
            self.message.setText("Nothing is stated yet: fill in what you know.")
            return
        try:
            known = _opened(dataset, stated)
        except SlicemapError as error:
            self.message.setText(str(error))
            return
        if self.keep.isChecked():
            try:
                _remember(known)
            except SlicemapError as error:
                self.message.setText(f"{error}. {_elsewhere(dataset)}")
                return
            known = open_dataset(dataset.path)
        self._session.open(known)


_ASK: dict[str, Callable[[MissingDialog, Missing], None]] = {
    "pixel_size_um": MissingDialog.ask_pixel_size,
    "stage_y": MissingDialog.ask_stage_y,
    "tiles": MissingDialog.ask_tiles,
}


_WHAT = {"pixel_size_um": "pixel size", "stage_y": "stage direction", "tiles": "how tiles lie"}


def _questions(dataset: Dataset) -> list[Missing]:
    """List what the files do not state, and what was stated in their place; what is asked in one line comes first."""
    lacking = {one.field: one for one in dataset.missing}
    stated = {field: Missing(what, "", "", field) for field, what in _WHAT.items() if _is_stated(dataset, field)}
    return [(stated | lacking)[field] for field in _ASK if field in stated | lacking]


def _is_stated(dataset: Dataset, field: str) -> bool:
    return getattr(dataset.project, field) is not None


def _told(dataset: Dataset, asked: list[Missing]) -> str:
    """Say how a dataset was opened, what its files do not state, and what somebody stated."""
    said = f"{dataset.name} was opened as {dataset.layout} ({dataset.why})."
    lines = [f"•  {one.what}: {one.meanwhile}" for one in asked if one.meanwhile]
    stated = ", ".join(one.what for one in asked if not one.meanwhile)
    more = ["Its files do not state:", *lines] if lines else [] if stated else ["Its files state all that is needed."]
    return "\n".join([said, *more, *([f"Stated before: {stated}."] if stated else [])])


def _elsewhere(dataset: Dataset) -> str:
    """Say what to do where the project file cannot be written."""
    command = f"slicemap init {shlex.quote(str(dataset.path))} --project-folder FOLDER"
    return f'Untick "Remember" to go on without, or make a project in a folder of your own, and open that: {command}'


def _opened(dataset: Dataset, stated: dict[str, Any]) -> Dataset:
    """Open a dataset with more that is stated."""
    project = dataset.project
    if "tiles" in stated:  # a pattern of names asks for the reader of names; the rest is for the one that asked
        tiles = stated["tiles"]
        layout = None if tiles is None else "tile-files" if "pattern" in tiles else dataset.layout
        project = project.model_copy(update={"layout": layout})
    return open_dataset(dataset.path, project=project, **stated)


def _remember(dataset: Dataset) -> None:
    """Write what was stated into the project file, which is made where there is none."""
    file = dataset.file or dataset.places.home / PROJECT_FILE
    with in_words(file):
        write_project(dataset.project, file)


def ask_for_missing(session: Session) -> None:
    """Ask for what the open dataset's files do not state, unless they state it all or there is no window."""
    window = getattr(session.viewer, "window", None)
    if window is not None and session.dataset is not None and session.dataset.missing:
        show_missing(session)


def show_missing(session: Session) -> None:
    """Show the dialog, whatever is missing."""
    window = session.viewer.window._qt_window
    # one that was closed goes a little later
    shown = (one for one in window.findChildren(MissingDialog) if one.isVisible())
    dialog = next(shown, None) or MissingDialog(session, window)
    dialog.show()
    dialog.raise_()
    dialog.activateWindow()
