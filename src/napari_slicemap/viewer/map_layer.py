"""``VirtualMapLayer``: a dataset's maps as napari layers, one additive layer per channel or one composite."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, get_args

import numpy as np
from napari.layers import Image, Labels
from napari.utils.colormaps import Colormap
from numpy.typing import NDArray
from psygnal import Signal

from ..dataset import Dataset
from ..images.region import Region, Window
from ..maps.placement import PlacedTile
from ..render.channels import ChannelSettings, hex_color, rgb
from ..render.profile import Profile
from .block_loader import BlockLoader
from .block_source import BlockSource, Read, nothing
from .blocks import BlockCache
from .composite_view import CompositeView
from .feed import Feed, Now
from .levels import LazyLevel, steps_for
from .missing_tiles import MissingTiles
from .pages import Page, pages_of

Display = Literal["channels", "composite"]
"""One additive layer for each channel, or one picture: exactly what an export gives."""


class VirtualMapLayer:
    """A dataset's maps, shown by napari layers that read their pixels when they come into view.

    It owns no layer class of its own: napari's layer controls work on the channels as they do on any image. The
    slider goes through the slices; each map lies at its place in stage µm.

    Parameters
    ----------
    dataset : Dataset
        What to show.
    profile : Profile
        Colour, contrast, gamma and visibility to begin with.
    loader : BlockLoader, optional
        Reads blocks in threads of its own: napari then never waits, but draws what is there and is told when there
        is more. The layers stay hidden until :meth:`reveal`. Without one, layers read all that they are asked for.
    """

    display_changed = Signal(str)
    """Another display was chosen."""
    look_changed = Signal()
    """Somebody changed colour, contrast, gamma or visibility of a channel."""

    def __init__(self, dataset: Dataset, profile: Profile, loader: BlockLoader | None = None) -> None:
        self.dataset = dataset
        self.pages = pages_of(dataset)
        self.missing = MissingTiles(self.pages, dataset.fovs)
        self.display: Display = "channels"
        self.feeds: list[Feed] = []
        self._loader = loader
        self._steps = steps_for(self.pages.shape[1:])
        self._cache = BlockCache(0) if loader is None else loader.cache
        self._hidden: list[tuple[Image | Labels, bool]] = []
        self._has: dict[tuple[int, str], bool] = {}
        self.sources = {name: self._channel_source(name) for name in profile.channels}
        self.channel_layers = {name: self._image(name, one) for name, one in profile.channels.items()}
        masks = sorted({name for fov in dataset.distinct_fovs for name in fov.masks})
        self.mask_layers = {name: self._labels(name) for name in masks}
        view = CompositeView(dataset, self.pages, self.sources, self.settings, self.missing)
        self.composite_layer = self._picture("composite", 3, view.now, view.whole)
        self.stripes_layer = self._picture("missing tiles", 4, lambda *key: view.stripes(*key[:3]), view.stripes)
        for layer in self.channel_layers.values():
            for event in ("contrast_limits", "gamma", "colormap", "visible"):
                getattr(layer.events, event).connect(self._on_look)

    @property
    def layers(self) -> list[Image | Labels]:
        """The napari layers, in drawing order."""
        return [*self.channel_layers.values(), *self.mask_layers.values()]

    @property
    def all_layers(self) -> list[Image | Labels]:
        """Those and the ones that come into a viewer only when there is something to show."""
        return [*self.layers, self.composite_layer, self.stripes_layer]

    def page(self, number: int) -> Page:
        """Give a page by its place on the slider."""
        return self.pages.pages[number]

    def has(self, number: int, channel: str) -> bool:
        """Say whether any FOV of a page has a channel; any thread may ask."""
        found = self._has.get((number, channel))
        if found is None:
            tiles = self.page(number).map.placement.tiles
            found = self._has[number, channel] = any(
                tile.fov is not None and channel in tile.fov.planes for tile in tiles
            )
        return found

    def map_bounds(self, number: int = 0) -> tuple[float, float, float, float]:
        """Give a page's ``(x_min, x_max, y_min, y_max)``, stage µm."""
        return self.page(number).map.map_bounds()

    def base_pixel_size_um(self) -> float | None:
        """Give the size of a canvas px in µm, or ``None`` where unknown."""
        return self.pages.pixel_size_um

    def collect_visible_tiles(self, region: Region, number: int = 0) -> list[PlacedTile]:
        """List the tiles of a page that share a pixel with a region (canvas px)."""
        page = self.page(number)
        window = region.window().shifted(-page.dx, -page.dy)
        return page.map.collect_visible_tiles(window.region)

    def settings(self) -> dict[str, ChannelSettings]:
        """Read the channel settings that napari's controls show now."""
        shown = {id(layer): visible for layer, visible in self._hidden}
        return {
            name: settings_of(layer, shown.get(id(layer), bool(layer.visible)))
            for name, layer in self.channel_layers.items()
        }

    def shown_channels(self) -> list[str]:
        """List the channels that are shown."""
        return [name for name, layer in self.channel_layers.items() if layer.visible]

    def apply(self, profile: Profile) -> None:
        """Set napari's controls to a profile; channels that it does not have are hidden."""
        for name, layer in self.channel_layers.items():
            one = profile.channels.get(name)
            layer.visible = one is not None and one.visible
            if one is not None:
                layer.contrast_limits = _napari_limits(one)
                layer.gamma = one.gamma
                layer.colormap = _colormap(one.color)

    def reveal(self) -> None:
        """Show the layers that stayed hidden while they were put into a viewer."""
        hidden, self._hidden = self._hidden, []
        for layer, visible in hidden:
            layer.visible = visible

    def set_display(self, display: Display) -> None:
        """Show the channels one by one, or their composite; the controls of the channels edit the look of both.

        In the composite the channels' own layers are there, but see-through.

        Raises
        ------
        ValueError
            If there is no such display.
        """
        if display not in get_args(Display):
            raise ValueError(f"display is {display!r}, expected {' or '.join(get_args(Display))}")
        if display == self.display:
            return
        self.display = display
        for layer in self.channel_layers.values():
            layer.opacity = 0.0 if display == "composite" else 1.0
            # what nobody sees need not be drawn finely
            layer.locked_data_level = len(self._steps) - 1 if display == "composite" else None
        self.composite_layer.visible = display == "composite"
        self.display_changed.emit(display)

    def redraw(self) -> None:
        """Draw what is put together from other layers' pixels or from what is known of tiles."""
        for layer in (self.composite_layer, self.stripes_layer):
            layer.refresh(extent=False, thumbnail=False, highlight=False)

    def _on_look(self, _event: Any = None) -> None:
        if not self._hidden:
            self.look_changed.emit()

    # --- making layers --------------------------------------------------------------------------------------
    def _channel_source(self, channel: str) -> BlockSource:
        dtype = next(
            (fov.plane(channel).dtype for fov in self.dataset.distinct_fovs if channel in fov.planes),
            np.dtype(np.float32),
        )
        return BlockSource(self.pages, self._steps, dtype, partial(self._read_channel, channel), self._cache)

    def _image(self, channel: str, one: ChannelSettings) -> Image:
        source = self.sources[channel]
        feed = self._feed(source.now, source.whole, [source])
        low, high = _napari_limits(one)
        layer = Image(
            self._levels(source.dtype, source.whole if feed is None else feed.read, beyond=nothing(source.dtype)),
            multiscale=True,
            name=channel,
            blending="additive",
            colormap=_colormap(one.color),
            contrast_limits=(low, high),
            gamma=one.gamma,
            visible=one.visible and feed is None,
            **self._place(),
        )
        self._begin(layer, feed, one.visible)
        return layer

    def _labels(self, mask: str) -> Labels:
        source = BlockSource(
            self.pages, self._steps, np.dtype(np.int32), partial(self._read_mask, mask), self._cache, means=False
        )
        feed = self._feed(source.now, source.whole, [source])
        layer = Labels(
            self._levels(source.dtype, source.whole if feed is None else feed.read),
            multiscale=True,
            name=f"{mask} (mask)",
            visible=False,
            **self._place(),
        )
        layer.contour = 1
        layer.editable = False
        self._begin(layer, feed, False)
        return layer

    def _picture(self, name: str, samples: int, now: Now, whole: Read) -> Image:
        """Make a layer of a picture; it is put into a viewer when there is something to show."""
        feed = self._feed(now, whole, [])
        layer = Image(
            self._levels(np.dtype(np.uint8), whole if feed is None else feed.read, samples),
            multiscale=True,
            rgb=True,
            name=name,
            blending="translucent_no_depth",
            visible=False,
            **self._place(),
        )
        self._begin(layer, feed, False)
        return layer

    def _feed(self, now: Now, whole: Read, sources: list[BlockSource]) -> Feed | None:
        return None if self._loader is None else Feed(self._loader, now, whole, sources)

    def _begin(self, layer: Image | Labels, feed: Feed | None, visible: bool) -> None:
        if feed is not None:
            feed.attach(layer)
            self.feeds.append(feed)
            if visible:
                self._hidden.append((layer, visible))

    def _read_channel(self, channel: str, number: int, cells: Window, step: int) -> NDArray[Any]:
        page, missing = self.page(number), dict[str, str]()
        if not self.has(number, channel):
            dtype = self.sources[channel].dtype if step == 1 else np.dtype(np.float32)
            return np.full(cells.shape, nothing(self.sources[channel].dtype), dtype)
        stack = page.map.read_stack(
            [channel],
            cells,
            page.grid(step),
            overlap=self.dataset.project.overlap,
            on_missing="mark",
            levels="stored",
            missing=missing,
        )
        self.missing.note(number, channel, missing)
        return stack[0]

    def _read_mask(self, mask: str, number: int, cells: Window, step: int) -> NDArray[Any]:
        page = self.page(number)
        return page.map.read_labels(mask, cells, page.grid(step), on_missing="mark")

    def _levels(self, dtype: np.dtype[Any], read: Read, samples: int = 0, beyond: float = 0) -> list[LazyLevel]:
        return [LazyLevel(self.pages, step, dtype, read, samples, beyond=beyond) for step in self._steps]

    def _place(self) -> dict[str, Any]:
        pages = self.pages
        return {
            "scale": pages.scale,
            "translate": pages.translate,
            "units": pages.units,
            "metadata": {"slicemap": self},
        }


def _colormap(color: str) -> Colormap:
    return Colormap([[0, 0, 0, 1], [*rgb(color), 1]], name=color)


def _napari_limits(one: ChannelSettings) -> tuple[float, float]:
    """Give limits that napari takes: it wants the upper one above the lower one."""
    low, high = one.contrast_limits
    return (low, high) if high > low else (low, float(np.nextafter(np.float32(low), np.float32(np.inf))))


def settings_of(layer: Image, visible: bool) -> ChannelSettings:
    """Read channel settings off a napari image layer; its colour is the upper end of its colour map."""
    red, green, blue = (round(255 * float(value)) for value in layer.colormap.colors[-1][:3])
    low, high = (float(limit) for limit in layer.contrast_limits)
    return ChannelSettings(hex_color(f"#{red:02x}{green:02x}{blue:02x}"), (low, high), float(layer.gamma), visible)
