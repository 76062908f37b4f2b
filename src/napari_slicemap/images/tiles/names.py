"""How tiles lie in a grid, where their names say so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ...files import FileModel

_SHARE = re.compile(r"(?P<number>[0-9]+\.?[0-9]*|\.[0-9]+)\s*(?P<unit>%|px)")


@dataclass(frozen=True)
class TileOverlap:
    """How much neighbouring tiles share.

    Parameters
    ----------
    amount : float
        Of `unit`, at least 0.
    unit : "%" or "px"
        Per cent of a tile's side, or pixels.
    """

    amount: float
    unit: Literal["%", "px"]

    @classmethod
    def parse(cls, value: object) -> TileOverlap:
        """Read text such as ``"10 %"`` or ``"24 px"``.

        Raises
        ------
        ValueError
            If it is neither, or no tile would be left.
        """
        if isinstance(value, TileOverlap):
            return value
        found = _SHARE.fullmatch(str(value).strip())
        if found is None:
            raise ValueError(f"{value!r} is no overlap; write it as '10 %' or '24 px'")
        amount = float(found["number"])
        if found["unit"] == "%" and amount >= 100:
            raise ValueError(f"tiles that share {amount:g} % lie on top of each other; expected less than 100 %")
        return cls(amount, "%" if found["unit"] == "%" else "px")

    def __str__(self) -> str:
        return f"{self.amount:g} {self.unit}"

    def step(self, side: int) -> float:
        """Give the distance from tile to tile, px, of tiles whose side is so many px long.

        Raises
        ------
        ValueError
            If they share more px than they have.
        """
        shared = side * self.amount / 100 if self.unit == "%" else self.amount
        if shared >= side:
            raise ValueError(f"tiles of {side} px cannot share {self}")
        return side - shared


_NUMBERS = ("row", "col", "z", "t", "index")
_TEXTS = ("slice", "channel")
_PIECE = re.compile(r"\{([^{}]*)\}|(\*+)")
_ANY, _SOME = "[^/]*?", "[^/]+?"
_MOST_OPEN = 5
"""Parts of a pattern that may be any text: each more makes reading a long name much slower."""


@dataclass(frozen=True)
class TilePattern:
    """A pattern that the names of tiles follow, such as ``"{slice}/{row}_{col}_*.tif"``.

    Parameters
    ----------
    text : str
        Path of a tile below the data folder; see :class:`TileNames`. A part that stands twice says the same twice.

    Raises
    ------
    ValueError
        If it holds unknown parts, does not say where a tile lies, or can be read in several ways.
    """

    text: str

    def __post_init__(self) -> None:
        known = [f"{{{name}}}" for name in (*_TEXTS, *_NUMBERS)]
        if left := re.search(r"[{}]", _PIECE.sub("", self.text)):
            raise ValueError(f"the pattern {self.text!r} has a {left[0]} without its other half")
        for name in self.fields:
            if name not in (*_TEXTS, *_NUMBERS):
                raise ValueError(f"the pattern {self.text!r} holds {{{name}}}; expected some of {', '.join(known)}")
        grid = {"row", "col"} & set(self.fields)
        if ("index" in self.fields) == (len(grid) > 0) or len(grid) == 1:
            raise ValueError(f"the pattern {self.text!r} must hold {{row}} and {{col}}, or {{index}}")
        number = f"{{(?:{'|'.join(_NUMBERS)})}}"
        if re.search(number * 2, self.text):
            raise ValueError(f"the pattern {self.text!r} does not say where one number ends and the next begins")
        if sum(self._regex.pattern.count(one) for one in (_ANY, _SOME)) > _MOST_OPEN:
            raise ValueError(f"the pattern {self.text!r} has more than {_MOST_OPEN} parts that may be any text")

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The names of its parts, in order, each once."""
        return tuple(dict.fromkeys(found[1] for found in _PIECE.finditer(self.text) if found[1] is not None))

    @property
    def depth(self) -> int:
        """How many folders below the data folder the tiles lie."""
        return self.text.count("/")

    def read(self, path: str) -> dict[str, str] | None:
        """Read the path of a tile below the data folder (with ``/``): part → text; ``None`` if it does not fit."""
        found = self._regex.fullmatch(path)
        return None if found is None else found.groupdict()

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        made, end, seen = "", 0, set[str]()
        for found in _PIECE.finditer(self.text):
            name = found[1]
            made += re.escape(self.text[end : found.start()])
            end = found.end()
            if name is None:
                made += _ANY
            elif name in seen:
                made += f"(?P={name})"
            elif name.isidentifier():
                made += f"(?P<{name}>{'[0-9]+' if name in _NUMBERS else _SOME})"
                seen.add(name)
        return re.compile(made + re.escape(self.text[end:]))


def _pattern_text(text: str) -> str:
    text = text.replace("\\", "/").removeprefix("./")
    return TilePattern(text).text if text else ""


def _overlap_text(value: Any) -> Any:
    return str(TileOverlap.parse(value))


class TileNames(FileModel):
    """How the names of tiles say where they lie (``[tiles]`` of the project file).

    Parameters
    ----------
    pattern : str
        Path of a tile below the data folder, with ``{slice}``, ``{row}``, ``{col}``, ``{channel}``, ``{z}``, ``{t}``,
        ``{index}`` where numbers (of slice and channel: text) stand, and ``*`` for what may be anything. Empty: found
        by looking at the names.
    overlap : str
        What neighbours share: ``"10 %"`` of a tile or ``"24 px"``.
    rows, columns : int, optional
        Of the grid, where tiles are only counted (``{index}``); one of the two will do.
    order : "rows" or "columns"
        Whether counted tiles go along rows or down columns first.
    serpentine : bool
        Whether every other row (or column) is counted backwards.
    """

    pattern: Annotated[str, AfterValidator(_pattern_text)] = ""
    overlap: Annotated[str, BeforeValidator(_overlap_text)] = "0 %"
    rows: Annotated[int, Field(ge=1)] | None = None
    columns: Annotated[int, Field(ge=1)] | None = None
    order: Literal["rows", "columns"] = "rows"
    serpentine: bool = False

    @model_validator(mode="after")
    def _has_a_grid(self) -> Self:
        if "{index}" in self.pattern and self.rows is None and self.columns is None:
            raise ValueError("{index} only counts tiles: state rows or columns of the grid as well (--grid 5x8)")
        return self

    @property
    def capacity(self) -> int | None:
        """How many tiles the grid of a slice has room for, where rows and columns are both stated."""
        return None if self.rows is None or self.columns is None else self.rows * self.columns

    def cell(self, number: int, count: int) -> tuple[int, int]:
        """Say where a counted tile lies.

        Parameters
        ----------
        number : int
            Of the tile, counted from 0.
        count : int
            How many tiles there are, for the side of the grid that is not stated.

        Returns
        -------
        tuple of int
            ``(row, column)``, from 0.

        Raises
        ------
        ValueError
            If the grid has no room for it.
        """
        if self.capacity is not None and number >= self.capacity:
            raise ValueError(f"tile {number + 1} has no place in a grid of {self.rows} × {self.columns}")
        along, lines = (self.columns, self.rows) if self.order == "rows" else (self.rows, self.columns)
        if along is None:
            along = -(-count // (lines or 1))
        line, place = divmod(number, along)
        if self.serpentine and line % 2:
            place = along - 1 - place
        return (line, place) if self.order == "rows" else (place, line)
