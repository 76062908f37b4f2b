"""Missing slices, interpolated and written: the image, the fragment for the table, and the numbers behind both.

For each slice a folder gets ``slice_z<NN>_interpolation.json``, ``slice_z<NN>_manifest.csv`` and, where the gates of
:mod:`~napari_slicemap.slices.interpolation.morph` let it, ``slice_z<NN>_interpolated.ome.zarr``.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import PlanError, SlicemapError, UnknownNameError, listing
from ...files import atomic_folder, write_json
from ...images.ome_zarr.writer import write_ome_zarr
from ...images.region import Window
from ...images.source import ImageSource
from ..fragments import Fragment, fragment_path, write_fragment
from ..progress import OnProgress, Progress
from ..slice_values import INTERPOLATION_METHODS
from ..volumes import SliceVolume
from .blend import Part, average_parts, blended_rows, depth, morphed_parts, weighted_parts
from .gaps import Gap
from .morph import Morph, register_neighbours
from .registration import opencv

if TYPE_CHECKING:
    from numpy.typing import NDArray

_VERSION = 1
_IN_MEMORY = 2**28
"""Bytes of a plane up to which it is held in memory; a larger one is held in a temporary file."""
_BAND_BYTES = 2**26


@dataclass(frozen=True)
class Interpolated:
    """What came of one missing slice.

    Parameters
    ----------
    gap : Gap
        The slice and its neighbours.
    fragment : Fragment
        What is to be merged into the table.
    morph : Morph or None
        The motion between the neighbours and the gates, where it was asked for.
    path : Path or None
        The image; ``None`` where a gate failed.
    """

    gap: Gap
    fragment: Fragment
    morph: Morph | None
    path: Path | None

    def line(self) -> str:
        """Say it in words."""
        made = self.fragment
        said = f"slice {made.slice_id} ({self.gap.why}): "
        said += f"left, {made.fallback_reason}" if made.interpolation_failed else made.method_used
        said += f", from {self.gap.before.slice_id} and {self.gap.after.slice_id}"
        if self.morph is None or self.morph.pair is None:
            return said
        after = "" if self.morph.registration is None else f" → {self.morph.registration.ncc:.3f}"
        return f"{said}, NCC {self.morph.pair.ncc:.3f}{after}"

    def record(self) -> dict[str, Any]:
        """Give what ``slice_z<NN>_interpolation.json`` holds; the same for the same slices, wherever they lie."""
        nz, height, width = depth(self.gap), *self.gap.before.shape[1:]
        said = {name: value or None for name, value in vars(self.fragment).items()}
        return {
            "version": _VERSION,
            **said,
            "interpolation_failed": self.fragment.interpolation_failed,
            "why_missing": self.gap.why,
            "before": _source(self.gap.before),
            "after": _source(self.gap.after),
            "shape": [nz, height, width],
            "zmorph": None if self.morph is None else self.morph.record(),
        }


def _source(volume: SliceVolume) -> dict[str, Any]:
    return {"slice_id": volume.slice_id, "file": volume.path.name, "shape": list(volume.shape)}


def interpolated_path(folder: str | os.PathLike[str], slice_id: str) -> Path:
    """Give the image of a slice: ``slice_z<NN>_interpolated.ome.zarr``."""
    return Path(folder) / f"slice_z{slice_id}_interpolated.ome.zarr"


def record_path(folder: str | os.PathLike[str], slice_id: str) -> Path:
    """Give the numbers of a slice: ``slice_z<NN>_interpolation.json``."""
    return Path(folder) / f"slice_z{slice_id}_interpolation.json"


# --- many slices ---------------------------------------------------------------------------------------------------
def interpolate_slices(
    gaps: Iterable[Gap],
    out_folder: str | os.PathLike[str],
    method: str = "zmorph",
    *,
    force: bool = False,
    workers: int = 1,
    on_progress: OnProgress | None = None,
) -> tuple[list[Interpolated], dict[str, str]]:
    """Interpolate missing slices, each on its own.

    Parameters
    ----------
    gaps : iterable of Gap
        The slices; see :func:`~napari_slicemap.slices.interpolation.gaps.find_gaps`.
    out_folder : path-like
        Where to; made where it does not exist.
    method : {"zmorph", "weighted", "average"}
        Nothing stands in for ``zmorph`` where its gates fail: the slice stays a gap, and the reason is recorded.
    force : bool
        Replace what an earlier run wrote of these slices.
    workers : int
        Slices that are made at a time.
    on_progress : callable, optional
        Told ``(done, total)`` slices.

    Returns
    -------
    done : list of Interpolated
        In the order of `gaps`, those that could be read.
    failed : dict of str to str
        Slice id → why it could not be read or written; it has no fragment.

    Raises
    ------
    PlanError
        Naming every slice whose neighbours differ in size, dtype or pixel size, or that has been written already; if
        the folder is that of the slices; or OpenCV is needed and not installed. Nothing is written then.
    UnknownNameError
        If there is no such method.
    TileReadError
        Naming a neighbour that cannot be opened.
    """
    gaps, folder = list(gaps), Path(out_folder)
    _check(gaps, folder, method, force)
    folder.mkdir(parents=True, exist_ok=True)
    done: list[Interpolated] = []
    failed: dict[str, str] = {}
    tell = Progress(on_progress, len(gaps))
    with ThreadPoolExecutor(workers, thread_name_prefix="slicemap-interpolate") as pool:
        jobs = [pool.submit(interpolate_slice, gap, folder, method) for gap in gaps]
        try:
            for gap, job in zip(gaps, jobs, strict=True):
                try:
                    done.append(job.result())
                except (SlicemapError, OSError) as error:
                    failed[gap.slice_id] = str(error)
                tell.add(1)
        finally:
            pool.shutdown(cancel_futures=True)
    return done, failed


def _check(gaps: Sequence[Gap], folder: Path, method: str, force: bool) -> None:
    """Refuse what cannot be done before anything is."""
    if method not in INTERPOLATION_METHODS:
        raise UnknownNameError("interpolation method", method, INTERPOLATION_METHODS)
    if folder.exists() and not folder.is_dir():
        raise PlanError([f"{folder} is a file; name a folder to write to"])
    faults = [fault for gap in gaps for fault in _differences(gap)]
    sources = {volume.path.parent.resolve() for gap in gaps for volume in (gap.before, gap.after)}
    if folder.resolve() in sources:
        faults.append(f"{folder} is the folder of the slices; name another to write to")
    elif not force:
        there = [path.name for gap in gaps for path in _outputs(folder, gap.slice_id) if path.exists()]
        if there:
            faults.append(f"{folder} holds {listing(there, 3)} already; --force replaces it")
    if faults:
        raise PlanError(faults)
    if method == "zmorph" and gaps:
        opencv()


def _outputs(folder: Path, slice_id: str) -> list[Path]:
    """List what may be written of a slice, the fragment first: while it is there, all is said to be done."""
    return [fragment_path(folder, slice_id), record_path(folder, slice_id), interpolated_path(folder, slice_id)]


def _differences(gap: Gap) -> list[str]:
    """Say in what the neighbours of a slice differ that they must share."""
    pairs: Mapping[str, tuple[Any, Any]] = {
        "size in y and x (align them first)": (gap.before.shape[1:], gap.after.shape[1:]),
        "type of pixels": (str(gap.before.dtype), str(gap.after.dtype)),
        "pixel size, µm": (gap.before.pixel_size_um, gap.after.pixel_size_um),
    }
    return [
        f"slice {gap.slice_id}: {gap.before.path.name} and {gap.after.path.name} differ in {what}: {one} and {other}"
        for what, (one, other) in pairs.items()
        if one != other
    ]


# --- one slice -----------------------------------------------------------------------------------------------------
def interpolate_slice(gap: Gap, folder: Path, method: str = "zmorph") -> Interpolated:
    """Interpolate one missing slice and write what came of it, over what was there.

    Parameters
    ----------
    gap : Gap
        The slice; its neighbours are of one size and dtype.
    folder : Path
        Where to; it exists.
    method : {"zmorph", "weighted", "average"}
        How.

    Returns
    -------
    Interpolated

    Raises
    ------
    TileReadError
        Naming a neighbour that cannot be read.
    """
    for path in _outputs(folder, gap.slice_id):
        _remove(path)
    found = register_neighbours(gap.before, gap.after) if method == "zmorph" else None
    made = _outcome(gap, folder, method, found)
    if made.path is not None:
        with tempfile.TemporaryDirectory(prefix="slicemap-") as scratch, atomic_folder(made.path) as temporary:
            write_ome_zarr(temporary, _image(made, Path(scratch)))
    write_json(record_path(folder, gap.slice_id), made.record())
    write_fragment(folder, made.fragment)
    return made


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _outcome(gap: Gap, folder: Path, method: str, found: Morph | None) -> Interpolated:
    reason = "" if found is None else found.reason
    path = None if reason else interpolated_path(folder, gap.slice_id)
    fragment = Fragment(
        slice_id=gap.slice_id,
        method=method,
        method_used="" if reason else method,
        fallback_reason=reason,
        interpolation_failed=bool(reason),
        output_path="" if path is None else path.name,
    )
    return Interpolated(gap, fragment, found, path)


def _image(made: Interpolated, scratch: Path) -> ImageSource:
    gap, method = made.gap, made.fragment.method
    planes = _Planes(scratch)
    if made.morph is not None and made.morph.pair is not None:
        pair = made.morph.pair
        parts = morphed_parts(gap, (pair.z_before, pair.z_after), made.morph.motion)
    else:
        parts = weighted_parts(gap) if method == "weighted" else average_parts(gap)

    def read(_t: int, _c: int, z: int, top: int, bottom: int) -> NDArray[Any]:
        return blended_rows(parts[z], planes.window, top, bottom)

    return ImageSource(
        name=f"slice {gap.slice_id}, interpolated",
        shape=(1, 1, depth(gap), *gap.before.shape[1:]),
        dtype=gap.before.dtype,
        channels=gap.before.image.info.channel_names,
        read=read,
        pixel_size_um=gap.before.pixel_size_um,
        z_step_um=gap.before.z_step_um,
        provenance={"interpolated": made.record()},
    )


class _Planes:
    """Planes of the neighbours, each read once; the two that are blended are held."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._held: dict[tuple[Path, int], NDArray[Any]] = {}

    def window(self, part: Part, window: Window) -> NDArray[Any]:
        """Give a window of the plane of a part."""
        key = (part.volume.path, part.z)
        if key not in self._held:
            if len(self._held) == 2:  # those of the plane before
                self._held.clear()
                for file in self._scratch.iterdir():
                    file.unlink()
            self._held[key] = self._read(part.volume, part.z)
        return self._held[key][window.y0 : window.y1, window.x0 : window.x1]

    def _read(self, volume: SliceVolume, z: int) -> NDArray[Any]:
        _, height, width = volume.shape
        if height * width * volume.dtype.itemsize <= _IN_MEMORY:
            return self._slab(volume, z, 0, height)
        file = self._scratch / f"{volume.slice_id}_{z}"
        made: NDArray[Any] = np.memmap(file, volume.dtype, "w+", shape=(height, width))
        rows = max(1, _BAND_BYTES // (width * volume.dtype.itemsize))
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            made[top:bottom] = self._slab(volume, z, top, bottom)
        return made

    @staticmethod
    def _slab(volume: SliceVolume, z: int, top: int, bottom: int) -> NDArray[Any]:
        slab: NDArray[Any] = volume.planes([z], Window(0, volume.shape[2], top, bottom))[0]
        return slab
