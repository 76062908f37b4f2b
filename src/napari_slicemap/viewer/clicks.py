"""Tells a click from a drag: with a tool that is dragged, napari draws a tiny shape for a click, too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_DRAGGED = ("add_rectangle", "add_ellipse", "add_line")
_FEWEST_PX = 3.0
"""A hand that clicks moves the pointer by less than this, px of the screen."""


class Clicks:
    """Knows whether the shape that a layer is about to tell of was drawn by a click.

    Parameters
    ----------
    layer : napari.layers.Shapes
        Where somebody draws.
    """

    def __init__(self, layer: Any) -> None:
        self._clicked = False
        layer.mouse_drag_callbacks.append(self._on_press)

    def take(self) -> bool:
        """Say whether it was; of the next shape nothing is known yet."""
        clicked, self._clicked = self._clicked, False
        return clicked

    def _on_press(self, layer: Any, event: Any) -> Iterator[None]:
        start, self._clicked = event.pos, str(layer.mode) in _DRAGGED
        yield
        while event.type == "mouse_move":
            if max(abs(now - before) for now, before in zip(event.pos, start, strict=True)) >= _FEWEST_PX:
                self._clicked = False
            yield
