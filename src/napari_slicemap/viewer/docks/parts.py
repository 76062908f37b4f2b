"""Small parts of docks: sections that fold, rows, shortcuts, undo in words, words for sizes and times."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from qtpy.QtCore import QEvent, QObject, QPoint, QSignalBlocker, QSize, Qt, QTimer
from qtpy.QtGui import QIcon, QKeySequence, QPixmap, QResizeEvent, QShortcut, QUndoStack
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QWidget,
)
from superqt import QCollapsible

from ...errors import PlanError

_NARROW_PX = 30
_UNLIMITED = 16_777_215  # Qt's own QWIDGETSIZE_MAX
_OPEN, _FOLDED = "▾", "▸"
# grey that is seen on both themes: the colour of a pressed button would shout
_TITLE_STYLE = (
    "QPushButton, QPushButton:checked { text-align: left; border: none; font-weight: bold; padding: 4px 4px;"
    " background: rgba(127, 127, 127, 45); } QPushButton:hover { background: rgba(127, 127, 127, 80); }"
)


class Section(QCollapsible):
    """A section with a title that folds; folded, its title says what is set within.

    Parameters
    ----------
    title : str
        Title.
    content : QWidget
        What is within.
    expanded : bool
        Open at first.
    """

    def __init__(self, title: str, content: QWidget, *, expanded: bool) -> None:
        super().__init__(title, expandedIcon=_unseen(), collapsedIcon=_unseen())
        self._title, self._summary = title, ""
        self.layout().setContentsMargins(0, 0, 0, 0)
        self.layout().setSpacing(2)
        button = self.toggleButton()
        button.setStyleSheet(_TITLE_STYLE)
        button.setIconSize(QSize(1, 1))
        button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        button.setToolTip("Fold or unfold this section")
        content.setMaximumHeight(0)
        self.setContent(content)
        self.toggled.connect(self._say)
        # when the layout has made room for what was opened
        button.clicked.connect(lambda _checked: QTimer.singleShot(0, self._bring_into_sight))
        if expanded:
            self.expand()
        else:
            self.collapse()

    def expand(self, animate: bool = False) -> None:  # noqa: ARG002 - as in the class above
        """Open; the content is free to grow, which an animation would forbid."""
        self.content().setVisible(True)
        super().expand(animate=False)
        self.content().setMaximumHeight(_UNLIMITED)

    def collapse(self, animate: bool = False) -> None:  # noqa: ARG002 - as in the class above
        """Fold; what cannot be seen cannot be reached by Tab either."""
        super().collapse(animate=False)
        self.content().setVisible(False)

    def _bring_into_sight(self) -> None:
        """Scroll to what was opened by hand, as far as its title stays in sight."""
        area: QWidget | None = self
        while area is not None and not isinstance(area, QScrollArea):
            area = area.parentWidget()
        if area is None or not self.isExpanded():
            return
        bar, top = area.verticalScrollBar(), self.mapTo(area.widget(), QPoint()).y()
        hidden = top + self.height() - bar.value() - area.viewport().height()
        if hidden > 0:
            bar.setValue(min(top, bar.value() + hidden))

    def set_expanded(self, expanded: bool) -> None:
        """Open or fold."""
        if expanded != self.isExpanded():
            (self.expand if expanded else self.collapse)()

    def set_summary(self, text: str) -> None:
        """Say what is set within; it is shown while the section is folded."""
        self._summary = text
        self._say()

    def _say(self, *_: object) -> None:
        shown = f"{_OPEN}  {self._title}" if self.isExpanded() else f"{_FOLDED}  {self._title}"
        self.setText(shown if self.isExpanded() or not self._summary else f"{shown}:  {self._summary}")


def _unseen() -> QIcon:
    """Make an icon that is not seen: the arrow is in the title, in the colour of its text."""
    pixmap = QPixmap(1, 1)
    pixmap.fill(Qt.GlobalColor.transparent)
    return QIcon(pixmap)


class _WheelGuard(QObject):
    """Lets the wheel scroll the dock, rather than change a value that it happens to pass over."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Drop wheel events of widgets that nobody has clicked on."""
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False


def guard_wheel(root: QWidget) -> None:
    """Guard all spin boxes and lists to choose from within a widget against the wheel."""
    guard = root.findChild(_WheelGuard) or _WheelGuard(root)
    for kind in (QAbstractSpinBox, QComboBox):
        for widget in root.findChildren(kind):
            widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            widget.installEventFilter(guard)


def row(*widgets: QWidget | None, spacing: int = 6) -> QHBoxLayout:
    """Put widgets side by side; ``None`` takes what room is left."""
    made = QHBoxLayout()
    made.setContentsMargins(0, 0, 0, 0)
    made.setSpacing(spacing)
    for widget in widgets:
        if widget is None:
            made.addStretch(1)
        else:
            made.addWidget(widget)
    return made


def form(parent: QWidget | None = None) -> QFormLayout:
    """Make a form whose fields take the width there is, beneath their labels where that is little."""
    made = QFormLayout() if parent is None else QFormLayout(parent)
    made.setContentsMargins(6, 0, 0, 4)
    made.setHorizontalSpacing(8)
    made.setVerticalSpacing(5)
    made.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    made.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
    return made


def narrow(box: QComboBox) -> QComboBox:
    """Let a list be narrower than its longest entry."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(6)
    return box


class _Small(QLabel):
    """As high as its text needs at the width that it has, and content with any width."""

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(40, max(self.fontMetrics().height(), self.heightForWidth(max(40, self.width()))))

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return self.sizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()


def small(text: str = "") -> QLabel:
    """Make a line of smaller text that wraps, for hints."""
    label = _Small(text)
    label.setWordWrap(True)
    label.setAlignment(Qt.AlignmentFlag.AlignTop)
    label.setStyleSheet("font-size: 11px;")
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label


def button(text: str, tip: str) -> QPushButton:
    """Make a button that says in its tooltip what it does."""
    made = QPushButton(text)
    made.setToolTip(tip)
    return made


def undo_buttons() -> tuple[QPushButton, QPushButton]:
    """Make the narrow buttons that undo and redo."""
    made = button("↶", "Undo the last change (Ctrl+Z)"), button("↷", "Make it again (Ctrl+Shift+Z)")
    for narrow, name in zip(made, ("Undo", "Redo"), strict=True):
        narrow.setAccessibleName(name)
        narrow.setFixedWidth(_NARROW_PX)
    return made


def choose(box: QComboBox, value: object) -> None:
    """Choose an entry by its value, in silence; one that is not there changes nothing."""
    number = box.findData(value)
    if number >= 0:
        with QSignalBlocker(box):
            box.setCurrentIndex(number)


# --- words --------------------------------------------------------------------------------------------------------
def words_of(error: Exception) -> list[str]:
    """Say what an error says, one fault at a time."""
    return error.faults if isinstance(error, PlanError) else [str(error)]


def unexpected(error: Exception) -> str:
    """Say that something went wrong that nobody thought of; whoever shows this raises it again, for the log."""
    return f"This went wrong unexpectedly: {error}. napari's notification has the details."


def bullets(faults: Iterable[str], limit: int = 6) -> str:
    """List faults, the first so many of them."""
    faults = list(faults)
    more = [f"… and {len(faults) - limit} more"] if len(faults) > limit else []
    return "\n".join([*(f"• {fault}" for fault in faults[:limit]), *more])


def counted(number: int, what: str) -> str:
    """Say ``1 file`` or ``2 files``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def size_text(size: float) -> str:
    """Write a size such as ``1.2 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def time_text(seconds: float) -> str:
    """Write a time such as ``0.42 s``, ``12 s`` or ``3 min 20 s``."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def add_shortcut(keys: str, dock: QWidget, command: Callable[[], object]) -> QShortcut:
    """Let a key do something wherever in the dock the focus is; a field that is typed in keeps its letters."""
    made = QShortcut(QKeySequence(keys), dock)
    made.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
    made.setAutoRepeat(False)
    made.activated.connect(command)
    return made


def without_argument(command: Callable[[], object], *_: object) -> None:
    """Call a command without the state of the button that asks for it."""
    command()


def undo(stack: QUndoStack, say: Callable[[str], object]) -> None:
    """Undo the last change, and say which it was."""
    if stack.canUndo():
        say(f"Undone: {stack.undoText()}.")
        stack.undo()


def redo(stack: QUndoStack, say: Callable[[str], object]) -> None:
    """Make the change again that was undone last, and say which it was."""
    if stack.canRedo():
        say(f"Made again: {stack.redoText()}.")
        stack.redo()
