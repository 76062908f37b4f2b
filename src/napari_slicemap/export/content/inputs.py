"""What an item is made from: the channels of a profile, and the files behind FOVs."""

from __future__ import annotations

from dataclasses import replace

from ...render.channels import ChannelSettings
from ...render.profile import Profile
from ..choosing.items import ExportItem


def channels_of(item: ExportItem, profile: Profile) -> dict[str, ChannelSettings]:
    """Give the channel settings for an item: the profile's, or for a file of some channels those, shown."""
    if not item.channels:
        return dict(profile.channels)
    return {name: replace(one, visible=True) for name, one in profile.channels.items() if name in item.channels}
