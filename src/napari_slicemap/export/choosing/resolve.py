"""From a plan and a dataset to the list of things to write: a pure function; a dry run stops here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...dataset import Dataset
from ...errors import PlanError, SlicemapError, UnknownNameError
from ...files import distinct_stems, safe_stem
from ...images.region import MOST_DOWNSAMPLE
from ..plan import ExportPlan
from .choices import drafts
from .items import ExportItem
from .sheets import on_sheets
from .slice_runs import stacked


@dataclass(frozen=True)
class Resolution:
    """What a plan comes to.

    Parameters
    ----------
    items : tuple of ExportItem
        What would be written.
    left_out : tuple of str
        What was chosen but is left out, with the reason.
    """

    items: tuple[ExportItem, ...]
    left_out: tuple[str, ...]


def resolve(plan: ExportPlan, dataset: Dataset) -> Resolution:
    """List the items of a plan. Reads tables and metadata, no pixels, and writes nothing.

    Parameters
    ----------
    plan : ExportPlan
        What is asked for.
    dataset : Dataset
        What there is.

    Returns
    -------
    Resolution

    Raises
    ------
    PlanError
        Listing every fault: names that do not exist, ROIs on nothing, pixel sizes that do not fit.
    """
    faults: list[str] = []
    items: list[ExportItem] = []
    left_out: dict[str, None] = {}
    for select in plan.select:
        try:
            chosen = list(drafts(select, dataset))
        except PlanError as error:
            faults += error.faults
            continue
        except SlicemapError as error:
            faults.append(str(error))
            continue
        made: list[ExportItem] = []
        for draft in chosen:
            if reason := _excluded(draft, dataset, plan):
                left_out.setdefault(reason)
            else:
                made += _scaled(draft, plan, dataset, faults)
        if select.kind == "stack" and select.along == "slices" and made:
            made = _noted(faults, made, dataset)
        items += made
    if plan.contact_sheet.enabled and not faults:
        items, more = on_sheets(items, plan)
        faults += more
    items = [one for item in items for one in _by_channel(item, plan, dataset, faults)]
    if faults:
        raise PlanError(list(dict.fromkeys(faults)))
    return Resolution(tuple(_named(items, plan, dataset)), tuple(left_out))


def _noted(faults: list[str], frames: Sequence[ExportItem], dataset: Dataset) -> list[ExportItem]:
    """Make frames one stack; a fault is noted."""
    try:
        return [stacked(frames, dataset)]
    except PlanError as error:
        faults += error.faults
        return []


# --- exclusion and scale --------------------------------------------------------------------------------------
def _excluded(item: ExportItem, dataset: Dataset, plan: ExportPlan) -> str:
    """Say why an item is left out: its slice is not to be used; ``""`` if it stays."""
    owner = dataset.maps.get(item.map_id) if item.map_id else dataset.map_of(item.fov)
    if plan.include_excluded or owner is None or dataset.is_used(owner.slice_id):
        return ""
    return f"slice {owner.slice_id} is excluded ({dataset.why_excluded(owner.slice_id)})"


def _scaled(item: ExportItem, plan: ExportPlan, dataset: Dataset, faults: list[str]) -> list[ExportItem]:
    """Fill in pixel size and downsampling; a fault is noted and the item dropped."""
    try:
        size = pixel_size_um(item, dataset)
        downsample = plan.downsample
        if plan.target_pixel_size_um is not None:
            downsample = _whole_multiple(plan.target_pixel_size_um, size, item)
    except PlanError as error:
        faults += error.faults
        return []
    except SlicemapError:
        # the item itself will fail, by name; the others must not
        return [item.model_copy(update={"downsample": plan.downsample})]
    return [item.model_copy(update={"downsample": downsample, "pixel_size_um": size})]


def pixel_size_um(item: ExportItem, dataset: Dataset) -> float | None:
    """Give the size of a source px of an item, µm; ``None`` where unknown."""
    if item.fov:
        return dataset.fovs[item.fov].pixel_size_um if item.fov in dataset.fovs else None
    return dataset.maps[item.map_id].base_pixel_size_um() if item.map_id in dataset.maps else None


def _whole_multiple(target: float, size: float | None, item: ExportItem) -> int:
    if size is None:
        raise PlanError([f"{item.stem}: its pixel size is unknown, so {target:g} µm/px cannot be made"])
    if target / size > MOST_DOWNSAMPLE:
        raise PlanError([f"{item.stem}: {target:g} µm/px is more than {MOST_DOWNSAMPLE} times its {size:g} µm/px"])
    factor = max(1, round(target / size))
    if abs(factor * size - target) > 0.01 * target:
        raise PlanError(
            [f"{item.stem}: {target:g} µm/px is no whole multiple of {size:g} µm/px; the nearest is {factor * size:g}"]
        )
    return factor


# --- channels and names -----------------------------------------------------------------------------------------
def _by_channel(item: ExportItem, plan: ExportPlan, dataset: Dataset, faults: list[str]) -> list[ExportItem]:
    """Give an item once with all channels, once for each visible channel of the profile, or both."""
    if plan.channel_files == "merged":
        return [item]
    try:
        profile = dataset.profiles[plan.profile] if plan.profile else dataset.profiles.get_default()
    except UnknownNameError:
        profile = None
    if profile is None:  # the checks before a run say so
        return [item]
    shown = [name for name, one in profile.channels.items() if one.visible]
    if not shown:
        faults.append(f"profile {profile.name} shows no channel, so there are no files by channel")
    apart = [item.model_copy(update={"channels": (name,), "stem": f"{item.stem}_{safe_stem(name)}"}) for name in shown]
    return ([item] if plan.channel_files == "both" else []) + apart


def fields_of(item: ExportItem, plan: ExportPlan, dataset: Dataset, number: int = 1) -> dict[str, str]:
    """Give what the fields of a name template or title stand for; see :data:`~.plan.NAME_FIELDS`."""
    default = dataset.profiles.get_default()
    return {
        "stem": item.stem,
        "kind": item.kind,
        "fov": item.fov,
        "map": item.map_id,
        "roi": dataset.rois[item.roi_id].label if item.roi_id in dataset.rois else item.roi_id,
        "cell": "" if item.label is None else str(item.label),
        "channel": "_".join(item.channels),
        "profile": plan.profile or ("" if default is None else default.name),
        "number": str(number),
    }


def _named(items: Sequence[ExportItem], plan: ExportPlan, dataset: Dataset) -> list[ExportItem]:
    """Give each item a file stem of its own."""
    made = []
    for number, item in enumerate(items, 1):
        stem, title = item.stem, ""
        if plan.name_template != "{stem}" or plan.caption.title:
            fields = fields_of(item, plan, dataset, number)
            stem = safe_stem(plan.name_template.format_map(fields))
            title = plan.caption.title.format_map(fields)
        made.append((item, stem, title))
    return [
        item.model_copy(update={"stem": stem, "item_id": f"{item.kind}:{stem}", "title": title})
        for (item, _, title), stem in zip(made, distinct_stems([stem for _, stem, _ in made]), strict=True)
    ]
