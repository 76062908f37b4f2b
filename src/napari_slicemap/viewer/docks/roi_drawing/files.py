"""ROIs from files and into files."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QWidget

from ....errors import SlicemapError
from ....rois.interchange import Format, merge, read_rois, write_rois
from ....rois.roi import Roi
from ...session import Session
from ..parts import bullets, counted, words_of

_READ = "ROIs (*.csv *.geojson *.json *.ome.xml *.ome *.ome.tif *.ome.tiff *.magc)"
_WRITTEN: dict[str, Format] = {
    "ROI table (*.csv)": "csv",
    "GeoJSON, as in QuPath (*.geojson)": "geojson",
    "OME-XML, as in OMERO (*.ome.xml)": "ome-xml",
    "Shapes of napari (*.csv)": "shapes",
}


def import_rois(session: Session, path: Path) -> str:
    """Take ROIs from a file, undoable as one step.

    Parameters
    ----------
    session : Session
        Gets them. Shapes of which the file does not say it go on the map that is shown.
    path : Path
        See :func:`~napari_slicemap.rois.interchange.read_rois`.

    Returns
    -------
    str
        What became of them, for the user.

    Raises
    ------
    SlicemapError, OSError
        If it cannot be read.
    """
    layer, marking = session.map_layer, session.marking
    here = None if layer is None else layer.page(session.page_number).frame
    found = read_rois(path, marking.ground.frames(here))
    what = merge(session.rois, found.rois, marking.pattern)
    strangers = [
        f"ROI {roi.label}: {fault}" for roi in (*what.new, *what.changed) if (fault := marking.ground.fault(roi))
    ]
    marking.take(what)
    said = [counted(len(what.new), "new ROI"), f"{len(what.changed)} changed", f"{what.same} as they were"]
    problems = [*found.problems, *strangers]
    return "\n".join([f"{path.name}: {', '.join(said)}.", *([bullets(problems)] if problems else [])])


def export_rois(session: Session, rois: list[Roi], path: Path, file_format: Format | None = None) -> str:
    """Write ROIs to a file, and say so.

    Raises
    ------
    SlicemapError, OSError
        If it cannot be written.
    """
    left_out = write_rois(path, rois, session.marking.ground.frames(), file_format)
    said = f"{counted(len(rois) - len(left_out), 'ROI')} written to {path}."
    return "\n".join([said, *([bullets(left_out)] if left_out else [])])


def ask_import(parent: QWidget, session: Session) -> str:
    """Ask for a file and import it; give what to tell, nothing if the user thought better of it."""
    chosen, _ = QFileDialog.getOpenFileName(parent, "Import ROIs", "", _READ)
    if not chosen:
        return ""
    try:
        return import_rois(session, Path(chosen))
    except (SlicemapError, OSError) as error:
        return bullets(words_of(error))


def ask_export(parent: QWidget, session: Session, rois: list[Roi]) -> str:
    """Ask for a file and write to it; give what to tell, nothing if the user thought better of it."""
    chosen, kind = QFileDialog.getSaveFileName(parent, "Export ROIs", "rois.geojson", ";;".join(_WRITTEN))
    if not chosen:
        return ""
    path = Path(chosen)
    # the list of kinds tells our own table from napari's; otherwise the name that was given counts
    wanted = _WRITTEN.get(kind) if path.suffix.lower() == ".csv" and "csv" in kind else None
    try:
        return export_rois(session, rois, path, wanted)
    except (SlicemapError, OSError) as error:
        return bullets(words_of(error))
