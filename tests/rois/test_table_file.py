"""One file, several programs: nobody overwrites what another one wrote."""

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap.rois import table_file
from napari_slicemap.rois.roi import Roi
from napari_slicemap.rois.table import RoiTable
from napari_slicemap.rois.table_file import Change, RoiFile

BOX = {"x_min": 0, "x_max": 5, "y_min": 0, "y_max": 4, "map_id": "7"}


def roi(roi_id, comment=""):
    return Roi(roi_id=roi_id, name=roi_id.upper(), comment=comment, created_at="t", updated_at="t", **BOX)


@pytest.fixture
def path(tmp_path):
    RoiTable([roi("a"), roi("b"), roi("c")]).write(tmp_path / "rois.csv")
    return tmp_path / "rois.csv"


def opened(path):
    return RoiFile(path, RoiTable.read(path))


def comments(path):
    return {one.roi_id: one.comment for one in RoiTable.read(path)}


def test_each_keeps_what_the_other_wrote(path):
    mine, theirs = opened(path), opened(path)
    mine.change([Change(roi("a"), roi("a", "mine"))])
    theirs.change([Change(roi("b"), roi("b", "theirs")), Change(None, roi("d"))])
    mine.change([Change(roi("c"), None, 2)])
    assert comments(path) == {"a": "mine", "b": "theirs", "d": ""}
    assert mine.table == RoiTable.read(path)


CONFLICTS = [
    pytest.param([Change(roi("a"), roi("a", "x"))], [Change(roi("a"), roi("a", "y"))], "A was changed", id="changed"),
    pytest.param([Change(roi("a"), None)], [Change(roi("a"), roi("a", "y"))], "A was removed", id="removed there"),
    pytest.param([Change(roi("a"), roi("a", "x"))], [Change(roi("a"), None)], "A was changed", id="removed here"),
    pytest.param([Change(None, roi("d", "x"))], [Change(None, roi("d", "y"))], "D is there already", id="added"),
]


@pytest.mark.parametrize(("first", "second", "message"), CONFLICTS)
def test_what_another_one_changed_stays_and_is_told(path, first, second, message):
    theirs, mine = opened(path), opened(path)
    theirs.change(first)
    before = path.read_bytes()
    outcome = mine.change(second)
    assert outcome.done == ()
    assert message in outcome.conflicts[0]
    assert path.read_bytes() == before
    assert mine.table == theirs.table


def test_of_several_changes_those_that_can_be_made_are(path):
    theirs, mine = opened(path), opened(path)
    theirs.change([Change(roi("a"), roi("a", "x"))])
    both = [Change(roi("a"), roi("a", "y")), Change(roi("b"), roi("b", "y"))]
    outcome = mine.change(both)
    assert outcome.done == (both[1],)
    assert len(outcome.conflicts) == 1
    assert comments(path) == {"a": "x", "b": "y", "c": ""}


def test_undone_changes_leave_the_file_as_it_was(path):
    before, file = path.read_bytes(), opened(path)
    changes = [Change(roi("a"), None, 0), Change(roi("b"), roi("b", "x")), Change(roi("c"), None, 2)]
    file.change([*changes, Change(None, roi("d"))])
    assert comments(path) == {"b": "x", "d": ""}
    file.change([one.undone() for one in [*changes, Change(None, roi("d"))]])
    assert path.read_bytes() == before


@given(gone=st.sets(st.integers(0, 9), min_size=1))
def test_rois_come_back_to_their_places(tmp_path_factory, gone):
    path = tmp_path_factory.mktemp("order") / "rois.csv"
    rois = [roi(f"r{n}") for n in range(10)]
    file = RoiFile(path, RoiTable(rois))
    changes = [Change(rois[n], None, n) for n in sorted(gone)]
    file.change(changes)
    file.change([one.undone() for one in reversed(changes)])
    assert list(file.table) == rois


def test_a_file_that_is_not_there_is_made_of_all_that_is_known(tmp_path):
    file = RoiFile(tmp_path / "new" / "rois.csv", RoiTable([roi("a")]))
    file.change([Change(None, roi("b"))])
    assert list(comments(file.path)) == ["a", "b"]


def test_what_cannot_be_written_is_kept_and_written_with_the_next(path, monkeypatch):
    file = opened(path)
    with monkeypatch.context() as patch:
        patch.setattr(table_file, "write_text", _refuse)
        outcome = file.change([Change(roi("a"), roi("a", "kept"))])
    assert (outcome.unsaved, len(outcome.done)) == ("Permission denied", 1)
    assert file.table["a"].comment == "kept"
    assert comments(path)["a"] == ""
    opened(path).change([Change(roi("b"), roi("b", "theirs"))])
    assert file.change([Change(roi("c"), roi("c", "mine"))]).unsaved == ""
    assert comments(path) == {"a": "kept", "b": "theirs", "c": "mine"}


def _refuse(*_):
    raise PermissionError(13, "Permission denied")


def test_a_table_that_cannot_be_read_is_not_overwritten(path):
    file = opened(path)
    path.write_text("broken\n", encoding="utf-8")
    outcome = file.change([Change(roi("a"), roi("a", "mine"))])
    assert "no column" in outcome.unsaved
    assert path.read_text("utf-8") == "broken\n"
    assert file.table["a"].comment == "mine"


def test_another_program_that_is_writing_is_waited_for_and_named(path, monkeypatch):
    monkeypatch.setattr(table_file, "_WAIT_S", 0.05)
    file = opened(path)
    with FileLock(path.with_name(".rois.csv.lock")):
        assert file.change([Change(None, roi("d"))]).unsaved == "another program is writing it"
    assert file.change([]).unsaved == ""
    assert "d" in comments(path)


def test_what_others_wrote_is_taken_in_without_an_edit(path):
    mine, theirs = opened(path), opened(path)
    assert mine.refresh() is None
    theirs.change([Change(roi("b"), roi("b", "theirs"))])
    before = path.stat().st_mtime_ns
    assert mine.refresh() is not None
    assert mine.table["b"].comment == "theirs"
    assert path.stat().st_mtime_ns == before
    assert mine.refresh() is None


def test_only_lines_that_changed_are_made_again(path):
    file = opened(path)
    file.change([Change(roi("a"), roi("a", "x"))])
    assert path.read_text("utf-8") == _text(path, RoiTable([roi("a", "x"), roi("b"), roi("c")]))
    file.change([Change(roi("a", "x"), roi("a", 'with "quotes", commas\nand lines'))])
    assert comments(path)["a"] == 'with "quotes", commas\nand lines'


def _text(path, table):
    table.write(path.with_name("other.csv"))
    return path.with_name("other.csv").read_text("utf-8")
