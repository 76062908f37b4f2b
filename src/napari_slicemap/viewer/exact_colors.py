"""Exact colours of channels on the screen: napari looks them up in tables of 8 bits, a formula is not rounded."""

from __future__ import annotations

import logging
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from napari.utils.colormaps import Colormap
from vispy.color.colormap import BaseColormap

if TYPE_CHECKING:
    import napari

_log = logging.getLogger(__name__)


class Ramp(BaseColormap):
    """A colour map between two colours, computed by the graphics card.

    Parameters
    ----------
    first, last : sequence of float
        RGBA, 0 to 1.
    bad : sequence of float
        RGBA of NaN.
    """

    def __init__(self, first: Any, last: Any, bad: Any) -> None:
        self.glsl_map = f"vec4 colormap(float t) {{ return mix({_vec4(first)}, {_vec4(last)}, clamp(t, 0.0, 1.0)); }}"
        super().__init__([first, last], bad_color=bad)


def show_exactly(viewer: napari.Viewer, layer: Image) -> None:
    """Have a layer's colours computed where its colour map is a ramp between two colours, as a channel's is.

    The frame buffer has 8 bits, so that each additive channel is still rounded, by half a step of 255: with up to
    three in a pixel, what is shown is at most one step off their sum. A table rounded before would make it two.

    It goes on doing so when the colour map is changed, or the dimensions shown. napari has no way to be told: where
    its canvas is not what it is in 0.9, its tables stay, and that is logged.

    Parameters
    ----------
    viewer : napari.Viewer
        In whose canvas the layer is; one without a window shows nothing.
    layer : Image
        The layer.
    """
    window = getattr(viewer, "window", None)
    if window is None:
        return
    try:
        visual = window._qt_viewer.canvas.layer_to_visual[layer]
        napari_sets = type(visual)._on_colormap_change
        visual.node.cmap  # noqa: B018 - must be there
    except (AttributeError, KeyError) as error:
        _log.warning("%s may look 2 of 255 off an export: napari's canvas is not as expected (%r)", layer.name, error)
        return
    known = weakref.ref(visual)  # what holds textures is not to wait for the garbage collector

    def set_colors(event: Any = None) -> None:
        if (drawn := known()) is not None:
            napari_sets(drawn, event)
            chosen = drawn.layer.colormap
            if is_ramp(chosen):
                drawn.node.cmap = Ramp(chosen.colors[0], chosen.colors[1], chosen.nan_color)

    visual._on_colormap_change = set_colors  # napari looks it up by its name
    set_colors()


def is_ramp(colormap: Colormap) -> bool:
    """Say whether a colour map goes straight from one colour to another, with none of their own for the ends."""
    return (
        len(colormap.colors) == 2
        and colormap.interpolation == "linear"
        and np.array_equal(colormap.controls, (0, 1))
        and colormap.low_color is None
        and colormap.high_color is None
    )


def _vec4(color: Any) -> str:
    return "vec4({})".format(", ".join(f"{float(value):.9f}" for value in color))
