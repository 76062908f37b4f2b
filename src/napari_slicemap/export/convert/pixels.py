"""The image behind one item of a conversion: every channel, time and plane, with masks and annotations as labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ...dataset import Dataset
from ...errors import PlanError, TileReadError
from ...files import read_table
from ...images.fov import Annotation, Fov
from ...images.region import Window
from ...images.source import ImageSource
from ...render.channels import ChannelSettings, hex_color
from ...render.fov import annotation_colors
from ...render.map_scene import MapScene
from ...render.profile import Profile
from ...render.virtual_map import VirtualMap
from ..content.pixels import PixelData, read_item
from ..plan import ExportPlan
from .plan import ImageTask

if TYPE_CHECKING:
    from numpy.typing import NDArray

# a channel of no profile has no look; the settings only name it
_ANY = ChannelSettings("#ffffff", (0.0, 1.0))
_Kind = Literal["mask", "annotation"]
_Looks = dict[int, dict[str, str]]


def read_image(task: ImageTask, plan: ExportPlan, dataset: Dataset) -> PixelData:
    """Give the pixels of an image to write.

    Parameters
    ----------
    task : ImageTask
        Which image.
    plan : ExportPlan
        See :func:`~.plan.export_plan`.
    dataset : Dataset
        Where the pixels are.

    Returns
    -------
    PixelData
        Source dtype; where channels differ, the one that holds them all. Channels are shown as in the dataset's
        default profile.

    Raises
    ------
    SlicemapError
        Naming the FOV that cannot be read, or whose channels no type of pixels holds without loss.
    """
    item = task.item
    fovs = _fovs(task, dataset)
    channels = dataset.fovs[item.fov].channels if item.fov else dataset.maps[item.map_id].channels
    profile = dataset.profiles.get_default()
    known = {} if profile is None else {name: profile.channels[name] for name in channels if name in profile.channels}
    every = Profile(name="every channel", channels={name: known.get(name, _ANY) for name in channels})
    pixels = read_item(item, plan, every, dataset)
    _refuse_loss(task, pixels.source.dtype, fovs)
    kinds: dict[_Kind, list[str]] = {
        "mask": list(dict.fromkeys(name for fov in fovs for name in fov.masks)),
        "annotation": list(dict.fromkeys(name for fov in fovs for name in fov.annotations)),
    }
    labels, looks, notes = _Labels(task, plan, dataset, pixels.unread), {}, list[str]()
    reads: dict[str, Callable[[int, int, int, int], NDArray[Any]]] = {}
    for kind, names in kinds.items():
        for name in names:
            title = f"{name} (annotation)" if name in reads else name
            reads[title] = partial(labels.read, kind, name, pixels.shape[4])
            if kind == "annotation":
                looks[title] = _looks(name, fovs, notes)
    source = replace(
        pixels.source,
        name=task.place.fov,
        position_um=_position_um(task, pixels.source, dataset),
        labels=reads,
        label_looks=looks,
        settings={name: pixels.source.settings[name] for name in known},
    )
    return replace(pixels, source=source, notes=(*pixels.notes, *notes))


def _fovs(task: ImageTask, dataset: Dataset) -> list[Fov]:
    if task.item.fov:
        return [dataset.fovs[task.item.fov]]
    return [tile.fov for tile in dataset.maps[task.item.map_id].placement.tiles if tile.fov]


def _refuse_loss(task: ImageTask, dtype: np.dtype[Any], fovs: Sequence[Fov]) -> None:
    """Refuse a common dtype that rounds: whole numbers of 64 bits beside others become floats."""
    if dtype.kind != "f" or task.item.map_id:
        return
    for name, plane in fovs[0].planes.items():
        if plane.dtype.kind in "iu" and plane.dtype.itemsize == 8:
            raise PlanError(
                [f"FOV {fovs[0].name}: channel {name} is {plane.dtype}, and no type holds it and the others unrounded"]
            )


def _position_um(task: ImageTask, source: ImageSource, dataset: Dataset) -> tuple[float, float] | None:
    """Give the stage position of the centre of the first px, not rounded to the px of a map."""
    place, size = task.place, source.pixel_size_um
    if place.center_um is None or size is None:
        return source.position_um
    height, width = source.shape[3:]
    x, y = place.center_um
    up = dataset.maps[place.map_id].placement.stage_y == "up"
    half = (height - 1) / 2 * size
    return x - (width - 1) / 2 * size, y + half if up else y - half


# --- labels ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Labels:
    """Reads rows of masks and annotations; they have no times and planes, and are the same on all."""

    task: ImageTask
    plan: ExportPlan
    dataset: Dataset
    unread: dict[str, str]

    def read(self, kind: _Kind, name: str, width: int, t: int, z: int, top: int, bottom: int) -> NDArray[Any]:  # noqa: ARG002
        window, item = Window(0, width, top, bottom), self.task.item
        if item.fov:
            return self.dataset.fovs[item.fov].read_labels(kind, name, window, cache=self.dataset.cache)
        return self._on_map(self.dataset.maps[item.map_id], kind, name, window)

    def _on_map(self, one: VirtualMap, kind: _Kind, name: str, window: Window) -> NDArray[Any]:
        scene = MapScene(one.placement, one.cache, self.dataset.project.overlap, "mark", 0, 0, window)
        labels = np.maximum(scene.labels(kind, name, window), 0)
        for fov, why in scene.reasons().items():
            found = self.dataset.fovs.get(fov)
            if found is None or name in (found.masks if kind == "mask" else found.annotations):
                if self.plan.on_missing == "raise":
                    raise TileReadError(why)
                self.unread[fov] = why
        return labels


def _looks(name: str, fovs: Sequence[Fov], notes: list[str]) -> _Looks:
    """Give the colours and names of an annotation's labels; where FOVs differ, the first one's."""
    made: _Looks = {}
    for fov in fovs:
        if name not in fov.annotations:
            continue
        colors = annotation_colors(fov, name)
        names = _names(fov.annotations[name])
        for label, color in colors.items():
            look = {"color": hex_color(color)} | ({"name": names[label]} if names.get(label) else {})
            if made.setdefault(label, look) != look:
                notes.append(f"annotation {name}: label {label} looks different on FOV {fov.name}; the first is kept")
    return made


def _names(annotation: Annotation) -> dict[int, str]:
    if annotation.table is None:
        return {}
    rows = read_table(annotation.table, ("label", "color"))
    return {label: row["name"] for row in rows if (label := row.whole("label")) is not None}
