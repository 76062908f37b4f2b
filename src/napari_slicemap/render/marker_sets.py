"""Profiles as marker sets of UELer: ``.UELer/widget_states.json``."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any

from ..errors import FileFormatError, PlanError, listing
from ..files import read_json, write_json
from .channels import rgb
from .profile import UELER_COLORS, Profile, ProfileBook

FILE_NAME = "widget_states.json"
_VIVID = ("Red", "Orange", "Yellow", "Green", "Cyan", "Blue", "Magenta")
_GREYS = ("Black", "Gray", "White")
_GREY = 0.15
"""Saturation below which a colour counts as a grey."""


def write_marker_sets(path: Path, book: ProfileBook, *, replace: bool = False) -> list[str]:
    """Write all profiles as marker sets, atomically; what else stands in the file stays.

    Parameters
    ----------
    path : Path
        ``widget_states.json``; it need not be there yet.
    book : ProfileBook
        The profiles.
    replace : bool
        Replace marker sets of the same names.

    Returns
    -------
    list of str
        What a marker set has no word for.

    Raises
    ------
    FileFormatError
        Naming the file, if it is there and no file of UELer.
    PlanError
        If it holds other marker sets of these names.
    """
    state = read_json(path) if path.exists() else {}
    kept = state.get("marker_sets") if isinstance(state, dict) else None
    if not isinstance(state, dict) or not isinstance(kept, dict | None):
        raise FileFormatError(f"{path}: expected an object with marker_sets")
    sets, told = dict(kept or {}), []
    for name in book.names:
        made, more = _marker_set(book[name])
        if name in sets and sets[name] != made and not replace:
            raise PlanError([f"{path} holds another marker set {name} already; --force replaces it"])
        sets[name] = made
        told += more
    write_json(path, {**state, "marker_sets": sets})
    return told


def _marker_set(profile: Profile) -> tuple[dict[str, Any], list[str]]:
    settings, told = {}, []
    for name, one in profile.channels.items():
        color = _nearest(one.color)
        if UELER_COLORS[color] != one.color:
            told.append(f"profile {profile.name}: {one.color} of channel {name} is written as {color}")
        low, high = one.contrast_limits
        settings[name] = {"color": color, "contrast_min": low, "contrast_max": high}
    return {"selected_channels": _visible(profile), "channel_settings": settings}, [*told, *_unsaid(profile)]


def _nearest(color: str) -> str:
    """Choose among the colours that UELer offers: the same one, else that of the nearest hue, or of none."""
    for name, offered in UELER_COLORS.items():
        if offered == color:
            return name
    hue, saturation, value = colorsys.rgb_to_hsv(*rgb(color))
    if saturation < _GREY:
        return min(_GREYS, key=lambda name: abs(rgb(UELER_COLORS[name])[0] - value))
    turns = {name: abs(colorsys.rgb_to_hsv(*rgb(UELER_COLORS[name]))[0] - hue) for name in _VIVID}
    return min(turns, key=lambda name: min(turns[name], 1 - turns[name]))


def _visible(profile: Profile) -> list[str]:
    return [name for name, one in profile.channels.items() if one.visible]


def _unsaid(profile: Profile) -> list[str]:
    gammas = [name for name, one in profile.channels.items() if one.gamma != 1]
    unsaid = [f"gamma of {listing(gammas)}"] if gammas else []
    if profile.masks or profile.annotations:
        unsaid.append(f"the style of {listing([*profile.masks, *profile.annotations])}")
    if not _visible(profile):
        unsaid.append("that no channel is visible")
    return [f"profile {profile.name}: a marker set has no word for {one}; left out" for one in unsaid]
