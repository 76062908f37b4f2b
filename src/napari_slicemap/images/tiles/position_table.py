"""Positions of many tiles as columns; each becomes an object when it is asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, overload

from ..acquisition import TilePosition

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class PositionTable(Sequence[TilePosition]):
    """Where tiles lie, for tables of so many that an object for each would take longer than all the rest.

    Parameters
    ----------
    file : Path
        The table that says so.
    fovs, map_ids, slice_ids : list of str
        Of each tile.
    in_um : bool
        Whether `places` are centres in stage µm; top-left corners in map px otherwise.
    places : ndarray of float64, (N, 2)
        ``x, y``, finite.
    sizes_px : ndarray of int64, (N, 2)
        ``width, height``, at least 1.
    pixel_sizes_um : ndarray of float64, (N,)
        NaN where neither the table nor the FOV itself states one.
    lines : ndarray of int64, (N,)
        Of the table.
    """

    file: Path
    fovs: list[str]
    map_ids: list[str]
    slice_ids: list[str]
    in_um: bool
    places: NDArray[np.float64]
    sizes_px: NDArray[np.int64]
    pixel_sizes_um: NDArray[np.float64]
    lines: NDArray[np.int64]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PositionTable) and list(self) == list(other)

    def __len__(self) -> int:
        return len(self.fovs)

    @overload
    def __getitem__(self, index: int) -> TilePosition: ...

    @overload
    def __getitem__(self, index: slice) -> PositionTable: ...

    def __getitem__(self, index: int | slice) -> TilePosition | PositionTable:
        if isinstance(index, slice):
            return self._part(range(len(self))[index])
        (x, y), (width, height) = self.places[index].tolist(), self.sizes_px[index].tolist()
        pixel_size = float(self.pixel_sizes_um[index])
        return TilePosition(
            map_id=self.map_ids[index],
            fov=self.fovs[index],
            source=self.source(index),
            center_um=(x, y) if self.in_um else None,
            origin_px=None if self.in_um else (x, y),
            size_px=(width, height),
            pixel_size_um=None if pixel_size != pixel_size else pixel_size,
            slice_id=self.slice_ids[index],
        )

    def source(self, index: int) -> str:
        """Give the file and line of a tile, for messages."""
        return f"{self.file}, line {self.lines[index]}"

    def by_map(self) -> dict[str, PositionTable]:
        """Give the tiles of each map, in the order of the table."""
        rows: dict[str, list[int]] = defaultdict(list)
        for row, map_id in enumerate(self.map_ids):
            rows[map_id].append(row)
        return {map_id: self._part(found) for map_id, found in rows.items()}

    def _part(self, rows: Sequence[int]) -> PositionTable:
        # tables mostly list one map after the other: slices are taken at once, and share the memory
        together = bool(rows) and rows[-1] - rows[0] == len(rows) - 1
        taken = slice(rows[0], rows[-1] + 1) if together else list(rows)
        fovs, map_ids, slice_ids = (
            column[taken] if isinstance(taken, slice) else [column[row] for row in taken]
            for column in (self.fovs, self.map_ids, self.slice_ids)
        )
        return PositionTable(
            file=self.file,
            fovs=fovs,
            map_ids=map_ids,
            slice_ids=slice_ids,
            in_um=self.in_um,
            places=self.places[taken],
            sizes_px=self.sizes_px[taken],
            pixel_sizes_um=self.pixel_sizes_um[taken],
            lines=self.lines[taken],
        )
