"""Two viewers on one dataset: each writes after the other, and nothing is overwritten that its person did not see."""

from __future__ import annotations

import csv
import json
import shutil

import pytest
from filelock import FileLock
from napari.components import ViewerModel

from napari_slicemap.errors import PlanError, SlicemapError
from napari_slicemap.rois.roi import roi_from_points
from napari_slicemap.rois.table import RoiTable
from napari_slicemap.slices.galvo.decisions import standing
from napari_slicemap.slices.galvo.record import read_record
from napari_slicemap.viewer import looks
from napari_slicemap.viewer.session import session_of


@pytest.fixture
def opened(qapp):
    """Open an acquisition in a viewer without a window."""
    viewers = []  # a session holds its viewer weakly

    def make(path):
        viewers.append(ViewerModel())
        session = session_of(viewers[-1])
        session.open(path, "01")
        return session

    yield make
    for viewer in viewers:
        session_of(viewer).end()


@pytest.fixture
def both(opened, sample):
    """Ann's session and Ben's."""
    return opened(sample), opened(sample)


def cells(path, slice_id):
    """Read a row of the slice table, without our reader."""
    with (path / "slice_config.csv").open(encoding="utf-8", newline="") as stream:
        return next(row for row in csv.DictReader(stream) if row["slice_id"] == slice_id)


def profiles(path):
    return json.loads((path / "profiles.json").read_text("utf-8"))["profiles"]


def box(name, x=10.0):
    return roi_from_points([(x, 10), (x + 20, 10), (x + 20, 40), (x, 40)], "rectangle", name=name, map_id="01")


def names(session):
    return [roi.name for roi in session.rois]


# --- slice table ------------------------------------------------------------------------------------------------------
def test_edits_of_other_cells_are_saved_side_by_side(both, sample):
    ann, ben = both
    ann.edits.set_value(["02"], "notes", "ann")
    ben.edits.set_value(["02"], "use", False)
    ben.edits.set_value(["05"], "notes", "ben")
    assert not ann.edits.save().clashes
    assert not ben.edits.save().clashes
    assert (cells(sample, "02")["notes"], cells(sample, "02")["use"]) == ("ann", "false")
    assert cells(sample, "05")["notes"] == "ben"
    ann.edits.see()
    assert ann.dataset.slices["05"]["notes"] == "ben"


def test_a_cell_that_both_edited_is_asked_about(both, sample):
    ann, ben = both
    for session, note in ((ann, "ann"), (ben, "ben")):
        session.edits.set_value(["02"], "notes", note)
    ann.edits.save()
    (clash,) = ben.edits.save().clashes
    assert (clash.theirs, clash.mine) == ("ann", "ben")
    assert cells(sample, "02")["notes"] == "ann"
    ben.edits.save(keep_mine=True)
    assert cells(sample, "02")["notes"] == "ben"


def test_undoing_a_saved_edit_leaves_what_the_other_one_wrote(both, sample):
    ann, ben = both
    ann.edits.set_value(["02"], "notes", "ann")
    ann.edits.save()
    ben.edits.see()
    ben.edits.set_value(["02"], "notes", "ben")
    ben.edits.save()
    ann.undo_stack.undo()
    assert ann.edits.save().clashes
    assert cells(sample, "02")["notes"] == "ben"


# --- ROIs -------------------------------------------------------------------------------------------------------------
def test_rois_of_the_other_one_come_by_themselves(both, sample, qtbot):
    ann, ben = both
    with qtbot.waitSignal(ben.marking._watch.changed, timeout=5000):
        ann.add_roi(box("ann's"))
    assert names(ben)[-1] == "ann's"
    assert ben.undo_stack.count() == 0
    before = (sample / "rois.csv").stat().st_mtime_ns
    qtbot.wait(500)
    assert (sample / "rois.csv").stat().st_mtime_ns == before, "who looks writes nothing"


def test_a_viewer_looks_only_when_a_file_changes(both, qtbot, monkeypatch):
    ann, _ = both
    qtbot.wait(500)  # what opening wrote
    looked = []
    monkeypatch.setattr(type(ann.marking._file), "refresh", lambda self: looked.append(self))
    qtbot.wait(1000)
    assert looked == []


def test_rois_are_added_in_turns(both, sample):
    ann, ben = both
    for number in range(6):
        (ann, ben)[number % 2].add_roi(box(f"n{number}", 10.0 * number))
    assert [roi.name for roi in RoiTable.read(sample / "rois.csv")][-6:] == [f"n{number}" for number in range(6)]
    ann.undo_stack.undo()
    assert "n4" not in names(ann)
    assert "n5" in names(ann)


def test_an_roi_that_the_other_one_removed_stays_removed(both, sample):
    ann, ben = both
    first = next(iter(ann.rois))
    ann.remove_rois([first.roi_id])
    told = []
    ben.marking.told.connect(told.append)
    ben.change_roi(first.model_copy(update={"comment": "ben"}))
    assert first.roi_id not in RoiTable.read(sample / "rois.csv")
    assert told == [f"ROI {first.label} was removed by another program since, and stays so"]
    assert ben.undo_stack.count() == 0


def test_a_closed_session_looks_after_no_file(both):
    ann, ben = both
    watcher = ann.marking._watch._watcher
    assert watcher.files()
    ann.end()
    assert watcher.files() == watcher.directories() == []
    ben.close()
    assert ben.marking._watch._watcher.files() == []


# --- profiles ---------------------------------------------------------------------------------------------------------
def test_profiles_of_both_are_kept(both, sample):
    ann, ben = both
    before = set(profiles(sample))
    for session, name in ((ann, "ann"), (ben, "ben")):
        session.viewer.layers["CD3"].contrast_limits = (100, 1000)
        session.save_profile(name)
    assert set(profiles(sample)) == before | {"ann", "ben"}


def test_a_profile_that_the_other_one_saved_is_not_overwritten(both, sample):
    ann, ben = both
    for session, top in ((ann, 1000), (ben, 2000)):
        session.viewer.layers["CD3"].contrast_limits = (100, top)
    ann.save_profile()
    saved = (sample / "profiles.json").read_bytes()
    with pytest.raises(SlicemapError, match="'tissue' was changed by something else since it was read; save under"):
        ben.save_profile()
    assert (sample / "profiles.json").read_bytes() == saved
    ben.save_profile("ben")
    assert profiles(sample)["tissue"]["channels"]["CD3"]["contrast_limits"] == [100.0, 1000.0]


def test_undoing_a_save_leaves_what_the_other_one_saved(both, sample, monkeypatch):
    ann, ben = both
    ann.save_profile("ann")
    ben.save_profile("ben")
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_error", said.append)
    ann.undo_stack.undo()
    assert {"ann", "ben"} <= set(profiles(sample))
    assert "profiles.json was changed by something else since; nothing is changed" in said[0]


def test_an_undo_that_cannot_be_is_told_of_where_no_dock_is_open(both, monkeypatch):
    ann, ben = both
    ann.edits.set_value(["02"], "notes", "ann's")
    ann.edits.save()
    ben.edits.see()
    ben.edits.set_value(["02"], "notes", "ben's")
    ben.edits.save()
    ann.edits.see()
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", said.append)
    ann.undo_stack.undo()
    assert said == ["notes of slice 02 changed since, and stays as it is"]
    assert ann.edits.rows["02"]["notes"] == "ben's"


def test_profiles_that_are_being_written_are_waited_for_and_named(both, sample, monkeypatch):
    monkeypatch.setattr(looks, "_WAIT_S", 0.05)
    ann, _ = both
    before = (sample / "profiles.json").read_bytes()
    with (
        FileLock(sample / ".profiles.json.lock"),
        pytest.raises(SlicemapError, match=r"profiles\.json cannot be written: another program is writing it"),
    ):
        ann.save_profile("ann")
    assert (sample / "profiles.json").read_bytes() == before
    assert ann.undo_stack.count() == 0
    ann.save_profile("ann")
    assert "ann" in profiles(sample)


# --- decisions about the mirror's return ------------------------------------------------------------------------------
@pytest.fixture
def detected(detected_made, tmp_path):
    return shutil.copytree(detected_made, tmp_path / "detected")


@pytest.fixture
def deciding(detected, opened):
    """Both sessions where the return has been looked for."""
    return opened(detected), opened(detected)


def seen_by(session):
    """How slice 03 stands as a viewer shows it."""
    return standing(session.dataset.slices["03"], read_record(session.galvo.places.diagnostics, "03"))


@pytest.mark.parametrize(
    ("anns", "said"),
    [
        pytest.param({"fix": True}, "to fix it by 28 A-lines", id="accepted: the cell stays as it was"),
        pytest.param({"fix": True, "shift": 5}, "to fix it by 5 A-lines", id="by another shift"),
        pytest.param({"fix": False}, "to leave it as it is", id="rejected"),
    ],
)
@pytest.mark.parametrize("bens", [{"fix": False}, {"fix": True, "shift": 9}, {"fix": None}])
def test_a_decision_that_nobody_saw_is_not_overwritten(deciding, detected, anns, bens, said):
    ann, ben = deciding
    shown = seen_by(ben)
    ann.galvo.decide("03", **anns, shown=seen_by(ann))
    before = (detected / "slice_config.csv").read_bytes()
    with pytest.raises(PlanError, match=f"slice 03: somebody else decided since {said}; look again, then decide"):
        ben.galvo.decide("03", **bens, shown=shown)
    assert (detected / "slice_config.csv").read_bytes() == before
    assert ben.dataset.slices["03"]["galvo_fix"] is anns["fix"], "it is shown now"
    ben.galvo.decide("03", **bens, shown=seen_by(ben))
    assert cells(detected, "03")["galvo_fix"] == {False: "false", True: "true", None: ""}[bens["fix"]]


def test_a_decision_that_was_withdrawn_is_looked_at_again(deciding):
    ann, ben = deciding
    ann.galvo.decide("03", fix=False)
    ben.reload_slices()
    shown = seen_by(ben)
    ann.galvo.decide("03", fix=None)
    with pytest.raises(PlanError, match="somebody else withdrew the decision since"):
        ben.galvo.decide("03", fix=True, shown=shown)


def test_notes_of_both_stand_side_by_side(deciding, detected):
    ann, ben = deciding
    ann.galvo.note("03", "ann")
    ben.galvo.note("03", "ben")
    assert cells(detected, "03")["notes"] == "ann; ben"
    ann.undo_stack.undo()
    assert "ben" in cells(detected, "03")["notes"]


def test_a_note_beneath_an_unsaved_one_is_refused_in_words(deciding, detected):
    ann, _ = deciding
    ann.edits.set_value(["03"], "notes", "typed")
    for command in (lambda: ann.galvo.note("03", "x"), lambda: ann.galvo.decide("03", fix=False, note="x")):
        with pytest.raises(PlanError, match="slice 03: notes is edited in the slice table; save or undo that first"):
            command()
    assert (cells(detected, "03")["notes"], cells(detected, "03")["galvo_fix"]) == ("", "true")
    ann.galvo.decide("03", fix=False)
    assert cells(detected, "03")["galvo_fix"] == "false"
