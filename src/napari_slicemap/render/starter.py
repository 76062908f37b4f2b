"""A starter profile from the pixels or from what files state, for data that nobody has chosen contrast for yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import cycle
from typing import Any

import numpy as np
import pydantic
from numpy.typing import NDArray

from ..errors import FileFormatError, SlicemapError, TileReadError
from ..files import explain
from ..images.fov import Fov
from .channels import ChannelSettings
from .profile import MaskStyle, Profile

Channels = tuple[str, ...]
Limits = tuple[float, float]

# additive colours that stay apart from one another, the first three being the usual blue, green, red
_COLORS = ("#4d7fff", "#33d94d", "#ff4d4d", "#ffd633", "#ff4dff", "#33e6e6", "#ff9933", "#b3b3b3")
_GREY = "#ffffff"
_PICTURE = {"R": "#ff0000", "G": "#00ff00", "B": "#0000ff"}
_ALPHA = "A"
_LOW, _HIGH = 1.0, 99.8
_SAMPLED_FOVS = 12
_NAMED = 3
"""Channels that the name of a profile tells."""


def spread(fovs: Mapping[str, Fov], distinct: Sequence[Fov]) -> list[Fov]:
    """Choose FOVs to make starter profiles of: to make them all would take seconds where there are very many.

    Parameters
    ----------
    fovs : mapping of str to Fov
        All of a dataset.
    distinct : sequence of Fov
        FOVs that between them have every channel and mask.

    Returns
    -------
    list of Fov
        Those, and twelve that are spread evenly, in order.
    """
    names = list(fovs)
    chosen = {fov.name for fov in distinct} | {names[index] for index in _evenly(len(names), _SAMPLED_FOVS)}
    return [fovs[name] for name in names if name in chosen]


def starter_profile(fovs: Sequence[Fov], name: str = "auto") -> Profile:
    """Make a profile from the pixels: contrast from the 1st to the 99.8th percentile of each channel.

    Parameters
    ----------
    fovs : sequence of Fov
        All of a dataset, or what :func:`spread` chooses of them; up to twelve, spread evenly, are read whole, and at
        least one of each set of channels.
    name : str
        Name of the profile.

    Returns
    -------
    Profile
        The first eight channels of each FOV are visible, in colours of their own; a channel that is alone is grey.
        Colour pictures (channels R, G, B, and A, which is hidden) look as they are, with limits that all three share.

    Raises
    ------
    TileReadError
        If no FOV can be read.
    """
    return starter_profiles(fovs, name)[0]


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
    samples = {channels: _readable(own, len(groups)) for channels, own in groups.items()}
    if not any(samples.values()):
        raise TileReadError("no FOV can be read, so no profile can be made")
    limits = _limits(samples)
    made = [_profile(name, list(groups), fovs, limits[()])]
    if len(groups) == 1:
        return made
    for own, channels in zip(_names(groups, name), groups, strict=True):
        if samples[channels]:  # FOVs that cannot be read fail by themselves when they are exported
            made.append(_profile(own, [channels], groups[channels], limits[channels]))
    return made


def stated_profiles(
    fovs: Sequence[Fov], stated: Mapping[str, Mapping[str, Any]], name: str = "as acquired"
) -> list[Profile]:
    """Make profiles of what the files say of how channels are shown, that between them fit every FOV.

    Parameters
    ----------
    fovs : sequence of Fov
        FOVs that between them have every set of channels of a dataset.
    stated, name
        As for :func:`stated_profile`.

    Returns
    -------
    list of Profile
        The one of all channels first, as of :func:`starter_profiles`; none if limits are not stated of every channel.

    Raises
    ------
    FileFormatError
        Naming the channel, if what is stated of it cannot be.
    """
    groups = _by_channels(fovs)
    own = list(zip(groups, _names(groups, name), strict=True)) if len(groups) > 1 else []
    every = tuple(dict.fromkeys(channel for channels in groups for channel in channels))
    found = [stated_profile(channels, stated, called) for channels, called in [(every, name), *own]]
    return [one for one in found if one] if found[0] else []


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


def _names(groups: Iterable[Channels], name: str) -> list[str]:
    """Call the profile of each set of channels by its first channels."""
    stems = [f"{name} {'+'.join(channels[:_NAMED])}" for channels in groups]
    return [stem if stems.count(stem) == 1 else f"{stem} ({number})" for number, stem in enumerate(stems, 1)]


def _by_channels(fovs: Sequence[Fov]) -> dict[Channels, list[Fov]]:
    """Sort FOVs by the channels that they have."""
    groups: dict[Channels, list[Fov]] = {}
    for fov in fovs:
        groups.setdefault(fov.channels, []).append(fov)
    return groups


def _evenly(count: int, most: int) -> list[int]:
    """Choose so many numbers of a range at most, spread evenly."""
    return [round(index) for index in np.linspace(0, count - 1, min(count, most))]


def _readable(group: Sequence[Fov], groups: int) -> list[Fov]:
    """Spread a sample over FOVs of one set of channels, one of so many; those that cannot be read are passed over."""
    made = []
    for index in _evenly(len(group), max(1, _SAMPLED_FOVS // groups)):
        with suppress(SlicemapError):
            group[index].read_window(group[index].channels[:1], group[index].bounds)
            made.append(group[index])
    return made


def _limits(samples: Mapping[Channels, Sequence[Fov]]) -> dict[Channels, dict[str, Limits]]:
    """Give contrast limits by set of channels and channel; those over all sets stand under ``()``.

    Each channel of a FOV is read once, and the memory holds no more than one channel.
    """
    made: dict[Channels, dict[str, Limits]] = {(): {}, **{channels: {} for channels in samples}}
    for channel in dict.fromkeys(channel for channels in samples for channel in channels):
        values = {channels: _values(fovs, channel) for channels, fovs in samples.items() if channel in channels}
        for channels, own in values.items():
            made[channels][channel] = _percentiles(own)
        made[()][channel] = _percentiles([one for own in values.values() for one in own])
    return made


def _profile(name: str, sets: Sequence[Channels], fovs: Sequence[Fov], limits: dict[str, Limits]) -> Profile:
    """Put a profile of some sets of channels together."""
    channels = dict.fromkeys(channel for one in sets for channel in one)
    seen = {channel for one in sets for channel in one[: len(_COLORS)]}
    masks = sorted({mask for fov in fovs for mask in fov.masks})
    colors = dict(zip(channels, [_GREY] if len(channels) == 1 else cycle(_COLORS), strict=False))
    if set(channels) - {_ALPHA} == set(_PICTURE):
        lows, highs = zip(*(limits[channel] for channel in _PICTURE), strict=True)
        limits = limits | dict.fromkeys(_PICTURE, (min(lows), max(highs)))
        colors |= _PICTURE
        seen.discard(_ALPHA)
    return Profile(
        name=name,
        channels={one: ChannelSettings(colors[one], limits[one], visible=one in seen) for one in channels},
        masks={mask: MaskStyle() for mask in masks},
    )


def percentile_limits(fovs: Sequence[Fov], channel: str) -> Limits:
    """Give contrast limits for a channel: percentiles over the finite pixels of FOVs, ``(0, 1)`` if there are none.

    A FOV whose file of that channel cannot be read is passed over.
    """
    return _percentiles(_values(fovs, channel))


def _values(fovs: Sequence[Fov], channel: str) -> list[NDArray[Any]]:
    values = []
    for fov in fovs:
        with suppress(SlicemapError):
            values.append(fov.read([channel]).ravel())
    return values


def _percentiles(values: Sequence[NDArray[Any]]) -> Limits:
    pooled = np.concatenate(values) if values else np.zeros(0)
    pooled = pooled[np.isfinite(pooled)]
    if not pooled.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(pooled, (_LOW, _HIGH)))
    # a channel that is mostly empty has equal percentiles: show up to its brightest pixel instead
    high = high if high > low else float(pooled.max())
    return (low, high) if high > low else (low, low + 1.0)
