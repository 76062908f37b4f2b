"""What ROIs lie on: their pixel size, their slice, and how much of them shows data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from ..errors import UnknownNameError
from ..images.fov import Fov
from ..images.region import Window
from ..maps.placement import PlacedTile, Placement
from .frames import Frame, Frames
from .measures import Measures, empty_share, measure, tiles_under
from .roi import Roi


class Ground:
    """The maps and FOVs of a dataset, as ROIs see them. Nothing is read of pixels.

    Parameters
    ----------
    placements : mapping of str to Placement
        Map id → its tiles.
    fovs : mapping of str to Fov
        Name → FOV.
    """

    def __init__(self, placements: Mapping[str, Placement], fovs: Mapping[str, Fov]) -> None:
        self.placements, self.fovs = placements, fovs

    @cached_property
    def _tiles(self) -> dict[str, tuple[Placement, PlacedTile]]:
        """FOV → the first map that it lies on, and where."""
        made: dict[str, tuple[Placement, PlacedTile]] = {}
        for placement in self.placements.values():
            for tile in placement.tiles:
                made.setdefault(tile.name, (placement, tile))
        return made

    def frames(self, default: Frame | None = None) -> Frames:
        """Give the planes of files of other tools: the maps, or the FOVs where there are no maps."""
        if self.placements:
            return Frames(tuple(Frame(map_id=one) for one in self.placements), default, self)
        return Frames(tuple(Frame(fov=one) for one in self.fovs), default, self)

    def placement(self, roi: Roi) -> Placement | None:
        """Give the map that an ROI is on, itself or by its FOV; ``None`` where there is none."""
        if roi.fov:
            found = self._tiles.get(roi.fov)
            return None if found is None else found[0]
        return self.placements.get(roi.map_id)

    def slice_id(self, roi: Roi) -> str:
        """Give the slice that an ROI is on; empty where it is on none."""
        placement = self.placement(roi)
        return "" if placement is None else placement.slice_id

    def fault(self, roi: Roi) -> str:
        """Say what is wrong with what an ROI is on, or nothing."""
        if not roi.on:
            return "it names neither a FOV nor a map"
        there = self.fovs if roi.fov else self.placements
        name = roi.fov or roi.map_id
        return "" if name in there else str(UnknownNameError("FOV" if roi.fov else "map", name, there))

    def pixel_size_um(self, roi: Roi) -> float | None:
        """Give the size of a px of an ROI's frame, µm; ``None`` where unknown.

        Raises
        ------
        TileReadError
            If it stands in an image that cannot be read.
        """
        if not roi.fov:
            placement = self.placements.get(roi.map_id)
            return None if placement is None else placement.pixel_size_um
        if (found := self._tiles.get(roi.fov)) is not None and found[0].pixel_size_um is not None:
            return found[0].pixel_size_um / found[1].ratio
        return self.fovs[roi.fov].pixel_size_um if roi.fov in self.fovs else None

    def measure(self, roi: Roi) -> Measures:
        """Measure an ROI in µm, or in px where the pixel size is unknown; see :func:`~.measures.measure`."""
        return measure(roi, self.pixel_size_um(roi))

    def empty_share(self, roi: Roi) -> float:
        """Give the share of an ROI that lies where there is no data, 0 to 1; 1 where what it is on is not there."""
        if self.fault(roi):
            return 1.0
        if not roi.fov:
            return empty_share(roi, tiles_under(roi, self.placements[roi.map_id]))
        return empty_share(roi, [self._fov_window(roi.fov)])

    def _fov_window(self, fov: str) -> Window:
        found = self._tiles.get(fov)
        if found is None or found[1].fov is None:
            return self.fovs[fov].bounds
        height, width = found[1].window.shape
        ratio = found[1].ratio
        return Window(0, round(width * ratio), 0, round(height * ratio))
