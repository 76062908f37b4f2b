"""Which tool is in hand: the dock's buttons and the modes of napari's layer say the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qtpy.QtCore import QObject, Signal

from ....errors import SlicemapError
from ...roi_layer import RoiLayer
from ...session import Session
from .tools import BY_NAME, TOOLS, Tools

_OF_MODE = {tool.mode: tool.name for tool in reversed(TOOLS) if tool.name != "stamp"} | {"add_polygon": "polygon"}
_NO_TOOL = "pan_zoom"


class Hand(QObject):
    """Puts tools into the hand.

    Parameters
    ----------
    session : Session
        Has the layer.
    tools : Tools
        The buttons.
    """

    refused = Signal(str)
    """A stamp cannot be placed where somebody clicked: why, in words."""

    def __init__(self, session: Session, tools: Tools) -> None:
        super().__init__(tools)
        self._session, self._tools = session, tools
        self._layer: RoiLayer | None = None
        self._taking = self._stamping = False
        tools.chosen.connect(self.take)
        tools.target_chosen.connect(self._on_target)

    def follow(self) -> None:
        """Take the layer that the session has now."""
        self.leave()
        self._layer = self._session.roi_layer
        if self._layer is not None:
            self._layer.layer.events.mode.connect(self._on_mode)
            self._layer.layer.mouse_drag_callbacks.append(self._on_press)
            self._on_mode()
        known = self._session.map_layer is not None and self._session.map_layer.pages.pixel_size_um is not None
        self._tools.set_unit("µm" if known else "px")
        self._tools.show_target(self._session.marking.on_fovs)

    def leave(self) -> None:
        """Stop listening to the layer."""
        if self._layer is None:
            return
        self._put_away()
        self._layer.layer.events.mode.disconnect(self._on_mode)
        if self._on_press in self._layer.layer.mouse_drag_callbacks:
            self._layer.layer.mouse_drag_callbacks.remove(self._on_press)
        self._layer = None

    def take(self, name: str) -> None:
        """Take a tool, or put the one in hand away where `name` is empty."""
        if self._layer is None:
            self._tools.show_tool("")
            return
        layer = self._layer.layer
        self._layer.choose()
        self._taking = True
        try:
            layer.mode = BY_NAME[name].mode if name else _NO_TOOL
        finally:
            self._taking = False
        self._session.marking.turned = name == "turned"
        self._stamping = name == "stamp"
        if self._stamping:
            layer.cursor = "crosshair"
        if name not in ("", "select"):
            layer.selected_data = set()
        self._tools.show_tool(name)

    def _put_away(self) -> None:
        self._session.marking.turned = self._stamping = False

    def _on_mode(self, *_: object) -> None:
        """Follow napari's own buttons and keys."""
        if not self._taking and self._layer is not None:
            self._put_away()
            self._tools.show_tool(_OF_MODE.get(str(self._layer.layer.mode), ""))

    def _on_target(self, on_fovs: bool) -> None:
        self._session.marking.on_fovs = on_fovs

    def _on_press(self, _layer: Any, event: Any) -> Iterator[None]:
        """Place a stamp by a click; a drag moves the view, as ever."""
        if not self._stamping or self._layer is None:
            return
        dragged = False
        yield
        while event.type == "mouse_move":
            dragged = True
            yield
        if not dragged:
            self.stamp(tuple(event.position))

    def stamp(self, position: tuple[float, ...]) -> None:
        """Place a stamp around a point of the world ``(page, y, x)``."""
        if self._layer is None:
            return
        try:
            self._layer.stamp(position, self._tools.width.value(), self._tools.height.value())
        except (SlicemapError, ValueError) as error:
            self.refused.emit(f"No stamp there: {error}")
