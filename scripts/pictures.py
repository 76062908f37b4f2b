"""Makes the pictures of README and docs from the real program: `make pictures`."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

HERE = Path(__file__).parents[1] / "docs" / "images"
scratch = Path(tempfile.mkdtemp())
# the user's own settings stay as they are, and so does what was open last
os.environ |= {"NAPARI_CONFIG": str(scratch / "settings.yaml"), "SLICEMAP_STATE": str(scratch / "state")}

import napari  # noqa: E402
import numpy as np  # noqa: E402
import tifffile  # noqa: E402
from tutorial.film import make_small  # noqa: E402
from tutorial.hand import wait_until_quiet  # noqa: E402

from napari_slicemap import ExportPlan, open_dataset, run_export  # noqa: E402
from napari_slicemap.sample import make_sample  # noqa: E402
from napari_slicemap.slices import slice_config  # noqa: E402
from napari_slicemap.viewer.desk import show_dock  # noqa: E402
from napari_slicemap.viewer.docks.batch_export import BatchExportDock  # noqa: E402
from napari_slicemap.viewer.launch import PLUGIN, launch  # noqa: E402
from napari_slicemap.viewer.missing_dialog import MissingDialog  # noqa: E402
from napari_slicemap.viewer.session import session_of  # noqa: E402

STAMPED = {
    "00": {"quality_score": 0.0},
    "01": {"quality_score": 0.812, "galvo_confidence": 0.31},
    "02": {"quality_score": 0.204, "galvo_confidence": 0.55, "rehomed": True, "rehoming_reliable": True},
    "03": {"quality_score": 0.764, "galvo_confidence": 0.893, "galvo_fix": True},
    "04": {"quality_score": 0.12, "auto_excluded": True, "auto_exclude_reason": "noisy cluster (3 consecutive)"},
    "05": {"quality_score": 0.733, "galvo_confidence": 0.08, "galvo_fix": False},
}
"""What stages would have stamped on the sample's slices, for the picture of the table."""


def main() -> None:
    """Make every picture."""
    HERE.mkdir(parents=True, exist_ok=True)
    folder = make_sample(scratch / "block 12")
    figures(folder)
    screen(folder)
    exporting(folder, "dark", "batch-export", "batch-export-preview")
    exporting(folder, "light", "batch-export-light", "batch-export-preview-light")
    table(folder, "dark", "slice-config.png")
    table(folder, "light", "slice-config-light.png")
    drawing(folder, "dark", "roi-drawing.png")
    drawing(folder, "light", "roi-drawing-light.png")
    galvo(folder, "dark", "galvo-inspector.png", shift=None)
    galvo(folder, "light", "galvo-inspector-light.png", shift=34)
    asking("dark", "missing.png")
    asking("light", "missing-light.png")
    shutil.rmtree(scratch)


def figures(folder: Path) -> None:
    """Export the figures that the README shows."""
    dataset = open_dataset(folder)
    common = {"output_folder": str(scratch / "out"), "scale_bar": {"enabled": True}}
    run_export(ExportPlan(select=[{"kind": "map", "ids": ["01"]}], **common), dataset)
    outlined = {"overlays": {"masks": ["cell"]}, **common}
    run_export(ExportPlan(select=[{"kind": "map-roi", "ids": ["ROI_002"]}], **outlined), dataset)
    for made, name in (("map_01.png", "map.png"), ("map_01_roi_ROI_002.png", "roi.png")):
        shutil.copy(scratch / "out" / made, HERE / name)


def screen(folder: Path) -> None:
    """Photograph napari with a map, an ROI drawn on it, and the Batch export dock."""
    viewer = launch(open_dataset(folder), "01", block=False)
    window = viewer.window._qt_window
    window.resize(1280, 800)
    session = session_of(viewer)
    page = session.map_layer.page(1)
    square = [(90, 40), (170, 40), (170, 120), (90, 120)]
    corners = [(1, *(np.array(page.to_canvas(x, y)) - 0.5)[::-1]) for x, y in square]
    session.viewer.layers["ROIs"].add(np.array(corners), shape_type="rectangle")
    wait_until_quiet()
    session.look_at(1)
    fill(show_dock(viewer, "Batch export"), [roi.roi_id for roi in session.rois if roi.on == "map"])
    wait_until_quiet()
    window.grab().save(str(HERE / "napari.png"))
    viewer.close()
    make_small(HERE / "napari.png")


def exporting(folder: Path, theme: str, what: str, preview: str) -> None:
    """Photograph the Batch export dock: what is ticked, and the preview."""
    viewer = launch(open_dataset(folder), "01", block=False)
    viewer.theme = theme
    viewer.window._qt_window.resize(1280, 800)
    dock = show_dock(viewer, "Batch export")
    fill(dock, [roi.roi_id for roi in session_of(viewer).rois if roi.on == "map"])
    fold(dock, "what")
    dock.grab().save(str(HERE / f"{what}.png"))
    fold(dock, "where", "preview")
    dock.grab().save(str(HERE / f"{preview}.png"))
    viewer.close()


def fill(dock: BatchExportDock, rois: list[str]) -> None:
    """Tick ROIs, and say what is drawn and where files go."""
    dock.what.tabs.setCurrentIndex(1)
    dock.picker("rois").tick(rois)
    dock.drawn.masks.choose(["cell"])
    dock.where.folder.setText("exports/figure 2")


def table(folder: Path, theme: str, name: str) -> None:
    """Photograph napari with the Slice config dock: a table that stages have stamped, and an edit that is not saved."""
    path = folder / "slice_config.csv"
    before = path.read_bytes()
    slice_config.write(path, slice_config.stamp_many(slice_config.read(path), STAMPED))
    viewer = napari.Viewer(title="Sample block - slicemap")
    viewer.theme = theme
    window = viewer.window._qt_window
    window.resize(1280, 800)
    session = session_of(viewer)
    session.open(folder, "01")
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Slice config")
    wait_until_quiet()
    session.show_slice("02")
    session.look_at(session.page_number)
    dock.table.select(["02"])
    dock.editing.toggle_use()
    dock.editing.append_note("folded")
    wait_until_quiet()
    window.grab().save(str(HERE / name))
    session.edits.discard()
    viewer.close()
    path.write_bytes(before)
    make_small(HERE / name)


def asking(theme: str, name: str) -> None:
    """Photograph the dialog that asks for what files do not state: of tiles that are only counted."""
    folder = scratch / theme / "run 7"
    folder.mkdir(parents=True)
    for number in range(1, 13):
        tifffile.imwrite(folder / f"tile_{number:02d}.tif", np.full((64, 64), number, np.uint16))
    viewer = launch(open_dataset(folder), block=False)
    viewer.theme = theme
    window = viewer.window._qt_window
    dialog = window.findChild(MissingDialog)
    wait_until_quiet()
    dialog.grab().save(str(HERE / name))
    dialog.close()
    viewer.close()


def drawing(folder: Path, theme: str, name: str) -> None:
    """Photograph napari with the ROI drawing dock: shapes of each kind, one of which leaves the data."""
    own = Path(shutil.copytree(folder, scratch / f"drawn {theme}"))
    viewer = napari.Viewer(title="Sample block - slicemap")
    viewer.theme = theme
    window = viewer.window._qt_window
    window.resize(1280, 800)
    session = session_of(viewer)
    session.open(own, "01")
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "ROI drawing")
    place, layer = session.roi_layer.places.of_page(1), session.roi_layer.layer
    for tool, shape_type, points in (
        ("line", "path", [(20, 230), (60, 240), (100, 210), (150, 235)]),
        ("rectangle", "rectangle", [(318, 150), (368, 150), (368, 200), (318, 200)]),
        ("turned", "polygon", [(215, 178), (268, 204), (257, 226)]),
    ):
        dock.hand.take(tool)
        layer.add(np.array([(1, y - 0.5, x - 0.5) for x, y in place.to_canvas(points)]), shape_type=shape_type)
        wait_until_quiet()
    dock.tools.width.setValue(20)
    dock.tools.height.setValue(12)
    dock.hand.take("stamp")
    ((x, y),) = place.to_canvas(((300, 215),))
    dock.hand.stamp(tuple(layer.data_to_world((1, y - 0.5, x - 0.5))))
    wait_until_quiet()
    session.look_at(1)
    wait_until_quiet()
    window.grab().save(str(HERE / name))
    viewer.close()
    make_small(HERE / name)


def galvo(folder: Path, theme: str, name: str, shift: int | None) -> None:
    """Photograph napari with the Galvo inspector: after a detection, and where the band is dragged elsewhere."""
    viewer = napari.Viewer(title="Sample block - slicemap")
    viewer.theme = theme
    window = viewer.window._qt_window
    window.resize(1280, 800)
    session_of(viewer).open(folder, "03")
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Galvo inspector")
    wait_until_quiet()
    session_of(viewer).look_at(session_of(viewer).page_number)
    if shift is None:
        dock.detect_all()
    else:
        dock.panels.move_to(shift)
        dock.scroll.ensureWidgetVisible(dock.panels.before_after)
    wait_until_quiet()
    window.grab().save(str(HERE / name))
    viewer.close()
    make_small(HERE / name)


def fold(dock: BatchExportDock, *opened: str) -> None:
    """Open some sections of the dock and fold the others."""
    for name, section in dock.sections.items():
        section.set_expanded(name in opened)
    wait_until_quiet()


if __name__ == "__main__":
    main()
    napari.Viewer.close_all()
