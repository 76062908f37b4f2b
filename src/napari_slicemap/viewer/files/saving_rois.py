"""ROIs of the session as OME-TIFF: their pixels, by the same path as any export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils import progress
from napari.utils.notifications import show_warning

from ...errors import SlicemapError
from ...export.plan import ExportPlan, Select
from ...export.run import run_export
from ...files import safe_stem
from ...rois.roi import Roi
from ..roi_layer import SESSION
from .telling import told

if TYPE_CHECKING:
    from ...dataset import Dataset
    from ..session import Session

_SUFFIX = ".ome.tif"
_SUFFIXES = (_SUFFIX, ".ome.tiff", ".tif", ".tiff")


def write_rois(path: str, data: Sequence[Any], meta: Mapping[str, Any]) -> list[str]:
    """Write the ROIs that are selected in the layer *ROIs*, or all if none is, as OME-TIFF.

    One goes to `path`, several to ``<stem of path>_<ROI>.ome.tif``, with the channels of the active profile as the
    microscope left them.

    Parameters
    ----------
    path : str
        Where to; ``.ome.tif`` is put behind it unless it is there.
    data : sequence of ndarray
        The shapes; what is written is what the table of ROIs says of them.
    meta : mapping
        napari's arguments of the layer.

    Returns
    -------
    list of str
        The files.

    Raises
    ------
    SlicemapError
        If the layer is not the session's, holds no ROI, or something cannot be written.
    """
    with told():
        session, dataset = _opened(meta)
        rois = _chosen(session, meta) if len(data) else []
        if not rois:
            raise SlicemapError("there is no ROI to save yet; draw one on the map first")
        return _write(dataset, plan_of(rois, Path(path), session.profile_name), len(rois))


def _opened(meta: Mapping[str, Any]) -> tuple[Session, Dataset]:
    """Find whose ROIs a layer shows."""
    found = meta.get("metadata", {}).get(SESSION)
    session = None if found is None else found()
    dataset = None if session is None else session.dataset
    if session is None or dataset is None:
        raise SlicemapError(
            f"layer {meta.get('name')} holds no ROIs of an open dataset, so there are no pixels to write. "
            "Draw on the layer ROIs of a dataset, select that layer, and save it"
        )
    return session, dataset


def _chosen(session: Session, meta: Mapping[str, Any]) -> list[Roi]:
    """Give the ROIs that are selected; all of the layer if none is."""
    features = meta["features"]
    shown = {str(roi_id) for roi_id in features["roi_id"]} if "roi_id" in features else set()
    selected = shown & set(session.marking.selected)
    return [roi for roi in session.rois if roi.roi_id in (selected or shown)]


def _write(dataset: Dataset, plan: ExportPlan, count: int) -> list[str]:
    with progress(total=count, desc="Saving ROIs") as bar:
        report = run_export(plan, dataset, on_progress=lambda *_: bar.update(1))
    failed = [f"{one.item_id}: {one.error}" for one in report.results if not one.ok]
    if failed:
        raise SlicemapError("\n".join(["Not all ROIs could be saved.", *failed]))
    if report.left_out:
        show_warning("\n".join(["Not all ROIs were saved.", *report.left_out]))
    return [str(one.output_path) for one in report.results]


def plan_of(rois: Sequence[Roi], path: Path, profile: str) -> ExportPlan:
    """Say as a plan what is to be written.

    Parameters
    ----------
    rois : sequence of Roi
        Which ROIs.
    path : Path
        The file for one; for several its stem is what the names of all begin with. Only a file that was named, and
        of which the user was asked, is written over.
    profile : str
        Whose channels.
    """
    folder, stem = path.absolute().parent, _stem(path)
    alone = len(rois) == 1
    named = alone and f"{safe_stem(stem)}{_SUFFIX}" == path.name
    begin = stem.replace("{", "{{").replace("}", "}}")
    selects = [
        Select(kind=kind, ids=ids)
        for kind, ids in (
            ("map-roi", tuple(roi.roi_id for roi in rois if not roi.fov)),
            ("fov-roi", tuple(roi.roi_id for roi in rois if roi.fov)),
        )
        if ids
    ]
    return ExportPlan(
        profile=profile,
        format="ome-tiff",
        output_folder=str(folder),
        name_template=begin if alone else f"{begin}_{{roi}}",
        overwrite="overwrite" if named else "refuse",
        select=tuple(selects),
    )


def _stem(path: Path) -> str:
    for suffix in _SUFFIXES:
        if path.name.lower().endswith(suffix) and len(path.name) > len(suffix):
            return path.name[: -len(suffix)]
    return path.name
