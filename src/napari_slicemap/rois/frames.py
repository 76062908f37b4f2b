"""What an ROI may be drawn on, in order: what other tools count as planes are maps here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .roi import Roi

if TYPE_CHECKING:
    from .ground import Ground


@dataclass(frozen=True)
class Frame:
    """A FOV, or a map where `fov` is empty.

    Parameters
    ----------
    fov, map_id : str
        Which one; px of it are what coordinates count.
    """

    fov: str = ""
    map_id: str = ""

    @classmethod
    def of(cls, roi: Roi) -> Frame:
        """Give what an ROI is drawn on."""
        return cls(fov=roi.fov) if roi.fov else cls(map_id=roi.map_id)

    @property
    def fields(self) -> dict[str, str]:
        """The fields of an ROI that say so."""
        return {"fov": self.fov, "map_id": self.map_id}

    @property
    def title(self) -> str:
        """What it is called."""
        return f"FOV {self.fov}" if self.fov else f"map {self.map_id}"


@dataclass(frozen=True)
class Frames:
    """The planes of a file of another tool.

    Parameters
    ----------
    planes : tuple of Frame
        Plane 0, 1, …: the maps of a dataset in their order, or its FOVs where it has no maps.
    default : Frame or None
        What shapes are on of which the file does not say it; ``None`` makes them a fault.
    ground : Ground or None
        The maps and FOVs of a dataset, for formats that describe them.
    """

    planes: tuple[Frame, ...]
    default: Frame | None = None
    ground: Ground | None = field(default=None, compare=False, repr=False)

    def number_of(self, frame: Frame) -> int:
        """Give the plane of a frame; 0 for one that is no plane, such as a FOV of a map."""
        return self.planes.index(frame) if frame in self.planes else 0


@dataclass(frozen=True)
class Imported:
    """What was read from a file.

    Parameters
    ----------
    rois : tuple of Roi
        In the order of the file.
    problems : tuple of str
        What could not be taken, each a sentence that names it.
    """

    rois: tuple[Roi, ...]
    problems: tuple[str, ...] = ()
