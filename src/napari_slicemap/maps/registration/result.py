"""What a registration found: refined positions, and the pairs of tiles that they rest on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from ...images.acquisition import TilePosition


@dataclass(frozen=True)
class OverlapPair:
    """Two neighbouring tiles, and how far the second one is off its place beside the first.

    Parameters
    ----------
    first, second : str
        FOV names.
    nominal_px : tuple of float
        ``(x, y)`` from the corner of `first` to that of `second` as files state it, map px.
    shift_px : tuple of float
        ``(x, y)`` to add to `nominal_px` so that both show the same where they overlap.
    correlation : float
        Normalised cross-correlation of the overlap at that shift, −1 to 1; 0 where the tiles do not overlap there.
    score : float
        By how much that shift is more likely than the next best elsewhere; about 1 by chance.
    trusted : bool
        Whether it counts for the positions.
    why_not : str
        Why it does not count, or ``""``.
    """

    first: str
    second: str
    nominal_px: tuple[float, float]
    shift_px: tuple[float, float]
    correlation: float
    score: float
    trusted: bool
    why_not: str = ""


@dataclass(frozen=True)
class Registration:
    """Refined positions of one map's tiles.

    Parameters
    ----------
    map_id : str
        The map.
    positions : tuple of TilePosition
        Refined, in painting order and in the frame (stage µm or map px) that they were given in; fit for
        :func:`napari_slicemap.maps.descriptor.write_descriptor`.
    moves_px : tuple of tuple of float
        ``(x, y)`` by which each tile moved, map px, y downwards; their mean is 0.
    pairs : tuple of OverlapPair
        Neighbours that were compared, in order of their tiles.
    stayed : tuple of str
        FOVs that no trusted pair places; they lie by their neighbours, or where they were.
    rms_px : float or None
        Root mean square of what trusted pairs still disagree by, px; ``None`` where there are none.
    settings : mapping
        What was asked for: channel, t, z and the like, for the record.
    problems : tuple of str
        Tiles that could not be compared, and why.
    """

    map_id: str
    positions: tuple[TilePosition, ...]
    moves_px: tuple[tuple[float, float], ...]
    pairs: tuple[OverlapPair, ...]
    stayed: tuple[str, ...]
    rms_px: float | None
    settings: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def trusted(self) -> tuple[OverlapPair, ...]:
        """The pairs that positions rest on."""
        return tuple(pair for pair in self.pairs if pair.trusted)

    @property
    def refined(self) -> bool:
        """Whether anything was found to go by."""
        return bool(self.trusted)

    @property
    def median_move_px(self) -> float:
        """Median distance that tiles moved, map px."""
        return median(math.hypot(*move) for move in self.moves_px)

    @property
    def largest_move_px(self) -> float:
        """The farthest that a tile moved, map px."""
        return max(math.hypot(*move) for move in self.moves_px)

    def record(self) -> dict[str, Any]:
        """Give what a descriptor states under ``registration``; it says nothing of when or where."""
        from importlib.metadata import version

        return {
            "software": {"napari-slicemap": version("napari-slicemap")},
            **self.settings,
            "pairs": len(self.pairs),
            "trusted_pairs": len(self.trusted),
            "rms_px": self.rms_px,
            "stayed": list(self.stayed),
        }
