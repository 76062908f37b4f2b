"""The sample acquisition: a block of lymphoid tissue, six serial sections of six tiles, drawn by a program.

The scene is drawn once per slice on one canvas, and tiles are cut from it where the stage says they are, so they fit
together as real ones do. Slice 02 is out of focus and slice 03 has a galvo artefact: something to decide about.
Everything is computed in float64 from seeded generators and rounded at the end, so that a seed gives the same pixels.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import uuid
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .errors import SlicemapError
from .files import table_text, write_json, write_text
from .slices.progress import OnProgress, Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .images.region import Window

    Field = NDArray[np.float64]
    Labels = NDArray[np.int64]

_EDITION = 1
"""Goes up when the same seed starts to give other files, so that an old cached sample is not taken for the new one."""

_CHANNELS = ("DAPI", "CD3", "CD45")
_SLICES, _ROWS, _COLUMNS = 6, 2, 3
_BLURRED, _BANDED = 2, 3
_TILE_PX, _STEP_PX, _PIXEL_UM = 128, 115, 0.65
_CANVAS = (248, 364)  # two rows, three columns and the stage's jitter
_ORIGIN_UM = (12034.4, 8127.25)

_OFFSET, _READ_NOISE, _GAIN = 100.0, 2.0, 0.12
_STEP = 4  # a 10-bit converter on a 12-bit scale; twelve bits of noise would not fit the size of a sample
_BAND = slice(70, 80)  # clear of the overlaps (columns 0–13 and 115–128), so that neighbours hold no copy of it
_BAND_LEFT = 0.7  # share of the light in the band

_ZONES = ({"label": 1, "name": "T zone", "color": "#3cb371"}, {"label": 2, "name": "follicle", "color": "#ffa500"})
_WRITTEN_AT = "2024-05-14T09:30:00Z"

# the OCT tiles of the banded slice: the image's A-lines, then those of the mirror's return
_OCT_NZ, _OCT_N, _OCT_EXTRA, _OCT_TILES = 6, 48, 12, 2
_OCT_BAND, _OCT_BAND_LEFT = 20, 0.65
_OCT_STEP_UM, _OCT_Z_UM = 2 * _PIXEL_UM, 3.5
_OCT_CORNER_PX = (40, 90)  # y, x on the canvas


class FolderNotEmptyError(SlicemapError, FileExistsError):
    """The folder to write into already holds something."""


def new_folder(folder: str | os.PathLike[str]) -> Path:
    """Give the folder that a sample is to be written to.

    Raises
    ------
    FolderNotEmptyError
        If it holds something, or is a file.
    """
    target = Path(folder)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise FolderNotEmptyError(f"{target}: expected an absent or empty folder for the sample")
    return target


def make_sample(folder: str | os.PathLike[str], *, seed: int = 7, on_progress: OnProgress | None = None) -> Path:
    """Write the sample acquisition; a seed gives the same pixels and texts each time.

    Parameters
    ----------
    folder : path-like
        Where to; absent or empty.
    seed : int
        Starts every random generator; 0 or more.
    on_progress : callable, optional
        Called with the number of slices that are written, and that of all.

    Returns
    -------
    Path
        `folder`, holding ``slicemap.toml`` and what it names: about 2.5 MB.

    Raises
    ------
    FolderNotEmptyError
        If `folder` holds something, or is a file.
    """
    target = new_folder(folder)
    _write_tables(target, seed)
    cells: list[dict[str, object]] = []
    progress = Progress(on_progress, _SLICES)
    for scene in _scenes(seed):
        windows = _write_map(target, scene.z, seed)
        for name, window in windows.items():
            cells += _write_tile(target, name, window, scene, seed)
        if scene.z == _BANDED:
            _write_oct(target, scene, seed)
        progress.add(1)
    columns = ["fov", "label", "X", "Y", "area", *(f"mean_{name}" for name in _CHANNELS)]
    write_text(target / "cells.csv", table_text(columns, cells))
    return target


def cached_sample(on_progress: OnProgress | None = None) -> Path:
    """Give the sample acquisition in the user's cache, made at the first use.

    Parameters
    ----------
    on_progress : callable, optional
        See :func:`make_sample`; not called where there is nothing to make.

    Returns
    -------
    Path
        Its folder. What the user changes there stays until the cache is cleared.
    """
    import platformdirs

    try:
        release = version("napari-slicemap")
    except PackageNotFoundError:  # run from a checkout
        release = "source"
    target = platformdirs.user_cache_path("napari-slicemap") / f"sample-{release}-{_EDITION}"
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".sample-", dir=target.parent) as temporary:
        made = make_sample(Path(temporary) / target.name, on_progress=on_progress)
        try:
            made.rename(target)
        except OSError:
            if not target.is_dir():  # else another process was faster, and made the same
                raise
    return target


# --- the tissue --------------------------------------------------------------------------------------------
class _Anatomy(NamedTuple):
    """Where points lie in the block, as fields over them.

    `depth` is in px below the capsule, negative outside the tissue; the others are distances from a centre in units
    of the structure's own radius, below 1 within it.
    """

    depth: Field
    follicle: Field
    t_zone: Field
    vessel: Field

    @property
    def tissue(self) -> NDArray[np.bool_]:
        return (self.depth > 0) & (self.vessel > 1)


class _Cell(NamedTuple):
    """A cell: centre and radius in canvas px (z in slices), elongation and direction, brightness per channel."""

    x: float
    y: float
    z: float
    radius: float
    stretch: float
    cos: float
    sin: float
    brightness: tuple[float, float, float]


class _Scene(NamedTuple):
    """One slice on its canvas: light ``(C, H, W)``, cell labels and zone labels ``(H, W)``."""

    z: int
    light: Field
    cells: Labels
    zones: Labels


def _rng(*key: int) -> np.random.Generator:
    return np.random.default_rng(key)


def _anatomy(x: Field, y: Field, z: Field | float) -> _Anatomy:
    """Describe points: x, y in canvas px, z in slices. Everything drifts slowly with z."""
    top = 19 + 7 * np.sin(x / 43 + 0.4 * z) + 4 * np.sin(x / 17 - 0.3 * z)
    right = 322 + 0.14 * y + 7 * np.sin(y / 29 + 0.4 * z) - 2 * z
    ripple = 1 + 0.07 * np.sin(x / 19 + y / 31 + 0.5 * z) + 0.05 * np.sin(y / 13 - x / 37)
    follicle = np.hypot((x - 104 - 4 * z) / (84 - 2 * z), (y - 138 + 3 * z) / (68 + 2 * z)) * ripple
    t_zone = np.hypot((x - 272 - 2 * z) / 84, (y - 150) / 104) / ripple
    u, v = x - 268 + 5 * z, y - 96 - 7 * z
    vessel = np.hypot((0.8 * u + 0.6 * v) / (25 - z), (0.8 * v - 0.6 * u) / (10 + 0.6 * z)) * (0.5 + ripple / 2)
    a, b = y - top, right - x
    depth = (a + b - np.hypot(a - b, 34)) / 2  # the smaller of both, with a round corner
    return _Anatomy(depth, follicle, t_zone, vessel)


def _scatter(seed: int) -> list[_Cell]:
    """Throw cells into the block until it is packed: none nearer to another than their spacing."""
    rng = _rng(seed, 1)
    height, width = _CANVAS
    x, y, z = (rng.random((24_000, 3)) * (width + 12, height + 12, _SLICES + 2) - (6, 6, 1.5)).T
    where = _anatomy(x, y, z)
    centre = where.follicle < 0.55  # a germinal centre: larger cells, wider apart
    spacing = np.where(centre, 11.6, np.where(where.follicle < 1, 8.8, 10.2))
    cells: list[_Cell] = []
    kept = np.empty((0, 3))
    for n in np.flatnonzero((where.depth > 4) & (where.vessel > 1.25)):
        apart = (kept - (x[n], y[n], z[n])) / (spacing[n], spacing[n], 1.7)
        if (np.square(apart).sum(axis=1) < 1).any():
            continue
        kept = np.vstack([kept, (x[n], y[n], z[n])])
        cells.append(_cell(rng, x[n], y[n], z[n], bool(centre[n]), _Anatomy(*(field[n] for field in where))))
    return cells


def _cell(rng: np.random.Generator, x: float, y: float, z: float, centre: bool, where: _Anatomy) -> _Cell:
    chance, leukocyte, size, stretch, turn, *glow = rng.random(8)
    is_t = chance < (0.06 if where.follicle < 1 else 0.85 if where.t_zone < 1 else 0.22)
    angle = np.pi * turn
    dapi = (800 if centre else 1500) + 900 * glow[0]
    cd3 = 1100 + 1700 * glow[1] if is_t else 0.0
    cd45 = (700 if centre else 1000) + 1200 * glow[2] if is_t or leukocyte < 0.88 else 0.0
    radius = (6.2 if centre else 5.0) + 0.9 * size
    return _Cell(x, y, z, radius, 1 + 0.2 * stretch, np.cos(angle), np.sin(angle), (dapi, cd3, cd45))


def _scenes(seed: int) -> Iterator[_Scene]:
    from scipy import ndimage

    block = _scatter(seed)
    y, x = np.mgrid[: _CANVAS[0], : _CANVAS[1]].astype(float)
    grain = _rng(seed, 2).standard_normal((_SLICES, *_CANVAS))
    # unit variance after smoothing, which leaves 1 / (2 sqrt(pi) sigma) of each axis
    fine, middle, coarse = (ndimage.gaussian_filter(grain, (0.8, s, s)) * (6.0 * s) for s in (1.1, 3.0, 8.0))
    for z in range(_SLICES):
        where = _anatomy(x, y, z)
        light, cells = _paint(block, z, 1 + 0.15 * fine[z], 1 + 0.06 * middle[z])
        light += _autofluorescence(where, 1 + 0.2 * coarse[z], np.exp(-np.square(coarse[z] / 0.12)))
        blur = (0, 3.2, 3.2) if z == _BLURRED else (0, 0.9, 0.9)
        light = ndimage.gaussian_filter(light, blur) + 0.12 * ndimage.gaussian_filter(light, (0, 7, 7))
        zones = np.where(where.follicle < 1, 2, np.where((where.t_zone < 1) & (where.depth > 6), 1, 0))
        yield _Scene(z, light, cells, zones * where.tissue)


def _autofluorescence(where: _Anatomy, texture: Field, fibres: Field) -> Field:
    """Give the light that no stain explains: tissue, capsule, vessel wall, fibres of the T zone; ``(C, H, W)``."""
    tissue = np.clip(where.depth / 3, 0, 1) * np.clip((where.vessel - 1) * 6, 0, 1) * texture
    capsule = np.exp(-np.square((where.depth - 4) / 2.5))
    wall = np.exp(-np.square((where.vessel - 1.12) / 0.1))
    # a follicle has none of the T zone's fibres
    stroma = fibres * tissue * np.clip(where.follicle - 1, 0, 0.5) * 2
    levels = ((150, 200, 200, 60), (130, 40, 30, 20), (210, 330, 520, 330))
    return np.stack([a * tissue + b * capsule + c * wall + d * stroma for a, b, c, d in levels])


def _paint(block: list[_Cell], z: int, grain: Field, dent: Field) -> tuple[Field, Labels]:
    """Draw the cells that a slice cuts: light ``(C, H, W)`` and labels; a contested pixel is the nearer cell's."""
    light = np.zeros((3, *_CANVAS))
    labels = np.zeros(_CANVAS, dtype=np.int64)
    nearest = np.ones(_CANVAS)
    for number, cell in enumerate(block, 1):
        cut = 1 - ((z - cell.z) / 1.5) ** 2
        if cut < 0.25:
            continue
        radius = cell.radius * np.sqrt(cut)
        box = _box(cell, radius + 5)
        y, x = np.mgrid[box].astype(float)
        along = (x - cell.x) * cell.cos + (y - cell.y) * cell.sin
        across = (y - cell.y) * cell.cos - (x - cell.x) * cell.sin
        rho = np.hypot(along / cell.stretch, across * cell.stretch) * dent[box]
        nucleus = 1 / (1 + np.exp((rho - 0.7 * radius) / 0.5))
        # membrane staining is never even: brighter towards the two poles
        membrane = np.exp(-np.square(rho - 0.94 * radius)) * (0.7 + 0.5 * np.square(along / (rho + 1)))
        dapi, cd3, cd45 = np.array(cell.brightness) * (0.45 + 0.55 * cut)
        drawn = np.stack([dapi * nucleus, cd3 * membrane, cd45 * membrane]) * grain[box]
        light[:, *box] = np.maximum(light[:, *box], drawn)
        mine = rho / radius < nearest[box]
        labels[box][mine] = number
        nearest[box][mine] = (rho / radius)[mine]
    return light, labels


def _box(cell: _Cell, reach: float) -> tuple[slice, slice]:
    """Give the rows and columns of the canvas within reach of a cell."""
    spans = zip((cell.y, cell.x), _CANVAS, strict=True)
    y, x = (slice(max(0, int(at - reach)), min(size, max(0, int(at + reach) + 1))) for at, size in spans)
    return y, x


# --- tiles -------------------------------------------------------------------------------------------------
def _write_map(target: Path, z: int, seed: int) -> dict[str, Window]:
    """Write a slice's descriptor and give what each of its tiles covers, map px, by the rule of placement."""
    from .images.acquisition import TilePosition
    from .maps.placement import place

    rng, slice_id = _rng(seed, 3, z), f"{z:02d}"
    origin = np.array(_ORIGIN_UM) + rng.uniform(-4, 4, 2)
    fovs, positions = [], []
    for row, column in np.ndindex(_ROWS, _COLUMNS):
        nominal = origin + np.array([column, row]) * _STEP_PX * _PIXEL_UM
        x, y = (round(float(value), 2) for value in nominal + rng.uniform(-_PIXEL_UM, _PIXEL_UM, 2))
        name = f"s{slice_id}_r{row}c{column}"
        fovs.append(
            {
                "name": name,
                "slideId": slice_id,
                "centerPointMicrons": {"x": x, "y": y},
                "frameSizePixels": {"width": _TILE_PX, "height": _TILE_PX},
                "fovSizeMicrons": round(_TILE_PX * _PIXEL_UM, 2),
            }
        )
        size = (_TILE_PX, _TILE_PX)
        positions.append(TilePosition(slice_id, name, "sample", (x, y), size_px=size, pixel_size_um=_PIXEL_UM))
    write_json(target / "maps" / f"{slice_id}.json", {"fovs": fovs})
    return {tile.name: tile.window for tile in place(slice_id, positions, {}).tiles}


def _write_tile(target: Path, name: str, window: Window, scene: _Scene, seed: int) -> list[dict[str, object]]:
    """Write a tile's channels, mask and annotation; give the rows of its cells."""
    crop = np.s_[..., window.y0 : window.y1, window.x0 : window.x1]
    # the tile's place on the canvas is its own: no two tiles share it and the slice
    pixels = _expose(scene.light[crop], scene.z, _rng(seed, 4, scene.z, window.y0, window.x0))
    for channel, plane in zip(_CHANNELS, pixels, strict=True):
        _write_tiff(target / name / f"{channel}.tif", plane, predictor=True)
    numbers, labels = np.unique(scene.cells[crop], return_inverse=True)
    labels = labels.reshape(_TILE_PX, _TILE_PX) + (numbers[0] != 0)  # 0 stays background, even where there is none
    _write_tiff(target / "masks" / f"{name}_cell.tif", labels.astype(np.uint16))
    zone = target / "annotations" / f"{name}_zone.tif"
    _write_tiff(zone, scene.zones[crop].astype(np.uint8))
    write_text(zone.with_suffix(".csv"), table_text(["label", "name", "color"], _ZONES))
    return _measure(name, labels, pixels)


def _expose(light: Field, z: int, rng: np.random.Generator) -> NDArray[np.uint16]:
    """Give what a 12-bit camera makes of light ``(C, H, W)``."""
    light = light + _OFFSET
    if z == _BANDED:
        light[..., _BAND] *= _BAND_LEFT
    noise = rng.standard_normal(light.shape) * np.sqrt(_READ_NOISE**2 + _GAIN * light)
    counts = np.floor((light + noise) / _STEP + 0.5) * _STEP
    exposed: NDArray[np.uint16] = np.clip(counts, 0, 4095).astype(np.uint16)
    return exposed


def _measure(fov: str, labels: Labels, pixels: NDArray[np.uint16]) -> list[dict[str, object]]:
    """Give one row per label 1…n: centroid (FOV px), area (px) and mean of each channel."""
    flat = labels.ravel()
    area = np.bincount(flat)
    y, x = np.mgrid[:_TILE_PX, :_TILE_PX]
    means = [np.bincount(flat, plane.ravel()) / area for plane in (x, y, *pixels)]
    return [
        {
            "fov": fov,
            "label": label,
            "X": f"{means[0][label]:.2f}",
            "Y": f"{means[1][label]:.2f}",
            "area": int(area[label]),
            **{f"mean_{name}": f"{mean[label]:.1f}" for name, mean in zip(_CHANNELS, means[2:], strict=True)},
        }
        for label in range(1, len(area))
    ]


def _write_tiff(path: Path, plane: NDArray[Any], predictor: bool = False) -> None:
    import tifffile

    path.parent.mkdir(parents=True, exist_ok=True)
    # no software, description or date: the same pixels shall make the same file
    options = {"compression": "zlib", "compressionargs": {"level": 9}, "predictor": predictor}
    tifffile.imwrite(path, plane, photometric="minisblack", software=False, metadata=None, **options)


# --- raw OCT tiles and their mosaic ------------------------------------------------------------------------
def _write_oct(target: Path, scene: _Scene, seed: int) -> None:
    """Write the raw tiles of a slice and their mosaic, (Z, Y, X), in which the return band is still there."""
    import zarr

    y0, x0 = _OCT_CORNER_PX
    size = 2 * _OCT_TILES * _OCT_N
    light = scene.light[:, y0 : y0 + size, x0 : x0 + size] * np.array([0.4, 0.2, 0.4])[:, None, None]
    tissue = light.sum(axis=0).reshape(size // 2, 2, size // 2, 2).mean(axis=(1, 3))
    rows, columns = _OCT_N, _OCT_N + _OCT_EXTRA
    mosaic = np.zeros((_OCT_NZ, _OCT_TILES * rows, _OCT_TILES * columns), dtype=np.float32)
    for ty, tx in np.ndindex(_OCT_TILES, _OCT_TILES):
        seen = tissue[ty * _OCT_N :, tx * _OCT_N :][:_OCT_N, :_OCT_N] / tissue.mean()
        raw = _scan(seen.T, _rng(seed, 5, ty, tx))
        name = f"tile_x{tx:02d}_y{ty:02d}_z{scene.z:02d}"
        write_text(target / "raw_tiles" / name / "info.txt", _oct_info(tx, ty))
        (target / "raw_tiles" / name / "image_00000.bin").write_bytes(raw.astype("<f4").tobytes(order="F"))
        at = np.s_[:, ty * rows : (ty + 1) * rows, tx * columns : (tx + 1) * columns]
        mosaic[at] = raw.transpose(0, 2, 1)
    path = target / "mosaics" / f"mosaic_grid_3d_z{scene.z:02d}.ome.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2, attributes=_mosaic_metadata(path.name))
    level = group.create_array(
        "0",
        shape=mosaic.shape,
        chunks=(_OCT_NZ, rows, columns),
        dtype=mosaic.dtype,
        chunk_key_encoding={"name": "v2", "separator": "/"},
    )
    level[...] = mosaic


def _scan(seen: Field, rng: np.random.Generator) -> NDArray[np.float32]:
    """Scan a field ``(x, y)``, 1 on average, as the instrument does: ``(z, A-lines, B-scans)``, band inside."""
    back = np.linspace(_OCT_N - 1, 0, _OCT_EXTRA).round().astype(int)  # the mirror flies back over the same tissue
    lines = np.concatenate([seen, seen[back]])
    volume = (48 + 42 * lines) * (0.93 ** np.arange(_OCT_NZ))[:, None, None]
    volume = volume * (1 + 0.07 * rng.standard_normal(volume.shape))
    volume[:, _OCT_N:] *= _OCT_BAND_LEFT
    # quarter counts: a digitiser has steps, and noise in every bit of a float would not compress
    counts = np.floor(4 * np.roll(volume, _OCT_BAND - _OCT_N, axis=1) + 0.5) / 4
    scanned: NDArray[np.float32] = counts.astype(np.float32)
    return scanned


def _oct_info(tx: int, ty: int) -> str:
    size_um = _OCT_N * _OCT_STEP_UM
    # the first OCT tile starts at the canvas px `_OCT_CORNER_PX`; _ORIGIN_UM is the centre of the first camera tile
    corners = zip(_ORIGIN_UM, reversed(_OCT_CORNER_PX), (tx, ty), strict=True)
    x, y = (at + (px - _TILE_PX / 2) * _PIXEL_UM + n * size_um for at, px, n in corners)
    info = {
        "nx": _OCT_N,
        "ny": _OCT_N,
        "n_repeat": 1,
        "width": f"{size_um:.1f}",
        "height": f"{size_um:.1f}",
        "n_extra": _OCT_EXTRA,
        "top_z": 0,
        "bottom_z": _OCT_NZ - 1,
        "stage_x_pos_mm": f"{x / 1000:.5f}",
        "stage_y_pos_mm": f"{y / 1000:.5f}",
    }
    return "".join(f"{key}: {value}\n" for key, value in info.items())


def _mosaic_metadata(name: str) -> dict[str, Any]:
    scale = [{"type": "scale", "scale": [_OCT_Z_UM, _OCT_STEP_UM, _OCT_STEP_UM]}]
    multiscale = {
        "version": "0.4",
        "name": name.removesuffix(".ome.zarr"),
        "axes": [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"],
        "datasets": [{"path": "0", "coordinateTransformations": scale}],
    }
    return {"multiscales": [multiscale], "galvo": {"axis": "x", "n_extra": _OCT_EXTRA}}


# --- tables ------------------------------------------------------------------------------------------------
def _write_tables(target: Path, seed: int) -> None:
    """Write what people write: project file, slice table, profiles and ROIs."""
    from .project import PROJECT_FILE, Project, write_project
    from .render.profile import ProfileBook
    from .slices import slice_config

    target.mkdir(parents=True, exist_ok=True)
    project = Project(
        name="Sample block",
        layout="fov-folders",
        stage_y="down",
        pixel_size_um=_PIXEL_UM,
        slice_thickness_um=10.0,
        raw_tiles="raw_tiles",
        mosaics="mosaics",
    )
    write_project(project, target / PROJECT_FILE)
    empty = dict.fromkeys(slice_config.CANONICAL_COLUMNS)
    rows = {f"{n:02d}": {**empty, "slice_id": f"{n:02d}", "use": n > 0} for n in range(_SLICES)}
    rows["00"]["notes"] = "calibration_slice"
    slice_config.write(target / "slice_config.csv", rows)
    profiles = {
        name: {
            "channels": {channel: {"color": color, "contrast_limits": limits} for channel, color, limits in looks},
            "masks": {"cell": {"mode": "outline", "color": "#ffffff"}} if name == "tissue" else {},
        }
        for name, looks in _PROFILES.items()
    }
    ProfileBook.model_validate({"default": "tissue", "profiles": profiles}).write(target / "profiles.json")
    _write_rois(target / "rois.csv", seed)


def _write_rois(path: Path, seed: int) -> None:
    from .rois.roi import Roi, box_of
    from .rois.table import RoiTable

    rois = []
    for name, (frame, at), points, profile, tags, comment in _ROIS:
        digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
        fields: dict[str, Any] = {
            "roi_id": str(uuid.UUID(bytes=digest[:16], version=4)),
            "name": name,
            frame: at,
            **box_of(points),
            "profile": profile,
            "tags": tags,
            "comment": comment,
            "created_at": _WRITTEN_AT,
            "updated_at": _WRITTEN_AT,
        }
        if len(points) > 2:  # two points are the corners of a rectangle
            fields |= {"kind": "polygon", "geometry": {"points": points}}
        rois.append(Roi.model_validate(fields))
    RoiTable(rois).write(path)


_PROFILES = {  # channel, colour, contrast limits
    "tissue": (
        ("DAPI", "#3355ff", (150, 2500)),
        ("CD45", "#ff2a6d", (180, 2600)),
        ("CD3", "#8cff3f", (200, 2800)),
    ),
    "T cells": (("DAPI", "#44506e", (150, 3000)), ("CD3", "#ffe14d", (200, 2600))),
}
_FOLLICLE = ((44, 78), (110, 70), (152, 73), (176, 92), (189, 136), (166, 184), (122, 207), (70, 200), (31, 132))
_ROIS = (  # name, frame, points, profile, tags, comment
    ("ROI_001", ("map_id", "01"), ((246, 66), (310, 146)), "tissue", ("figure", "vessel"), "vessel, across two tiles"),
    ("ROI_002", ("map_id", "01"), _FOLLICLE, "tissue", ("follicle",), "follicle"),
    ("ROI_003", ("fov", "s04_r0c1"), ((40, 44), (104, 108)), "T cells", ("figure",), "border of follicle and T zone"),
)
