"""A starter profile from the pixels or from what files state, for data that nobody has chosen contrast for yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pydantic

from ..errors import FileFormatError, SlicemapError, TileReadError
from ..files import explain
from ..images.fov import Fov
from .channels import ChannelSettings
from .profile import MaskStyle, Profile

# additive colours that stay apart from one another, the first three being the usual blue, green, red
_COLORS = ("#4d7fff", "#33d94d", "#ff4d4d", "#ffd633", "#ff4dff", "#33e6e6", "#ff9933", "#b3b3b3")
_LOW, _HIGH = 1.0, 99.8
_SAMPLED_FOVS = 12
_NAMED = 3
"""Channels that the name of a profile tells."""


def starter_profile(fovs: Sequence[Fov], name: str = "auto") -> Profile:
    """Make a profile from the pixels: contrast from the 1st to the 99.8th percentile of each channel.

    Parameters
    ----------
    fovs : sequence of Fov
        All of a dataset; up to twelve of them, spread evenly, are read whole, and at least one of each set of channels.
    name : str
        Name of the profile.

    Returns
    -------
    Profile
        The first eight channels of each FOV are visible, in colours of their own.

    Raises
    ------
    TileReadError
        If no FOV can be read.
    """
    sample = _readable(fovs)
    if not sample:
        raise TileReadError("no FOV can be read, so no profile can be made")
    groups = _by_channels(fovs)
    channels = dict.fromkeys(channel for group in groups for channel in group)
    seen = {channel for group in groups for channel in group[: len(_COLORS)]}
    masks = sorted({mask for fov in fovs for mask in fov.masks})
    return Profile(
        name=name,
        channels={
            channel: ChannelSettings(
                _COLORS[index % len(_COLORS)], percentile_limits(sample, channel), visible=channel in seen
            )
            for index, channel in enumerate(channels)
        },
        masks={mask: MaskStyle() for mask in masks},
    )


def starter_profiles(fovs: Sequence[Fov], name: str = "auto") -> list[Profile]:
    """Make starter profiles that between them fit every FOV of a dataset.

    An export refuses a profile with a channel that a FOV lacks. So where FOVs differ in their channels, there is a
    profile for each set of channels, called by its first channels, after the one that has them all, for the screen.

    Parameters
    ----------
    fovs, name
        As for :func:`starter_profile`.

    Returns
    -------
    list of Profile
        The one of all channels first.

    Raises
    ------
    TileReadError
        If no FOV can be read.
    """
    groups = _by_channels(fovs)
    if len(groups) < 2:
        return [starter_profile(fovs, name)]
    made = [starter_profile(fovs, name)]
    stems = [f"{name} {', '.join(channels[:_NAMED])}{' …' if len(channels) > _NAMED else ''}" for channels in groups]
    for number, (stem, own) in enumerate(zip(stems, groups.values(), strict=True), 1):
        with suppress(TileReadError):  # FOVs that cannot be read fail by themselves when they are exported
            made.append(starter_profile(own, stem if stems.count(stem) == 1 else f"{stem} ({number})"))
    return made


def stated_profile(
    channels: Sequence[str], stated: Mapping[str, Mapping[str, Any]], name: str = "as acquired"
) -> Profile | None:
    """Make a profile of what the files of an acquisition say of how it is shown.

    Parameters
    ----------
    channels : sequence of str
        All of a dataset, in order.
    stated : mapping of str to mapping
        Channel → ``color`` (``#rrggbb``), ``contrast_limits`` (low, high), ``gamma``, ``visible``, each only where
        stated.
    name : str
        Name of the profile.

    Returns
    -------
    Profile or None
        ``None`` if limits are not stated of every channel.

    Raises
    ------
    FileFormatError
        Naming the channel, if what is stated of it cannot be.
    """
    known = {channel: stated.get(channel, {}) for channel in channels}
    if not known or any(one.get("contrast_limits") is None for one in known.values()):
        return None
    made = {}
    for index, (channel, one) in enumerate(known.items()):
        try:
            made[channel] = ChannelSettings(**{"color": _COLORS[index % len(_COLORS)], **one})
        except pydantic.ValidationError as error:
            raise FileFormatError(f"channel {channel} is not shown as stated: {explain(error)}") from None
    return Profile(name=name, channels=made)


def _by_channels(fovs: Sequence[Fov]) -> dict[tuple[str, ...], list[Fov]]:
    """Sort FOVs by the channels that they have."""
    groups: dict[tuple[str, ...], list[Fov]] = {}
    for fov in fovs:
        groups.setdefault(fov.channels, []).append(fov)
    return groups


def _readable(fovs: Sequence[Fov]) -> list[Fov]:
    """Spread a sample over the FOVs; those that cannot be read are passed over (they fail when exported)."""
    groups = _by_channels(fovs)
    made = []
    for group in groups.values():
        count = min(len(group), max(1, _SAMPLED_FOVS // len(groups)))
        for index in np.unique(np.linspace(0, len(group) - 1, count).round().astype(int)):
            try:
                group[index].read_window(group[index].channels[:1], group[index].bounds)
            except SlicemapError:
                continue
            made.append(group[index])
    return made


def percentile_limits(fovs: Sequence[Fov], channel: str) -> tuple[float, float]:
    """Give contrast limits for a channel: percentiles over the finite pixels of FOVs, ``(0, 1)`` if there are none.

    A FOV whose file of that channel cannot be read is passed over.
    """
    values = []
    for fov in fovs:
        with suppress(SlicemapError):
            values.append(fov.read([channel]).ravel())
    pooled = np.concatenate(values) if values else np.zeros(0)
    pooled = pooled[np.isfinite(pooled)]
    if not pooled.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(pooled, (_LOW, _HIGH)))
    # a channel that is mostly empty has equal percentiles: show up to its brightest pixel instead
    high = high if high > low else float(pooled.max())
    return (low, high) if high > low else (low, low + 1.0)
