"""Bundles as napari layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari
import numpy as np
from napari.utils.colormaps import CYMRGB

from ...errors import FileFormatError
from ...files import json_safe
from ...images.bundle_reading import ImageBundle, bundle_kind, read_image_bundle
from ...images.stack.image_stack import BEFORE_EDIT, ImageStack
from ...images.stack.reading import read_stack

if TYPE_CHECKING:
    from numpy.typing import NDArray

LayerData = tuple[Any, dict[str, Any], str]
Axis = tuple[float, float, str]
"""Step, start and unit of an axis."""

PART, KEY = "bundle_part", "bundle_key"
"""What the metadata of a layer call its part in a stack (``data``, ``processed`` or ``mask``), and its name there."""
FRAMES: Axis = (1.0, 0.0, "pixel")
"""An axis of frames whose times are unknown or unequal."""
_AXIS_NAMES = {"T": "time"}
_EQUAL = 1e-6
"""Relative difference up to which steps of time count as equal."""
_MOST_BYTES = 2**32
"""Of a plane: napari holds the one that it shows."""
_LIMITS_PX = 2**24
"""Pixels that are looked at to say between which values to show an image."""


def get_reader(path: str | list[str]) -> Callable[[str | list[str]], list[LayerData]] | None:
    """Say whether a file is a bundle, by its names alone.

    Returns
    -------
    callable or None
        Opens it; ``None`` leaves the file to napari's other readers.
    """
    if isinstance(path, list):
        if len(path) != 1:
            return None
        path = path[0]
    return None if bundle_kind(path) is None else read_bundle


def read_bundle(path: str | list[str]) -> list[LayerData]:
    """Read a bundle as layers: the data, and, hidden at first, what was made of them, and masks.

    Returns
    -------
    list of tuple
        Data, napari's arguments and layer type. Lengths are in µm, times in s where the frames have equal ones.

    Raises
    ------
    FileFormatError
        Naming the file and what is wrong with it.
    """
    path = path[0] if isinstance(path, list) else path
    seconds = _takes_seconds()
    if bundle_kind(path) == "image":
        return _image_layers(read_image_bundle(path), seconds)
    return _stack_layers(read_stack(path), Path(path), seconds)


def _takes_seconds() -> bool:
    """Say whether an axis of times would be the only one: napari ignores all units where some cannot be compared."""
    viewer = napari.current_viewer()
    firsts = [] if viewer is None else [str(layer.units[-3]) for layer in viewer.layers if layer.ndim >= 3]
    return all(unit == "second" for unit in firsts)


# --- stacks -----------------------------------------------------------------------------------------------------
def _stack_layers(stack: ImageStack, path: Path, seconds: bool) -> list[LayerData]:
    same = all(len(one) == len(stack.data) for one in (*stack.processed.values(), *stack.masks.values()))
    time = _time_axis(stack.times_s) if seconds and same else FRAMES
    size = float(stack.pixel_size_nm) / 1000
    place = _place([time, (size, 0.0, "micrometer"), (size, 0.0, "micrometer")], "TYX", seconds)
    known = {
        "file": str(path),
        "channel": stack.channel,
        "pixel_size_nm": float(stack.pixel_size_nm),
        "timestamps_s": json_safe(stack.times_s),
    }
    whole = {
        "frame_metadata": list(stack.frame_metadata),
        "provenance": stack.provenance,
        "state_backups": stack.state_backups,
    }

    def layer(name: str, data: NDArray[Any], part: str, key: str, kind: str, **more: Any) -> LayerData:
        own = {**known, **(whole if part == "data" else {}), PART: part, KEY: key}
        if len(data) != len(stack.data):
            own["timestamps_s"] = _times_before(stack, len(data))
        return data, {"name": name, "metadata": own, **place, **more}, kind

    plain = {"rgb": False, "multiscale": False}
    made = [layer(stack.name, _shown(stack.data), "data", "data", "image", **plain)]
    for key, one in stack.processed.items():
        made.append(layer(f"{stack.name}: {key}", _shown(one), "processed", key, "image", visible=False, **plain))
    for key, one in stack.masks.items():
        made.append(layer(f"{stack.name}: {key}", one.astype(np.uint8), "mask", key, "labels", visible=False))
    return made


def _shown(frames: NDArray[Any]) -> NDArray[Any]:
    """Let frames of bools be numbers, which napari asks of images."""
    return frames.view(np.uint8) if frames.dtype == np.bool_ else frames


def _times_before(stack: ImageStack, count: int) -> list[float | None]:
    """Give the times of frames as they were before some were taken away, where they were kept."""
    before = stack.state_backups.get(BEFORE_EDIT, ())
    if not isinstance(before, list | tuple) or len(before) != count:
        return []
    return [one.get("timestamp") if isinstance(one, Mapping) else None for one in before]


# --- images -----------------------------------------------------------------------------------------------------
def _image_layers(bundle: ImageBundle, seconds: bool) -> list[LayerData]:
    height, width = bundle.data.shape[-2:]
    if height * width * bundle.data.dtype.itemsize > _MOST_BYTES:
        raise FileFormatError(
            f"{bundle.path}: a plane of {width} × {height} px is too large for napari to hold as a whole; "
            "list the file in a tiles.csv, and open that as a map"
        )
    place = _image_place(bundle, bundle.frame_axes, seconds)
    known = {
        "file": str(bundle.path),
        "pixel_size_um": bundle.pixel_size_um,
        "timestamps_s": json_safe(bundle.times_s),
        "provenance": dict(bundle.provenance),
    }
    name, alone = bundle.path.stem, len(bundle.channels) == 1
    made: list[LayerData] = []
    for number, channel in enumerate(bundle.channels):
        frames = bundle.frames(number)
        look = _look(bundle, number) or {"contrast_limits": _limits(frames)}
        meta = {
            "name": name if alone else f"{name}: {channel}",
            "metadata": {**known, "channel": channel},
            "rgb": False,
            "multiscale": False,
            **({} if alone else {"blending": "additive", "colormap": CYMRGB[number % len(CYMRGB)]}),
            **look,
            **place,
        }
        made.append((frames, meta, "image"))
    for mask, labels in bundle.labels.items():
        own = _image_place(bundle, "ZYX"[-labels.ndim :], seconds)
        made.append((labels, {"name": f"{name}: {mask}", "visible": False, "metadata": dict(known), **own}, "labels"))
    return made


def _image_place(bundle: ImageBundle, axes: str, seconds: bool) -> dict[str, Any]:
    return _place([_axis(bundle, axis, seconds) for axis in axes], axes, seconds)


def _axis(bundle: ImageBundle, axis: str, seconds: bool) -> Axis:
    """Say where an axis of an image begins, and in what steps it goes on."""
    if axis == "T":
        return _time_axis(bundle.times_s) if seconds else FRAMES
    if axis == "Z":
        return (1.0, 0.0, "pixel") if bundle.z_step_um is None else (bundle.z_step_um, 0.0, "micrometer")
    if bundle.pixel_size_um is None:
        return 1.0, 0.0, "pixel"
    if bundle.position_um is None:
        return bundle.pixel_size_um, 0.0, "micrometer"
    x, y = bundle.position_um
    made_from = bundle.provenance.get("map")
    if isinstance(made_from, Mapping) and made_from.get("stage_y") == "up":
        y = -y  # as maps lie in the viewer, whose y grows downwards
    return bundle.pixel_size_um, y if axis == "Y" else x, "micrometer"


def _look(bundle: ImageBundle, number: int) -> dict[str, Any]:
    """Give the look that a channel had in the profile of its export, if it had one."""
    profile = bundle.provenance.get("profile")
    channels = profile.get("channels") if isinstance(profile, Mapping) else None
    one = channels.get(bundle.channels[number]) if isinstance(channels, Mapping) else None
    try:
        low, high = (float(limit) for limit in one["contrast_limits"])  # type: ignore[index]
        color, gamma, visible = str(one["color"]), float(one["gamma"]), bool(one["visible"])  # type: ignore[index]
    except (TypeError, KeyError, ValueError):
        return {}
    if not (low < high and gamma > 0):
        return {}
    return {
        "contrast_limits": (low, high),
        "gamma": gamma,
        "visible": visible,
        "colormap": napari.utils.Colormap(["#000000", color], name=color),
    }


def _limits(frames: Any) -> tuple[float, float]:
    """Give the least and the largest value in the middle of the middle plane."""
    *before, height, width = frames.shape
    rows = max(1, min(height, _LIMITS_PX // width))
    top = (height - rows) // 2
    part = np.asarray(frames[(*(size // 2 for size in before), slice(top, top + rows))])
    finite = part[np.isfinite(part)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return (low, high) if low < high else (low, low + 1.0)


# --- axes -------------------------------------------------------------------------------------------------------
def _time_axis(times: NDArray[np.float64]) -> Axis:
    """Give the axis of frames: s where the steps between them are equal, and their numbers elsewhere."""
    if len(times) < 2 or not np.isfinite(times).all():
        return FRAMES
    step = float(times[-1] - times[0]) / (len(times) - 1)
    if step <= 0 or not np.allclose(np.diff(times), step, rtol=_EQUAL, atol=8 * math.ulp(float(np.abs(times).max()))):
        return FRAMES
    return step, float(times[0]), "second"


def _place(axes: list[Axis], names: str, alone: bool) -> dict[str, Any]:
    """Give napari's arguments for where a layer lies; beside a map the axes keep the names that they have."""
    steps, starts, units = zip(*axes, strict=True)
    made: dict[str, Any] = {"scale": steps, "translate": starts, "units": units}
    return {**made, "axis_labels": tuple(_AXIS_NAMES.get(one, one.lower()) for one in names)} if alone else made
