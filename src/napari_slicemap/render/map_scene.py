"""A map as a scene: its tiles put together by the overlap rule, window by window."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import TileReadError, UnknownNameError
from ..images.area import resample, resample_nearest
from ..images.cache import ChunkCache
from ..images.fov import Fov, ZChoice
from ..images.region import Grid, Window
from ..maps.placement import PlacedTile, Placement
from .channels import ChannelSettings
from .engine import Piece
from .fov import annotation_colors, render_fov_to_array
from .overlap import Overlap, blend_weights, lay_out, owner_of_contested, owner_of_pixels
from .scene import Pieces, Pixels, blank_labels, scratch, signed
from .stored import StoredLevel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .scene import Labels

OnMissing = Literal["raise", "mark"]

# channels read uncomposited have no look; the settings only name them
_ANY = ChannelSettings("#ffffff", (0.0, 1.0))


@dataclass
class MapScene:
    """A map as a scene, for one picture: gathers which tiles could not be read.

    Parameters
    ----------
    placement : Placement
        Where the tiles lie.
    cache : ChunkCache
        Where decoded chunks are kept.
    overlap : Overlap
        Who paints where tiles overlap.
    on_missing : "raise" or "mark"
        What to do about a tile that cannot be read.
    t, z
        Which plane of the tiles.
    asked : Window
        Map px of the picture: outlines look beyond them, where a missing tile is no fault.
    level : StoredLevel or None
        A coarse level to read instead of the tiles.
    missing : list of str
        Why tiles could not be read, in the order of the tiles.
    """

    placement: Placement
    cache: ChunkCache
    overlap: Overlap
    on_missing: OnMissing
    t: int
    z: ZChoice
    asked: Window
    level: StoredLevel | None = None
    missing: list[str] = field(default_factory=list)
    _reasons: dict[int, str] = field(default_factory=dict)
    _colors: dict[tuple[str, int], dict[int, str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def bounds(self) -> Window:
        """The canvas, map px."""
        height, width = self.placement.shape
        return Window(0, width, 0, height)

    def owners(self, window: Window) -> NDArray[np.int32]:
        """Say which tile paints each pixel of a window; -1 where none does."""
        return owner_of_pixels(self.placement, window, self.overlap)

    # --- pixels -----------------------------------------------------------------------------------------------
    def pixels(self, channels: Sequence[str], window: Window) -> Pixels:
        """Put a window's pixels together from its tiles."""
        layout = lay_out(self.placement, window, self.overlap)
        tiles = dict.fromkeys([*layout.painted, *(index for _, some in layout.contested for index in some)])
        stack = scratch((len(channels), *window.shape), self.dtype(channels, tiles))
        failed = set[int]()
        # a mask of what is there all over would cost as much as reading it
        covered = None if layout.full else np.zeros(window.shape, bool)
        for index in layout.painted:
            shared = self.placement.tiles[index].window & window
            at = shared.slices_in(window)
            read = self._read(index, channels, shared, stack[:, *at], failed)
            if covered is None and not read:
                covered = np.ones(window.shape, bool)
            if covered is not None:
                covered[at] = read
        for rect, some in layout.contested:
            at = rect.slices_in(window)
            there = self._contested(rect, some, channels, stack[:, *at], failed)
            if covered is None and not there.all():
                covered = np.ones(window.shape, bool)
            if covered is not None:
                covered[at] = there
        return Pixels(stack, covered, frozenset(failed))

    def pieces(self, channels: Sequence[str], window: Window) -> Pieces | None:
        """Give a window's pixels as they lie in the cache, tile by tile, where that is enough."""
        layout = lay_out(self.placement, window, self.overlap)
        tiles = [self.placement.tiles[index] for index in layout.painted]
        if not channels or layout.contested or any(tile.ratio != 1.0 for tile in tiles):
            return None
        made, failed, dtypes = list[Piece](), set[int](), set[np.dtype[Any]]()
        for index, tile in zip(layout.painted, tiles, strict=True):
            shared = tile.window & window
            local = shared.shifted(-tile.window.x0, -tile.window.y0)
            try:
                fov = _fov_of(tile, self.placement.map_id)
                parts = fov.chunks_of_window(channels, local, self.t, self.z, cache=self.cache)
            except (TileReadError, UnknownNameError) as error:
                if self.on_missing == "raise":
                    raise
                failed.add(index)
                self._note(index, error)
                continue
            if parts is None:
                return None
            dtypes.add(parts[0][2][0].dtype)
            y0, x0 = shared.y0 - window.y0, shared.x0 - window.x0
            made += [Piece(y0 + y, x0 + x, planes) for y, x, planes in parts]
        # what is blended is float32: a pixel beside it must not be more exact than it would be within
        alike = len(dtypes) <= 1 and (self.overlap != "blend" or all(np.can_cast(one, np.float32) for one in dtypes))
        return Pieces(made, frozenset(failed)) if alike else None

    def dtype(self, channels: Sequence[str], tiles: Sequence[int] | dict[int, None]) -> np.dtype[Any]:
        """Give the dtype that holds the pixels of some tiles."""
        if not channels:  # all are invisible
            return np.dtype(np.uint8)
        if self.overlap == "blend":
            return np.dtype(np.float32)
        found = {self._tile_dtype(self.placement.tiles[index], channels) for index in tiles} - {None}
        return np.result_type(*found) if found else np.dtype(np.float32)

    def _tile_dtype(self, tile: PlacedTile, channels: Sequence[str]) -> np.dtype[Any] | None:
        """Give the dtype of a tile's pixels; ``None`` where reading them will say what is wrong."""
        if tile.fov is None:
            return None
        try:
            return np.dtype(np.float32) if tile.ratio != 1.0 else tile.fov.pixel_dtype(channels, self.z)
        except (TileReadError, UnknownNameError):
            return None

    def _read(self, index: int, channels: Sequence[str], shared: Window, out: NDArray[Any], failed: set[int]) -> bool:
        """Read a part of a tile into `out` ``(C, H, W)``; say whether it could be read."""
        if not channels:
            return True
        if index in failed:
            return False
        try:
            self._read_tile(self.placement.tiles[index], channels, shared, out)
        except (TileReadError, UnknownNameError) as error:
            if self.on_missing == "raise":
                raise
            failed.add(index)
            self._note(index, error)
            return False
        return True

    def _read_tile(self, tile: PlacedTile, channels: Sequence[str], shared: Window, out: NDArray[Any]) -> None:
        fov = _fov_of(tile, self.placement.map_id)
        local = shared.shifted(-tile.window.x0, -tile.window.y0)
        if tile.ratio == 1.0:
            self._render(fov, channels, local, out)
            return

        def read(window: Window) -> NDArray[Any]:
            made = np.empty((len(channels), *window.shape), fov.pixel_dtype(channels, self.z))
            return self._render(fov, channels, window, made)

        out[...] = resample(read, fov.size_px, tile.ratio, local)

    def _render(self, fov: Fov, channels: Sequence[str], window: Window, out: NDArray[Any]) -> NDArray[Any]:
        return render_fov_to_array(
            fov,
            dict.fromkeys(channels, _ANY),
            region=window.region,
            composite=False,
            t=self.t,
            z=self.z,
            cache=self.cache,
            out=out,
        )

    def _contested(
        self, rect: Window, tiles: Sequence[int], channels: Sequence[str], out: NDArray[Any], failed: set[int]
    ) -> NDArray[np.bool_]:
        """Decide a rectangle pixel by pixel, into `out` ``(C, H, W)``; say where the deciding tile could be read."""
        owner = owner_of_contested(self.placement, rect, tiles, self.overlap)
        mixing = self.overlap == "blend"
        total, weight = np.zeros(out.shape), np.zeros(out.shape)
        for index in tiles:
            mine = owner == index
            if not (mixing or mine.any()):
                continue
            part = np.empty(out.shape, out.dtype)
            if not self._read(index, channels, rect, part, failed):
                continue
            if mixing:
                share = np.where(np.isnan(part), 0.0, blend_weights(self.placement.tiles[index].window, rect))
                total += np.where(share > 0, part, 0.0) * share
                weight += share
            else:
                np.copyto(out, part, where=mine)
        if mixing:  # where every tile is NaN, so is the mean
            out[...] = np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)
        return ~np.isin(owner, list(failed))

    def stored_step(self) -> int:
        """Say how coarse the level is that is read instead of the tiles; 1 if none is."""
        return 1 if self.level is None else self.level.step

    def stored(self, channels: Sequence[str], block: Window, grid: Grid) -> Pixels | None:
        """Read cells from the coarse level, if there is one."""
        if self.level is None:
            return None
        found = self.level.read(channels, block, grid)
        failed = set[int]()
        reasons = {fov: why for name in channels for fov, why in self.level.missing[name].items()}
        for index in self.placement.visible(grid.pixels(block) & self.bounds) if reasons else []:
            if (why := reasons.get(self.placement.tiles[index].name)) is not None:
                if self.on_missing == "raise":
                    raise TileReadError(why)
                failed.add(index)
                self._note(index, TileReadError(why))
        return Pixels(found.stack, found.covered, frozenset(failed))

    def reasons(self) -> dict[str, str]:
        """Give the FOVs that could not be read so far, and why."""
        return {self.placement.tiles[index].name: why for index, why in sorted(self._reasons.items())}

    def _note(self, index: int, error: Exception) -> None:
        with self._lock:
            self._reasons[index] = str(error)
            self.missing[:] = [self._reasons[one] for one in sorted(self._reasons)]

    # --- labels -----------------------------------------------------------------------------------------------
    def labels(self, kind: Literal["mask", "annotation"], name: str, window: Window) -> Labels:
        """Put a window's labels together from its tiles; ``OUTSIDE`` where there are none."""
        layout = lay_out(self.placement, window, self.overlap)
        parts: list[tuple[Window, Labels, NDArray[np.bool_] | bool]] = []
        for index in layout.painted:
            shared = self.placement.tiles[index].window & window
            parts.append((shared, self._tile_labels(index, kind, name, shared), True))
        for rect, tiles in layout.contested:
            owner = owner_of_contested(self.placement, rect, tiles, self.overlap)
            winners = np.unique(owner).tolist()
            parts += [(rect, self._tile_labels(index, kind, name, rect), owner == index) for index in winners]
        made = blank_labels(window)
        if any(labels.dtype == np.int64 for _, labels, _ in parts):
            made = made.astype(np.int64)
        for shared, labels, where in parts:
            np.copyto(made[shared.slices_in(window)], labels, where=where)
        return made

    def _tile_labels(self, index: int, kind: Literal["mask", "annotation"], name: str, shared: Window) -> Labels:
        tile = self.placement.tiles[index]
        local = shared.shifted(-tile.window.x0, -tile.window.y0)
        try:
            fov = _fov_of(tile, self.placement.map_id)

            def read(window: Window) -> NDArray[Any]:
                return fov.read_labels(kind, name, window, cache=self.cache)

            return signed(read(local) if tile.ratio == 1.0 else resample_nearest(read, fov.size_px, tile.ratio, local))
        except (TileReadError, UnknownNameError) as error:
            if not (tile.window & self.asked).empty:
                if self.on_missing == "raise":
                    raise
                self._note(index, error)  # the pixels are there: no reason to hatch them
            return blank_labels(shared)

    def colors(self, name: str, tile: int) -> dict[int, str]:
        """Give an annotation's colours on one tile, read once."""
        if tile in self._reasons:
            return {}
        if (name, tile) not in self._colors:
            self._colors[name, tile] = annotation_colors(
                _fov_of(self.placement.tiles[tile], self.placement.map_id), name
            )
        return self._colors[name, tile]


def _fov_of(tile: PlacedTile, map_id: str) -> Fov:
    if tile.fov is None:
        raise TileReadError(f"FOV {tile.name}: map {map_id} names it ({tile.source}), but it is not on disk")
    return tile.fov
