"""Mosaics brought into one common space by their cumulative shifts, each written as an image of the same size."""

from __future__ import annotations

import os
import shutil
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import FileFormatError, PlanError, SlicemapError, listing
from ...files import atomic_folder, read_json, write_json
from ...images.ome_zarr.listing import slice_number
from ...images.ome_zarr.writer import write_ome_zarr
from ...images.region import Window
from ...images.source import ImageSource
from ..choice import Choice, choose_slices
from ..progress import OnProgress, Progress
from ..shifts.cumulative import build_cumulative_shifts, why_unplaced
from ..shifts.table import Shifts, shifts_of
from ..slice_values import number_of
from ..volumes import SliceVolume
from .planes import BUDGET, PlaneRows, runs
from .shifting import Placed, place, shifted_rows, union
from .sizes import common_pixel_size_um

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

RECORD = "alignment.json"
"""Beside the aligned slices: the canvas, and where each slice lies on it."""

_BEGUN = ".alignment.json"
"""The same while slices are being written, so that the next run knows what one that was killed has left."""

_VERSION = 1
_LARGEST_SIDE = 2**20
"""Px of a canvas: a larger one comes of wrong shifts, and no machine could write it."""
_CHUNK = 256
"""Px along a side of the chunks that are written; smaller than usual, for all planes of a band are held at once."""


@dataclass(frozen=True)
class Alignment:
    """Slices and where each of them lies in the common space.

    Parameters
    ----------
    canvas : Window
        All that the slices cover, px, in the frame in which the first slice of the shifts lies at (0, 0).
    pixel_size_um : float or None
        Of the canvas, µm, if it is known.
    choice : Choice
        Which slices take part, and which do not, and why.
    shifts : mapping of str to tuple
        Slice id → ``(dx, dy)``, cumulative, px.
    placed : mapping of str to Placed
        Slice id → where it lies in the frame of `canvas`.
    written : mapping of str to Path
        Slice id → image; empty until they are written.
    failed : mapping of str to str
        Slice id → why it was not written.
    unplaced : tuple of str
        Slices that would take part, but that the shifts give no place.
    """

    canvas: Window
    pixel_size_um: float | None
    choice: Choice
    shifts: Mapping[str, tuple[float, float]]
    placed: Mapping[str, Placed]
    written: Mapping[str, Path] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    unplaced: tuple[str, ...] = ()

    @property
    def position_um(self) -> tuple[float, float] | None:
        """``(x, y)`` of the centre of the canvas's first px, µm from that of the slice that the shifts begin with."""
        size = self.pixel_size_um
        return None if size is None else (self.canvas.x0 * size, self.canvas.y0 * size)

    def warnings(self) -> list[str]:
        """Say in words which slices are left out for want of a place, one line each."""
        return [f"slice {one} is left out: {self.choice.left_out[one]}" for one in self.unplaced]

    def record(self) -> dict[str, Any]:
        """Give what ``alignment.json`` holds; the same for the same slices, wherever they lie."""
        height, width = self.canvas.shape
        return {
            "version": _VERSION,
            "canvas": {"x0_px": self.canvas.x0, "y0_px": self.canvas.y0, "width_px": width, "height_px": height},
            "pixel_size_um": self.pixel_size_um,
            "slices": [self.record_of(slice_id) for slice_id in self.choice.used if slice_id not in self.failed],
            "left_out": dict(self.choice.left_out),
            "failed": dict(self.failed),
        }

    def record_of(self, slice_id: str) -> dict[str, Any]:
        """Give what is recorded of one slice: its shift, and where on the canvas its first pixel is drawn."""
        volume, window = self.choice.used[slice_id], self.placed[slice_id].window
        return {
            "slice_id": slice_id,
            "source": volume.path.name,
            "file": aligned_name(volume),
            "shift_px": self.shifts[slice_id],
            "left_px": window.x0 - self.canvas.x0,
            "top_px": window.y0 - self.canvas.y0,
        }


def plan_alignment(
    volumes: Mapping[str, SliceVolume],
    shifts: Shifts | pd.DataFrame | str | os.PathLike[str],
    rows: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    resolution_um: float | None = None,
    strict: bool = False,
) -> Alignment:
    """Say which slices are aligned and where each will lie; nothing is written.

    Parameters
    ----------
    volumes : mapping of str to SliceVolume
        Slice id → mosaic.
    shifts : Shifts, DataFrame or path-like
        Pairwise shifts; see :func:`~napari_slicemap.slices.shifts.cumulative.build_cumulative_shifts`.
    rows : mapping of str to mapping, optional
        The slice table: only slices to use are aligned. Without it, all of them.
    resolution_um : float, optional
        Pixel size, µm, of mosaics that do not state it; needed for shifts in mm.
    strict : bool
        Refuse slices that the shifts give no place. Otherwise they are left out, and the result says so.

    Returns
    -------
    Alignment
        With nothing written yet.

    Raises
    ------
    PlanError
        If no slice is left, pixel sizes differ or are not known, or the canvas is too large to be meant.
    UnknownNameError, FileFormatError
        If a slice has no place in the shifts, with `strict`, or the shifts are none.
    TileReadError
        Naming a mosaic that cannot be read.
    """
    table = shifts_of(shifts)
    choice = choose_slices(volumes, rows)
    unplaced = {} if strict else why_unplaced(table, choice.used)
    choice = choice.without(unplaced)
    if not choice.used:
        raise choice.none_left("align")
    size = common_pixel_size_um(choice.used, resolution_um)
    if size is None and table.has_mm:
        first = next(iter(choice.used.values()))
        raise PlanError([f"{first.path} does not state its pixel size, and shifts are in mm; give the resolution"])
    # shifts in px alone are taken as they are, whatever a px measures
    cumulative = build_cumulative_shifts(table, choice.used, 1.0 if size is None else size)
    placed = {one: place(cumulative[one], *volume.shape[1:]) for one, volume in choice.used.items()}
    canvas = union(one.window for one in placed.values())
    if max(canvas.shape) > _LARGEST_SIDE:
        height, width = canvas.shape
        raise PlanError([f"{table.where}: the slices would lie on a canvas of {width} × {height} px; check the shifts"])
    return Alignment(canvas, size, choice, cumulative, placed, unplaced=tuple(unplaced))


def align_mosaics(
    volumes: Mapping[str, SliceVolume],
    shifts: Shifts | pd.DataFrame | str | os.PathLike[str],
    out_folder: str | os.PathLike[str],
    rows: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    resolution_um: float | None = None,
    strict: bool = False,
    force: bool = False,
    workers: int = 1,
    on_progress: OnProgress | None = None,
) -> Alignment:
    """Bring mosaics into one common space, and write each as OME-Zarr of the size of all of them together.

    See :mod:`~napari_slicemap.slices.aligning.shifting` for what a pixel becomes. All planes of a mosaic move alike.

    Parameters
    ----------
    volumes, shifts, rows, resolution_um, strict
        As :func:`plan_alignment` takes them.
    out_folder : path-like
        Where the images go, named as the mosaics are (``mosaic_z03.ome.zarr``), and ``alignment.json``.
    force : bool
        Write into a folder that holds something. What an earlier alignment wrote there and this one does not is
        removed.
    workers : int
        Slices that are aligned at a time; the memory is shared between them.
    on_progress : callable, optional
        Told how much is done, from any thread, one call at a time.

    Returns
    -------
    Alignment
        With what was written, and what failed and why: a slice that cannot be read keeps no other from being
        aligned.

    Raises
    ------
    PlanError
        As :func:`plan_alignment`; also if the folder holds something or is that of the mosaics.
    UnknownNameError, FileFormatError, TileReadError
        As :func:`plan_alignment`. Nothing is written then.
    """
    plan = plan_alignment(volumes, shifts, rows, resolution_um=resolution_um, strict=strict)
    folder = Path(out_folder)
    _prepare(folder, plan, force)
    tell = Progress(on_progress, sum(volume.shape[0] for volume in plan.choice.used.values()) * plan.canvas.shape[0])
    with ThreadPoolExecutor(workers, thread_name_prefix="slicemap-align") as pool:
        jobs = {
            slice_id: pool.submit(_written, plan, slice_id, folder, BUDGET // workers, tell)
            for slice_id in plan.choice.used
        }
        written: dict[str, Path] = OrderedDict()
        failed = {}
        try:
            for slice_id, job in jobs.items():
                try:
                    written[slice_id] = job.result()
                except (SlicemapError, OSError) as error:
                    failed[slice_id] = str(error)
        finally:
            pool.shutdown(cancel_futures=True)
    done = replace(plan, written=written, failed=failed)
    write_json(folder / RECORD, done.record())
    (folder / _BEGUN).unlink()
    return done


def aligned_name(volume: SliceVolume) -> str:
    """Name the image of an aligned slice: as its mosaic, and so that the slice is found in it again."""
    stem = volume.path.stem.removesuffix(".ome")
    named = slice_number(stem)
    mine = named is not None and number_of(named) == number_of(volume.slice_id)
    return f"{stem}.ome.zarr" if mine else f"{stem}_z{volume.slice_id}.ome.zarr"


def _prepare(folder: Path, plan: Alignment, force: bool) -> None:
    """Make the folder, or clear from one what an earlier alignment left."""
    if folder.exists() and not folder.is_dir():
        raise PlanError([f"{folder} is a file; name a folder to write to"])
    if any(folder.resolve() == volume.path.parent.resolve() for volume in plan.choice.used.values()):
        raise PlanError([f"{folder} is the folder of the mosaics; name another to write to"])
    folder.mkdir(parents=True, exist_ok=True)
    there = sorted(one.name for one in folder.iterdir())
    if there and not force:
        raise PlanError([f"{folder} holds something already ({listing(there, 3)}); --force replaces it"])
    for record in (folder / RECORD, folder / _BEGUN):
        if record.exists():
            _remove_images(folder, record)
    write_json(folder / _BEGUN, plan.record())


def _remove_images(folder: Path, record: Path) -> None:
    """Remove what an earlier alignment wrote: it lies on another canvas; the record last, should this be cut short."""
    left = [folder / name for name in _files_of(record)]
    if record.name == _BEGUN:
        left += folder.glob(".slicemap-*.zarr")  # half-written
    for path in left:
        if path.is_dir():
            shutil.rmtree(path)
    record.unlink()


def _files_of(record: Path) -> list[str]:
    said = read_json(record)
    try:
        names = [str(one["file"]) for one in said["slices"]]
    except (TypeError, KeyError):
        names = [""]
    # a name is not to lead out of the folder
    if not all(name == Path(name).name and name.endswith(".ome.zarr") for name in names):
        raise FileFormatError(f"{record}: it is no record of an alignment; move it away")
    return names


def _written(plan: Alignment, slice_id: str, folder: Path, budget: int, tell: Progress) -> Path:
    """Write one slice."""
    volume = plan.choice.used[slice_id]
    planes = runs(volume, budget)
    rows, placed = PlaneRows(volume, planes), plan.placed[slice_id]

    def read(_t: int, _c: int, z: int, top: int, bottom: int) -> NDArray[Any]:
        tell.add(bottom - top)
        return shifted_rows(partial(rows.read, z), placed, plan.canvas, top, bottom)

    image = ImageSource(
        name=f"slice {slice_id}",
        shape=(1, 1, volume.shape[0], *plan.canvas.shape),
        dtype=volume.dtype,
        channels=volume.image.info.channel_names,
        read=read,
        pixel_size_um=plan.pixel_size_um,
        z_step_um=volume.z_step_um,
        position_um=plan.position_um,
        provenance={"aligned": plan.record_of(slice_id)},
    )
    path = folder / aligned_name(volume)
    with atomic_folder(path) as temporary:
        write_ome_zarr(temporary, image, chunk=_CHUNK, runs=planes)
    return path
