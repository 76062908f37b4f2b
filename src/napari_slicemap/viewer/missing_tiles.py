"""Tiles that cannot be read: which they are, and the stripes at their place on the screen."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from ..images.region import Window
from ..render.overlap import Overlap
from .pages import Page, Pages

_LIGHT, _DARK, _STRIPE = 112, 48, 4
"""The greys and the width in px of the stripes that an export has."""
_NOTHING, _TILE, _MISSING = 0, 1, 2


class MissingTiles:
    """What is known of tiles that cannot be read. Any thread may use it.

    Parameters
    ----------
    pages : Pages
        The maps.
    fovs : container of str
        The FOVs on disk: what maps name beside them is known to be missing from the start.
    """

    def __init__(self, pages: Pages, fovs: Container[str]) -> None:
        self._lock = Lock()
        self._reasons: dict[tuple[int, str], dict[str, str]] = {}
        self._absent: dict[int, dict[str, str]] = {}
        self.version = 0
        """Grows when another tile turns out to be missing."""
        for number, page in enumerate(pages.pages):
            gone = {name: "it is not on disk" for name in page.map.fov_names if name not in fovs}
            if gone:
                self._absent[number] = gone
                self.version += 1

    def note(self, number: int, channel: str, reasons: Mapping[str, str]) -> None:
        """Remember which tiles of a page could not be read in one channel, and why."""
        if not reasons:
            return
        with self._lock:
            known = self._reasons.setdefault((number, channel), {})
            if reasons.keys() - known.keys() - self._absent.get(number, {}).keys():
                self.version += 1
            known.update(reasons)

    def reasons(self, number: int, channels: Iterable[str]) -> dict[str, str]:
        """Give the tiles of a page that cannot be read in some of these channels, and why."""
        with self._lock:
            found = [self._reasons.get((number, channel), {}) for channel in channels]
            merged: dict[str, str] = {}
            for one in (*found, self._absent.get(number, {})):
                merged |= one
            return merged


class Ground:
    """What lies under cells of a page: nothing, a tile, or a tile that cannot be read.

    Where tiles overlap, the one that is painted first or last counts, whichever the rule says.

    Parameters
    ----------
    page : Page
        The page.
    cells : Window
        Cells of the canvas.
    step : int
        Downsampling.
    missing : iterable of str
        Tiles that cannot be read.
    overlap : "last", "first", "nearest-centre" or "blend"
        The rule.
    """

    def __init__(self, page: Page, cells: Window, step: int, missing: Iterable[str], overlap: Overlap) -> None:
        self._page, self._cells, self._step = page, cells, step
        kinds, gone, grid = np.full(cells.shape, _NOTHING, np.int8), set(missing), page.grid(step)
        placement = page.map.placement
        order = placement.visible(grid.pixels(cells))
        for index in reversed(order) if overlap == "first" else order:
            tile = placement.tiles[index]
            there = grid.cells(tile.window) & cells
            kinds[there.slices_in(cells)] = _MISSING if tile.name in gone else _TILE
        self._kinds = kinds

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Where tiles lie, bool ``(h, w)``."""
        return self._kinds != _NOTHING

    def hatch(self, picture: NDArray[np.uint8]) -> None:
        """Paint stripes where tiles are missing, as an export has them, into RGB or RGBA ``(h, w, 3 or 4)``."""
        where = self._kinds == _MISSING
        if not where.any():
            return
        # counted from the map's corner, as an export counts
        left, top = self._cells.x0 - self._page.dx // self._step, self._cells.y0 - self._page.dy // self._step
        y, x = np.ogrid[top : top + where.shape[0], left : left + where.shape[1]]
        stripes = np.where((x + y) // _STRIPE % 2 == 0, _LIGHT, _DARK).astype(np.uint8)
        picture[where, :3] = stripes[where][:, None]
        if picture.shape[-1] == 4:
            picture[where, 3] = 255
