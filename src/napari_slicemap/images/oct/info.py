"""``info.txt``: what a scanner says of a raw OCT tile."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
_LARGEST_SIDE = 2**20  # px
_LARGEST_SIZE = 2**44  # px
_SMALLEST_UM, _LARGEST_UM = 1e-3, 1e9
_REQUIRED = ("nx", "ny", "n_repeat", "width", "height", "n_extra", "top_z", "bottom_z")
_STAGE = ("stage_x_pos_mm", "stage_y_pos_mm")


@dataclass(frozen=True)
class TileInfo:
    """What ``info.txt`` says of a tile.

    Parameters
    ----------
    nx : int
        A-lines of a B-scan, without those of the mirror's return.
    ny : int
        B-scans.
    n_repeat : int
        How often each B-scan was scanned, one right after the other.
    width_um, height_um : float
        Of the tile along its A-lines and along its B-scans, µm.
    n_extra : int
        A-lines of the mirror's return.
    depth : int
        Pixels of an A-line.
    stage_um : tuple of float or None
        ``(x, y)`` of the tile's corner, its first A-line and B-scan, stage µm; ``None`` where it is not stated.
    """

    nx: int
    ny: int
    n_repeat: int
    width_um: float
    height_um: float
    n_extra: int
    depth: int
    stage_um: tuple[float, float] | None = None

    @property
    def lines(self) -> int:
        """A-lines of a B-scan, those of the return included."""
        return self.nx + self.n_extra

    @property
    def frames(self) -> int:
        """B-scans, each repeat counted."""
        return self.ny * self.n_repeat


def parse_info(text: str) -> TileInfo:
    """Read the text of an ``info.txt``.

    Raises
    ------
    ValueError
        Naming the key that is missing, or says what cannot be.
    """
    stated = _stated(text)
    nx, ny, repeats = (_whole(stated, key, 1) for key in ("nx", "ny", "n_repeat"))
    extra = _whole(stated, "n_extra", 0)
    top, bottom = (_whole(stated, key, -_LARGEST_SIDE) for key in ("top_z", "bottom_z"))
    depth = bottom - top + 1
    if depth < 1:
        raise ValueError(f"bottom_z is {bottom}, expected at least top_z, which is {top}")
    if (size := math.prod((depth, nx + extra, ny, repeats))) > _LARGEST_SIZE:
        raise ValueError(f"it states {size} px, more than any tile has")
    width, height = (_length_um(stated, key) for key in ("width", "height"))
    return TileInfo(nx, ny, repeats, width, height, extra, depth, _stage_um(stated))


def _stated(text: str) -> dict[str, str]:
    """Give what the lines ``key: value`` state of the keys that are known; scanners write many more."""
    stated: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = (part.strip() for part in line.partition(":"))
        if colon and key in (*_REQUIRED, *_STAGE) and stated.setdefault(key, value) != value:
            raise ValueError(f"{key} is {stated[key]!r} and {value!r}; keep one of them")
    if missing := [key for key in _REQUIRED if key not in stated]:
        raise ValueError(f"it does not state {', '.join(missing)}, expected a line `{missing[0]}: number`")
    return stated


def _stage_um(stated: Mapping[str, str]) -> tuple[float, float] | None:
    there = [key for key in _STAGE if key in stated]
    if len(there) == 1:
        raise ValueError(f"it states {there[0]} alone, expected both of {' and '.join(_STAGE)}, or neither")
    if not there:
        return None
    x, y = (1000 * _number(stated, key) for key in _STAGE)
    if max(abs(x), abs(y)) > _LARGEST_UM:
        raise ValueError(f"its stage position is {x / 1000:g}, {y / 1000:g} mm, which is no place on a stage")
    return x, y


def _number(stated: Mapping[str, str], key: str) -> float:
    if not _NUMBER.fullmatch(stated[key]):
        raise ValueError(f"{key} is {stated[key]!r}, expected a number")
    return float(stated[key])


def _whole(stated: Mapping[str, str], key: str, least: int) -> int:
    number = _number(stated, key)
    if not least <= number <= _LARGEST_SIDE or number % 1:
        raise ValueError(f"{key} is {stated[key]!r}, expected a whole number from {least} to {_LARGEST_SIDE}")
    return int(number)


def _length_um(stated: Mapping[str, str], key: str) -> float:
    length = _number(stated, key)
    if not _SMALLEST_UM <= length <= _LARGEST_UM:
        raise ValueError(f"{key} is {stated[key]!r}, expected µm from {_SMALLEST_UM:g} to {_LARGEST_UM:g}")
    return length
