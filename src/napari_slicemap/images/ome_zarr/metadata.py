"""What an OME-Zarr image says of itself: axes, where its levels lie, and how its channels are shown.

0.5 (https://ngff.openmicroscopy.org/0.5) keeps it under ``ome``, 0.4 among the attributes themselves. What neither
has a place for stands beside it, under ``napari_slicemap``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...files import json_safe

if TYPE_CHECKING:
    from ..source import ImageSource

VERSIONS = ("0.5", "0.4")
"""Of OME-Zarr, that can be written."""
AXES = ("t", "c", "z", "y", "x")
"""Of every array, in order."""
OWN = "napari_slicemap"
"""Attribute that holds what OME-Zarr has no place for."""

_WHITE = "#ffffff"


def check_known(source: ImageSource) -> None:
    """Check what an image states of itself, before anything is written.

    Raises
    ------
    ValueError
        Naming the image, if a size is not above 0, a position is not finite or a colour is not ``#rrggbb``.
    """
    for what, size in (("a px", source.pixel_size_um), ("a step in z", source.z_step_um)):
        if size is not None and not (math.isfinite(size) and size > 0):
            raise ValueError(f"image {source.name}: the size of {what} is {size} µm, expected above 0")
    if source.position_um is not None and not all(map(math.isfinite, source.position_um)):
        raise ValueError(f"image {source.name}: its position is {source.position_um} µm, expected finite numbers")
    for name, one in source.settings.items():
        if not re.fullmatch("#[0-9a-fA-F]{6}", color := one.get("color", _WHITE)):
            raise ValueError(f"image {source.name}, channel {name}: its colour is {color!r}, expected #rrggbb")
    for mask, looks in source.label_looks.items():
        for label, look in looks.items():
            if not re.fullmatch("#[0-9a-fA-F]{6}", color := look.get("color", _WHITE)):
                raise ValueError(
                    f"image {source.name}, mask {mask}, label {label}: its colour is {color!r}, expected #rrggbb"
                )


def image_attributes(
    source: ImageSource, version: str, steps: Sequence[int], ranges: Sequence[tuple[float, float] | None]
) -> dict[str, Any]:
    """Give the attributes of the group of an image.

    Parameters
    ----------
    source : ImageSource
        The image.
    version : {"0.5", "0.4"}
        Of OME-Zarr.
    steps : sequence of int
        Px of the image along one px of each level.
    ranges : sequence of tuple or None
        Lowest and highest finite pixel of each channel; ``None`` where there is none.

    Returns
    -------
    dict
        Fit for strict JSON. Under ``napari_slicemap``: ``times_s`` (null where unknown), ``position_um`` (x, y) of
        the centre of the first px, ``stage_y`` if it points up, ``gamma`` of each channel, ``provenance``; each only
        where there is any.
    """
    multiscales = [_multiscale(source, source.name, version, steps, "mean")]
    settings = source.settings
    own = {
        "times_s": source.times_s,
        "position_um": source.position_um,
        "stage_y": "up" if source.position_um and source.stage_up else None,
        "gamma": {name: settings[name]["gamma"] for name in source.channels if "gamma" in settings.get(name, {})},
        "provenance": source.provenance,
    }
    ome = {"multiscales": multiscales, "omero": _omero(source, version, ranges)}
    kept = {key: value for key, value in own.items() if value}
    made: dict[str, Any] = json_safe(_versioned(ome, version) | ({OWN: kept} if kept else {}))
    return made


def labels_attributes(paths: Sequence[str], version: str) -> dict[str, Any]:
    """Give the attributes of the group that holds label images at such paths."""
    return _versioned({"labels": list(paths)}, version)


def label_attributes(source: ImageSource, mask: str, version: str, steps: Sequence[int]) -> dict[str, Any]:
    """Give the attributes of the group of one label image; it lies two groups below its image."""
    label: dict[str, Any] = {**_looks(source.label_looks.get(mask, {})), "source": {"image": "../../"}}
    if version == "0.4":
        label = {"version": version, **label}
    multiscales = [_multiscale(source, mask, version, steps, "nearest")]
    made: dict[str, Any] = json_safe(_versioned({"multiscales": multiscales, "image-label": label}, version))
    return made


def _looks(looks: Mapping[int, Mapping[str, str]]) -> dict[str, Any]:
    """Give the colours of labels, and their names, where there are any."""
    colors = [
        {"label-value": label, "rgba": [*bytes.fromhex(one["color"].removeprefix("#")), 255]}
        for label, one in sorted(looks.items())
        if "color" in one
    ]
    names = [{"label-value": label, "name": one["name"]} for label, one in sorted(looks.items()) if "name" in one]
    return ({"colors": colors} if colors else {}) | ({"properties": names} if names else {})


def collection_attributes(version: str) -> dict[str, Any]:
    """Give the attributes of a group of several images."""
    return _versioned({"bioformats2raw.layout": 3}, version)


def series_attributes(paths: Sequence[str], version: str) -> dict[str, Any]:
    """Give the attributes of the group ``OME`` of a collection: where its images lie, in order."""
    return _versioned({"series": list(paths)}, version)


def _versioned(ome: dict[str, Any], version: str) -> dict[str, Any]:
    return ome if version == "0.4" else {"ome": {"version": version, **ome}}


# --- where it lies -------------------------------------------------------------------------------------------
def _multiscale(source: ImageSource, name: str, version: str, steps: Sequence[int], method: str) -> dict[str, Any]:
    size, increment = source.pixel_size_um, source.time_increment_s
    units = {
        "t": "second" if increment else None,
        "z": "micrometer" if source.z_step_um else None,
        "y": "micrometer" if size else None,
        "x": "micrometer" if size else None,
    }
    kinds = {"t": "time", "c": "channel"}
    axes = [
        {"name": axis, "type": kinds.get(axis, "space")} | ({"unit": unit} if (unit := units.get(axis)) else {})
        for axis in AXES
    ]
    datasets = [
        {"path": str(n), "coordinateTransformations": _transformations(source, increment, step)}
        for n, step in enumerate(steps)
    ]
    made = {"name": name, "axes": axes, "datasets": datasets, "type": method}
    return {"version": version, **made} if version == "0.4" else made


def _transformations(source: ImageSource, increment: float | None, step: int) -> list[dict[str, Any]]:
    """Say where the centres of the px of a level lie."""
    size = source.pixel_size_um or 1.0
    # a position in µm says nothing among coordinates that are not
    x, y = source.position_um if source.position_um and source.pixel_size_um else (0.0, 0.0)
    start = source.times_s[0] if source.times_s and increment else 0.0
    # the centre of a level's first px lies off that of the image's first px
    shift = size * (step - 1) / 2
    scale = [increment or 1.0, 1.0, source.z_step_um or 1.0, size * step, size * step]
    translation = [start, 0.0, 0.0, y + shift, x + shift]
    made: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
    return [*made, {"type": "translation", "translation": translation}] if any(translation) else made


# --- how it is shown -----------------------------------------------------------------------------------------
def _omero(source: ImageSource, version: str, ranges: Sequence[tuple[float, float] | None]) -> dict[str, Any]:
    channels = [
        _channel(name, source.settings.get(name, {}), found)
        for name, found in zip(source.channels, ranges, strict=True)
    ]
    made = {"name": source.name, "channels": channels, "rdefs": {"defaultT": 0, "defaultZ": 0, "model": "color"}}
    return {"version": version, **made} if version == "0.4" else made


def _channel(name: str, settings: Mapping[str, Any], found: tuple[float, float] | None) -> dict[str, Any]:
    low, high = found or (0, 1)
    start, end = settings.get("contrast_limits") or (low, high)
    if start == end:  # viewers refuse a window of no width
        end = start + 1
    return {
        "label": name,
        "color": settings.get("color", _WHITE).removeprefix("#").upper(),
        "window": {"start": start, "end": end, "min": min(low, start), "max": max(high, end)},
        "active": settings.get("visible", True),
        "coefficient": 1,
        "family": "linear",
        "inverted": False,
    }
