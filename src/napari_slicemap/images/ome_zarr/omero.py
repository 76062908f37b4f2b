"""What the ``omero`` block of an OME-Zarr image says of its channels: names, and how they are shown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .groups import ome_attributes
from .metadata import OWN

_LARGEST = 1e300
_COLOR = re.compile("#?([0-9a-fA-F]{6})")


def channel_names(attributes: dict[str, Any]) -> list[str]:
    """Give the names of the channels as stated, one for each that is listed; empty for one without a name."""
    return [str(channel.get("label") or "").strip() for channel in _channels(attributes)]


def channel_settings(
    attributes: dict[str, Any], names: Sequence[str], problems: list[str], where: str
) -> dict[str, dict[str, Any]]:
    """Read how channels are shown.

    Parameters
    ----------
    attributes : dict
        Of the image.
    names : sequence of str
        What its channels are called here.
    problems : list of str
        What is wrong and left out is added here.
    where : str
        The image, for messages.

    Returns
    -------
    dict
        Channel → ``color`` (``#rrggbb``), ``contrast_limits`` (low, high), ``visible``, ``gamma``; each only where
        stated.
    """
    channels = _channels(attributes)
    if not channels:
        return {}
    if len(channels) != len(names):
        problems.append(f"{where}: omero lists {len(channels)} channels, the image has {len(names)}; it is left out")
        return {}
    own = attributes.get(OWN)
    gammas = own.get("gamma") if isinstance(own, dict) else None
    made: dict[str, dict[str, Any]] = {}
    for name, channel in zip(names, channels, strict=True):
        if isinstance(own, dict) and _is_filled_in(channel, gammas):
            made[name] = {}
            continue
        gamma = gammas.get(channel.get("label")) if isinstance(gammas, dict) else None
        made[name] = _settings(channel, gamma, f"{where}: channel {name}", problems)
    return made


def _is_filled_in(channel: Mapping[str, Any], gammas: object) -> bool:
    """Say whether nobody stated how a channel is shown: omero wants it said, so we write white over all its values."""
    if isinstance(gammas, dict) and channel.get("label") in gammas:
        return False
    window = channel.get("window")
    if channel.get("color") != "FFFFFF" or not isinstance(window, dict):
        return False
    return window.get("start") == window.get("min") and window.get("end") == window.get("max")


def _channels(attributes: dict[str, Any]) -> list[Mapping[str, Any]]:
    omero = ome_attributes(attributes).get("omero")
    listed = omero.get("channels") if isinstance(omero, dict) else None
    return [one if isinstance(one, dict) else {} for one in listed] if isinstance(listed, list) else []


def _settings(channel: Mapping[str, Any], gamma: object, where: str, problems: list[str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    color, window, active = (channel.get(key) for key in ("color", "window", "active"))
    if (known := color_of(color)) is not None:
        made["color"] = known
    elif color is not None:
        problems.append(f"{where}: its omero colour is {color!r:.40}, expected rrggbb; it is left out")
    if window is not None:
        start, end = (window.get(key) if isinstance(window, dict) else window for key in ("start", "end"))
        low, high = number_of(start), number_of(end)
        if low is not None and high is not None and low < high:
            made["contrast_limits"] = (low, high)
        elif start is not None or end is not None:
            problems.append(
                f"{where}: its omero window goes from {start!r:.40} to {end!r:.40}, expected to rise; it is left out"
            )
    if isinstance(active, bool):
        made["visible"] = active
    if (number := number_of(gamma)) is not None and number > 0:
        made["gamma"] = number
    return made


def color_of(stated: object) -> str | None:
    """Give a colour as ``#rrggbb``; ``None`` for what is none."""
    found = _COLOR.fullmatch(stated) if isinstance(stated, str) else None
    return None if found is None else f"#{found[1].lower()}"


def number_of(stated: object) -> float | None:
    """Give a number as such; ``None`` for what is none, or larger than any pixel."""
    if isinstance(stated, bool) or not isinstance(stated, int | float) or not abs(stated) < _LARGEST:
        return None
    return float(stated)
