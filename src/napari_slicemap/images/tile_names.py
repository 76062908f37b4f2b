"""How tiles lie in a grid, where their names say so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ..files import FileModel

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

    pattern: str = ""
    overlap: Annotated[str, BeforeValidator(_overlap_text)] = "0 %"
    rows: Annotated[int, Field(ge=1)] | None = None
    columns: Annotated[int, Field(ge=1)] | None = None
    order: Literal["rows", "columns"] = "rows"
    serpentine: bool = False
