"""How each slice stands: the slice table, what is on record, and what was found but is not on record yet."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ....dataset import Dataset
from ....slices.galvo.decisions import Standing, standing
from ....slices.galvo.record import GalvoRecord
from ....slices.galvo.tile_slices import TileSlice, TileSlices
from ...session import Session
from .reading import Shelf
from .slice_list import SliceLine, line_of


class Ledger:
    """Looks up what is known of slices, by ids as the slice table has them.

    Parameters
    ----------
    session : Session
        Holds the slice table.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.shelf: Shelf | None = None
        self._found: dict[str, GalvoRecord] = {}

    @property
    def dataset(self) -> Dataset | None:
        """What is open."""
        return self._session.dataset

    @property
    def slice_ids(self) -> list[str]:
        """Slices of the dataset, then those that only have tiles."""
        listed = [] if self.dataset is None else self.dataset.slice_ids
        return list(OrderedDict.fromkeys([*listed, *self.slices]))

    @property
    def slices(self) -> TileSlices:
        """Slices that have tiles."""
        return OrderedDict() if self.shelf is None else self.shelf.slices

    def forget(self) -> None:
        """Forget all: another dataset is open."""
        self.shelf = None
        self._found.clear()

    def take(self, records: Mapping[str, GalvoRecord]) -> None:
        """Take what is on record now."""
        if self.shelf is not None:
            self.shelf = replace(self.shelf, records=dict(records))

    def take_found(self, slice_id: str, record: GalvoRecord) -> None:
        """Take what was found just now."""
        self._found[slice_id] = record

    def tiles(self, slice_id: str) -> TileSlice | None:
        """Give the tiles of a slice, if it has any."""
        return self.slices.get(slice_id)

    def row(self, slice_id: str) -> Mapping[str, Any]:
        """Give the row of a slice in the table; empty where there is none."""
        rows = None if self.dataset is None else self.dataset.slices
        return {} if rows is None else rows.get(slice_id, {})

    def recorded(self, slice_id: str) -> GalvoRecord | None:
        """Give what is on record of a slice."""
        return None if self.shelf is None else self.shelf.records.get(slice_id)

    def record(self, slice_id: str) -> GalvoRecord | None:
        """Give what is on record of a slice, or else what was found in it."""
        return self.recorded(slice_id) or self._found.get(slice_id)

    def standing(self, slice_id: str) -> Standing:
        """Say what is decided of a slice."""
        return standing(self.row(slice_id), self.record(slice_id))

    def lines(self) -> list[SliceLine]:
        """Say how all slices stand."""
        own = self.slices
        return [line_of(one, self.row(one), self.record(one), one in own) for one in self.slice_ids]
