"""The status bar: slice, FOV, stage position and channel values under the cursor, from what is in memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Layer

if TYPE_CHECKING:
    from .map_layer import VirtualMapLayer

_APART = " · "


def place_text(maps: VirtualMapLayer, number: int, x: float, y: float) -> str:
    """Say which slice and FOV a point lies in, and where on the stage.

    Parameters
    ----------
    maps : VirtualMapLayer
        What is shown.
    number : int
        The page.
    x, y : float
        The point, canvas px (corners, not centres).

    Returns
    -------
    str
        Such as ``slice 01 · FOV r2c3 · x 1203.4 y 880.2 µm``; px of the map where its pixel size is unknown.
    """
    page = maps.page(number)
    column, row = x - page.dx, y - page.dy
    parts = [page.title]
    fov = None if page.fov else page.map.locate(column, row, maps.dataset.project.overlap)
    if fov is not None:
        parts.append(f"FOV {fov}")
    placement = page.map.placement
    if placement.pixel_size_um is None or placement.bounds_um is None:
        parts.append(f"x {math.floor(column)} y {math.floor(row)} px")
    else:
        across, down = placement.stage_um(column, row)
        parts.append(f"x {across:.1f} y {down:.1f} µm")
    why = maps.missing.reasons(number, maps.shown_channels()).get(fov) if fov is not None else None
    if why is not None:
        parts.append(f"cannot be read: {why}")
    return _APART.join(parts)


def values_text(maps: VirtualMapLayer, number: int, x: float, y: float) -> str:
    """Give the values of the visible channels at a point (canvas px), as far as they are in memory.

    Returns
    -------
    str
        Such as ``DAPI 812  CD3 97``; a mean over a coarser level's cell has ``≈`` before it.
    """
    page = maps.page(number)
    if page.map.locate(x - page.dx, y - page.dy, maps.dataset.project.overlap) is None:
        return ""
    found = []
    for name in maps.shown_channels():
        kept = maps.sources[name].value_at(number, math.floor(x), math.floor(y))
        if kept is not None and maps.has(number, name):
            value, step = kept
            found.append(f"{name} {'' if step == 1 else '≈'}{_number(value)}")
    return "  ".join(found)


def _number(value: Any) -> str:
    """Write a value as a person would."""
    return f"{value:d}" if isinstance(value, np.integer) else f"{float(value):.4g}"


class StatusText:
    """Puts a map's own words into napari's status bar while the cursor is over it.

    napari asks the layer that is worked on, in a thread of its own, so nothing here reads a file.

    Parameters
    ----------
    maps : VirtualMapLayer
        What is shown.
    why_excluded : callable
        Says why the slice of a page is not to be used; ``""`` if it is.
    """

    def __init__(self, maps: VirtualMapLayer, why_excluded: Callable[[int], str]) -> None:
        self._maps, self._why_excluded = maps, why_excluded
        self._layers: list[Layer] = []

    def attach(self, layer: Layer) -> None:
        """Answer in place of a layer when napari asks what lies under the cursor."""
        own = layer.get_status

        def status(position: Any = None, **options: Any) -> dict[str, str]:
            told: dict[str, str] = own(position, **options)
            if position is not None and options.get("world"):
                place, values = self.at(np.asarray(position, float))
                if place:
                    told |= {"layer_base": "", "source_type": "", "plugin": "", "coords": place}
                    told["coordinates"] = _APART.join(
                        part for part in (place, values, _mask_value(layer, told)) if part
                    )
            return told

        layer.get_status = status
        self._layers.append(layer)

    def detach(self) -> None:
        """Let all layers answer for themselves again."""
        for layer in self._layers:
            del layer.get_status
        self._layers.clear()

    def at(self, world: Any) -> tuple[str, str]:
        """Say what lies at a point ``(…, page, y, x)`` of the world: the place, and the values there."""
        maps = self._maps
        pages = maps.pages
        number = round(float(world[-3])) if len(world) >= 3 else 0
        if not 0 <= number < len(pages.pages):
            return "", ""
        size = pages.scale[1]
        x, y = ((float(world[axis]) - pages.translate[axis]) / size + 0.5 for axis in (-1, -2))
        place, why = place_text(maps, number, x, y), self._why_excluded(number)
        return f"{place}{_APART}excluded: {why}" if why else place, values_text(maps, number, x, y)


def _mask_value(layer: Layer, told: dict[str, str]) -> str:
    """Give the label under the cursor, if the layer is a mask."""
    value = told.get("value", "").rpartition(", ")[2]
    return f"{layer.name} {value}" if type(layer).__name__ == "Labels" and value else ""
