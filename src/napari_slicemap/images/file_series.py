"""One channel whose planes lie in files of their own, such as one TIFF a time point and z step."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ..errors import TileReadError
from .image import ImageFile, ImageInfo
from .plane import Chunks


@dataclass(frozen=True)
class FileSeries:
    """An image of one channel, put together from images of one plane each; each is opened when it is read.

    Parameters
    ----------
    path : Path
        Folder that holds them (or the only file), for messages and provenance.
    files : tuple of ((t, z), ImageFile)
        The image of each plane, counted from 0; those of planes that are missing are left out. One image may stand
        for several planes.
    times, depth : int
        How many time points and z planes there are, missing ones among them.
    z_step_um : float, optional
        From plane to plane, µm, where it is known.
    times_s : tuple of float, optional
        Of each time point, s, where they are known.
    name : str
        Of the channel.
    """

    path: Path
    files: tuple[tuple[tuple[int, int], ImageFile], ...]
    times: int
    depth: int
    z_step_um: float | None = None
    times_s: tuple[float, ...] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if not self.files:
            raise ValueError(f"{self.path}: a series needs at least one file")

    @cached_property
    def info(self) -> ImageInfo:
        """Metadata, from the first of the files, read at the first use.

        Raises
        ------
        TileReadError
            Naming the file, if it is missing, no image, or holds more than one plane.
        """
        first = _one_plane(self.files[0][1])
        return replace(
            first,
            shape=(self.times, 1, self.depth, *first.shape[3:]),
            axes="TCZYX",
            channel_names=(self.name or first.channel_names[0],),
            z_step_um=self.z_step_um,
            times_s=self.times_s,
        )

    @property
    def key(self) -> Hashable:
        """Of the files as they are now."""
        return "series", self.path, self.times, self.depth, tuple((at, image.key) for at, image in self.files)

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """The files that hold the planes, each once."""
        return tuple(dict.fromkeys(image.path for _, image in self.files))

    def chunks(self, channel: int, t: int, z: int) -> Chunks:
        """Give the chunks of one plane; see :class:`~napari_slicemap.images.image.ImageFile`.

        Raises
        ------
        TileReadError
            Naming the folder and the plane where it has no file, or the file, if it cannot be read, holds more than
            one plane, or differs from the first file in size or type.
        """
        image = self._by_plane.get((t, z)) if channel == 0 else None
        if image is None:
            raise TileReadError(f"{self.path}: {self._called(channel, t, z)}")
        found, expected = _one_plane(image), self.info
        if (found.shape[3:], found.dtype) != (expected.shape[3:], expected.dtype):
            raise TileReadError(
                f"{image.path}: it is {_described(found)}, but {self.files[0][1].path.name} is {_described(expected)}"
            )
        return image.chunks(0, 0, 0)

    @cached_property
    def _by_plane(self) -> dict[tuple[int, int], ImageFile]:
        return dict(self.files)

    def _called(self, channel: int, t: int, z: int) -> str:
        if channel or not (0 <= t < self.times and 0 <= z < self.depth):
            return f"channel {channel}, t = {t}, z = {z} is out of bounds ({self.times} × 1 × {self.depth} planes)"
        of = f" of {self.name}" if self.name else ""
        return f"the file of plane t = {t}, z = {z}{of} is missing (counted from 0)"


def _one_plane(image: ImageFile) -> ImageInfo:
    info = image.info
    if info.shape[:3] != (1, 1, 1):
        t, c, z, _, _ = info.shape
        raise TileReadError(f"{image.path}: it holds {t} × {c} × {z} planes (T × C × Z), expected one")
    return info


def _described(info: ImageInfo) -> str:
    return f"{info.shape[4]} × {info.shape[3]} px of {info.dtype}"
