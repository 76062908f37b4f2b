"""One field of view: lazily read pixels, masks and annotations, pixel size."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import FileFormatError, RegionError, TileReadError, UnknownNameError
from .area import area_mean
from .image import files_of
from .plane import Plane, read_window, window_chunks
from .region import Grid, Region, Window, inside

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .cache import ChunkCache

SAME_PIXEL_SIZE = 1e-6
"""Relative difference up to which two pixel sizes count as the same."""

ZChoice = int | Literal["max", "mean"]
"""A z plane by number, or the projection over all of them."""


@dataclass(frozen=True)
class Annotation:
    """A label image whose labels have names and colours.

    Parameters
    ----------
    plane : Plane
        The labels.
    table : Path or None
        CSV with columns ``label,name,color``.
    """

    plane: Plane
    table: Path | None = None

    def colors(self) -> dict[int, str]:
        """Read the colours by label.

        Raises
        ------
        FileFormatError
            Naming file and line of a bad row.
        """
        from ..files import read_table

        if self.table is None:
            return {}
        rows = read_table(self.table, ("label", "color"))
        colors: dict[int, str] = {}
        for row in rows:
            label = row.whole("label")
            if label is None or label in colors:
                raise FileFormatError(f"{row.where}: label {'is empty' if label is None else f'{label} stands twice'}")
            colors[label] = row["color"]
        return colors


_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Fov:
    """One field of view: an image ``(T, C, Z, Y, X)`` whose pixels are read when asked for.

    Parameters
    ----------
    name : str
        Unique in the dataset.
    planes : mapping of str to Plane
        Channel name → pixels, in channel order.
    stated_pixel_size_um : float, optional
        Pixel size in µm as stated by a table or descriptor.
    like : str
        The file that says the pixel size (or that none is known), where it was taken from another FOV's so that
        this one need not be opened. Checked when pixels are read.
    fallback_pixel_size_um : float, optional
        Pixel size in µm to take where neither a table nor the image states one.
    size_hint : tuple of int, optional
        ``(width, height)`` in px as stated by a table or descriptor, so that the file need not be opened to
        place the FOV. Checked when pixels are read.
    masks : mapping of str to Plane
        Mask name → label image.
    annotations : mapping of str to Annotation
        Annotation name → label image with colours.
    """

    name: str
    planes: Mapping[str, Plane]
    stated_pixel_size_um: float | None = None
    like: str = ""
    fallback_pixel_size_um: float | None = None
    size_hint: tuple[int, int] | None = None
    masks: Mapping[str, Plane] = field(default_factory=dict)
    annotations: Mapping[str, Annotation] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.planes:
            raise ValueError(f"FOV {self.name}: an FOV needs at least one channel")

    @property
    def channels(self) -> tuple[str, ...]:
        """Channel names in order."""
        return tuple(self.planes)

    @cached_property
    def shape(self) -> tuple[int, int, int, int, int]:
        """``(T, C, Z, Y, X)``, from the first channel's file.

        Raises
        ------
        TileReadError
            If the file cannot be read, or its size is not what the table or descriptor states.
        """
        with self._named():
            t, z, y, x = self._checked(next(iter(self.planes.values())))
        return t, len(self.planes), z, y, x

    @cached_property
    def pixel_size_um(self) -> float | None:
        """Pixel size in µm, ``None`` where unknown; opens the image only if no table states it."""
        if self.stated_pixel_size_um is not None or self.like:
            return self.stated_pixel_size_um or self.fallback_pixel_size_um
        with self._named():
            return next(iter(self.planes.values())).pixel_size_um or self.fallback_pixel_size_um

    @cached_property
    def z_step_um(self) -> float | None:
        """From plane to plane in µm, ``None`` where unknown."""
        with self._named():
            return next(iter(self.planes.values())).z_step_um

    @cached_property
    def times_s(self) -> tuple[float, ...] | None:
        """Time of each time point in s (NaN where one is unknown), ``None`` where the file states none."""
        with self._named():
            return next(iter(self.planes.values())).times_s

    @property
    def size_px(self) -> tuple[int, int]:
        """``(width, height)`` in px; opens the file only if nothing else states it."""
        return self.size_hint or (self.shape[4], self.shape[3])

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The dtype that holds every channel."""
        with self._named():
            return np.result_type(*{plane.dtype for plane in self.planes.values()})

    @property
    def bounds(self) -> Window:
        """The whole FOV, FOV px."""
        width, height = self.size_px
        return Window(0, width, 0, height)

    def read(
        self,
        channels: Sequence[str] | None = None,
        region: Region | None = None,
        downsample: int = 1,
        t: int = 0,
        z: ZChoice = 0,
    ) -> NDArray[Any]:
        """Read pixels.

        Parameters
        ----------
        channels : sequence of str, optional
            Which channels, in this order (all by default).
        region : Region, optional
            FOV px, half-open; fractional bounds go outward, what lies outside the FOV is left out.
        downsample : int
            Area mean over squares of so many px, on a grid that starts at the FOV's corner.
        t : int
            Time point.
        z : int or "max" or "mean"
            Plane or projection.

        Returns
        -------
        ndarray, (C, H, W)
            Source dtype at downsample 1, float32 above.

        Raises
        ------
        UnknownNameError
            If a channel does not exist; those present are listed.
        RegionError
            If the region lies wholly outside, or t or z does not exist.
        TileReadError
            If a file cannot be read.
        """
        names = self.channels if channels is None else channels
        window = self.bounds if region is None else inside(region, self.bounds, f"FOV {self.name}")
        grid = Grid(downsample)
        pixels = grid.pixels(grid.cells(window & self.bounds)) & self.bounds
        stack = self.read_window(names, pixels, t, z)
        return stack if downsample == 1 else area_mean(stack, pixels, grid)[0]

    def read_window(
        self,
        channels: Sequence[str],
        window: Window,
        t: int = 0,
        z: ZChoice = 0,
        *,
        cache: ChunkCache | None = None,
        out: NDArray[Any] | None = None,
    ) -> NDArray[Any]:
        """Read ``(C, H, W)`` pixels of a window within the FOV, undownsampled; see :meth:`read`.

        Parameters
        ----------
        channels : sequence of str
            Which channels, in this order.
        window : Window
            FOV px.
        t : int
            Time point.
        z : int or "max" or "mean"
            Plane or projection.
        cache : ChunkCache, optional
            Where decoded chunks are kept.
        out : ndarray, (C, H, W), optional
            Where the pixels are put, cast to its dtype.

        Returns
        -------
        ndarray, (C, H, W)
            `out`, or an array of :meth:`pixel_dtype`.
        """
        made = self._empty(channels, window, t, z) if out is None else out
        for name, target in zip(channels, made, strict=True):
            self._read_plane(self.plane(name), t, z, window, cache, target)
        return made

    def _empty(self, channels: Sequence[str], window: Window, t: int, z: ZChoice) -> NDArray[Any]:
        """Make room for pixels, after the files were held against the size that is stated, which may be any."""
        for name in channels:
            with self._named():
                self._checked_number(self.plane(name), t, z)
        try:
            return np.empty((len(channels), *window.shape), self.pixel_dtype(channels, z))
        except (MemoryError, ValueError):  # ValueError: more bytes than can be counted
            raise RegionError(
                f"FOV {self.name}: {len(channels)} × {window.shape[1]} × {window.shape[0]} px are more than the memory "
                "holds; ask for a region"
            ) from None

    def chunks_of_window(
        self, channels: Sequence[str], window: Window, t: int = 0, z: ZChoice = 0, *, cache: ChunkCache
    ) -> list[tuple[int, int, list[NDArray[Any]]]] | None:
        """Give the pixels of a window as they lie in the cache, without putting them together.

        Parameters
        ----------
        channels, window, t, z, cache
            As for :meth:`read_window`.

        Returns
        -------
        list of (y, x, list of ndarray (h, w)) or None
            Where each part lies in the window, px, and its pixels by channel; ``None`` where the channels are not
            cut alike, differ in dtype, or are projected.
        """
        if not isinstance(z, int):
            return None
        made: list[tuple[int, int, list[NDArray[Any]]]] = []
        with self._named():
            for name in channels:
                plane = self.plane(name)
                self._checked_number(plane, t, z)
                parts = window_chunks(plane, t, z, window, cache)
                if not made:
                    made = [(y, x, []) for y, x, _ in parts]
                if len(parts) != len(made):
                    return None
                for (y, x, planes), (own_y, own_x, part) in zip(made, parts, strict=True):
                    if (y, x) != (own_y, own_x) or (planes and planes[0].dtype != part.dtype):
                        return None
                    planes.append(part)
        return made

    def pixel_dtype(self, channels: Sequence[str], z: ZChoice = 0) -> np.dtype[Any]:
        """Give the dtype that holds the pixels of some channels; float32 for the mean over z."""
        if z == "mean":
            return np.dtype(np.float32)
        with self._named():
            return np.result_type(*{self.plane(name).dtype for name in channels})

    def plane(self, channel: str) -> Plane:
        """Give a channel's plane.

        Raises
        ------
        UnknownNameError
            If there is none of that name; a name matches exactly, never by part.
        """
        if channel not in self.planes:
            raise UnknownNameError("channel", channel, self.planes, where=f"FOV {self.name}")
        return self.planes[channel]

    def read_labels(
        self, kind: Literal["mask", "annotation"], name: str, window: Window, *, cache: ChunkCache | None = None
    ) -> NDArray[Any]:
        """Read labels of a window within the FOV.

        Parameters
        ----------
        kind : "mask" or "annotation"
            Which of the two.
        name : str
            Its name.
        window : Window
            FOV px.
        cache : ChunkCache, optional
            Where decoded chunks are kept.

        Returns
        -------
        ndarray of int, (H, W)

        Raises
        ------
        UnknownNameError
            If the FOV has none of that name.
        TileReadError
            If the file cannot be read, is not of the FOV's size, or holds no whole numbers.
        """
        found: Mapping[str, Any] = self.masks if kind == "mask" else self.annotations
        if name not in found:
            raise UnknownNameError(kind, name, found, where=f"FOV {self.name}")
        plane: Plane = found[name] if kind == "mask" else found[name].plane
        labels = self._read_plane(plane, 0, 0, window, cache)
        if labels.dtype.kind not in "iub":
            raise TileReadError(f"FOV {self.name}: {plane.path}: a {kind} holds whole numbers, not {labels.dtype}")
        return labels

    def sources(self) -> list[Path]:
        """List the image files behind the FOV, each once."""
        return list(dict.fromkeys(path for plane in self.planes.values() for path in files_of(plane)))

    def all_planes(self) -> list[Plane]:
        """List the planes of channels, masks and annotations."""
        return [*self.planes.values(), *self.masks.values(), *(one.plane for one in self.annotations.values())]

    def _checked(self, plane: Plane) -> tuple[int, int, int, int]:
        """Give a plane's shape, holding its size against what was stated and against the other planes."""
        t, z, y, x = plane.shape
        if self.size_hint and self.size_hint != (x, y):
            raise TileReadError(
                f"{plane.path} is {x} × {y} px, but the FOV is stated as {self.size_hint[0]} × {self.size_hint[1]} px"
            )
        own, taken = plane.pixel_size_um, self.pixel_size_um
        if self.like and own and (taken is None or abs(own / taken - 1) > SAME_PIXEL_SIZE):
            said = "none" if taken is None else f"{taken:g} µm/px"
            raise TileReadError(
                f"{plane.path} states {own:g} µm/px, but {said} was taken from {self.like}; "
                "give each tile its pixel_size_um in the table"
            )
        return t, z, y, x

    def _read_plane(
        self,
        plane: Plane,
        t: int,
        z: ZChoice,
        window: Window,
        cache: ChunkCache | None = None,
        out: NDArray[Any] | None = None,
    ) -> NDArray[Any]:
        with self._named():
            one = self._checked_number(plane, t, z)
            if isinstance(one, int):
                return read_window(plane, t, one, window, cache, out)
            planes = (read_window(plane, t, index, window, cache) for index in range(plane.shape[1]))
            projected = _highest(planes) if one == "max" else _mean(planes, plane.shape[1])
        if out is None:
            return projected
        out[...] = projected
        return out

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Put the FOV's name before what is wrong with its files."""
        try:
            yield
        except TileReadError as error:
            if str(error).startswith(f"FOV {self.name}: "):
                raise
            raise TileReadError(f"FOV {self.name}: {error}") from error

    def _checked_number(self, plane: Plane, t: int, z: ZChoice) -> ZChoice:
        """Hold a plane and the numbers asked of it against the FOV; give z as a plain number or projection."""
        times, depth, height, width = self._checked(plane)
        if (width, height) != self.size_px:
            raise TileReadError(
                f"{plane.path} is {width} × {height} px, the FOV {self.size_px[0]} × {self.size_px[1]} px"
            )
        one = z if z in ("max", "mean") else _number(z, "z, unless it is 'max' or 'mean',")
        for axis, index, count in (("t", _number(t, "t"), times), ("z", one, depth)):
            if isinstance(index, int) and not 0 <= index < count:
                raise RegionError(f"FOV {self.name}: {axis} = {index} does not exist (0 to {count - 1} do)")
        return one


def _highest(planes: Iterator[NDArray[Any]]) -> NDArray[Any]:
    highest = next(planes).copy()
    for plane in planes:
        np.maximum(highest, plane, out=highest)
    return highest


def _mean(planes: Iterator[NDArray[Any]], count: int) -> NDArray[np.float32]:
    total = next(planes).astype(np.float64)
    for plane in planes:
        total += plane
    mean: NDArray[np.float32] = (total / count).astype(np.float32)
    return mean


def _number(value: object, what: str) -> int:
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise RegionError(f"{what} must be a whole number, not {value!r}") from None
