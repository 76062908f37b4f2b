"""The steps of the tutorial: the docs tell them, a test plays and checks them, a script photographs them."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QObject, QPoint, QUrl, Slot
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QApplication, QDialog, QPushButton

from .hand import Hand

NOTE = "out of focus"
FOLDER = "~/figures"
ROI_PX = (195, 150, 345, 242)
"""x and y of two corners of the ROI that is drawn, px of map 01: it lies across tiles r1c1 and r1c2."""
LOOK_PX = (200, 62)
"""Where the view is zoomed in, px of map 01."""


def open_sample(hand: Hand) -> None:
    """Open the sample from the menu."""
    open_it = hand.point_at_entry("File", "Open Sample", "Slice map")
    hand.show("File ▸ Open Sample ▸ Slice map", "open")
    open_it()
    hand.wait_for(lambda: hand.session.dataset is not None, "the sample to open", 60)
    hand.show("A block of tissue: six slices, each a map of six tiles")


def open_docks(hand: Hand) -> None:
    """Open all docks from the menu; the map is fitted into the room that is left."""
    open_them = hand.point_at_entry("Layers", "Data", "Slice map", "All docks")
    hand.show("Layers ▸ Data ▸ Slice map ▸ All docks")
    open_them()
    hand.wait_for(lambda: hand.dock("Slice config").isVisible(), "the docks to open")
    hand.wait_for(lambda: hand.dock("Galvo inspector").ledger.shelf is not None, "the tiles to be listed")
    hand.show("Four docks; the map keeps in view", "docks")


def look_around(hand: Hand) -> None:
    """Go through the slices, zoom in, and read what is under the pointer."""
    slider = hand.viewer.window._qt_viewer.dims.slider_widgets[0].slider
    hand.click(slider, QPoint(slider.width() - 6, slider.height() // 2))
    hand.wait_for(lambda: hand.session.slice_id == "02", "the slider to move")
    hand.show("The slider goes through the slices")
    hand.click(slider, QPoint(6, slider.height() // 2))
    hand.wait_for(lambda: hand.session.slice_id == "01", "the slider to move back")
    hand.wheel(hand.canvas, 7, hand.place_of(*stage_um(hand, *LOOK_PX)))
    hand.show("The wheel zooms; the line at the bottom says what is under the pointer", "look")
    hand.press("Ctrl+Shift+D")
    hand.show("Ctrl+Shift+D: the composite, the very pixels of an export")


def leave_closeup(hand: Hand) -> None:
    """Show the channels again, and all of the map."""
    hand.press("Ctrl+Shift+D")
    hand.click(hand.viewer.window._qt_viewer.viewerButtons.resetViewButton)


def exclude(hand: Hand) -> None:
    """Leave slice 02 out, and say why."""
    dock = hand.dock("Slice config")
    hand.click_cell(dock.table, *cell_of(dock.table, "02"))
    hand.wait_for(lambda: hand.session.slice_id == "02", "the viewer to follow the table")
    hand.show("Click slice 02: it is out of focus")
    hand.press("Space")
    hand.press("E")
    hand.type(NOTE)
    hand.show("Space leaves it out, E says why", "exclude")
    hand.press("Return")
    hand.press("Ctrl+S")
    hand.show("Return, and Ctrl+S saves")


def judge_galvo(hand: Hand) -> None:
    """Look at slice 03 before and after, and accept that it is to be fixed."""
    hand.click_tab("Galvo inspector")
    dock = hand.dock("Galvo inspector")
    hand.click_cell(dock.slices, *cell_of(dock.slices, "03"))
    hand.wait_for(lambda: dock.desk.accept.isEnabled(), "the tiles of slice 03 to be looked at")
    hand.wait_for(lambda: not any(lane.busy for lane in dock.looking.lanes.values()), "the tiles to be drawn")
    hand.show("Galvo inspector, slice 03: the mirror's return lies inside the tiles", "galvo")
    with hand.holding("B"):
        hand.show("Hold B: before the fix")
    hand.show("Let go: after it")
    hand.press("A")
    hand.show("A accepts")


def fix_galvo(hand: Hand) -> None:
    """Write the fixed tiles."""
    dock = hand.dock("Galvo inspector")
    hand.click(dock.all.apply)
    dialog: Any = child(hand, QDialog, "Apply fixes")
    hand.wait_for(dialog.write.isEnabled, "the fixes to be listed")
    hand.move(dialog.write)
    hand.show("Apply fixes… lists what would be written, and where", "fixes")
    hand.click(dialog.write)
    hand.wait_for(lambda: dialog.write.isEnabled() and "fixed" in dialog.message.text(), "the fixes to be written")
    hand.show("Write fixes: the tiles themselves stay as they are")
    hand.click(dialog.leave)


def draw_roi(hand: Hand) -> None:
    """Draw a rectangle across two tiles of slice 01."""
    slider = hand.viewer.window._qt_viewer.dims.slider_widgets[0].slider
    for _ in range(2):
        hand.click(slider, QPoint(6, slider.height() // 2))
    hand.wait_for(lambda: hand.session.slice_id == "01", "the slider to go to slice 01")
    hand.click_tab("ROI drawing")
    dock = hand.dock("ROI drawing")
    hand.click(dock.tools.buttons["rectangle"])
    x0, y0, x1, y1 = ROI_PX
    hand.drag(stage_um(hand, x0, y0), stage_um(hand, x1, y1), "The rectangle tool: drag across two tiles")
    hand.wait_for(lambda: dock.view.model().rowCount() == 4, "the ROI to be listed")
    hand.show("ROI_004 is listed, and saved", "roi")


def plan_export(hand: Hand) -> None:
    """Say what to export, what is drawn into it, and where it goes."""
    hand.choose("File", "IO Utilities", "Batch export")
    hand.wait_for(lambda: not hand.dock("Batch export").visibleRegion().isEmpty(), "the dock to come to the front")
    dock = hand.dock("Batch export")
    tabs = dock.what.tabs
    hand.click(tabs.tabBar(), tabs.tabBar().tabRect(1).center())
    table = dock.picker("rois").table
    hand.click_cell(table, *cell_of(table, "ROI_004"))
    hand.show("Batch export: tick the ROI")
    unfold(hand, "drawn")
    box = dock.drawn.masks.boxes["cell"]
    hand.click(box, QPoint(8, box.height() // 2))
    hand.show("Outlines of cells; the scale bar is ticked already")
    unfold(hand, "where")
    hand.click(dock.where.folder)
    hand.type(FOLDER)
    hand.wait_for(lambda: dock.desk.message.text().endswith("figures"), "the check")
    hand.show("A folder for the figures; the line above Export says what will come", "export")


def run_export(hand: Hand) -> None:
    """Export, and open the picture."""
    dock = hand.dock("Batch export")
    hand.click(dock.desk.export)
    hand.wait_for(lambda: not dock.exporting.running and dock.results.lines, "the export to end")
    hand.wait_for(lambda: all(line.state == "done" for line in dock.results.lines), "the file to be written")
    hand.scroll_to(dock.results.table)
    hand.click_cell(dock.results.table, 0, 1)
    hand.show("Export; a double-click on the file opens the picture")
    hand.click_cell(dock.results.table, 0, 1, double=True)


def copy_command(hand: Hand) -> None:
    """Copy the command that writes the same file."""
    dock = hand.dock("Batch export")
    QApplication.clipboard().clear()
    hand.click(dock.desk.copy)
    hand.wait_for(lambda: bool(QApplication.clipboard().text()), "the command to be copied")
    hand.show("Copy shell command: the same file, from a terminal")


STEPS = (
    open_sample,
    open_docks,
    look_around,
    leave_closeup,
    exclude,
    judge_galvo,
    fix_galvo,
    draw_roi,
    plan_export,
    run_export,
    copy_command,
)
"""All steps, in their order."""


# --- what the steps need ------------------------------------------------------------------------------------------
class Opened(QObject):
    """Notes the files that the program asks the desktop to open, while it lives."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: list[str] = []
        QDesktopServices.setUrlHandler("file", self, "take")

    @Slot(QUrl)
    def take(self, url: QUrl) -> None:
        """Note a file."""
        self.paths.append(url.toLocalFile())

    def leave(self) -> None:
        """Let the desktop open files again."""
        QDesktopServices.unsetUrlHandler("file")


def stage_um(hand: Hand, x: float, y: float) -> tuple[float, float]:
    """Take a point from px of the map that is shown to stage µm."""
    placement = hand.session.map_layer.page(hand.session.page_number).map.placement
    return placement.stage_um(x, y)


def cell_of(table: Any, text: str) -> tuple[int, int]:
    """Give row and column of the first cell of a table that says this."""
    model = table.model()
    places = ((row, column) for row in range(model.rowCount()) for column in range(model.columnCount()))
    return next(place for place in places if model.index(*place).data() == text)


def child(hand: Hand, kind: type, title: str) -> Any:
    """Wait for a dialog to be shown, and give it."""

    def found() -> list[Any]:
        return [one for one in hand.window.findChildren(kind) if one.windowTitle() == title and one.isVisible()]

    hand.wait_for(lambda: bool(found()), f"the dialog {title} to be shown")
    hand.pause(0.3)
    return found()[0]


def unfold(hand: Hand, name: str) -> None:
    """Open a section of the Batch export dock by its title."""
    section = hand.dock("Batch export").sections[name]
    title: QPushButton = section.toggleButton()
    hand.scroll_to(title)
    hand.click(title)
    hand.wait_for(section.isExpanded, "the section to open")
