"""Feeds of napari layers: while napari draws, what is there is handed out, and what is lacking is asked for.

Anybody else who asks a layer for its numbers gets all of them, and waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from napari.layers import Layer
from numpy.typing import NDArray

from ..images.region import Window
from .block_loader import BlockLoader, Rank
from .block_source import Asked, BlockSource, Read
from .blocks import BlockKey

Now = Callable[[int, Window, int, Asked], NDArray[Any]]
"""Give what is there of cells of a page at a step, and note what is lacking."""

_LARGEST_AHEAD = 2**26
"""Canvas px of a page at most whose overview is made before anybody looks: it is made of all its pixels."""


class Feed:
    """Hands a napari layer its pixels.

    Parameters
    ----------
    loader : BlockLoader
        Reads what is lacking.
    now : callable
        Gives what is there.
    whole : callable
        Reads everything, however long it takes.
    sources : list of BlockSource
        Those whose overviews are made ahead of the slider.
    """

    def __init__(self, loader: BlockLoader, now: Now, whole: Read, sources: list[BlockSource]) -> None:
        self._loader, self._now, self._whole, self._sources = loader, now, whole, sources
        self._asked: Asked | None = None
        self._drawing_thread = 0
        self._hoped: set[BlockKey] = set()
        self._overview: list[BlockKey] = []
        self._had: set[BlockKey] = set()
        self._repeating = False
        self.layer: Layer | None = None
        self.page = 0

    def read(self, number: int, cells: Window, step: int) -> NDArray[Any]:
        """Read cells of a page: at once what is there if napari draws, else everything."""
        if self._asked is None or threading.get_ident() != self._drawing_thread:
            return self._whole(number, cells, step)
        self.page = number
        return self._now(number, cells, step, self._asked)

    def attach(self, layer: Layer) -> None:
        """Be told when napari gathers the pixels of a layer to draw them.

        napari has no event for it; both ways there (a refresh, and the slider) go through this method of the layer's
        state. Were it not called, the layer would read everything while napari waits.
        """
        self.layer = layer
        state = layer._slicing_state
        gather = state.set_view_slice

        def draw() -> None:
            if not self._repeating:
                self._had = set()
            self._asked, self._drawing_thread = Asked(), threading.get_ident()
            try:
                gather()
            finally:
                asked, self._asked = self._asked, None
            self._ask_for(asked)

        state.set_view_slice = draw
        layer.events.visible.connect(self._on_visible)

    def _on_visible(self, _event: Any = None) -> None:
        if self.layer is not None and not self.layer.visible:
            self.forget()

    def forget(self) -> None:
        """Want nothing any more, because nobody looks."""
        self._loader.forget(self)
        self._hoped, self._overview = set(), []

    def _ask_for(self, asked: Asked) -> None:
        # a block that came and had to go again, because the view is larger than the cache, would come for ever
        urgent = [key for key in asked.urgent() if key not in self._had]
        self._overview = [key for key in asked.page if key not in self._had]
        self._hoped = set(urgent)
        if self.layer is not None and self.layer.data_level == len(self.layer.data) - 1:
            self._hoped.update(self._overview)
        self._loader.want(self, Rank.VIEW, urgent)
        self._loader.want(self, Rank.PAGE, self._overview)
        self._loader.want(self, Rank.AHEAD, [] if self._overview else self._neighbours())

    def _neighbours(self) -> list[BlockKey]:
        """List what the slider may come to next."""
        keys: list[BlockKey] = []
        for source in self._sources:
            for number in (self.page + 1, self.page - 1):
                keys += source.overview_keys(number) if source.page_size(number) <= _LARGEST_AHEAD else []
        return keys

    def refresh(self, arrived: set[BlockKey]) -> None:
        """Let napari draw the layer anew, if blocks came that it hopes for."""
        if self.layer is None or not self.layer.visible:
            return
        whole = bool(self._overview) and all(key.source.has(key) for key in self._overview)
        if whole or not self._hoped.isdisjoint(arrived):
            self._had |= arrived
            self._repeating = True
            try:
                self.layer.refresh(extent=False, thumbnail=whole, highlight=False)
            finally:
                self._repeating = False
