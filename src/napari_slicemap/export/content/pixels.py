"""One item to the pixels themselves, uncomposited: what the data formats take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ...dataset import Dataset
from ...errors import PlanError, RegionError
from ...images.fov import ZChoice
from ...images.region import Window
from ...images.source import ImageSource
from ...render.channels import ChannelSettings
from ...render.profile import Profile
from ..choosing.items import ExportItem
from ..plan import ExportPlan
from .clip import inside_rows
from .fields import Field, field_of
from .inputs import channels_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class PixelData:
    """The pixels of an item, read while they are written.

    Parameters
    ----------
    source : ImageSource
        The pixels, and what a file should say of them.
    notes : tuple of str
        What the reader of the file should know, as far as it is known before the pixels are read.
    provenance : mapping
        How it was made: what a writer embeds.
    unread : dict of str to str
        FOVs that could not be read and are 0, and why; complete once all was read.
    told : list of str
        What a writer could not keep; complete once all was written.
    """

    source: ImageSource
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    @property
    def level(self) -> int:
        """1: the pixels themselves are read."""
        return 1

    @property
    def shape(self) -> tuple[int, ...]:
        """``(T, C, Z, Y, X)``."""
        return self.source.shape

    @property
    def pixel_size_um(self) -> float | None:
        """Of a px, µm."""
        return self.source.pixel_size_um

    @property
    def missing(self) -> tuple[str, ...]:
        """Tiles that could not be read and are 0; complete once all was read."""
        return tuple(self.unread.values())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the reader of the file should know; complete once all was written."""
        return (*(f"not readable: {reason}" for reason in self.missing), *self.notes, *dict.fromkeys(self.told))

    def tell(self, warning: str) -> None:
        """Note what a format has no place for; for writers."""
        self.told.append(warning)


def read_item(item: ExportItem, plan: ExportPlan, profile: Profile, dataset: Dataset) -> PixelData:
    """Give the pixels of one item of a plan: the channels of the profile as the microscope left them.

    Parameters
    ----------
    item : ExportItem
        The item; a stack along slices has its slices along Z.
    plan : ExportPlan
        Masks that it names become labels; scale bar, caption and shapes have no place in data.
    profile : Profile
        Which channels, in which order, and how a viewer may show them.
    dataset : Dataset
        Where the pixels are.

    Returns
    -------
    PixelData
        Source dtype at downsample 1, float32 above; 0 where there is no tile and outside a clipped shape.

    Raises
    ------
    SlicemapError
        Naming what could not be read or found.
    """
    settings = channels_of(item, profile)
    unread: dict[str, str] = {}
    fields = [field_of(member, plan, dataset, unread) for member in item.members or (item,)]
    first = fields[0]
    if item.members:
        times, depth = 1, len(fields)
    else:
        times = first.times if plan.t == "all" or item.kind == "stack" else 1
        depth = first.depth if plan.z == "all" else 1
    names = tuple(settings)
    dtype = np.result_type(*{one.dtype(names, plan.z) for one in fields})
    choice = _Choice(fields, bool(item.members), None if times > 1 else plan.t, plan.z)
    pixels = _Pixels(choice, names, dtype, _shape(item, first))
    source = ImageSource(
        name=item.stem,
        shape=(times, len(names), depth, *first.cells.shape),
        dtype=dtype,
        channels=names,
        read=pixels.read,
        pixel_size_um=item.output_pixel_size_um,
        z_step_um=dataset.project.slice_thickness_um if item.members else (first.z_step_um if depth > 1 else None),
        times_s=first.times_s if times > 1 else None,
        position_um=first.position_um(),
        stage_up=_stage_up(item, dataset),
        labels={name: partial(pixels.labels, name) for name in plan.overlays.masks},
        settings={name: _look(one) for name, one in settings.items()},
    )
    notes = tuple(dict.fromkeys(note for one in fields for note in one.notes))
    return PixelData(source, notes, unread=unread)


def _stage_up(item: ExportItem, dataset: Dataset) -> bool:
    """Say whether stage y points up on the map that an item is of."""
    one = item.members[0] if item.members else item
    owner = dataset.map_of(one.fov) if one.fov else dataset.maps[one.map_id]
    return owner is not None and owner.placement.stage_y == "up"


@dataclass(frozen=True)
class _Choice:
    """Which plane of which field the numbers t and z of an output stand for.

    Parameters
    ----------
    fields : sequence of Field
        One; or one for each slice, along z.
    by_slice : bool
        Which of the two.
    t : int or "all" or None
        The time point wanted; ``None`` where the output has several.
    z : int or "max" or "mean" or "all"
        The plane or projection wanted.
    """

    fields: Sequence[Field]
    by_slice: bool
    t: int | str | None
    z: ZChoice | str

    def field_at(self, z: int) -> Field:
        return self.fields[z if self.by_slice else 0]

    def plane(self, t: int, z: int) -> tuple[int, Any]:
        if self.by_slice:
            return _one(self.t), _plane(self.z)
        return t if self.t is None or self.t == "all" else _one(self.t), z if self.z == "all" else self.z


@dataclass(frozen=True)
class _Pixels:
    """Reads rows of planes, 0 outside a shape in px of the output."""

    choice: _Choice
    names: Sequence[str]
    dtype: np.dtype[Any]
    shape: NDArray[np.float64] | None

    def read(self, t: int, c: int, z: int, top: int, bottom: int) -> NDArray[Any]:
        here = self.choice.field_at(z)
        time, plane = self.choice.plane(t, z)
        found = here.read(self.names[c], _band(here, top, bottom), time, plane)
        return self._within(found.astype(self.dtype, copy=False), top)

    def labels(self, name: str, t: int, z: int, top: int, bottom: int) -> NDArray[Any]:  # noqa: ARG002 - masks have no times
        here = self.choice.field_at(z)
        return self._within(here.read_labels(name, _band(here, top, bottom)), top)

    def _within(self, rows: NDArray[Any], top: int) -> NDArray[Any]:
        if self.shape is None:
            return rows
        height, width = rows.shape
        return np.where(inside_rows(self.shape, top, top + height, width), rows, 0)


def _band(here: Field, top: int, bottom: int) -> Window:
    cells = here.cells
    return Window(cells.x0, cells.x1, cells.y0 + top, cells.y0 + bottom)


def _one(t: int | str | None) -> int:
    if not isinstance(t, int):
        raise PlanError([f"t = {t}: a stack along slices shows one time point; say which"])
    return t


def _plane(z: ZChoice | str) -> ZChoice:
    if z == "all":
        raise PlanError(["z = all: a stack along slices has its slices along z; choose one plane, max or mean"])
    return z  # type: ignore[return-value]


def _look(settings: ChannelSettings) -> dict[str, Any]:
    low, high = settings.contrast_limits
    return {
        "color": settings.color,
        "contrast_limits": [low, high],
        "gamma": settings.gamma,
        "visible": settings.visible,
    }


def _shape(item: ExportItem, one: Field) -> NDArray[np.float64] | None:
    """Give the shape to clip to, in px of the output."""
    if item.upright:
        raise RegionError(f"{item.stem}: turning upright makes new pixels; data are clipped to box or polygon")
    if not item.shape:
        return None
    return np.array(item.shape, np.float64) / item.downsample - (one.cells.x0, one.cells.y0)
