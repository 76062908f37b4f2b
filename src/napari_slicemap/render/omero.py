"""Profiles as the ``omero`` block of OME-Zarr 0.4 and 0.5, in an image or in a JSON file of its own.

Gamma, which the block has no word for, stands beside it under ``napari_slicemap``, as in the images that we write.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import FileFormatError, UnknownNameError, listing
from ..files import read_json, write_json
from ..images.ome_zarr.metadata import OWN
from ..images.ome_zarr.omero import color_of, number_of
from ..images.ome_zarr.zarr_image import ZarrImage
from .channels import ChannelSettings
from .profile import Profile


# --- reading -----------------------------------------------------------------------------------------------------
def profile_from_omero(data: object, name: str, where: Path) -> tuple[Profile, list[str]]:
    """Read a profile.

    Parameters
    ----------
    data : object
        What holds the block, as parsed: the attributes of an OME-Zarr image (0.4 or 0.5), a file of an ``omero``
        block, or the block itself.
    name : str
        Of the profile, if the block has none.
    where : Path
        The file, for messages.

    Returns
    -------
    profile : Profile
        Channels without a window or a colour are left out.
    problems : list of str
        What was left out or is shown otherwise.

    Raises
    ------
    FileFormatError
        Naming the file, if there is no block in it or no channel of which it says how it is shown.
    """
    block, gammas = _block(data, where), _gammas(data)
    channels = block.get("channels")
    if not isinstance(channels, list) or not all(isinstance(one, Mapping) for one in channels):
        raise FileFormatError(f"{where}: omero has no list of channels")
    made: dict[str, ChannelSettings] = {}
    problems: list[str] = []
    for label, channel in zip(_labels(channels), channels, strict=True):
        try:
            made[label] = _settings(channel, gammas.get(label, 1.0))
        except ValueError as error:
            problems.append(f"{where}: channel {label} is left out: {error}")
            continue
        problems += [f"{where}: channel {label}: {one}" for one in _otherwise(channel)]
    if not made:
        said = f"; {problems[0]}" if problems else ""
        raise FileFormatError(f"{where}: omero says of no channel how it is shown{said}")
    stated = block.get("name")
    return Profile(name=stated if isinstance(stated, str) and stated.strip() else name, channels=made), problems


def _block(data: object, where: Path) -> Mapping[str, Any]:
    for path in (("attributes", "ome", "omero"), ("attributes", "omero"), ("ome", "omero"), ("omero",), ()):
        found = data
        for key in path:
            found = found.get(key) if isinstance(found, Mapping) else None
        if isinstance(found, Mapping) and (path or "channels" in found):
            return found
    raise FileFormatError(f"{where}: there is no omero block in it, which would say how channels are shown")


def _gammas(data: object) -> dict[str, float]:
    """Give what we wrote beside the block; what is no gamma above 0 is not ours."""
    inner = data.get("attributes", data) if isinstance(data, Mapping) else {}
    own = inner.get(OWN) if isinstance(inner, Mapping) else None
    stated = own.get("gamma") if isinstance(own, Mapping) else None
    if not isinstance(stated, Mapping):
        return {}
    found = {str(name): number_of(one) for name, one in stated.items()}
    return {name: gamma for name, gamma in found.items() if gamma is not None and gamma > 0}


def _labels(channels: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name channels as images do: those without a label by their number, those that stand twice by it, too."""
    stated = [_label(one) for one in channels]
    if not all(stated):
        return [f"C{number}" for number in range(len(stated))]
    return [name if stated.count(name) == 1 else f"{name} (C{number})" for number, name in enumerate(stated)]


def _label(channel: Mapping[str, Any]) -> str:
    return str(channel.get("label") or "").strip()


def _settings(channel: Mapping[str, Any], gamma: float) -> ChannelSettings:
    window, color = channel.get("window"), channel.get("color")
    low, high = (number_of(window.get(key)) if isinstance(window, Mapping) else None for key in ("start", "end"))
    if low is None or high is None:
        raise ValueError("its window states no start and end")
    if low > high:
        raise ValueError(f"its window starts at {low:g} and ends at {high:g}")
    known = color_of(color)
    if known is None:
        raise ValueError(f"its colour is {color!r}, expected six hexadecimal digits")
    return ChannelSettings(known, (low, high), gamma, channel.get("active") is not False)


def _otherwise(channel: Mapping[str, Any]) -> list[str]:
    """Say what of a channel cannot be shown here."""
    family = channel.get("family", "linear")
    said = [] if family == "linear" else [f"its curve is {family!r}, and is shown as a line"]
    return [*said, "it is inverted, and is shown as it is"] if channel.get("inverted") is True else said


# --- writing -----------------------------------------------------------------------------------------------------
def write_omero(path: Path, profile: Profile) -> list[str]:
    """Write a profile as a JSON file of an ``omero`` block, atomically.

    Returns
    -------
    list of str
        What the block has no word for.
    """
    told = _unsaid(profile)
    channels = []
    for name, settings in profile.channels.items():
        entry, more = _entry(name, settings, {})
        channels.append(entry)
        told += more
    own = {OWN: {"gamma": gammas}} if (gammas := _gammas_of(profile)) else {}
    write_json(path, {"omero": {"name": profile.name, "channels": channels}, **own})
    return told


def write_into_image(folder: Path, profile: Profile) -> list[str]:
    """Let an OME-Zarr image show its channels as a profile says, atomically; all else in its metadata stays.

    Parameters
    ----------
    folder : Path
        The group of the image, version 0.4 or 0.5.
    profile : Profile
        Its channels are those of the image by name; if the image names none, by their order. Channels of the image
        that the profile does not have are hidden.

    Returns
    -------
    list of str
        What could not be said, and what stays as it was.

    Raises
    ------
    TileReadError
        Naming the folder, if it is no image.
    UnknownNameError
        If the image has none of the profile's channels.
    FileFormatError
        Naming the file, if its metadata is no object, or names other channels than the image has.
    """
    count = ZarrImage(folder).info.shape[1]
    file = next((one for one in (folder / "zarr.json", folder / ".zattrs") if one.is_file()), folder / "zarr.json")
    data = read_json(file)
    attributes = data.get("attributes") if file.name == "zarr.json" and isinstance(data, dict) else data
    holder = attributes.get("ome", attributes) if isinstance(attributes, dict) else None
    if not isinstance(holder, dict) or not isinstance(attributes, dict):
        raise FileFormatError(f"{file}: expected an object with attributes")
    block = holder.get("omero")
    block = block if isinstance(block, dict) else {}
    before = block.get("channels") or [{} for _ in range(count)]
    if not isinstance(before, list) or len(before) != count or not all(isinstance(one, dict) for one in before):
        raise FileFormatError(f"{file}: omero does not describe the {count} channels of the image")
    channels, told = _channels(before, profile, folder)
    holder["omero"] = {**block, "channels": channels}
    _keep_gammas(attributes, profile, _labels(channels))
    write_json(file, data)
    return [*_unsaid(profile), *told, *_stale(folder, file, attributes)]


def _channels(
    before: Sequence[dict[str, Any]], profile: Profile, folder: Path
) -> tuple[list[dict[str, Any]], list[str]]:
    told: list[str] = []
    labels, wanted = _labels(before), dict(profile.channels)
    if not any(map(_label, before)) and len(before) == len(wanted):
        labels = list(wanted)
        told.append(f"{folder}: it named no channels, and has those of the profile now, in their order")
    if not set(labels) & set(wanted):
        raise UnknownNameError("channel", next(iter(wanted)), labels, where=str(folder))
    made = []
    for label, old in zip(labels, before, strict=True):
        settings = wanted.pop(label, None)
        hidden = ChannelSettings("#ffffff", (0.0, 1.0), visible=False)
        entry, more = _entry(label, settings or hidden, old)
        # of a channel that the profile does not have, all that is known stays but that it is shown
        made.append(entry if settings else {**entry, **old, "label": entry["label"], "active": False})
        told += more if settings else [f"{folder}: channel {label} is not in the profile, and is hidden"]
    if wanted:
        told.append(f"{folder}: it has no channel {listing(wanted)}; left out")
    return made, told


def _entry(name: str, settings: ChannelSettings, old: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Describe a channel; of what stood there before, what a profile does not say stays."""
    (start, end), told = settings.contrast_limits, []
    if start == end:  # viewers refuse a window of no width
        end = max(start + 1.0, math.nextafter(start, math.inf))
        told.append(
            f"channel {name}: a window must have a width; {start:g} to {start:g} is written as {start:g} to {end:g}"
        )
    stated = old.get("window")
    window: Mapping[str, Any] = stated if isinstance(stated, Mapping) else {}
    lowest, highest = (number_of(window.get(key)) for key in ("min", "max"))
    entry = {
        "label": _label(old) or name,
        "color": settings.color.removeprefix("#").upper(),
        "window": {
            **window,
            "start": start,
            "end": end,
            "min": start if lowest is None else min(lowest, start),
            "max": end if highest is None else max(highest, end),
        },
        "active": settings.visible,
    }
    return {**old, **entry, "coefficient": 1, "family": "linear", "inverted": False}, told


def _gammas_of(profile: Profile) -> dict[str, float]:
    return {name: one.gamma for name, one in profile.channels.items() if one.gamma != 1}


def _keep_gammas(attributes: dict[str, Any], profile: Profile, labels: Sequence[str]) -> None:
    """Write the gammas of the image's channels beside the block, in place of those of before."""
    gammas = {name: gamma for name, gamma in _gammas_of(profile).items() if name in labels}
    own = attributes.get(OWN)
    kept = {key: value for key, value in own.items() if key != "gamma"} if isinstance(own, dict) else {}
    if gammas:
        kept["gamma"] = gammas
    if kept or isinstance(own, dict):
        attributes[OWN] = kept


def _unsaid(profile: Profile) -> list[str]:
    """Say what an ``omero`` block has no word for."""
    said = []
    if gammas := _gammas_of(profile):
        said.append(f"gamma of {listing(gammas)} is kept beside omero, where other viewers do not look")
    if profile.masks or profile.annotations:
        names = listing([*profile.masks, *profile.annotations])
        said.append(f"omero has no word for how masks and annotations are drawn; left out: {names}")
    return said


def _stale(folder: Path, file: Path, attributes: Mapping[str, Any]) -> list[str]:
    """Renew the copy of the attributes in the image's own consolidated metadata; say where other copies are."""
    own = folder / ".zmetadata"
    if file.name == ".zattrs" and own.is_file():
        data = read_json(own)
        if isinstance(data, dict) and isinstance(data.get("metadata"), dict):
            data["metadata"][".zattrs"] = dict(attributes)
            write_json(own, data)
    copies = [parent / ".zmetadata" for parent in folder.parents[:3] if (parent / ".zmetadata").is_file()]
    copies += [found for parent in folder.parents[:3] if _consolidated(found := parent / "zarr.json")]
    return [f"{copy}: this consolidated metadata still says how channels were shown before" for copy in copies]


def _consolidated(file: Path) -> bool:
    data = read_json(file) if file.is_file() else None
    return isinstance(data, dict) and isinstance(data.get("consolidated_metadata"), dict)
