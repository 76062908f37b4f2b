"""Twenty edits of all kinds in a real viewer: each is made when a line is read, and told when it is made.

Run by the tests of what a killed process loses, as ``python twenty_edits.py ACQUISITION``.
"""

from __future__ import annotations

import sys
from typing import Any


def open_desk(path: str) -> tuple[Any, Any, Any, Any]:
    """Open an acquisition in a viewer with docks: session, slice table, ROIs, what keeps them."""
    import napari
    from qtpy.QtWidgets import QApplication

    from napari_slicemap.viewer.session import session_of

    viewer = napari.Viewer(show=True)
    session = session_of(viewer)
    session.open(path, "01")
    slices, rois, galvo = (
        viewer.window.add_plugin_dock_widget("napari-slicemap", name)[1]
        for name in ("Slice config", "ROI drawing", "Galvo inspector")
    )
    QApplication.processEvents()
    return session, slices, rois, (viewer, galvo)


def edits_of(session: Any, slices: Any, rois: Any) -> list[Any]:
    """Give the edits, each a function; the order matters."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QApplication, QLineEdit

    from napari_slicemap.rois.roi import roi_from_points
    from napari_slicemap.viewer.docks.roi_drawing.rows import COMMENT, NAME

    table, editing, stack, marking = slices.table, slices.editing, session.undo_stack, session.marking
    drawn = roi_from_points([(10, 10), (60, 10), (60, 40)], "polygon", name="drawn", map_id="01")

    def chosen(*slice_ids: str) -> Any:
        table.setCurrentIndex(slices.model.index(slices.model.row_of(slice_ids[0]), 1))
        table.select(list(slice_ids))
        return editing

    def leave_out_by_space() -> None:
        chosen("02")
        QTest.keyClick(table, Qt.Key.Key_Space)

    def type_note() -> None:
        chosen("02")
        table.edit_note()
        (line,) = (one for one in table.viewport().findChildren(QLineEdit) if one.isVisible())
        QTest.keyClicks(line, "folded")
        QTest.keyClick(line, Qt.Key.Key_Return)
        QApplication.processEvents()

    def sort_and_score() -> None:
        table.sortByColumn(slices.model.number_of_column("notes"), Qt.SortOrder.DescendingOrder)
        model = slices.model
        assert model.setData(model.index(model.row_of("04"), model.number_of_column("quality_score")), "0.25")

    def write_cell(column: int, text: str) -> None:
        rows = rois.rows
        (row,) = (n for n, one in enumerate(rows.rows) if one.roi.roi_id == drawn.roi_id)
        assert rows.setData(rows.index(row, column), text)

    def move() -> None:
        moved = tuple((x + 30, y + 20) for x, y in drawn.points)
        made = roi_from_points(moved, "polygon", name="drawn", map_id="01")
        marking.change([made.model_copy(update={"roi_id": drawn.roi_id, "created_at": drawn.created_at})])

    def save_profile() -> None:
        session.viewer.layers["CD3"].contrast_limits = (200, 1800)
        session.save_profile("bright")

    def remove_two() -> None:
        marking.remove([one.roi_id for one in session.rois if one.name in ("ROI_001", "ROI_002")])

    return [
        leave_out_by_space,
        type_note,
        lambda: chosen("01", "02", "05").append_note("dim"),
        lambda: chosen("04", "05").set_use(False),
        lambda: session.galvo.decide("03", fix=False, note="not a return"),
        stack.undo,
        sort_and_score,
        lambda: session.add_roi(drawn),
        move,
        lambda: write_cell(NAME, "vessel"),
        lambda: write_cell(COMMENT, "with, commas\nand lines"),
        save_profile,
        remove_two,
        stack.undo,
        lambda: session.galvo.note("04", "looked at"),
        lambda: session.galvo.decide("03", fix=True, shift=7),
        lambda: marking.copy_to([drawn.roi_id], ["02"]),
        lambda: chosen("05").toggle_use(),
        lambda: marking.remove([drawn.roi_id]),
        lambda: editing.append_note("the last one"),
    ]


def main(path: str) -> None:
    """Make the edits, one for each line that is read."""
    session, slices, rois, kept = open_desk(path)
    _say("open")
    for number, edit in enumerate(edits_of(session, slices, rois), 1):
        sys.stdin.readline()
        edit()
        _say(str(number))
    sys.stdin.readline()
    del kept


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
