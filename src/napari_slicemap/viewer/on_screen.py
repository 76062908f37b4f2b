"""What keeps a map layer on the screen up to date in one viewer: repainting, stripes, composite, status bar."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari.layers import Layer
from qtpy.QtCore import QTimer

from .block_loader import BlockLoader
from .exact_colors import show_exactly
from .long_lived import LongLived
from .map_layer import VirtualMapLayer
from .repaint import Repainter
from .status import StatusText

if TYPE_CHECKING:
    import napari

_LOOK_MS = 30
"""A slider that is dragged changes the look more often than it can be drawn."""


class OnScreen:
    """Keeps the layers of a map up to date in a viewer, until it is closed.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer.
    maps : VirtualMapLayer
        Whose layers.
    loader : BlockLoader
        Reads their blocks; it is closed with this.
    why_excluded : callable
        Says why the slice of a page is not to be used; ``""`` if it is.
    """

    def __init__(
        self, viewer: napari.Viewer, maps: VirtualMapLayer, loader: BlockLoader, why_excluded: Callable[[int], str]
    ) -> None:
        self._viewer, self._maps, self.loader = weakref.ref(viewer), maps, loader
        self._drawn_version = -1
        self._repainter = Repainter(loader, lambda: maps.feeds, self._on_blocks)
        self._look_timer = QTimer(self._repainter)
        self._look_timer.setSingleShot(True)
        self._look_timer.setInterval(_LOOK_MS)
        self._look_timer.timeout.connect(maps.redraw)
        self._long_lived = LongLived(self._repainter)
        self._long_lived.keep_soon()
        self._status = StatusText(maps, why_excluded)
        self.speak_for(*maps.all_layers)
        maps.look_changed.connect(self._on_look)
        maps.display_changed.connect(self._on_display)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)

    def speak_for(self, *layers: Layer) -> None:
        """Write the map's own words into the status bar while one of these layers is worked on."""
        for layer in layers:
            self._status.attach(layer)

    def close(self) -> None:
        """Read and draw nothing any more."""
        self._repainter.close()
        self._look_timer.stop()
        self._long_lived.close()
        self._status.detach()
        self._maps.look_changed.disconnect(self._on_look, missing_ok=True)
        self._maps.display_changed.disconnect(self._on_display, missing_ok=True)
        if (viewer := self._viewer()) is not None:
            viewer.layers.events.inserted.disconnect(self._on_inserted)
            viewer.layers.events.removed.disconnect(self._on_removed)

    def _on_blocks(self) -> None:
        """Show the stripes when a tile turns out to be missing."""
        if self._maps.missing.version != self._drawn_version:
            self._drawn_version = self._maps.missing.version
            if self._drawn_version:
                self._put_in(self._maps.stripes_layer)
            self._maps.redraw()

    def _on_look(self) -> None:
        if not self._look_timer.isActive():
            self._look_timer.start()

    def _on_display(self, _display: str) -> None:
        self._put_in(self._maps.composite_layer)
        self._maps.redraw()

    def _on_inserted(self, event: Any) -> None:
        """Begin with the stripes that are known from the start, once the channels are there."""
        if event.value in self._maps.channel_layers.values():
            if (viewer := self._viewer()) is not None:
                show_exactly(viewer, event.value)
            self._on_blocks()

    def _on_removed(self, event: Any) -> None:
        for feed in self._maps.feeds:
            if feed.layer is event.value:
                feed.forget()

    def _put_in(self, layer: Layer) -> None:
        """Put a layer right above the channels; the one that the user works on stays chosen."""
        viewer = self._viewer()
        if viewer is None or layer in viewer.layers:
            return
        channels = [viewer.layers.index(one) for one in self._maps.channel_layers.values() if one in viewer.layers]
        chosen = viewer.layers.selection.active
        viewer.layers.insert(max(channels, default=-1) + 1, layer)
        viewer.layers.selection.active = chosen
        layer.visible = True
        self._long_lived.keep_soon()  # more is imported for it
