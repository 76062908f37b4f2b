"""Profiles: named, saved channel settings and mask styles."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from ..errors import FileFormatError, UnknownNameError, listing
from ..files import FileModel, read_json, write_json
from .channels import ChannelSettings, Color

Alpha = Annotated[float, Field(ge=0, le=1)]
UELER_COLORS = {
    "Red": "#ff0000",
    "Green": "#00ff00",
    "Blue": "#0000ff",
    "Yellow": "#ffff00",
    "Cyan": "#00ffff",
    "Magenta": "#ff00ff",
    "Orange": "#ffa500",
    "Purple": "#800080",
    "Brown": "#a52a2a",
    "Pink": "#ffc0cb",
    "Gray": "#808080",
    "Black": "#000000",
    "White": "#ffffff",
}
"""The colours that UELer offers; its green is another than that of CSS."""


class MaskStyle(FileModel):
    """How a mask is drawn: ``mode`` fill or outline, colour, alpha, outline thickness in output px."""

    mode: Literal["outline", "fill"] = "outline"
    color: Color = "#ffffff"
    alpha: Alpha = 1.0
    thickness_px: Annotated[int, Field(ge=1, le=100)] = 1


class AnnotationStyle(FileModel):
    """How an annotation is drawn: alpha over the channels; its colours come from its own table."""

    alpha: Alpha = 0.4


class _ProfileBody(FileModel):
    channels: dict[str, ChannelSettings]
    masks: dict[str, MaskStyle] = Field(default_factory=dict)
    annotations: dict[str, AnnotationStyle] = Field(default_factory=dict)

    @field_validator("channels")
    @classmethod
    def _some(cls, channels: dict[str, ChannelSettings]) -> dict[str, ChannelSettings]:
        if not channels:
            raise ValueError("a profile needs at least one channel")
        return channels


class Profile(_ProfileBody):
    """A named set of channel settings; the order of the channels is the order of drawing.

    Parameters
    ----------
    name : str
        Not empty.
    channels : dict of str to ChannelSettings
        At least one.
    masks : dict of str to MaskStyle
        Style by mask name; a mask without one is drawn as a white outline.
    annotations : dict of str to AnnotationStyle
        Style by annotation name.
    """

    name: Annotated[str, Field(min_length=1)]

    def check(self, channels: Iterable[str], where: str) -> None:
        """Refuse a profile that asks for channels which are not there.

        Raises
        ------
        UnknownNameError
            Naming the first one, and those present.
        """
        present = list(channels)
        for name in self.channels:
            if name not in present:
                raise UnknownNameError("channel", name, present, where=f"{where}, profile {self.name}")


class ProfileBook(FileModel):
    """The profiles of a dataset (``profiles.json``)."""

    version: Literal[1] = 1
    default: str = ""
    profiles: dict[str, _ProfileBody] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _default_exists(self) -> ProfileBook:
        if self.default and self.default not in self.profiles:
            raise ValueError(f"default is {self.default!r}, but the profiles are {listing(self.profiles)}")
        if "" in self.profiles:
            raise ValueError("a profile needs a name")
        return self

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> ProfileBook:
        """Read ``profiles.json``.

        Raises
        ------
        FileFormatError
            Naming the file, the key and what is wrong.
        """
        return cls.from_data(read_json(path), Path(path))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write ``profiles.json`` atomically."""
        write_json(path, self.model_dump())

    @property
    def names(self) -> list[str]:
        """Names of the profiles, in the file's order."""
        return list(self.profiles)

    def __getitem__(self, name: str) -> Profile:
        """Give a profile by name.

        Raises
        ------
        UnknownNameError
            Listing those that exist.
        """
        if name not in self.profiles:
            raise UnknownNameError("profile", name, self.profiles)
        body = self.profiles[name]
        return Profile(name=name, channels=body.channels, masks=body.masks, annotations=body.annotations)

    def get_default(self) -> Profile | None:
        """Give the default profile, else the first one, else ``None``."""
        name = self.default or next(iter(self.profiles), "")
        return self[name] if name else None

    def with_profile(self, profile: Profile) -> ProfileBook:
        """Return a new book in which `profile` is added or replaces the one of its name."""
        body = _ProfileBody(channels=profile.channels, masks=profile.masks, annotations=profile.annotations)
        return ProfileBook(default=self.default or profile.name, profiles={**self.profiles, profile.name: body})


def profiles_from_marker_sets(state: Mapping[str, object], where: Path) -> ProfileBook:
    """Read the marker sets of UELer's ``widget_states.json`` as profiles.

    Parameters
    ----------
    state : mapping
        The file's content: ``{"marker_sets": {name: {"selected_channels": […], "channel_settings":
        {channel: {"color", "contrast_min", "contrast_max"}}}}}``; everything else in it is about its widgets.
    where : Path
        The file, for messages.

    Returns
    -------
    ProfileBook
        One profile for each marker set that has a channel.

    Raises
    ------
    FileFormatError
        Naming the file, the marker set and what is wrong.
    """
    book: dict[str, object] = {}
    for name, one in _object(state.get("marker_sets"), f"{where}: marker_sets").items():
        at = f"{where}: marker set {name}"
        one = _object(one, at)
        settings = _object(one.get("channel_settings"), f"{at}: channel_settings")
        selected = one.get("selected_channels") or list(settings)
        if not isinstance(selected, list):
            raise FileFormatError(f"{at}: selected_channels is {selected!r}, expected a list of channels")
        chosen = [channel for channel in selected if channel in settings]
        if chosen:
            book[name] = {"channels": {c: _marker(_object(settings[c], f"{at}: {c}")) for c in chosen}}
    return ProfileBook.from_data({"profiles": book, "default": next(iter(book), "")}, where)


def _object(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping | None):
        raise FileFormatError(f"{where}: expected an object, found {type(value).__name__}")
    return value or {}


def _marker(settings: Mapping[str, object]) -> dict[str, object]:
    color = settings.get("color", "white")
    return {
        "color": UELER_COLORS.get(color, color) if isinstance(color, str) else color,
        "contrast_limits": (settings.get("contrast_min", 0), settings.get("contrast_max", 1)),
    }
