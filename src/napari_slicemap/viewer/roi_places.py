"""Where ROIs lie on the canvas: those of a map on its page, those of a FOV where its tile is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..rois.frames import Frame
from ..rois.roi import Points, Roi
from .pages import Page, Pages


@dataclass(frozen=True)
class Place:
    """A frame on the canvas.

    Parameters
    ----------
    number : int
        Its page.
    dx, dy : float
        Where its corner lies, canvas px.
    scale : float
        Canvas px per px of the frame.
    frame : Frame
        The map or FOV.
    """

    number: int
    dx: float
    dy: float
    scale: float
    frame: Frame

    def to_own(self, points: Sequence[tuple[float, float]]) -> Points:
        """Take points ``(x, y)`` from canvas px to px of the frame."""
        return tuple(((x - self.dx) / self.scale, (y - self.dy) / self.scale) for x, y in points)

    def to_canvas(self, points: Points) -> Points:
        """Take points ``(x, y)`` from px of the frame to canvas px."""
        return tuple((x * self.scale + self.dx, y * self.scale + self.dy) for x, y in points)


class RoiPlaces:
    """Finds the place of each frame.

    Parameters
    ----------
    pages : Pages
        What is on the canvas.
    """

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._places: dict[Frame, Place] = {}
        for number, page in enumerate(pages.pages):
            self._places.setdefault(page.frame, Place(number, page.dx, page.dy, page.scale, page.frame))
        self._tiles: dict[str, tuple[int, int]] = {}  # of very many tiles, few have ROIs
        for number, page in enumerate(pages.pages):
            for index, name in enumerate(() if page.fov else page.map.fov_names):
                self._tiles.setdefault(name, (number, index))

    def of(self, roi: Roi) -> Place | None:
        """Give the place of what an ROI is on; ``None`` where that is not on the canvas."""
        return self._place_of(Frame.of(roi))

    def of_page(self, number: int) -> Place:
        """Give the place of the map (or FOV) that a page shows."""
        return self._places[self._pages.pages[number].frame]

    def of_fov_at(self, number: int, x: float, y: float) -> Place:
        """Give the place of the FOV that shows a point (canvas px) of a page.

        Raises
        ------
        ValueError
            If no FOV lies there.
        """
        page = self._pages.pages[number]
        name = page.fov or page.map.locate(x - page.dx, y - page.dy)
        if name is None:
            raise ValueError("no FOV lies under its middle; draw it on the map, or elsewhere")
        place = self._place_of(Frame(fov=name))
        if place is None or place.number != number:
            raise ValueError(f"FOV {name} lies on several maps; draw it on the map")
        return place

    def _place_of(self, frame: Frame) -> Place | None:
        found = self._places.get(frame)
        if found is None and frame.fov in self._tiles:
            number, index = self._tiles[frame.fov]
            found = self._places[frame] = _of_tile(number, self._pages.pages[number], index)
        return found


def _of_tile(number: int, page: Page, index: int) -> Place:
    tile = page.map.placement.tiles[index]
    return Place(number, page.dx + tile.window.x0, page.dy + tile.window.y0, 1 / tile.ratio, Frame(fov=tile.name))
