"""``VirtualMapLayer``: a dataset's maps as napari layers, one additive layer per channel."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from napari.layers import Image, Labels
from napari.utils.colormaps import Colormap
from numpy.typing import NDArray

from ..dataset import Dataset
from ..images.region import Region, Window
from ..maps.placement import PlacedTile
from ..render.channels import ChannelSettings, hex_color, rgb
from ..render.profile import Profile
from .levels import LazyLevel, steps_for
from .pages import Page, pages_of


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
    """

    def __init__(self, dataset: Dataset, profile: Profile) -> None:
        self.dataset = dataset
        self.pages = pages_of(dataset)
        self._steps = steps_for(self.pages.shape[1:])
        self.channel_layers = {name: self._image(name, one) for name, one in profile.channels.items()}
        masks = sorted({name for fov in dataset.fovs.values() for name in fov.masks})
        self.mask_layers = {name: self._labels(name) for name in masks}

    @property
    def layers(self) -> list[Image | Labels]:
        """The napari layers, in drawing order."""
        return [*self.channel_layers.values(), *self.mask_layers.values()]

    def page(self, number: int) -> Page:
        """Give a page by its place on the slider."""
        return self.pages.pages[number]

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
        return {name: settings_of(layer) for name, layer in self.channel_layers.items()}

    def apply(self, profile: Profile) -> None:
        """Set napari's controls to a profile; channels that it does not have are hidden."""
        for name, layer in self.channel_layers.items():
            one = profile.channels.get(name)
            layer.visible = one is not None and one.visible
            if one is not None:
                layer.contrast_limits = _napari_limits(one)
                layer.gamma = one.gamma
                layer.colormap = _colormap(one.color)

    def _image(self, channel: str, one: ChannelSettings) -> Image:
        dtype = next(
            (fov.plane(channel).dtype for fov in self.dataset.fovs.values() if channel in fov.planes),
            np.dtype(np.float32),
        )
        low, high = _napari_limits(one)
        return Image(
            self._levels(dtype, partial(_read_channel, self.dataset, channel)),
            multiscale=True,
            name=channel,
            blending="additive",
            colormap=_colormap(one.color),
            contrast_limits=(low, high),
            gamma=one.gamma,
            visible=one.visible,
            **self._place(),
        )

    def _labels(self, mask: str) -> Labels:
        layer = Labels(
            self._levels(np.dtype(np.int32), partial(_read_mask, mask)),
            multiscale=True,
            name=f"{mask} (mask)",
            visible=False,
            **self._place(),
        )
        layer.contour = 1
        layer.editable = False
        return layer

    def _levels(self, dtype: np.dtype[Any], read: Any) -> list[LazyLevel]:
        return [LazyLevel(self.pages, step, dtype, read) for step in self._steps]

    def _place(self) -> dict[str, Any]:
        pages = self.pages
        return {
            "scale": pages.scale,
            "translate": pages.translate,
            "units": pages.units,
            "metadata": {"slicemap": self},
        }


def _read_channel(dataset: Dataset, channel: str, page: Page, cells: Window, step: int) -> NDArray[Any]:
    return page.map.read_stack(
        [channel],
        cells,
        page.grid(step),
        overlap=dataset.project.overlap,
        on_missing="mark",
        levels="stored",
    )[0]


def _read_mask(mask: str, page: Page, cells: Window, step: int) -> NDArray[Any]:
    return page.map.read_labels(mask, cells, page.grid(step), on_missing="mark")


def _colormap(color: str) -> Colormap:
    return Colormap([[0, 0, 0, 1], [*rgb(color), 1]], name=color)


def _napari_limits(one: ChannelSettings) -> tuple[float, float]:
    """Give limits that napari takes: it wants the upper one above the lower one."""
    low, high = one.contrast_limits
    return (low, high) if high > low else (low, float(np.nextafter(np.float32(low), np.float32(np.inf))))


def settings_of(layer: Image) -> ChannelSettings:
    """Read channel settings off a napari image layer; its colour is the upper end of its colour map."""
    red, green, blue = (round(255 * float(value)) for value in layer.colormap.colors[-1][:3])
    low, high = (float(limit) for limit in layer.contrast_limits)
    return ChannelSettings(
        hex_color(f"#{red:02x}{green:02x}{blue:02x}"), (low, high), float(layer.gamma), bool(layer.visible)
    )
