"""The levels of an OME-Zarr image, of any version: their axes, sizes, and where the first px lies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from ..format_tools import plain_axes, positive, square_size_um, unit_um
from .groups import ome_attributes

_LETTERS = {"time": "T", "channel": "C"}


@dataclass(frozen=True)
class Level:
    """One array of the image; numbers are in the units of the axes, one an axis.

    Parameters
    ----------
    path : str
        Within the image.
    scale : tuple of float or None
        From px to px, where stated.
    translation : tuple of float or None
        Of the centre of the first px, where stated.
    """

    path: str
    scale: tuple[float, ...] | None
    translation: tuple[float, ...] | None


@dataclass(frozen=True)
class Multiscales:
    """What an image says of its levels.

    Parameters
    ----------
    name : str
        Its name, where stated.
    stated_axes : tuple of str
        ``T``, ``C``, ``Z``, ``Y`` or ``X``; none where they are not stated.
    units : tuple of str
        Of each of these axes; empty where there is none.
    levels : tuple of Level
        Finest first.
    """

    name: str
    stated_axes: tuple[str, ...]
    units: tuple[str, ...]
    levels: tuple[Level, ...]

    @classmethod
    def read(cls, attributes: dict[str, Any]) -> Multiscales | None:
        """Read the first image among the attributes of a group; ``None`` if there is none.

        Raises
        ------
        ValueError
            Saying what is wrong with it.
        """
        found = ome_attributes(attributes).get("multiscales")
        if not found:
            return None
        if not isinstance(found, list) or not isinstance(found[0], dict):
            raise ValueError("its multiscales are no list of objects")
        said = found[0]
        axes = [{"name": axis} if isinstance(axis, str) else axis for axis in _list(said, "axes")]
        letters = [_LETTERS.get(str(axis.get("type")), str(axis.get("name")).upper()) for axis in axes]
        if unknown := [letter for letter in letters if letter not in set("TCZYX")]:
            raise ValueError(f"its axes are {', '.join(letters)}, and {unknown[0]} is no T, C, Z, Y or X")
        levels = [_level(one, said, len(letters)) for one in _list(said, "datasets")]
        if not levels:
            raise ValueError("its multiscales list no datasets")
        name = said.get("name")
        units = tuple(str(axis.get("unit") or "") for axis in axes)
        return cls(name if isinstance(name, str) else "", tuple(letters), units, tuple(levels))

    def axes(self, shape: Sequence[int]) -> str:
        """Give the axes of an array of its; before 0.3 they were always ``TCZYX``.

        Raises
        ------
        ValueError
            If the array has another number of them.
        """
        if self.stated_axes and len(self.stated_axes) != len(shape):
            raise ValueError(f"it names {len(self.stated_axes)} axes, but its array has {len(shape)}")
        return "".join(self.stated_axes) or plain_axes(shape)

    def unit(self, axis: str) -> str:
        """Give the unit of an axis; empty where there is none."""
        return dict(zip(self.stated_axes, self.units, strict=True)).get(axis, "")

    def step(self, level: Level, axis: str) -> float | None:
        """Give what lies from px to px along an axis, in its unit; ``None`` where nothing above 0 is stated."""
        if level.scale is None or axis not in self.stated_axes:
            return None
        return positive(level.scale[self.stated_axes.index(axis)])

    def step_um(self, level: Level, axis: str) -> float | None:
        """Give the same in µm; ``None`` where it is no length."""
        step, unit = self.step(level, axis), unit_um(self.unit(axis))
        return None if step is None or unit is None else step * unit

    def pixel_size_um(self, level: Level) -> float | None:
        """Give the size of a px, µm, where stated.

        Raises
        ------
        ValueError
            If its pixels are not square.
        """
        return square_size_um(self.step_um(level, "X"), self.step_um(level, "Y"))

    def first_px_um(self, level: Level) -> tuple[float, float] | None:
        """Give where the centre of the first px lies, ``(x, y)`` µm, where a translation says so."""
        units = unit_um(self.unit("X")), unit_um(self.unit("Y"))
        if level.translation is None or units[0] is None or units[1] is None:
            return None
        x, y = (level.translation[self.stated_axes.index(axis)] for axis in "XY")
        return x * units[0], y * units[1]


def _level(said: Any, multiscale: Mapping[str, Any], axes: int) -> Level:
    """Apply what is said of the level, and after that what is said of all."""
    if not isinstance(said, dict):
        raise ValueError("its datasets are no objects")
    path = within(said.get("path"))
    scale: list[float] | None = None
    translation: list[float] | None = None
    for one in [*_list(said, "coordinateTransformations"), *_list(multiscale, "coordinateTransformations")]:
        numbers = _numbers(one, axes, path)
        if one.get("type") == "scale" and numbers:
            scale = [a * b for a, b in zip(scale or [1.0] * axes, numbers, strict=True)]
            translation = translation and [a * b for a, b in zip(translation, numbers, strict=True)]
        elif one.get("type") == "translation" and numbers:
            translation = [a + b for a, b in zip(translation or [0.0] * axes, numbers, strict=True)]
    return Level(path, None if scale is None else tuple(scale), None if translation is None else tuple(translation))


def _numbers(said: Any, axes: int, path: str) -> list[float]:
    """Give the numbers of a transformation; none where they are not of our axes, or stand elsewhere."""
    if not isinstance(said, dict):
        raise ValueError(f"the coordinateTransformations of {path!r} are no objects")
    stated = said.get(str(said.get("type")))
    if not isinstance(stated, list) or len(stated) != axes:
        return []
    try:
        numbers = [float(number) for number in stated]
    except (TypeError, ValueError, OverflowError):  # OverflowError: a whole number too large for a float
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"the {said['type']} of {path!r} is {stated!s:.80}, expected finite numbers")
    return numbers


def within(path: object) -> str:
    """Check a path that a group states of what lies within it.

    Raises
    ------
    ValueError
        If it is no text, or leads out of the group.
    """
    if not isinstance(path, str) or not path.strip("/"):
        raise ValueError(f"it states the path {path!r} of an array or image, expected text")
    if path.startswith("/") or ".." in PurePosixPath(path).parts or "\0" in path:
        raise ValueError(f"the path {path!r} does not lie in it")
    return path


def _list(said: Mapping[str, Any], key: str) -> list[Any]:
    found = said.get(key) or []
    if not isinstance(found, list):
        raise ValueError(f"its {key} are no list")
    return found
