"""One volume of all slices to use, each at its depth; where a slice is left out, a gap stays.

Slice number n begins at plane ``(n − first) · planes``, where ``first`` is the number of the first slice of the stack
and ``planes`` how many each slice has room for: ``round(slice thickness / distance of planes)``, or, if no thickness is
stated, the depth that all slices share. Planes beyond its room are cut off; planes that no slice
fills are 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import PlanError, listing
from ..aligning.sizes import common_pixel_size_um, common_z_step_um
from ..choice import Choice, choose_slices
from ..ids import id_ranges
from ..slice_values import number_of, read_flag, validate_value
from ..volumes import SliceVolume

_DEEPEST = 2**31 - 1
"""Planes of a stack: more come of a wrong thickness or id, and no viewer could show them."""


@dataclass(frozen=True)
class Stack:
    """Which slice lies at which planes.

    Parameters
    ----------
    choice : Choice
        Which slices take part, and which do not, and why.
    interpolated : tuple of str
        Those of `choice` whose image is interpolated.
    first : int
        Number of the slice that the stack begins with.
    starts : mapping of str to int
        Slice id → its first plane.
    planes_per_slice : int
        Room of each slice, planes.
    shape : tuple of int
        ``(Z, Y, X)``.
    pixel_size_um, z_step_um : float or None
        Of a px in y and x, and from plane to plane, µm; ``None`` where it is not known.
    """

    choice: Choice
    interpolated: tuple[str, ...]
    first: int
    starts: Mapping[str, int]
    planes_per_slice: int
    shape: tuple[int, int, int]
    pixel_size_um: float | None
    z_step_um: float | None

    def planes_of(self, slice_id: str) -> range:
        """Give the planes of the stack that a slice fills."""
        start = self.starts[slice_id]
        return range(start, start + min(self.planes_per_slice, self.choice.used[slice_id].shape[0]))

    def lines(self) -> list[str]:
        """Say in words which slices are in, which are out and why, which are cut, and where gaps are."""
        said = self.choice.lines()
        if self.interpolated:
            said.append(f"interpolated: {id_ranges(self.interpolated)}")
        of_depth: dict[int, list[str]] = {}
        for slice_id, volume in self.choice.used.items():
            of_depth.setdefault(volume.shape[0], []).append(slice_id)
        room = self.planes_per_slice
        for depth, ids in sorted(of_depth.items()):
            if depth > room:
                said.append(f"cut: {id_ranges(ids)}: {room} of {depth} planes, for there the next slice begins")
            elif depth < room:
                said.append(f"shallow: {id_ranges(ids)}: {depth} planes where there is room for {room}; the rest is 0")
        filled = {start // room for start in self.starts.values()}
        gaps = [f"{self.first + n:02}" for n in range(self.shape[0] // room) if n not in filled]
        return [*said, f"gaps: {id_ranges(gaps)} ({room} planes each are 0)"] if gaps else said

    def record(self) -> dict[str, Any]:
        """Give what the image says of its slices; the same for the same slices, wherever they lie."""
        return {
            "planes_per_slice": self.planes_per_slice,
            "slices": [
                {
                    "slice_id": slice_id,
                    "source": volume.path.name,
                    "interpolated": slice_id in self.interpolated,
                    "first_plane": self.planes_of(slice_id)[0],
                    "planes": len(self.planes_of(slice_id)),
                }
                for slice_id, volume in self.choice.used.items()
            ],
            "left_out": dict(self.choice.left_out),
        }


def plan_stack(
    volumes: Mapping[str, SliceVolume],
    rows: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    interpolated: Mapping[str, SliceVolume] | None = None,
    slice_thickness_um: float | None = None,
    resolution_um: float | None = None,
    z_step_um: float | None = None,
    first: str | None = None,
    last: str | None = None,
) -> Stack:
    """Say which slice would lie where; nothing is written.

    Parameters
    ----------
    volumes : mapping of str to SliceVolume
        Slice id → image. All have the same Y, X and dtype, as aligned slices do.
    rows : mapping of str to mapping, optional
        The slice table: only slices to use are stacked. Without it, all of them.
    interpolated : mapping of str to SliceVolume, optional
        Slice id → image of slices that the table calls interpolated: these are used whatever `use` says.
    slice_thickness_um : float, optional
        From one slice to the next, µm. If not given, slices follow one another without a gap.
    resolution_um, z_step_um : float, optional
        Pixel size and distance of planes, µm, of images that do not state them.
    first, last : str, optional
        Where the stack begins and ends, matched by number; with the first and last slice of it if not given.

    Returns
    -------
    Stack

    Raises
    ------
    PlanError
        Naming the slices, if none is left, they differ in size, dtype or what they state, or in depth where no
        thickness says how much room each has; or if an interpolated slice has no image.
    FileFormatError
        If `first` or `last` is no slice id.
    TileReadError
        Naming an image that cannot be read.
    """
    first, last = (None if one is None else validate_value("slice_id", one) for one in (first, last))
    choice, replaced = _chosen(volumes, rows, interpolated)
    choice = _within(choice, first, last)
    if not choice.used:
        raise choice.none_left("stack")
    _check_alike(choice.used)
    step = common_z_step_um(choice.used, z_step_um)
    depths = {slice_id: volume.shape[0] for slice_id, volume in choice.used.items()}
    planes, step = _planes_per_slice(depths, slice_thickness_um, step)
    numbers = {slice_id: int(slice_id) for slice_id in choice.used}
    begin = min(numbers.values()) if first is None else int(first)
    end = max(numbers.values()) if last is None else int(last)
    if (depth := (end - begin + 1) * planes) > _DEEPEST:
        why = f"slice {begin:02d} to {end:02d} at {planes} planes each"
        raise PlanError([f"the stack would have {depth} planes ({why}); check the slice thickness and the ids"])
    return Stack(
        choice=choice,
        interpolated=tuple(slice_id for slice_id in choice.used if slice_id in replaced),
        first=begin,
        starts={slice_id: (number - begin) * planes for slice_id, number in numbers.items()},
        planes_per_slice=planes,
        shape=(depth, *next(iter(choice.used.values())).shape[1:]),
        pixel_size_um=common_pixel_size_um(choice.used, resolution_um),
        z_step_um=step,
    )


# --- which slices, and where -------------------------------------------------------------------------------------
def _chosen(
    volumes: Mapping[str, SliceVolume],
    rows: Mapping[str, Mapping[str, Any]] | None,
    interpolated: Mapping[str, SliceVolume] | None,
) -> tuple[Choice, set[str]]:
    """Choose slices, with interpolated images where the table says so; and the ids of those."""
    if rows is None:
        if interpolated is not None:
            raise PlanError(["only a slice table says which slices are interpolated; give it, too"])
        return choose_slices(volumes), set()
    said = {number_of(one): one for one, row in rows.items() if read_flag("interpolated", row.get("interpolated"))}
    if interpolated is None:
        choice = choose_slices(volumes, rows)
        waiting = {one: why for one, why in choice.left_out.items() if number_of(one) in said}
        hint = "it is interpolated, but no folder of interpolated images was given"
        return choice.without({one: f"{why}; {hint}" for one, why in waiting.items()}), set()
    made = {number_of(one): volume for one, volume in interpolated.items()}
    if lost := [one for number, one in said.items() if number not in made]:
        there = listing(interpolated)
        raise PlanError(
            [f"slice {one} is interpolated, but has no interpolated image (there is {there})" for one in lost]
        )
    own = {number_of(one): one for one in volumes}
    replaced = {own.get(number, one): made[number] for number, one in said.items()}
    taken = {
        one: {**row, "use": True, "auto_excluded": False} if number_of(one) in said else row
        for one, row in rows.items()
    }
    return choose_slices({**volumes, **replaced}, taken), set(replaced)


def _within(choice: Choice, first: str | None, last: str | None) -> Choice:
    """Leave out slices before the first and behind the last of the stack."""
    outside = {}
    for slice_id in choice.used:
        if first is not None and int(slice_id) < int(first):
            outside[slice_id] = f"it lies before slice {first}, where the stack begins"
        elif last is not None and int(slice_id) > int(last):
            outside[slice_id] = f"it lies behind slice {last}, where the stack ends"
    return choice.without(outside)


def _check_alike(volumes: Mapping[str, SliceVolume]) -> None:
    """Refuse images of another size or dtype than the first."""
    (first, model), *_ = volumes.items()
    height, width = model.shape[1:]
    faults = []
    for slice_id, volume in volumes.items():
        if volume.shape[1:] != (height, width):
            own = "{1} × {0}".format(*volume.shape[1:])
            faults.append(f"slice {slice_id} has {own} px, and slice {first} {width} × {height}; align them first")
        if volume.dtype != model.dtype:
            faults.append(f"slice {slice_id} holds {volume.dtype} px, and slice {first} {model.dtype}")
    if faults:
        raise PlanError(faults)


def _planes_per_slice(
    depths: Mapping[str, int], thickness_um: float | None, step_um: float | None
) -> tuple[int, float | None]:
    """Give how many planes each slice has room for, and their distance."""
    deepest = max(depths.values())
    if thickness_um is None:
        (first, model), *_ = depths.items()
        if unlike := [f"slice {one} has {depth} planes" for one, depth in depths.items() if depth != model]:
            hint = f"and slice {first} {model}; state the slice thickness, so that each has the same room"
            raise PlanError([f"{listing(unlike, 3)}, {hint}"])
        return model, step_um
    if not (math.isfinite(thickness_um) and thickness_um > 0):
        raise PlanError([f"the slice thickness is {thickness_um:g} µm, expected a number above 0"])
    if step_um is None:
        if deepest == 1:  # sections of one plane each
            return 1, thickness_um
        raise PlanError(["the images do not state the distance of their planes; give the z step, µm"])
    planes = round(thickness_um / step_um)
    if planes < 1:
        raise PlanError(
            [f"a slice thickness of {thickness_um:g} µm is no room for a plane: planes are {step_um:g} µm apart"]
        )
    return planes, step_um
