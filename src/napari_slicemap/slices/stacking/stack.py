"""All slices to use, written as one volume; see :mod:`~napari_slicemap.slices.stacking.plan` for what lies where."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import PlanError
from ...files import atomic_folder
from ...images.ome_zarr.writer import write_ome_zarr
from ...images.source import ImageSource
from ..aligning.planes import PlaneRows, runs
from ..progress import OnProgress, Progress
from ..volumes import SliceVolume
from .plan import Stack, plan_stack

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHUNK = 256
"""Px along a side of the chunks that are written; smaller than usual, for all planes of a band are held at once."""


def stack_slices(
    volumes: Mapping[str, SliceVolume],
    out: str | os.PathLike[str],
    rows: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    interpolated: Mapping[str, SliceVolume] | None = None,
    slice_thickness_um: float | None = None,
    resolution_um: float | None = None,
    z_step_um: float | None = None,
    first: str | None = None,
    last: str | None = None,
    force: bool = False,
    on_progress: OnProgress | None = None,
) -> Stack:
    """Stack slices into one OME-Zarr image with its coarser levels.

    Parameters
    ----------
    volumes, rows, interpolated, slice_thickness_um, resolution_um, z_step_um, first, last
        As :func:`plan_stack` takes them.
    out : path-like
        The image to write, ``<name>.ome.zarr``. Its attributes say under ``napari_slicemap`` which slice lies at
        which planes.
    force : bool
        Replace the image that is there.
    on_progress : callable, optional
        Told how much is done.

    Returns
    -------
    Stack

    Raises
    ------
    PlanError
        As :func:`plan_stack`; also if `out` is there, is one of the slices, or has no name of an OME-Zarr image.
    TileReadError
        Naming an image that cannot be read; nothing is written then.
    """
    plan = plan_stack(
        volumes,
        rows,
        interpolated=interpolated,
        slice_thickness_um=slice_thickness_um,
        resolution_um=resolution_um,
        z_step_um=z_step_um,
        first=first,
        last=last,
    )
    sources = [*volumes.values(), *(interpolated or {}).values()]  # those that are left out, too
    target = _target(Path(out), [one.path for one in sources], force)
    source = _Stacked(plan, on_progress)
    image = ImageSource(
        name=target.name.removesuffix(".zarr").removesuffix(".ome"),
        shape=(1, 1, *plan.shape),
        dtype=source.dtype,
        channels=source.channels,
        read=source.read,
        pixel_size_um=plan.pixel_size_um,
        z_step_um=plan.z_step_um,
        provenance={"stacked": plan.record()},
    )
    with atomic_folder(target) as temporary:
        write_ome_zarr(temporary, image, chunk=_CHUNK, runs=source.runs)
    return plan


def _target(out: Path, sources: Iterable[Path], force: bool) -> Path:
    if out.suffix != ".zarr":
        raise PlanError([f"{out}: a stack is an OME-Zarr image; name it {out.name}.ome.zarr"])
    place = out.resolve()
    for path in sources:
        if place == path.resolve() or place in path.resolve().parents:
            raise PlanError([f"{out} is, or holds, {path.name}, an image of a slice; name another"])
    if out.exists() and not force:
        raise PlanError([f"{out} is there already; --force replaces it"])
    out.parent.mkdir(parents=True, exist_ok=True)
    return out


# --- pixels --------------------------------------------------------------------------------------------------------
class _Stacked:
    """The rows of the stack, as the writer asks for them: slice by slice, run by run, from the top down."""

    def __init__(self, plan: Stack, on_progress: OnProgress | None) -> None:
        self._plan = plan
        model = next(iter(plan.choice.used.values()))
        self.dtype, self.channels = model.dtype, model.image.info.channel_names
        self._at = {z: slice_id for slice_id in plan.choice.used for z in plan.planes_of(slice_id)}
        self._runs = {one: _runs(volume, plan.planes_per_slice) for one, volume in plan.choice.used.items()}
        self._progress = Progress(on_progress, len(self._at) * plan.shape[1])
        self._open: tuple[str, PlaneRows] | None = None

    @property
    def runs(self) -> list[range]:
        """The runs of planes of the stack that are read together; gaps are in none."""
        starts = self._plan.starts
        return [
            range(starts[slice_id] + run.start, starts[slice_id] + run.stop)
            for slice_id, own in self._runs.items()
            for run in own
        ]

    def read(self, _t: int, _c: int, z: int, top: int, bottom: int) -> NDArray[Any]:
        """Give rows of a plane that a slice fills."""
        slice_id = self._at[z]
        if self._open is None or self._open[0] != slice_id:
            self._open = slice_id, PlaneRows(self._plan.choice.used[slice_id], self._runs[slice_id])
        self._progress.add(bottom - top)
        # a copy, for the rows of all planes would stay in memory with these
        return self._open[1].read(z - self._plan.starts[slice_id], top, bottom).copy()


def _runs(volume: SliceVolume, room: int) -> list[range]:
    """Give the runs of a slice; those of planes beyond its room are empty."""
    return [range(run.start, min(run.stop, room)) for run in runs(volume)]
