"""What an item is made from: the channels of a profile, and the files behind FOVs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...images.fov import Fov
from ...render.channels import ChannelSettings
from ...render.profile import Profile
from ..choosing.items import ExportItem
from ..plan import ExportPlan


def channels_of(item: ExportItem, profile: Profile) -> dict[str, ChannelSettings]:
    """Give the channel settings for an item: the profile's, or for a file of some channels those, shown."""
    if not item.channels:
        return dict(profile.channels)
    return {name: replace(one, visible=True) for name, one in profile.channels.items() if name in item.channels}


def sources_of(fovs: Sequence[Fov], plan: ExportPlan) -> list[Path]:
    """List the files behind FOVs: images, and the labels that a plan draws."""
    made: list[Path] = []
    for fov in fovs:
        made += fov.sources()
        made += [fov.masks[name].path for name in plan.overlays.masks if name in fov.masks]
        for name in plan.overlays.annotations:
            if found := fov.annotations.get(name):
                made += [found.plane.path] + ([found.table] if found.table else [])
    return list(dict.fromkeys(made))
