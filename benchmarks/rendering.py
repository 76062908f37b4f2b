"""Rows about compositing, reading, overviews, the index and outlines."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
import zarr
from data import CHANNELS, cell_labels, many_tiles, settings, sixteen_tiles, tissue
from harness import THREADS, Check, Row, in_threads, medians
from skimage.segmentation import find_boundaries

from napari_slicemap import ChannelSettings, MaskOverlay, Region, open_dataset, render_fov_to_array
from napari_slicemap.images.cache import ChunkCache
from napari_slicemap.images.plane import read_window, window_chunks
from napari_slicemap.images.region import Window
from napari_slicemap.maps.index import TileIndex
from napari_slicemap.render.build_levels import build_levels
from napari_slicemap.render.channels import rgb
from napari_slicemap.render.engine import Piece, composite_into, composite_pieces, draw_mask_into
from napari_slicemap.render.virtual_map import VirtualMap

REGION = Region(0, 4096, 0, 4096)


def naive_float32(stack: np.ndarray, channels: list) -> np.ndarray:
    """Composite as most scripts do: float32 arrays, channel by channel."""
    total = np.zeros((*stack.shape[1:], 3), np.float32)
    for plane, one in zip(stack, channels, strict=True):
        low, high = one.contrast_limits
        share = np.clip((plane.astype(np.float32) - np.float32(low)) / np.float32(high - low), 0, 1)
        if one.gamma != 1:
            share = share ** np.float32(one.gamma)
        total += share[..., None] * np.array(rgb(one.color), np.float32)
    return np.round(np.clip(total, 0, 1) * 255).astype(np.uint8)


def composite_in_threads(stack: np.ndarray, channels: list, canvas: np.ndarray, bands: list) -> None:
    def run(band: slice) -> None:
        composite_pieces(canvas[band], [Piece(0, 0, [plane[band] for plane in stack])], channels)

    in_threads(run, bands)


def _bands(height: int, count: int = 8) -> list[slice]:
    return [slice(height * n // count, height * (n + 1) // count) for n in range(count)]


def in_memory(_root: Path) -> list[Row]:
    """Composite 2048² × 5 uint16 that lie in memory, linear and with gamma."""
    stack = tissue((5, 2048, 2048))
    planes = dict(zip(CHANNELS, stack, strict=True))
    canvas, copied = np.empty((2048, 2048), np.uint32), np.empty_like(stack)
    bands = _bands(2048, THREADS)
    rows = []
    flat, wild = np.full_like(stack, 700), np.random.default_rng(0).integers(0, 65536, stack.shape, np.uint16)
    for name, gamma, least in (("linear", 1.0, 120), ("gamma on all channels", 0.6, 50)):
        looks = settings(CHANNELS, gamma)
        channels = list(looks.values())
        found = medians(
            {
                "numpy float32": lambda channels=channels: naive_float32(stack, channels),
                "copy of the same bytes": lambda: in_threads(
                    lambda band: np.copyto(copied[:, band], stack[:, band]), bands
                ),
                "kernel": lambda channels=channels: composite_in_threads(stack, channels, canvas, bands),
                "kernel, flat image": lambda channels=channels: composite_in_threads(flat, channels, canvas, bands),
                "kernel, random image": lambda channels=channels: composite_in_threads(wild, channels, canvas, bands),
                "render_fov_to_array": lambda looks=looks: render_fov_to_array(planes, looks),
            },
            rounds=15,
        )
        checks = [Check("kernel against numpy", found["numpy float32"] / found["kernel"], least, at_most=False)]
        if gamma == 1.0:
            copy = found["kernel"] / found["copy of the same bytes"]
            checks.append(Check("kernel against a copy", copy, 2, at_most=True))
        else:
            spread = max(found["kernel, flat image"], found["kernel, random image"], found["kernel"])
            spread /= min(found["kernel, flat image"], found["kernel, random image"], found["kernel"])
            checks.append(Check("slowest against fastest data", spread, 1.25, at_most=True))
        rows.append(Row(f"2048² × 5 uint16 in memory, {name}", found, checks))
    return rows


def region_from_disk(root: Path, kind: str) -> list[Row]:
    """Render 4096² × 5 from 16 tiles on disk."""
    folder = sixteen_tiles(root, kind)
    one = open_dataset(folder).maps["m"]
    looks = settings(CHANNELS)
    channels = list(looks.values())
    canvas = np.empty((4096, 4096), np.uint32)
    assembled = np.empty((5, 4096, 4096), np.uint16)
    bands = _bands(4096, 16)
    windows = [(tile, tile.window & Window(0, 4096, 0, 4096)) for tile in one.placement.tiles]

    def plainly(read: Callable[[str], np.ndarray]) -> None:
        for tile, shared in windows:
            rows, columns = shared.shifted(-tile.window.x0, -tile.window.y0).slices_in(Window(0, 0, 0, 0))
            stack = read(str(tile.fov.sources()[0]))[:, rows, columns]
            assembled[:, *shared.slices_in(Window(0, 0, 0, 0))] = stack
        composite_in_threads(assembled, channels, canvas, bands)

    # memory that a process uses for the first time is slow to come by: here the cache has its memory, but no pixels
    fresh = VirtualMap(one.placement, ChunkCache())

    def ours() -> None:
        fresh.cache.clear()
        fresh.render_region(REGION, looks)

    jobs = [(tile.fov, name) for tile, _ in windows for name in CHANNELS]
    reads = _raw_reads(jobs)

    def read() -> None:
        in_threads(lambda reader: reader(), reads)

    kept = ChunkCache()

    def read_and_decode() -> None:
        kept.clear()
        in_threads(lambda job: read_window(job[0].planes[job[1]], 0, 0, job[0].bounds, kept), jobs)

    if kind == "zarr":
        reference = {"zarr-python": lambda: plainly(lambda path: zarr.open_array(f"{path}/0", mode="r")[...])}
    else:
        reference = {"tifffile.imread": lambda: plainly(tifffile.imread)}
    cached = VirtualMap(one.placement, ChunkCache(2**30))
    cached.render_region(REGION, looks)
    changed = {name: ChannelSettings(one.color, (120.0, 900.0)) for name, one in looks.items()}
    found = medians(
        {
            **reference,
            "render_region": ours,
            "reading the bytes": read,
            "reading and decoding": read_and_decode,
            "compositing": lambda: composite_in_threads(assembled, channels, canvas, bands),
            "contrast change, cached": lambda: cached.render_region(REGION, changed),
        },
        rounds=7,
    )
    (peer,) = reference
    name = "zarr lz4, 256² chunks" if kind == "zarr" else "TIFF zstd, 256² tiles"
    least = 5 if kind == "zarr" else 1.3
    checks = [Check(f"against {peer}", found[peer] / found["render_region"], least, at_most=False)]
    if kind == "zarr":
        parts = found["reading and decoding"] + found["compositing"]
        checks.append(Check("against the sum of its parts", found["render_region"] / parts, 1.3, at_most=True))
    change = Check("contrast change", found["render_region"] / found["contrast change, cached"], 5, at_most=False)
    return [Row(f"4096² × 5 of 16 tiles on disk, {name}", found, [*checks, change])]


def _raw_reads(jobs: list) -> list[Callable[[], int]]:
    """Give a reader for all the files behind the jobs, without decoding."""
    sources = dict.fromkeys(path for fov, _ in jobs for path in fov.sources())
    found = (file for path in sources for file in ([path] if path.is_file() else path.rglob("c/**/*")))
    files = [file for file in found if file.is_file()]
    return [lambda file=file: len(file.read_bytes()) for file in files]


def overview(root: Path) -> list[Row]:
    """See 1024 tiles × 3 at 1/16."""
    folder = many_tiles(root)
    looks = settings(CHANNELS[:3])
    shutil.rmtree(folder / ".slicemap-cache", ignore_errors=True)
    one = open_dataset(folder).maps["m"]
    tiles = [(str(tile.fov.sources()[0]), tile) for tile in one.placement.tiles]

    def zarr_python_cold() -> None:
        canvas = np.empty((3, 2048, 2048), np.uint16)
        for path, tile in tiles:
            x, y = tile.window.x0 // 16, tile.window.y0 // 16
            canvas[:, y : y + 64, x : x + 64] = zarr.open_array(f"{path}/16", mode="r")[...]
        naive = np.empty((2048, 2048), np.uint32)
        composite_into(naive, canvas, list(looks.values()))

    small = ChunkCache(2**27)

    def decode_all() -> None:
        small.clear()
        jobs = [(tile.fov, name) for _, tile in tiles for name in CHANNELS[:3]]
        in_threads(lambda job: window_chunks(job[0].planes[job[1]], 0, 0, job[0].bounds, small), jobs)

    built = medians(
        {"one decoding pass": decode_all, "building the levels": lambda: build_levels(_uncached_with_levels(one))},
        rounds=3,
        warm=1,
    )

    def stored() -> None:
        fresh = _uncached_with_levels(one)
        fresh.render_region(None, looks, downsample=16, levels="stored")

    kept = _uncached_with_levels(one)
    kept.render_region(None, looks, downsample=16, levels="stored")

    def from_disk() -> None:
        kept.cache.clear()
        kept.render_region(None, looks, downsample=16, levels="stored")

    found = medians(
        {
            "zarr-python, cold": zarr_python_cold,
            "stored levels, first use (all tiles looked at for changes)": stored,
            "stored levels, from disk": from_disk,
            "stored levels, cached": lambda: kept.render_region(None, looks, downsample=16, levels="stored"),
        },
        rounds=5,
    )
    checks = [
        Check("against zarr-python", found["zarr-python, cold"] / found["stored levels, from disk"], 60, at_most=False),
        Check("building", built["building the levels"] / built["one decoding pass"], 1.3, at_most=True),
    ]
    return [Row("overview of 1024 tiles × 3 at 1/16", {**found, **built}, checks)]


def _uncached_with_levels(one: VirtualMap) -> VirtualMap:
    from napari_slicemap.render.stored import StoredLevels

    cache = ChunkCache()
    stored = StoredLevels(one.stored.path.parent, one.placement, one.stored.overlap, cache)
    return VirtualMap(one.placement, cache, stored)


def index(_root: Path) -> list[Row]:
    """Find the visible tiles among a million, and among a thousand."""

    def tiles(side: int) -> np.ndarray:
        y, x = (part.ravel() * 1850 for part in np.mgrid[:side, :side])
        jitter = np.random.default_rng(0).integers(-20, 20, (2, side * side))
        x, y = x + jitter[0], y + jitter[1]
        return np.stack([x, x + 2048, y, y + 2048], axis=1)

    many, few = tiles(1000), tiles(32)
    large, small = TileIndex(many), TileIndex(few)
    about = {1000: Window(900_000, 911_500, 900_000, 911_000), 32: Window(20_000, 31_500, 20_000, 31_000)}
    seen = len(large.touching(about[1000]))

    def scan() -> None:
        w = about[1000]
        np.flatnonzero((many[:, 0] < w.x1) & (many[:, 1] > w.x0) & (many[:, 2] < w.y1) & (many[:, 3] > w.y0))

    found = medians(
        {
            "scan of 10⁶": scan,
            "index of 10⁶": lambda: large.touching(about[1000]),
            "index of 10³": lambda: small.touching(about[32]),
        },
        rounds=51,
    )
    built = medians({"build of 10⁶": lambda: TileIndex(many)}, rounds=3)
    checks = [
        Check("query of 10⁶", 1000 * found["index of 10⁶"], 100, at_most=True, unit="µs"),
        Check("10⁶ against 10³", found["index of 10⁶"] / found["index of 10³"], 20, at_most=True),
        Check("build", built["build of 10⁶"] / 1000, 2, at_most=True, unit="s"),
    ]
    return [Row(f"visible tiles among 10⁶ ({seen} seen)", {**found, **built}, checks)]


def outlines(_root: Path) -> list[Row]:
    """Draw the outlines of a mask of 2048²."""
    labels = cell_labels((2048, 2048))
    image = np.zeros((2048, 2048, 3), np.uint8)
    canvas = np.zeros((2048, 2048), np.uint32)
    overlay = MaskOverlay("cell", color="#ffff00")
    color = np.array([255, 255, 0], np.uint8)

    def by_skimage() -> None:
        image[find_boundaries(labels, mode="inner")] = color

    whole = Window(0, 2048, 0, 2048)
    found = medians(
        {
            "skimage find_boundaries + blit": by_skimage,
            "ours": lambda: draw_mask_into(canvas, labels, overlay, 1, whole),
        }
    )
    checks = [Check("against skimage", found["skimage find_boundaries + blit"] / found["ours"], 8, at_most=False)]
    return [Row("mask outlines, 2048²", found, checks)]


def growth(root: Path) -> list[Row]:
    """Show how cost grows with tiles, channels and area."""
    one = open_dataset(sixteen_tiles(root, "zarr")).maps["m"]
    kept = VirtualMap(one.placement, ChunkCache(2**30))
    kept.render_region(REGION, settings(CHANNELS))
    by_channels = {
        f"{count} channels": lambda count=count: kept.render_region(REGION, settings(CHANNELS[:count]))
        for count in (1, 2, 3, 4, 5)
    }
    by_area = {
        f"{side}² px": lambda side=side: kept.render_region(Region(0, side, 0, side), settings(CHANNELS))
        for side in (512, 1024, 2048, 4096)
    }
    many = VirtualMap(open_dataset(many_tiles(root)).maps["m"].placement)
    looks = settings(CHANNELS[:3])
    by_tiles = {
        f"{side * side} tiles at 1/16, from the tiles": lambda side=side: VirtualMap(many.placement).render_region(
            Region(0, side * 1024, 0, side * 1024), looks, downsample=16
        )
        for side in (1, 2, 4, 8)
    }
    return [
        Row("growth with channels (4096², cached)", medians(by_channels, rounds=5), []),
        Row("growth with area (5 channels, cached)", medians(by_area, rounds=5), []),
        Row("growth with tiles (from disk)", medians(by_tiles, rounds=3), []),
    ]


ROWS: dict[str, Callable[[Path], list[Row]]] = {
    "memory": in_memory,
    "zarr": lambda root: region_from_disk(root, "zarr"),
    "tiff": lambda root: region_from_disk(root, "tiff"),
    "overview": overview,
    "index": index,
    "outlines": outlines,
    "growth": growth,
}
