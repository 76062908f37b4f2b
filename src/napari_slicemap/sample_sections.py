"""The sample run of serial sections: sixteen sections of a block, one mosaic each, drawn by a program.

The block is drawn once, as one volume, and each mosaic is a window of it, where the stage stood at that section.
What a chain of decisions should find is planted: a calibration slice, a slice out of focus, a lost mosaic, three
sections with a spoilt surface, and stage steps that nobody made. The README.txt that is written beside says so.
Everything is computed in float64 from seeded generators and rounded at the end, so that a seed gives the same pixels.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .files import table_text, write_json, write_text
from .sample import new_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Field = NDArray[np.float64]
    Pixels = NDArray[np.uint16]

_SLICES = 16
_CALIBRATION, _BLURRED, _LOST = 0, 5, 8
_SPOILT = (11, 12, 13)
_PLANES, _CALIBRATION_PLANES = 6, 10
_SIZE = (150, 190)  # y, x of a mosaic, px
_TILE_PX = 64
_PIXEL_UM, _Z_UM = 20.0, 20.0
_TILE_FOV_MM = _TILE_PX * _PIXEL_UM / 1000

# what the stage did from each slice to the next, px along x and y
_STEPS_X = (1, 2, 1, 0, 2, 1, 1, 2, 0, 1, 1, 2, 1, 0, 1)
_STEPS_Y = (0, -1, 0, -1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, -1)
# what its log says beyond that: one tile more to 03; to 10 and back again, which nobody did
_REHOMED, _GLITCH = 2, (9, 10)
_GLITCH_PX = 40

_OFFSET, _READ_NOISE, _GAIN = 100.0, 3.0, 0.3
_STEP = 8  # noise in every bit would not fit the size of a sample
_BLUR_PX = 4.0
_LIMITS = (100, 2300)  # black and white of the profile
_DRIFT = (0.06, 0.18)  # y, x: the tissue is cut at a slant, px from plane to plane
_TURN = 36  # planes, until the grain of the tissue is another one

_README = """\
A run of serial sections of one block, drawn by a program.

mosaics/        one OME-Zarr volume (Z, Y, X) per section, ids 00 to 15, without 08; uint16, {pixel:g} um in y and x,
                {z:g} um from plane to plane
tiles.csv       where each mosaic lay on the stage; slicemap.toml names the rest, so that the folder opens as a dataset,
                seen by profiles.json
shifts_xy.csv   what the stage's log says of each step, from one section to the next, px and mm; a tile is {fov:g} mm
pairs/          how well the first plane of each section fits the last plane of the section before it

Planted, to be found:
  slice 00      a calibration slice: {calibration} planes, the others have {planes}
  slice 05      out of focus
  slice 08      its mosaic is lost: a single gap, fit for interpolation
  slices 11-13  the first plane of each is spoilt: z_correlation below 0.4
  02 to 03      the log has one tile ({fov:g} mm) too much in x: the stage was homed anew
  09 to 10, 11  the log has {glitch:g} mm too much in y, and too little in the next step: a glitch

Begin with: slicemap slices generate mosaics slice_config.csv
"""


def make_sections_sample(folder: str | os.PathLike[str], *, seed: int = 7) -> Path:
    """Write a small run of serial sections; a seed gives the same files each time.

    Parameters
    ----------
    folder : path-like
        Where to; absent or empty.
    seed : int
        Starts every random generator; 0 or more.

    Returns
    -------
    Path
        `folder`, about 2 MB: ``mosaics/mosaic_z<NN>.ome.zarr`` (uint16, Z, Y, X, sizes in µm stated),
        ``shifts_xy.csv``, ``pairs/slice_z<NN>/pairwise_registration_metrics.json``, ``slicemap.toml``,
        ``tiles.csv`` and ``profiles.json``, by which it opens as a dataset, and ``README.txt``, which says what was
        planted.

    Raises
    ------
    FolderNotEmptyError
        If `folder` holds something, or is a file.
    """
    target = new_folder(folder)
    _write_texts(target)
    block = _block(seed)
    before: tuple[int, Pixels] | None = None
    for number in range(_SLICES):
        if number == _LOST:
            continue
        volume = _mosaic(block, number, seed)
        _write_mosaic(target / "mosaics" / f"mosaic_z{number:02d}.ome.zarr", volume)
        if before is not None:
            _write_metrics(target / "pairs" / f"slice_z{number:02d}", before, (number, volume))
        before = number, volume
    return target


def _write_texts(target: Path) -> None:
    from .project import PROJECT_FILE, Project, write_project
    from .render.profile import ProfileBook

    readme = _README.format(
        pixel=_PIXEL_UM,
        z=_Z_UM,
        fov=_TILE_FOV_MM,
        calibration=_CALIBRATION_PLANES,
        planes=_PLANES,
        glitch=_GLITCH_PX * _PIXEL_UM / 1000,
    )
    write_text(target / "README.txt", readme)
    write_text(target / "shifts_xy.csv", _shifts_text())
    write_text(target / "tiles.csv", _tiles_text())
    project = Project(name="Sample sections", layout="tiles-csv", mosaics="mosaics", slice_thickness_um=_PLANES * _Z_UM)
    write_project(project, target / PROJECT_FILE)
    look = {"color": "#ffffff", "contrast_limits": _LIMITS}
    book = {"default": "tissue", "profiles": {"tissue": {"channels": {"C0": look}}}}
    ProfileBook.model_validate(book).write(target / "profiles.json")


# --- the stage -------------------------------------------------------------------------------------------------
def _corner(number: int) -> tuple[int, int]:
    """Give where a mosaic begins in the block: y, x, px."""
    y, x = (np.concatenate([[0], np.cumsum(steps)]) for steps in (_STEPS_Y, _STEPS_X))
    return int(y[number] - y.min()), int(x[number] - x.min())


def _canvas() -> tuple[int, int]:
    corners = np.array([_corner(number) for number in range(_SLICES)])
    height, width = corners.max(axis=0) + _SIZE
    return int(height), int(width)


def _shifts_text() -> str:
    """Give the log of the stage, with what is wrong in it."""
    x, y = np.array(_STEPS_X, dtype=float), np.array(_STEPS_Y, dtype=float)
    x[_REHOMED] += _TILE_PX
    y[list(_GLITCH)] += _GLITCH_PX, -_GLITCH_PX
    columns = ["fixed_id", "moving_id", "x_shift", "y_shift", "x_shift_mm", "y_shift_mm"]
    rows = [
        {
            "fixed_id": n,
            "moving_id": n + 1,
            "x_shift": f"{dx:.1f}",
            "y_shift": f"{dy:.1f}",
            "x_shift_mm": f"{dx * _PIXEL_UM / 1000:.4f}",
            "y_shift_mm": f"{dy * _PIXEL_UM / 1000:.4f}",
        }
        for n, (dx, dy) in enumerate(zip(x, y, strict=True))
    ]
    return table_text(columns, rows)


def _tiles_text() -> str:
    """Give where the centre of each mosaic lay, stage µm: on a map of its own, for a slice is one mosaic here."""
    rows = []
    for number in range(_SLICES):
        if number == _LOST:
            continue
        y, x = ((at + size / 2) * _PIXEL_UM for at, size in zip(_corner(number), _SIZE, strict=True))
        name = f"mosaic_z{number:02d}.ome.zarr"
        rows.append({"path": f"mosaics/{name}", "map_id": f"{number:02d}", "x_um": f"{x:.1f}", "y_um": f"{y:.1f}"})
    return table_text(["path", "map_id", "x_um", "y_um"], rows)


# --- the tissue ------------------------------------------------------------------------------------------------
def _block(seed: int) -> Field:
    """Draw the block ``(planes, Y, X)``: light, about 0 to 1; a slice is six planes."""
    from scipy import ndimage

    depth = _PLANES * (_SLICES - 1) + _CALIBRATION_PLANES
    height, width = _canvas()
    z, y, x = np.ogrid[:depth, :height, :width]
    along = z / depth
    u = (x - 0.5 * width) / (0.39 * width * (0.9 + 0.1 * along))
    v = (y - 0.5 * height) / (0.37 * height * (0.92 + 0.08 * along))
    angle = np.arctan2(v, u)
    radius = np.hypot(u, v) * (1 + 0.05 * np.sin(3 * angle + 2 * along) + 0.03 * np.sin(7 * angle - 3 * along))
    light = 0.4 + 0.3 * np.exp(-np.square((radius - 0.9) / 0.05))  # a rind
    light += 0.34 * np.exp(-np.square((radius - 0.66 - 0.05 * along) / 0.04)) * _inside(0.25 - v, 0.08)  # an arch
    for cu, cv, size, gain in ((-0.36, 0.18, 0.17, 0.3), (0.36, 0.2, 0.15, 0.26), (0.02, 0.5, 0.12, 0.22)):
        light += gain * _inside(1 - np.hypot(u - cu - 0.1 * along, v - cv + 0.1 * along) / size, 0.12)
    for side in (-1, 1):  # two dark ventricles, that widen
        light -= 0.34 * _inside(1 - np.hypot((u - 0.17 * side) / (0.06 + 0.06 * along), (v + 0.15) / 0.24), 0.15)
    light *= 1 + 0.18 * _grain((seed, 1), 1.6) + 0.1 * _grain((seed, 2), 6.0)
    light = _inside(1 - radius, 0.025) * np.clip(light, 0.02, None)
    for n, plane in enumerate(light):
        plane[...] = ndimage.shift(plane, [drift * (n - depth / 2) for drift in _DRIFT])
    return light


def _grain(key: tuple[int, ...], sigma: float) -> Field:
    """Draw noise of unit variance, smooth over `sigma` px, that turns into another one every so many planes."""
    from scipy import ndimage

    depth = _PLANES * (_SLICES - 1) + _CALIBRATION_PLANES
    rng = np.random.default_rng(key)
    keys = np.stack([rng.standard_normal(_canvas()) for _ in range(depth // _TURN + 2)])
    # smoothing leaves 1 / (2 sqrt(pi) sigma) of the deviation, of both axes together
    keys = ndimage.gaussian_filter(keys, (0, sigma, sigma), mode="wrap") * (2 * np.sqrt(np.pi) * sigma)
    first, turn = np.divmod(np.arange(depth), _TURN)
    angle = (np.pi / 2 * turn / _TURN)[:, None, None]
    mixed: Field = np.cos(angle) * keys[first] + np.sin(angle) * keys[first + 1]
    return mixed


def _inside(distance: Field, width: float) -> Field:
    """Give 0 outside and 1 inside, over an edge of such a width."""
    made: Field = 1 / (1 + np.exp(np.clip(-distance / width, -50, 50)))
    return made


def _mosaic(block: Field, number: int, seed: int) -> Pixels:
    """Image one slice ``(Z, Y, X)``, as a 12-bit detector sees it; light fades with depth."""
    from scipy import ndimage

    planes = _CALIBRATION_PLANES if number == _CALIBRATION else _PLANES
    (y, x), (height, width), top = _corner(number), _SIZE, _PLANES * number
    light = block[top : top + planes, y : y + height, x : x + width] * 0.96 ** np.arange(planes)[:, None, None]
    if number == _BLURRED:
        light = ndimage.gaussian_filter(light, (0, _BLUR_PX, _BLUR_PX))
    rng = np.random.default_rng((seed, 2, number))
    if number in _SPOILT:
        debris = ndimage.gaussian_filter(rng.standard_normal(_SIZE), 2.0) * 5
        light = np.concatenate([np.clip(0.4 + debris, 0, 1)[None], light[1:]])
    counts = _OFFSET + 2400 * light
    counts += rng.standard_normal(counts.shape) * np.sqrt(_READ_NOISE**2 + _GAIN * counts)
    imaged: Pixels = np.clip(np.floor(counts / _STEP + 0.5) * _STEP, 0, 4095).astype(np.uint16)
    return imaged


# --- files -----------------------------------------------------------------------------------------------------
def _write_mosaic(path: Path, volume: Pixels) -> None:
    import zarr

    path.parent.mkdir(parents=True, exist_ok=True)
    group = zarr.open_group(path, mode="w", zarr_format=2, attributes=_metadata(path.name))
    level = group.create_array(
        "0",
        shape=volume.shape,
        chunks=(len(volume), _TILE_PX, _TILE_PX),
        dtype=volume.dtype,
        compressors={"id": "blosc", "cname": "zstd", "clevel": 9, "shuffle": 1, "blocksize": 0},  # type: ignore[arg-type]
        chunk_key_encoding={"name": "v2", "separator": "/"},
    )
    level[...] = volume


def _metadata(name: str) -> dict[str, Any]:
    scale = [{"type": "scale", "scale": [_Z_UM, _PIXEL_UM, _PIXEL_UM]}]
    multiscale = {
        "version": "0.4",
        "name": name.removesuffix(".ome.zarr"),
        "axes": [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"],
        "datasets": [{"path": "0", "coordinateTransformations": scale}],
    }
    return {"multiscales": [multiscale]}


def _write_metrics(folder: Path, fixed: tuple[int, Pixels], moving: tuple[int, Pixels]) -> None:
    """Write how well a slice fits the one before it: the correlation of the planes that meet, where both have them."""
    (one, above), (other, below) = fixed, moving
    last, first = (_on_canvas(n, plane) for n, plane in ((one, above[_PLANES - 1]), (other, below[0])))
    both = ~(np.isnan(last) | np.isnan(first))
    value = round(float(np.corrcoef(last[both], first[both])[0, 1]), 4)
    metrics = {"z_correlation": {"value": value, "description": "correlation of the planes that meet"}}
    write_json(folder / "pairwise_registration_metrics.json", {"fixed": one, "moving": other, "metrics": metrics})


def _on_canvas(number: int, plane: Pixels) -> Field:
    """Put a plane where it was cut from; NaN around it."""
    canvas = np.full(_canvas(), np.nan)
    (y, x), (height, width) = _corner(number), plane.shape
    canvas[y : y + height, x : x + width] = plane
    return canvas
