"""A microscopist's hands: they click, type, turn the wheel and drag on a real window, and wait for what comes of it.

Events go to the window at a place on it, as those of a mouse do: what lies uppermost there gets them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QKeySequence, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMainWindow, QScrollArea, QTabBar, QWidget

from napari_slicemap.viewer.session import Session, session_of
from napari_slicemap.viewer.settings import PLUGIN

if TYPE_CHECKING:
    import napari

_LEFT, _NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
_MOVE_S = 0.06
"""napari takes the pointer's moves in at most thirty times a second."""
_PATIENCE_S = 30.0
_PASSING = {"slicemap-blocks", "slicemap-dock", "slicemap-remembering"}
"""The threads that end with their work; those that paint stay, and wait for more."""
_QUIET = 6
"""Times in a row that nothing is found at work: timers that start work wait up to 150 ms."""
_NOTCH = 120
_LAPTOP_PX = 1280, 800


class Hand:
    """Works on the window of a viewer.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose window; shown.
    show : callable, optional
        Told what is done, in words, and what a picture of it is called (empty where none is needed), whenever there
        is something to be seen.
    """

    def __init__(self, viewer: napari.Viewer, show: Callable[[str, str], None] | None = None) -> None:
        self.viewer = viewer
        self.pointer = QPoint()
        """Where the pointer is, on the screen."""
        self._show = show

    @property
    def window(self) -> QMainWindow:
        """The window."""
        return self.viewer.window._qt_window

    @property
    def session(self) -> Session:
        """The session of the viewer: read, never told anything."""
        return session_of(self.viewer)

    @property
    def canvas(self) -> QWidget:
        """The widget that shows the map."""
        return self.viewer.window._qt_viewer.canvas.native

    def dock(self, name: str) -> Any:
        """Give a dock that is open, by its name."""
        return self.viewer.window.dock_widgets[f"{name} ({PLUGIN})"]

    def sit_down(self) -> None:
        """Have the window on a laptop's screen, in front."""
        self.window.setGeometry(0, 0, *_LAPTOP_PX)
        self.window.show()
        self.window.activateWindow()
        self.wait_for(self.window.isActiveWindow, "the window to come to the front")
        self.pause(0.3)

    # --- mouse ----------------------------------------------------------------------------------------------------
    def move(self, widget: QWidget, at: QPoint | None = None) -> QPoint:
        """Move the pointer onto a widget, to its middle unless told where; give the place on its window.

        Raises
        ------
        AssertionError
            If the widget is not to be seen there, so that nobody could point at it.
        """
        at = widget.rect().center() if at is None else at
        window = widget.window()
        place = widget.mapTo(window, at)
        seen = window if widget is window else window.childAt(place)
        assert seen is widget or widget.isAncestorOf(seen), f"{widget} is hidden by {seen}"
        self.pointer = widget.mapToGlobal(at)
        QTest.mouseMove(window.windowHandle(), place)
        self.pause(_MOVE_S)
        return place

    def click(self, widget: QWidget, at: QPoint | None = None, *, double: bool = False) -> None:
        """Click on a widget that can be clicked on."""
        assert widget.isEnabled(), f"{widget} is greyed"
        place, window = self.move(widget, at), widget.window()
        if window.windowType() in (Qt.WindowType.Window, Qt.WindowType.Dialog) and not window.isActiveWindow():
            window.activateWindow()  # as a window manager does with the window that is clicked on
            self.pause(_MOVE_S)
        act = QTest.mouseDClick if double else QTest.mouseClick
        act(window.windowHandle(), _LEFT, _NONE, place)
        self.pause(_MOVE_S)

    def click_cell(self, table: Any, row: int, column: int, *, double: bool = False) -> None:
        """Click into a cell of a table; on its tick, where it has one."""
        index = table.model().index(row, column)
        cell = table.visualRect(index)
        ticked = table.model().data(index, Qt.ItemDataRole.CheckStateRole) is not None
        at = QPoint(cell.left() + 10, cell.center().y()) if ticked else cell.center()
        self.click(table.viewport(), at, double=double)

    def tabs(self) -> QTabBar:
        """Give the tabs of the docks."""
        return next(one for one in self.window.findChildren(QTabBar) if one.parent() is self.window and one.isVisible())

    def click_tab(self, name: str) -> None:
        """Bring a dock to the front by its tab."""
        tabs = self.tabs()
        number = next(n for n in range(tabs.count()) if tabs.tabText(n) == name)
        self.click(tabs, tabs.tabRect(number).center())
        self.wait_for(lambda: not self.dock(name).visibleRegion().isEmpty(), f"the {name} dock to come to the front")

    def point_at_entry(self, *path: str) -> Callable[[], None]:
        """Open a menu, and its submenus, by clicks, up to its last entry; give what clicks on that."""
        menu: Any = self.window.menuBar()
        for name in path[:-1]:
            self.click(menu, self._entry(menu, name))
            self.wait_for(lambda: QApplication.activePopupWidget() is not None, f"the menu {name} to open")
            menu = QApplication.activePopupWidget()
        last = self._entry(menu, path[-1])
        self.move(menu, last)
        return lambda: self.click(menu, last)

    def choose(self, *path: str) -> None:
        """Choose an entry of the menu; each name is how its text begins."""
        self.point_at_entry(*path)()
        self.wait_for(lambda: QApplication.activePopupWidget() is None, "the menu to close")

    @staticmethod
    def _entry(menu: Any, name: str) -> QPoint:
        """Give the place of an entry in a menu, or in the menu bar."""
        texts = {action.text().replace("&", ""): action for action in menu.actions() if action.isVisible()}
        found = texts.get(name) or next(action for text, action in texts.items() if text.startswith(name))
        return menu.actionGeometry(found).center()

    def wheel(self, widget: QWidget, notches: int, at: QPoint | None = None) -> None:
        """Turn the wheel over a widget, away from oneself by so many notches."""
        self.move(widget, at)
        for _ in range(abs(notches)):
            self._turn(widget, _NOTCH if notches > 0 else -_NOTCH)

    def _turn(self, widget: QWidget, by: int) -> None:
        place = QPointF(widget.mapFromGlobal(self.pointer))
        event = QWheelEvent(
            place,
            QPointF(self.pointer),
            QPoint(),
            QPoint(0, by),
            Qt.MouseButton.NoButton,
            _NONE,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(widget, event)
        self.pause(_MOVE_S)

    def scroll_to(self, widget: QWidget) -> None:
        """Turn the wheel over the part of a dock that scrolls, until all of a widget is in sight."""
        area = _scrolled_by(widget)
        for _ in range(100):
            rect, view = widget.rect(), area.viewport()
            top, bottom = (widget.mapTo(view, edge).y() for edge in (rect.topLeft(), rect.bottomLeft()))
            if top >= 0 and bottom < view.height():
                return
            self.pointer = view.mapToGlobal(QPoint(4, view.height() // 2))  # at the edge, where no list takes the wheel
            before = area.verticalScrollBar().value()
            self._turn(view, _NOTCH if top < 0 else -_NOTCH)
            if area.verticalScrollBar().value() == before:
                return  # it is higher than the view

    # --- canvas ---------------------------------------------------------------------------------------------------
    def place_of(self, x_um: float, y_um: float) -> QPoint:
        """Give the place on the canvas where a point of the stage is shown."""
        column, row = self.screen_of(np.array([[x_um, y_um]]))[0]
        return QPoint(int(column), int(row))

    def screen_of(self, points_um: Any) -> Any:
        """Take stage µm, (n, 2) of x and y, to px of the canvas, (n, 2) of column and row, with fractions."""
        camera, half = self.viewer.scene.camera, np.array(self.viewer.canvas.size)[::-1] / 2
        return (np.asarray(points_um) - np.array(camera.center[1:])[::-1]) * camera.zoom + half

    def drag(self, start_um: tuple[float, float], end_um: tuple[float, float], on_the_way: str = "") -> None:
        """Drag on the canvas from one point of the stage to another."""
        window = self.window.windowHandle()
        start = self.move(self.canvas, self.place_of(*start_um))
        first = self.pointer
        way = self.place_of(*end_um) - self.place_of(*start_um)
        QTest.mousePress(window, _LEFT, _NONE, start)
        for share in (0.25, 0.5, 0.75, 1.0, 1.0):
            self.pointer = first + way * share
            QTest.mouseMove(window, start + way * share)
            self.pause(_MOVE_S)
        if on_the_way:
            self.show(on_the_way)
        QTest.mouseRelease(window, _LEFT, _NONE, start + way)
        self.pause(_MOVE_S)

    # --- keys -----------------------------------------------------------------------------------------------------
    def press(self, keys: str) -> None:
        """Press and release keys, such as ``"Ctrl+S"``, in the window that is in front."""
        key, held = _key(keys)
        QTest.keyClick(self._focus_window(), key, held)
        self.pause(_MOVE_S)

    @contextmanager
    def holding(self, keys: str) -> Iterator[None]:
        """Hold keys down for a while."""
        key, held = _key(keys)
        QTest.keyPress(self._focus_window(), key, held)
        self.pause(_MOVE_S)
        yield
        QTest.keyRelease(self._focus_window(), key, held)
        self.pause(_MOVE_S)

    def type(self, text: str) -> None:
        """Type text, letter by letter, wherever the focus is."""
        for letter in text:
            QTest.keyClick(self._focus_window(), letter)
        self.pause(_MOVE_S)

    def _focus_window(self) -> Any:
        return (QApplication.activeWindow() or self.window).windowHandle()

    # --- waiting and showing --------------------------------------------------------------------------------------
    def show(self, caption: str, picture: str = "") -> None:
        """Say what is to be seen, once all that comes has come."""
        if self._show is not None:
            self.settle()
            self._show(caption, picture)

    def settle(self) -> None:
        """Wait until the pixels in view have arrived and are drawn, and the docks have nothing left to do."""
        wait_until_quiet()

    def wait_for(self, condition: Callable[[], bool], what: str, seconds: float = _PATIENCE_S) -> None:
        """Wait until something is so.

        Raises
        ------
        AssertionError
            If it takes too long.
        """
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"waited {seconds:.0f} s for {what}"
            self.pause(0.02)

    def pause(self, seconds: float) -> None:
        """Let the program work for a moment."""
        pause(seconds)


def pause(seconds: float) -> None:
    """Let Qt work for a moment."""
    end = time.monotonic() + seconds
    while True:
        QApplication.processEvents()
        if time.monotonic() >= end:
            return
        time.sleep(0.005)


def wait_until_quiet() -> None:
    """Wait until none of the program's threads has done anything for a while, and what they made is drawn.

    Raises
    ------
    AssertionError
        If they do not come to rest.
    """
    end = time.monotonic() + _PATIENCE_S
    quiet = 0
    while quiet < _QUIET:
        assert time.monotonic() < end, f"waited {_PATIENCE_S:.0f} s for the program to come to rest"
        pause(0.05)
        working = any(one.name in _PASSING for one in threading.enumerate())
        quiet = 0 if working else quiet + 1


def _key(keys: str) -> tuple[Qt.Key, Qt.KeyboardModifier]:
    pressed = QKeySequence(keys)[0]
    return pressed.key(), pressed.keyboardModifiers()


def _scrolled_by(widget: QWidget) -> QScrollArea:
    """Give what scrolls a widget."""
    above = widget.parentWidget()
    while not isinstance(above, QScrollArea):
        assert above is not None, f"{widget} lies in nothing that scrolls"
        above = above.parentWidget()
    return above
