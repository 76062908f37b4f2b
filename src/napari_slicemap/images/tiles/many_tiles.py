"""FOVs and positions of a large table of tiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import dropwhile
from pathlib import Path

import numpy as np

from ..fov import Annotation, Fov
from ..plane import Plane
from .columns import TileColumns
from .position_table import PositionTable
from .sharing import Shared


@dataclass(frozen=True, eq=False)
class ManyTiles:
    """Makes what a reader gives, of the columns of a table.

    Parameters
    ----------
    columns : TileColumns
        What the table says.
    folder : Path
        That its paths are relative to.
    shared : Shared
        What it leaves out.
    fallback_pixel_size_um : float or None
        For tiles of which neither says it.
    masks, annotations : mapping
        FOV → name → labels.
    """

    columns: TileColumns
    folder: Path
    shared: Shared
    fallback_pixel_size_um: float | None
    masks: Mapping[str, Mapping[str, Plane]] = field(default_factory=dict)
    annotations: Mapping[str, Mapping[str, Annotation]] = field(default_factory=dict)

    @classmethod
    def of(cls, columns: TileColumns, folder: Path, fallback_pixel_size_um: float | None) -> ManyTiles:
        """Open the first tile that can be opened, unless the table says it all.

        Raises
        ------
        TileReadError
            If no tile can be opened, and the table leaves out channels or sizes.
        """
        first = columns.starts[:-1].tolist()
        sized = np.array([columns.channels[image] != "" for image in first]) & columns.sizes_px.all(axis=1)
        complete = (sized & ~np.isnan(columns.pixel_sizes_um)).tolist()
        wanted = dropwhile(complete.__getitem__, range(len(first)))
        images = (columns.image(first[tile], folder) for tile in wanted)
        return cls(columns, folder, Shared.of(images, sized=bool(sized.all())), fallback_pixel_size_um)

    def fov(self, number: int) -> Fov:
        """Make a FOV."""
        columns, name = self.columns, self.columns.fovs[number]
        (width, height), stated = columns.sizes_px[number].tolist(), float(columns.pixel_sizes_um[number])
        return self.shared.fov(
            name,
            columns.images(number, self.folder),
            (width, height) if width else None,
            None if np.isnan(stated) else stated,
            self.fallback_pixel_size_um,
            self.masks.get(name, {}),
            self.annotations.get(name, {}),
        )

    def distinct(self) -> list[int]:
        """List tiles that together have every channel, mask, annotation and pixel size that any of them has."""
        columns = self.columns
        kinds: dict[tuple[str | float, ...], int] = {}
        ends = columns.starts.tolist()
        for tile, size in enumerate(np.nan_to_num(columns.pixel_sizes_um).tolist()):
            kinds.setdefault((size, *columns.channels[ends[tile] : ends[tile + 1]]), tile)
        labelled = (tile for tile, name in enumerate(columns.fovs) if name in self.masks or name in self.annotations)
        return sorted({*kinds.values(), *labelled})

    def positions(self, table: Path) -> PositionTable | None:
        """Give where the tiles lie; ``None`` if one lies at a stage position, but has no pixel size."""
        columns, shared = self.columns, self.shared
        otherwise = shared.pixel_size_um or self.fallback_pixel_size_um or np.nan
        pixel_sizes = np.where(np.isnan(columns.pixel_sizes_um), otherwise, columns.pixel_sizes_um)
        if columns.in_um and np.isnan(pixel_sizes).any():
            return None
        # where no image could be opened, the table states the size of every tile
        sizes = np.where(columns.sizes_px > 0, columns.sizes_px, shared.size_px or (0, 0))
        return PositionTable(
            table,
            columns.fovs,
            columns.map_ids,
            columns.slice_ids,
            columns.in_um,
            columns.places,
            sizes,
            pixel_sizes,
            columns.lines,
        )
