"""The dialog that asks for what the files of a dataset do not state: pixel size, stage direction, how tiles lie."""

from __future__ import annotations

from collections.abc import Callable
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
from ..project import PROJECT_FILE, write_project
from .docks.parts import row

if TYPE_CHECKING:
    from ..images.acquisition import Missing
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
        self.keep = QCheckBox(f"&Remember it in {PROJECT_FILE}")
        self.keep.setToolTip("Write the answers into the project file, so that nobody has to give them again")
        self.keep.setChecked(True)
        self.use = QPushButton("&Use")
        self.use.setToolTip("Open the dataset anew with these answers")
        self.use.setDefault(True)
        self.later = QPushButton("&Not now")
        self.later.setToolTip("Go on without; Plugins ▸ Slice map ▸ What the files do not state... asks again")
        self._form, self._answers = QFormLayout(), dict[str, Callable[[], Any]]()
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

    def _fill(self, dataset: Dataset | None) -> None:
        # what is asked in one line comes first
        asked = [] if dataset is None else sorted(dataset.missing, key=lambda one: one.field == "tiles")
        if dataset is None:
            self.found.setText("There is no dataset open.")
        else:
            said = f"{dataset.name} was opened as {dataset.layout} ({dataset.why})."
            lines = [f"•  {one.what}: {one.meanwhile}" for one in asked]
            more = "Its files do not state:" if asked else "Its files state all that is needed."
            self.found.setText("\n".join([said, more, *lines]))
        for widget in (self.keep, self.use):
            widget.setVisible(bool(asked))
        for one in asked:
            _ASK[one.field](self, one)

    def _leave(self) -> None:
        self.close()

    def done(self, result: int) -> None:
        """Stop listening, and close."""
        self._session.opened.disconnect(self._leave, missing_ok=True)
        super().done(result)

    # --- questions ----------------------------------------------------------------------------------------------
    def _add(self, one: Missing, label: str, widget: QWidget) -> None:
        widget.setAccessibleName(label.replace("&", ""))
        widget.setToolTip(f"Until it is stated: {one.meanwhile}")
        self._form.addRow(label, widget)

    def ask_pixel_size(self, one: Missing) -> None:
        """Ask for a length; what is no length is said when it is used."""
        text = QLineEdit()
        text.setPlaceholderText("such as 390 nm, or 0.39 (µm)")
        self._add(one, "&Pixel size", text)
        self._answers["pixel_size_um"] = lambda: text.text().strip() or None

    def ask_stage_y(self, one: Missing) -> None:
        """Ask which way y grows; the choice that is made already is an assumption until it is confirmed."""
        choice = QComboBox()
        for label, value in (("not stated: taken as downwards", None), ("y grows downwards", "down")):
            choice.addItem(label, value)
        choice.addItem("y grows upwards", "up")
        self._add(one, "&Stage", choice)
        self._answers["stage_y"] = choice.currentData

    def ask_tiles(self, one: Missing) -> None:
        """Ask how the names of tiles say where they lie."""
        pattern, overlap, order = QLineEdit(), QLineEdit(), QComboBox()
        rows, columns, serpentine = QSpinBox(), QSpinBox(), QCheckBox("every other one backwards (serpentine)")
        tiles = None if self._session.dataset is None else self._session.dataset.project.tiles
        pattern.setText("" if tiles is None else tiles.pattern)
        pattern.setPlaceholderText("{slice}_{row}_{col}_{channel}.tif, or tile_{index}.tif")
        overlap.setPlaceholderText("10 % or 24 px")
        for label, value in (("rows first", "rows"), ("columns first", "columns")):
            order.addItem(label, value)
        for count in (rows, columns):
            count.setRange(0, _MOST_TILES)
            count.setSpecialValueText("by the names")
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
        stated = {field: value for field, answer in self._answers.items() if (value := answer()) is not None}
        if dataset is None or not stated:
            self.message.setText("Nothing is stated yet: fill in what you know.")
            return
        keep = self.keep.isChecked()
        try:
            known = _opened(dataset, stated)
            if keep:
                _remember(known)
        except SlicemapError as error:
            self.message.setText(str(error))
            return
        self._session.open(open_dataset(dataset.path) if keep else known)


_ASK: dict[str, Callable[[MissingDialog, Missing], None]] = {
    "pixel_size_um": MissingDialog.ask_pixel_size,
    "stage_y": MissingDialog.ask_stage_y,
    "tiles": MissingDialog.ask_tiles,
}


def _opened(dataset: Dataset, stated: dict[str, Any]) -> Dataset:
    """Open a dataset with more that is stated."""
    project = dataset.project
    if "tiles" in stated:  # a pattern of names asks for the reader of names; the rest is for the one that asked
        named = "pattern" in stated["tiles"]
        project = project.model_copy(update={"layout": "tile-files" if named else dataset.layout})
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
    dialog = window.findChild(MissingDialog) or MissingDialog(session, window)
    dialog.show()
    dialog.raise_()
    dialog.activateWindow()
