"""Which of the items lack a channel of the profile: an export would fail for each of them, by name."""

from __future__ import annotations

from collections.abc import Sequence

from ....dataset import Dataset
from ....export.choosing.items import ExportItem
from ....render.profile import Profile
from ..parts import counted


def told_of_misfits(items: Sequence[ExportItem], profile: Profile, dataset: Dataset) -> list[str]:
    """Say how many items lack a channel of a profile, and which profile fits the first of them.

    Parameters
    ----------
    items : sequence of ExportItem
        What is to be written.
    profile : Profile
        How.
    dataset : Dataset
        What they are of; no pixels are read.

    Returns
    -------
    list of str
        One sentence; none where the profile fits them all.
    """
    shown = _shown(profile)
    if all(shown <= set(fov.channels) for fov in dataset.distinct_fovs):
        return []
    maps: dict[str, set[str]] = {}
    lacking = [(item, gone) for item in items if (gone := (set(item.channels) or shown) - _has(item, dataset, maps))]
    if not lacking:
        return []
    first, gone = lacking[0]
    said = f"{counted(len(lacking), 'item')} of {len(items)} cannot be drawn by profile {profile.name!r}: "
    said += f"{first.item_id} has no {', '.join(sorted(gone))}"
    fitting = [name for name in dataset.profiles.names if _shown(dataset.profiles[name]) <= _has(first, dataset, maps)]
    best = max(fitting, key=lambda name: len(_shown(dataset.profiles[name])), default="")
    return [f"{said}; profile {best!r} fits it" if best else said]


def _shown(profile: Profile) -> set[str]:
    return {name for name, one in profile.channels.items() if one.visible}


def _has(item: ExportItem, dataset: Dataset, maps: dict[str, set[str]]) -> set[str]:
    """Give the channels that every FOV of an item has; those of maps are kept."""
    if item.members:
        return set.intersection(*(_has(one, dataset, maps) for one in item.members))
    if item.fov:
        return set(dataset.fovs[item.fov].channels)
    if item.map_id not in maps:
        there = (dataset.fovs.get(name) for name in dataset.maps[item.map_id].fov_names)
        found = [set(fov.channels) for fov in there if fov is not None]
        maps[item.map_id] = set.intersection(*found) if found else set()
    return maps[item.map_id]
