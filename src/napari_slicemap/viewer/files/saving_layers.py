"""Layers that somebody selected as one stack: images as frames and what was made of them, labels as masks."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import StackError
from ...images.stack.hdf5_bundle import save_h5_bundle
from ...images.stack.image_stack import RAW, ImageStack
from ...images.stack.npz_bundle import save_npz_bundle
from ...units import length_um
from ..map_layer import VirtualMapLayer
from .reading import KEY, PART, LayerData
from .telling import told

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAME = 1e-9
"""Relative difference up to which pixel sizes are the same: units are changed on the way."""


def write_npz_bundle(path: str, layers: list[LayerData]) -> list[str]:
    """Write image and label layers as one NPZ bundle; see :func:`stack_of`.

    Returns
    -------
    list of str
        The file.

    Raises
    ------
    SlicemapError
        Saying which layer cannot be written, and what would be right.
    """
    with told():
        return [str(save_npz_bundle(path, stack_of(layers), dtype="source"))]


def write_h5_bundle(path: str, layers: list[LayerData]) -> list[str]:
    """Write image and label layers as one HDF5 bundle; see :func:`write_npz_bundle`."""
    with told():
        return [str(save_h5_bundle(path, stack_of(layers), dtype="source"))]


@dataclass(frozen=True)
class _Layer:
    """A layer as napari hands it to a writer."""

    data: Any
    meta: Mapping[str, Any]
    kind: str

    @property
    def name(self) -> str:
        return str(self.meta["name"])

    @property
    def known(self) -> Mapping[str, Any]:
        """What a bundle that it was read from said of it."""
        found = self.meta.get("metadata", {})
        return found if isinstance(found, Mapping) else {}

    @property
    def part(self) -> str:
        """Its part in the stack that it was read from, or ``""``."""
        return str(self.known.get(PART, ""))

    @cached_property
    def frames(self) -> NDArray[Any]:
        """Its pixels ``(T, H, W)``; a picture is one frame."""
        made = np.asarray(self.data)
        return made if made.ndim == 3 else made[None]


def stack_of(layers: Sequence[LayerData]) -> ImageStack:
    """Put layers together to a stack.

    Parameters
    ----------
    layers : sequence of tuple
        Data, napari's arguments and type of each layer, the lowest first. The data of the stack are the layer that
        was the data of a bundle, or the lowest image; other images are processed layers, labels masks.

    Raises
    ------
    StackError
        If a layer has other axes or another size, shows a map, has no pixel size, or labels tell several things apart.
    """
    made = [_Layer(*one) for one in layers]
    for one in made:
        _refuse(one)
    images = [one for one in made if one.kind == "image"]
    data = next((one for one in images if one.part == "data"), images[0])
    size = _pixel_size_nm(data)
    for one in images:
        if not math.isclose(_pixel_size_nm(one), size, rel_tol=_SAME):
            raise StackError(
                f"layers {data.name} and {one.name} have px of {size:g} and {_pixel_size_nm(one):g} nm; "
                "a bundle has one pixel size, so save them one by one"
            )
    for one in made:
        if one.part not in ("processed", "mask") and one.frames.shape != data.frames.shape:
            raise StackError(
                f"layer {one.name} is {_size(one)}, layer {data.name} {_size(data)}; "
                "layers of one bundle have the same frames, so save them one by one"
            )
    processed = _processed([one for one in images if one is not data])
    masks = _masks([one for one in made if one.kind == "labels"])
    frames = _frame_metadata(data)
    kept = {
        key: data.known[key] for key in ("state_backups", "provenance") if data.part == "data" and key in data.known
    }
    channel = str(data.known.get("channel") or data.name)
    return ImageStack(data.frames, size, channel, frames, processed, masks, **kept)


def _refuse(one: _Layer) -> None:
    """Refuse a layer that holds no frames."""
    if any(isinstance(value, VirtualMapLayer) for value in one.known.values()):
        raise StackError(
            f"layer {one.name} shows a map, of which the screen has only what is needed to show it; "
            "Plugins ▸ Slice map ▸ Batch export writes maps, ROIs and FOVs as data in full"
        )
    if one.meta.get("multiscale"):
        raise StackError(f"layer {one.name} is a pyramid; add its full resolution as an image layer, and save that")
    if one.meta.get("rgb"):
        raise StackError(f"layer {one.name} holds colours; a bundle holds one number for each px")
    shape = np.shape(one.data)
    if len(shape) not in (2, 3):
        raise StackError(
            f"layer {one.name} has {len(shape)} axes, {_by(shape)}; a bundle holds frames: T, Y, X or Y, X"
        )
    if one.kind == "image" and len(shape) == 3 and one.meta["units"][0].is_compatible_with("micrometer"):
        raise StackError(
            f"layer {one.name}: its first axis is a length, {one.meta['units'][0]}; a bundle holds frames over time. "
            'Set the unit of that axis to "second" or "pixel"'
        )


def _size(one: _Layer) -> str:
    return _by(one.frames.shape)


def _by(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))


def _pixel_size_nm(one: _Layer) -> float:
    """Read the pixel size off scale and units."""
    (y, x), units = (float(step) for step in one.meta["scale"][-2:]), one.meta["units"][-2:]
    try:
        sizes = [length_um(f"{step!r} {unit}") * 1000 for step, unit in zip((y, x), units, strict=True)]
    except ValueError:
        raise StackError(
            f"layer {one.name}: its pixel size is unknown, because its units are {units[0]} and {units[1]}. "
            'Set scale and units of the layer, such as layer.scale = (0.65, 0.65), layer.units = ("um", "um")'
        ) from None
    if not math.isclose(*sizes, rel_tol=_SAME) or sizes[0] <= 0:
        raise StackError(f"layer {one.name}: its px are {sizes[1]:g} × {sizes[0]:g} nm; a bundle has square ones")
    stated = one.known.get("pixel_size_nm")
    # as the bundle had it, if nobody changed it since
    if isinstance(stated, float) and math.isclose(stated, sizes[0], rel_tol=_SAME):
        return stated
    return sizes[0]


def _frame_metadata(data: _Layer) -> list[Mapping[str, Any]]:
    """Give what was known of each frame, or its time by the axis."""
    count, kept = len(data.frames), data.known.get("frame_metadata")
    if data.part == "data" and isinstance(kept, Sequence) and len(kept) == count:
        return list(kept)
    unit = data.meta["units"][0]
    if np.ndim(data.data) < 3 or not unit.is_compatible_with("second"):
        return [{} for _ in range(count)]
    second = float((1 * unit).to("second").magnitude)
    step, start = (float(data.meta[key][0]) * second for key in ("scale", "translate"))
    return [{"timestamp": start + index * step} for index in range(count)]


def _processed(images: Sequence[_Layer]) -> dict[str, NDArray[Any]]:
    """Give the processed layers by name: those of a bundle as they were called there, new ones numbered on."""
    made: dict[str, NDArray[Any]] = {}
    new: list[_Layer] = []
    for one in images:
        key = str(one.known.get(KEY, ""))
        if one.part == "processed" and key not in made:
            made[key] = one.frames
        else:
            new.append(one)
    number = max((int(found[1]) for key in made if (found := re.match(r"step_(\d+)_", key))), default=0)
    for one in new:
        if one.name == RAW and RAW not in made:
            made[RAW] = one.frames
        else:
            number += 1
            made[f"step_{number}_{one.name}"] = one.frames
    return made


def _masks(labels: Sequence[_Layer]) -> dict[str, NDArray[np.bool_]]:
    """Give the masks by name."""
    made: dict[str, NDArray[np.bool_]] = {}
    for one in labels:
        found = np.unique(one.frames)
        count = int(np.count_nonzero(found))
        if count > 1:
            raise StackError(
                f"layer {one.name} tells {count} labels apart; a mask of a bundle says yes or no. "
                "Save it by itself, as napari's own label image"
            )
        key = str(one.known.get(KEY, "")) if one.part == "mask" else ""
        name = key if key and key not in made else one.name
        made[name] = one.frames != 0
    return made
