"""What can be found wrong with a plan before anything runs."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pydantic

from ...dataset import Dataset
from ...errors import PlanError, SlicemapError, UnknownNameError
from ...files import FileModel, explain
from ...render.profile import Profile
from ..choosing.items import ExportItem
from ..choosing.resolve import Resolution
from ..plan import ExportPlan
from ..writers import Writer


def noted(faults: list[str], find: Callable[[], Any]) -> Any:
    """Find something, or note why it cannot be found and give ``None``."""
    try:
        return find()
    except PlanError as error:
        faults += error.faults
    except SlicemapError as error:
        faults.append(str(error))
    return None


def checked_options(writer: Writer, plan: ExportPlan) -> FileModel:
    """Validate the options of a plan by those of its format.

    Raises
    ------
    PlanError
        Naming what is wrong, and the known ones.
    """
    try:
        return writer.Options.model_validate(plan.options)
    except pydantic.ValidationError as error:
        raise PlanError([f"options of {writer.name}: {explain(error, writer.Options)}"]) from None


def chosen_profile(plan: ExportPlan, dataset: Dataset) -> Profile:
    """Give the profile that a plan names, or the default.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    PlanError
        If there is none at all.
    """
    if plan.profile:
        return dataset.profiles[plan.profile]
    profile = dataset.profiles.get_default()
    if profile is None:
        raise PlanError([f"dataset {dataset.name} has no profile yet; `slicemap init` makes one from percentiles"])
    return profile


def name_faults(plan: ExportPlan, profile: Profile | None, dataset: Dataset) -> list[str]:
    """List names that no FOV has; a name that only some FOVs lack fails their items alone."""
    there: list[tuple[str, Sequence[str], set[str]]] = [
        ("channel", list(profile.channels) if profile else [], set(dataset.channels)),
        ("mask", plan.overlays.masks, {name for fov in dataset.distinct_fovs for name in fov.masks}),
        (
            "annotation",
            plan.overlays.annotations,
            {n for fov in dataset.distinct_fovs for n in fov.annotations},
        ),
    ]
    where = {"channel": f"profile {profile.name}"} if profile else {}
    return [
        str(UnknownNameError(kind, name, sorted(known), where=where.get(kind, "")))
        for kind, names, known in there
        for name in names
        if name not in known
    ]


def map_faults(resolution: Resolution, dataset: Dataset) -> list[str]:
    """List maps that do not exist; or say that nothing was chosen."""
    if not resolution.items:
        return ["nothing to export: " + ("; ".join(resolution.left_out) or "the choice is empty")]
    singles = [one for item in resolution.items for one in item.members or (item,)]
    unplaced = {item.map_id for item in singles if not item.fov} - set(dataset.maps)
    return [str(UnknownNameError("map", name, dataset.maps)) for name in sorted(unplaced)]


# --- the folder -------------------------------------------------------------------------------------------------
def output_folder(plan: ExportPlan, dataset: Dataset) -> Path:
    """Give the folder that outputs go to."""
    if not plan.output_folder:
        return dataset.places.written("exports")
    folder = Path(plan.output_folder)
    with suppress(RuntimeError):  # "~name" where nobody is called so is a folder of that name
        folder = folder.expanduser()
    return folder


def folder_faults(folder: Path) -> list[str]:
    """Say why nothing can be written into a folder."""
    standing = _standing(folder)
    if not standing.is_dir():
        return [f"{standing} is a file; the output folder cannot be made there"]
    if not os.access(standing, os.W_OK):
        return [f"{standing} cannot be written to; choose another output folder"]
    return []


def _standing(folder: Path) -> Path:
    """Give the folder, or the nearest of those that it is to lie in that is there."""
    return next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())


# --- sizes ------------------------------------------------------------------------------------------------------
def estimated_shape(item: ExportItem, dataset: Dataset) -> tuple[int, int]:
    """Give ``(height, width)`` of an item's picture, px, which where a region reaches beyond its FOV is less."""
    if item.members:
        shapes = [estimated_shape(member, dataset) for member in item.members]
        return max(height for height, _ in shapes), max(width for _, width in shapes)
    if item.region is not None:
        height, width = item.region.window().shape
    elif item.fov:
        width, height = dataset.fovs[item.fov].size_px
    else:
        height, width = dataset.maps[item.map_id].shape
    return math.ceil(height / item.downsample), math.ceil(width / item.downsample)


def estimated_bytes(item: ExportItem, dataset: Dataset) -> int:
    """Give the size of an item's pixels as RGBA, which its file seldom exceeds."""
    frames = item.members or (item,)
    return sum(4 * math.prod(estimated_shape(frame, dataset)) for frame in frames)


def side_faults(items: Sequence[ExportItem], writer: Writer, dataset: Dataset) -> list[str]:
    """List items whose pictures are wider or higher than the format can hold."""
    made = []
    for item in items:
        with suppress(SlicemapError):  # its size cannot be told; it will fail by name when it is rendered
            height, width = estimated_shape(item, dataset)
            if max(height, width) > writer.largest_side:
                made.append(
                    f"{item.stem}: {width} × {height} px is more than {writer.name} holds "
                    f"({writer.largest_side} px a side); choose a larger downsample"
                )
    return made


def space_faults(items: Sequence[ExportItem], folder: Path, dataset: Dataset) -> list[str]:
    """Say that the disk has too little room for items, if so."""
    needed = 0
    for item in items:
        with suppress(SlicemapError):  # its size cannot be told; it will fail by name when it is rendered
            needed += estimated_bytes(item, dataset)
    free = shutil.disk_usage(_standing(folder)).free
    if needed > free:
        return [f"{folder}: {needed / 2**30:.1f} GiB may be needed, but only {free / 2**30:.1f} GiB are free"]
    return []
