"""``render_fov_to_array``: one FOV, or arrays that stand for one, to pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import FileFormatError, RegionError, UnknownNameError
from ..images.cache import ChunkCache
from ..images.fov import Fov, ZChoice
from ..images.region import Grid, Region, Window, inside
from .channels import ChannelSettings, check_settings, hex_color
from .engine import Piece
from .overlays import Overlay
from .scene import Method, Pieces, Pixels, paint, scratch, signed, stack_cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .scene import Labels


def render_fov_to_array(
    source: Fov | Mapping[str, NDArray[Any]],
    channel_settings: Mapping[str, ChannelSettings],
    *,
    region: Region | None = None,
    downsample: int = 1,
    composite: bool = True,
    overlays: Sequence[Overlay] = (),
    method: Method = "area",
    grid_origin: tuple[int, int] = (0, 0),
    pad: bool = False,
    alpha: bool = False,
    background: str = "#000000",
    t: int = 0,
    z: ZChoice = 0,
    labels: Mapping[str, NDArray[Any]] | None = None,
    cache: ChunkCache | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Render one FOV.

    Parameters
    ----------
    source : Fov or mapping of str to ndarray (H, W)
        A FOV, or channel name → pixels of any real dtype.
    channel_settings : mapping of str to ChannelSettings
        How each channel is shown; the order of drawing. Names match exactly.
    region : Region, optional
        FOV px, half-open (the whole FOV by default). Fractional bounds go outward to whole pixels, once; what
        lies outside the FOV is left out.
    downsample : int
        Size of an output px in FOV px, at least 1.
    composite : bool
        Colours added up, or the channels as they are.
    overlays : sequence of Overlay
        Annotations, masks and shapes to draw; they need ``composite=True``.
    method : "area" or "nearest"
        Mean over the FOV px of each output px, or one of them (faster, but it aliases).
    grid_origin : tuple of int
        ``(x, y)`` FOV px where an output px begins.
    pad : bool
        Keep the size of a region that reaches beyond the FOV, with background there.
    alpha : bool
        Add an alpha channel: opaque where the FOV is.
    background : str
        Colour beyond the FOV, where `pad` shows it.
    t : int
        Time point.
    z : int or "max" or "mean"
        Plane or projection.
    labels : mapping of str to ndarray of int (H, W), optional
        Masks and annotations by name, where `source` is arrays.
    cache : ChunkCache, optional
        Where decoded chunks are kept.
    out : ndarray, (C, H, W), optional
        Where the channels are put, with ``composite=False`` at downsample 1: a map hands out its own memory.

    Returns
    -------
    ndarray
        uint8 ``(H, W, 3)`` (a view of RGBA memory), or ``(H, W, 4)`` with `alpha`; with ``composite=False`` the
        channels ``(C, H, W)``: source dtype at downsample 1, float32 above.

    Raises
    ------
    UnknownNameError
        If a channel, mask or annotation does not exist; those present are listed.
    RegionError
        If the region lies wholly outside the FOV.
    TileReadError
        If a file cannot be read.
    ValueError
        If no channel is given, `downsample` is less than 1, or `out` does not fit.
    """
    check_settings(channel_settings)
    if overlays and not composite:
        raise ValueError("overlays are drawn on a composite; leave them out or set composite=True")
    scene = _scene(source, labels, t, z, cache)
    scene.check(channel_settings)
    grid = Grid(downsample, *grid_origin)
    window = scene.bounds if region is None else inside(region, scene.bounds, scene.name)
    window = window if pad else window & scene.bounds
    cells = grid.cells(window)
    if out is not None:
        if composite or downsample != 1 or pad or out.shape != (len(channel_settings), *cells.shape):
            raise ValueError(f"out {out.shape} takes the channels at downsample 1, {len(channel_settings)} of {cells}")
        return scene.read(list(channel_settings), grid.pixels(cells), out)
    if not composite:
        return stack_cells(scene, list(channel_settings), cells, grid, method=method)
    rgba = paint(scene, channel_settings, cells, grid, overlays, method=method, background=hex_color(background))
    return rgba if alpha else rgba[..., :3]


def annotation_colors(fov: Fov, name: str) -> dict[int, str]:
    """Give the colours by label of a FOV's annotation.

    Raises
    ------
    UnknownNameError
        If the FOV has none of that name.
    FileFormatError
        Naming the table and the label whose colour is none.
    """
    if name not in fov.annotations:
        raise UnknownNameError("annotation", name, fov.annotations, where=f"FOV {fov.name}")
    colors = fov.annotations[name].colors()
    for label, color in colors.items():
        try:
            hex_color(color)
        except ValueError as error:
            raise FileFormatError(f"{fov.annotations[name].table}: label {label}: {error}") from None
    return colors


@dataclass(frozen=True)
class _FovScene:
    """A FOV as a scene: one tile that covers everything."""

    fov: Fov
    t: int
    z: ZChoice
    cache: ChunkCache

    @property
    def name(self) -> str:
        return f"FOV {self.fov.name}"

    @property
    def bounds(self) -> Window:
        return self.fov.bounds

    def check(self, channels: Mapping[str, ChannelSettings]) -> None:
        for name in channels:
            self.fov.plane(name)

    def pixels(self, channels: Sequence[str], window: Window) -> Pixels:
        dtype = self.fov.pixel_dtype(channels, self.z) if channels else np.dtype(np.uint8)  # all may be invisible
        return Pixels(self.read(channels, window, scratch((len(channels), *window.shape), dtype)))

    def pieces(self, channels: Sequence[str], window: Window) -> Pieces | None:
        found = self.fov.chunks_of_window(channels, window, self.t, self.z, cache=self.cache) if channels else None
        return None if found is None else Pieces([Piece(*part) for part in found])

    def read(self, channels: Sequence[str], window: Window, out: NDArray[Any]) -> NDArray[Any]:
        return self.fov.read_window(channels, window, self.t, self.z, cache=self.cache, out=out)

    def stored_step(self) -> int:
        return 1

    def stored(self, channels: Sequence[str], block: Window, grid: Grid) -> None:  # noqa: ARG002
        return None

    def labels(self, kind: Literal["mask", "annotation"], name: str, window: Window) -> Labels:
        return signed(self.fov.read_labels(kind, name, window, cache=self.cache))

    def owners(self, window: Window) -> NDArray[np.int32]:
        return np.zeros(window.shape, np.int32)

    def colors(self, name: str, tile: int) -> dict[int, str]:  # noqa: ARG002 - there is but one tile
        return annotation_colors(self.fov, name)


@dataclass(frozen=True)
class _ArrayScene:
    """Arrays by channel as a scene."""

    arrays: Mapping[str, NDArray[Any]]
    label_arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    name: str = "the arrays given"

    @property
    def bounds(self) -> Window:
        height, width = next(iter(self.arrays.values())).shape
        return Window(0, width, 0, height)

    def check(self, channels: Mapping[str, ChannelSettings]) -> None:
        for name in channels:
            if name not in self.arrays:
                raise UnknownNameError("channel", name, self.arrays, where=self.name)

    def pixels(self, channels: Sequence[str], window: Window) -> Pixels:
        dtype = np.result_type(*(self.arrays[name].dtype for name in channels)) if channels else np.dtype(np.uint8)
        return Pixels(self.read(channels, window, scratch((len(channels), *window.shape), dtype)))

    def pieces(self, channels: Sequence[str], window: Window) -> Pieces | None:
        at = window.slices_in(Window(0, 0, 0, 0))
        planes = [self.arrays[name][at] for name in channels]
        rows = all(
            plane.strides[1] == plane.itemsize and plane.strides[0] % plane.itemsize == 0 and plane.flags.aligned
            for plane in planes
        )
        alike = rows and len({plane.dtype for plane in planes}) == 1
        return Pieces([Piece(0, 0, planes)]) if alike else None

    def read(self, channels: Sequence[str], window: Window, out: NDArray[Any]) -> NDArray[Any]:
        at = window.slices_in(Window(0, 0, 0, 0))
        for name, target in zip(channels, out, strict=True):
            target[...] = self.arrays[name][at]
        return out

    def stored_step(self) -> int:
        return 1

    def stored(self, channels: Sequence[str], block: Window, grid: Grid) -> None:  # noqa: ARG002
        return None

    def labels(self, kind: Literal["mask", "annotation"], name: str, window: Window) -> Labels:
        if name not in self.label_arrays:
            raise UnknownNameError(kind, name, self.label_arrays, where=self.name)
        found = np.asarray(self.label_arrays[name])
        if found.shape != (self.bounds.y1, self.bounds.x1):
            raise ValueError(f"{kind} {name} is {found.shape}, the channels are {self.bounds.shape}")
        return signed(found[window.slices_in(Window(0, 0, 0, 0))])

    def owners(self, window: Window) -> NDArray[np.int32]:
        return np.zeros(window.shape, np.int32)

    def colors(self, name: str, tile: int) -> dict[int, str]:  # noqa: ARG002 - there is but one tile
        raise ValueError(f"annotation {name}: give its colours, since arrays have no table of them")


def _scene(
    source: Fov | Mapping[str, NDArray[Any]],
    labels: Mapping[str, NDArray[Any]] | None,
    t: int,
    z: ZChoice,
    cache: ChunkCache | None,
) -> _FovScene | _ArrayScene:
    if isinstance(source, Fov):
        if labels:
            raise ValueError("labels go with arrays; a FOV has its own masks and annotations")
        return _FovScene(source, t, z, ChunkCache() if cache is None else cache)
    shapes = {name: np.shape(array) for name, array in source.items()}
    if not shapes:
        raise ValueError("no channel was given; expected a mapping of channel name to 2-D array")
    if len(set(shapes.values())) > 1 or any(len(shape) != 2 for shape in shapes.values()):
        raise ValueError(f"the channels must be 2-D arrays of one shape, they are {shapes}")
    if t != 0 or z not in (0, "max", "mean"):
        raise RegionError(f"arrays given have one time and one plane; t = {t}, z = {z} does not exist")
    return _ArrayScene({name: np.asarray(array) for name, array in source.items()}, labels or {})
