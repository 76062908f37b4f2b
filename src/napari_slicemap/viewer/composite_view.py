"""The composite of the channels as napari's controls show them: what an export gives, put together from blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..dataset import Dataset
from ..images.region import Window
from ..render.channels import ChannelSettings
from ..render.engine import as_bytes, composite_into
from .block_source import Asked, BlockSource
from .levels import steps_for
from .missing_tiles import Ground, MissingTiles
from .pages import Pages

_T = TypeVar("_T")

_GROUNDS, _FINISHED = 4, 2
"""How many are kept: the view and the overview are drawn again and again."""


class CompositeView:
    """Composites the blocks of the visible channels, whenever napari draws.

    Parameters
    ----------
    dataset : Dataset
        Says which tile wins where they overlap.
    pages : Pages
        The canvas.
    sources : mapping of str to BlockSource
        Channel → its blocks.
    settings : callable
        Gives the settings of the channels as they are now.
    missing : MissingTiles
        Tiles to hatch.
    """

    def __init__(
        self,
        dataset: Dataset,
        pages: Pages,
        sources: Mapping[str, BlockSource],
        settings: Callable[[], dict[str, ChannelSettings]],
        missing: MissingTiles,
    ) -> None:
        self._dataset, self._pages, self._sources = dataset, pages, sources
        self._settings, self._missing = settings, missing
        self._coarsest = steps_for(pages.shape[1:])[-1]
        self._grounds: dict[tuple[Any, ...], Ground] = {}
        self._finished: dict[tuple[Any, ...], NDArray[np.uint8]] = {}

    def now(self, number: int, cells: Window, step: int, asked: Asked) -> NDArray[np.uint8]:
        """Composite what is there: uint8 ``(h, w, 3)``."""
        # napari reads the overview at every drawing, for a thumbnail that it seldom makes
        shown = self.visible()
        key = number, cells, step, tuple(shown.items()), frozenset(self._missing.reasons(number, shown))
        if key in self._finished:
            return self._finished[key]
        lacking = len(asked.page) + len(asked.view)
        made = self._made(number, cells, step, lambda source: source.now(number, cells, step, asked))
        if step == self._coarsest and lacking == len(asked.page) + len(asked.view):
            _keep(self._finished, key, made, _FINISHED)
        return made

    def whole(self, number: int, cells: Window, step: int) -> NDArray[np.uint8]:
        """Composite everything, however long it takes: uint8 ``(h, w, 3)``."""
        return self._made(number, cells, step, lambda source: source.whole(number, cells, step))

    def stripes(self, number: int, cells: Window, step: int) -> NDArray[np.uint8]:
        """Give only the stripes of missing tiles: RGBA, uint8 ``(h, w, 4)``."""
        picture = np.zeros((*cells.shape, 4), np.uint8)
        self._ground(number, cells, step).hatch(picture)
        return picture

    def visible(self) -> dict[str, ChannelSettings]:
        """Give the settings of the channels that are shown."""
        return {name: one for name, one in self._settings().items() if one.visible}

    def _made(
        self, number: int, cells: Window, step: int, read: Callable[[BlockSource], NDArray[Any]]
    ) -> NDArray[np.uint8]:
        shown, ground = self.visible(), self._ground(number, cells, step)
        canvas = np.zeros(cells.shape, np.uint32)
        if shown:
            stack = np.stack([read(self._sources[name]) for name in shown])
            composite_into(canvas, stack, list(shown.values()), ground.covered)
        picture = as_bytes(canvas)[..., :3]
        ground.hatch(picture)
        return picture

    def _ground(self, number: int, cells: Window, step: int) -> Ground:
        key = number, cells, step, frozenset(self._missing.reasons(number, self.visible()))
        found = self._grounds.pop(key, None)
        if found is None:
            page, overlap = self._pages.pages[number], self._dataset.project.overlap
            found = Ground(page, cells, step, key[-1], overlap)
        _keep(self._grounds, key, found, _GROUNDS)
        return found


def _keep(kept: dict[tuple[Any, ...], _T], key: tuple[Any, ...], value: _T, most: int) -> None:
    """Keep a value; the oldest go."""
    kept[key] = value
    while len(kept) > most:
        del kept[next(iter(kept))]
