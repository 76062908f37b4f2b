"""``rois.csv``: round trips, text rules, and files that cannot be read."""

import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap import Roi, RoiTable
from napari_slicemap.errors import FileFormatError, UnknownNameError
from napari_slicemap.rois.roi import Geometry
from napari_slicemap.rois.table import COLUMNS

HEADER = ",".join(COLUMNS)


def row(**cells):
    base = {"roi_id": "r1", "kind": "rectangle", "x_min": "1", "x_max": "5", "y_min": "2", "y_max": "4"}
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerow([{**base, **cells}.get(name, "") for name in COLUMNS])
    return out.getvalue()


def read(tmp_path, *rows, header=HEADER):
    path = tmp_path / "rois.csv"
    path.write_bytes((header + "\n" + "".join(rows)).encode())
    return RoiTable.read(path)


# --- round trip -----------------------------------------------------------------------------------------------
# CSV has no word for a lone carriage return or a missing value called "nan"; the tests of those are below
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12).filter(lambda t: t.lower() != "nan")
words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters=";"), min_size=1, max_size=6)
numbers = st.floats(-1e9, 1e9)


@st.composite
def roi(draw):
    x, y = sorted(draw(st.tuples(numbers, numbers))), sorted(draw(st.tuples(numbers, numbers)))
    box = {"x_min": x[0], "x_max": x[1] + 1e-3, "y_min": y[0], "y_max": y[1] + 1e-3}
    kind = draw(st.sampled_from(["rectangle", "rotated-rectangle", "polygon", "line"]))
    points = draw(st.lists(st.tuples(numbers, numbers), min_size=3, max_size=5))
    return Roi(
        **box,
        kind=kind,
        geometry=None if kind == "rectangle" else Geometry(type=kind, closed=kind != "line", points=points),
        **{name: draw(texts) for name in ("name", "fov", "map_id", "profile", "comment")},
        tags=draw(st.lists(words.filter(lambda t: t.lower() != "nan"), max_size=3)),
    )


@given(rois=st.lists(roi(), max_size=4))
def test_round_trip_is_exact(tmp_path, rois):
    table = RoiTable(rois)
    table.write(tmp_path / "rois.csv")
    assert RoiTable.read(tmp_path / "rois.csv") == table
    before = (tmp_path / "rois.csv").read_bytes()
    RoiTable.read(tmp_path / "rois.csv").write(tmp_path / "rois.csv")
    assert (tmp_path / "rois.csv").read_bytes() == before


def test_what_is_written_is_the_documented_file(tmp_path):
    one = Roi(
        roi_id="4f0c",
        name="tumour, left",
        map_id="007",
        kind="polygon",
        x_min=0.1 + 0.2,
        x_max=30,
        y_min=-4,
        y_max=1e7,
        geometry=Geometry(points=((0.5, -4), (30, 0), (1, 2))),
        tags=("a", "b c"),
        comment="two\nlines",
        created_at="2026-01-02T03:04:05Z",
        updated_at="2026-01-02T03:04:06Z",
    )
    RoiTable([one]).write(tmp_path / "rois.csv")
    assert (tmp_path / "rois.csv").read_bytes().decode() == (
        HEADER
        + '\n4f0c,"tumour, left",,007,polygon,0.30000000000000004,30,-4,10000000,"{""type"": ""polygon"", '
        + '""closed"": true, ""points"": [[0.5, -4.0], [30.0, 0.0], [1.0, 2.0]]}",,a;b c,"two\nlines",'
        + "2026-01-02T03:04:05Z,2026-01-02T03:04:06Z\n"
    )


# --- text and missing values ----------------------------------------------------------------------------------
TEXTS = [
    pytest.param("7", "7", id="a number stays its text"),
    pytest.param("007", "007", id="zeros in front stay"),
    pytest.param("1e3", "1e3", id="no number is made of it"),
    pytest.param("NA", "NA", id="NA is a name"),
    pytest.param("None", "None", id="None is a name"),
    pytest.param("null", "null", id="null is a name"),
    pytest.param("nan", "", id="nan of pandas is empty"),
    pytest.param("NaN", "", id="NaN is empty"),
    pytest.param("NAN", "", id="NAN is empty"),
    pytest.param("", "", id="empty"),
    pytest.param("True", "True", id="no boolean is made of it"),
]


@pytest.mark.parametrize("column", ["fov", "map_id", "name", "profile", "comment"])
@pytest.mark.parametrize(("cell", "expected"), TEXTS)
def test_texts_stay_texts(tmp_path, column, cell, expected):
    (one,) = read(tmp_path, row(**{column: cell}))
    assert getattr(one, column) == expected


def test_a_nan_fov_with_a_map_id_is_on_the_map(tmp_path):
    assert [one.on for one in read(tmp_path, row(fov="nan", map_id="7"), row(roi_id="r2", fov="", map_id="7"))] == [
        "map",
        "map",
    ]


def test_a_table_that_pandas_wrote_with_texts_kept_reads_as_it_was(tmp_path):
    table = read(tmp_path, row(map_id="7", name="x"), row(roi_id="r2", fov="001", tags="t"))
    path = tmp_path / "rois.csv"
    frame = pd.read_csv(path, dtype=str)  # empty cells become NaN here
    frame.astype(object).where(frame.notna(), "nan").to_csv(path, index=False)
    assert list(RoiTable.read(path)) == list(table)


def test_optional_columns_may_lack_and_unknown_times_stay_unknown(tmp_path):
    header = ",".join(COLUMNS[:9])
    path = tmp_path / "rois.csv"
    path.write_text(header + "\nr1,core,a,,rectangle,1,5,2,4\n")
    (one,) = RoiTable.read(path)
    assert (one.tags, one.geometry, one.created_at, one.updated_at) == ((), None, "", "")
    assert RoiTable.read(path) == RoiTable.read(path)


def test_tags_are_split_and_stand_once(tmp_path):
    (one,) = read(tmp_path, row(tags=" a ;b;;a; "))
    assert one.tags == ("a", "b")


# --- files that cannot be read --------------------------------------------------------------------------------
UNREADABLE = [
    pytest.param("", "the file is empty", id="empty"),
    pytest.param("roi_id;name;fov\n1;2;3\n", "separated by ';'", id="semicolons"),
    pytest.param("roi_id,name\nr1,x\n", "line 1: no column fov, map_id, kind", id="columns missing"),
    pytest.param(HEADER + "\nr1,x\n", "line 2: 2 cells, expected 15", id="a short row"),
    pytest.param(HEADER + "\n" + row() + row(), "line 3: roi_id r1 stands twice, first in .*line 2", id="id twice"),
    pytest.param(HEADER + "\n" + row(roi_id=""), "line 2: roi_id is empty", id="no id"),
    pytest.param(HEADER + "\n" + row(roi_id="nan"), "line 2: roi_id is empty", id="nan for an id"),
    pytest.param(HEADER + "\n" + row(x_min="left"), "line 2: x_min is 'left', expected a number", id="no number"),
    pytest.param(HEADER + "\n" + row(x_min="nan"), "line 2: x_min is 'nan', expected a number", id="nan bound"),
    pytest.param(HEADER + "\n" + row(x_min=""), "line 2: x_min", id="empty bound"),
    pytest.param(HEADER + "\n" + row(x_max="1"), "line 2: the box is empty", id="empty box"),
    pytest.param(HEADER + "\n" + row(kind="blob"), "line 2: kind", id="kind"),
    pytest.param(HEADER + "\n" + row(kind="polygon"), "line 2: a polygon needs its geometry", id="no geometry"),
    pytest.param(HEADER + "\n" + row(geometry="{oops"), "line 2: geometry is no valid JSON", id="geometry no JSON"),
    pytest.param(HEADER + "\n" + row(geometry="[1, 2]"), "line 2: geometry", id="geometry a list"),
    pytest.param(HEADER + "\n" + row(geometry='{"points": [[1, 2]]}'), "line 2: geometry: 1 points", id="one point"),
    pytest.param(HEADER + "\n" + row(geometry='{"points": [[NaN, 2]]}'), "line 2: geometry", id="a NaN point"),
    pytest.param(
        HEADER + ",colour\n" + row().strip() + ",red\n", "line 2: unknown column colour; expected", id="unknown column"
    ),
    pytest.param(HEADER + ",fov\n" + row().strip() + ",b\n", "column 'fov' stands twice", id="column twice"),
    pytest.param(HEADER + '\nr1,"x\n', "line 2: ", id="a quote that never ends"),
]


@pytest.mark.parametrize(("text", "message"), UNREADABLE)
def test_an_unreadable_table_is_an_error_and_stays_what_it_is(tmp_path, text, message):
    path = tmp_path / "rois.csv"
    path.write_text(text)
    with pytest.raises(FileFormatError, match=message) as caught:
        RoiTable.read(path)
    assert str(path) in str(caught.value)
    assert path.read_text() == text


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "rois.csv").write_bytes(HEADER.encode() + b"\n\xff\xfe\n")
    with pytest.raises(FileFormatError, match=r"rois.csv: line 2: not UTF-8"):
        RoiTable.read(tmp_path / "rois.csv")


def test_no_table_is_no_empty_table(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"rois.csv"):
        RoiTable.read(tmp_path / "rois.csv")


def test_blank_lines_and_a_byte_order_mark_do_not_matter(tmp_path):
    (tmp_path / "rois.csv").write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\n\n{row()}\n\n".encode())
    assert [one.roi_id for one in RoiTable.read(tmp_path / "rois.csv")] == ["r1"]


# --- in memory ------------------------------------------------------------------------------------------------
def some(roi_id, name="", **fields):
    return Roi(roi_id=roi_id, name=name, x_min=0, x_max=1, y_min=0, y_max=1, **fields)


def test_an_id_stands_once():
    with pytest.raises(ValueError, match="ROI id r1 stands twice"):
        RoiTable([some("r1"), some("r1")])


def test_find_by_id_or_by_every_name():
    table = RoiTable([some("r1", "x"), some("r2", "x"), some("x2", "r1")])
    assert [one.roi_id for one in table.find("x")] == ["r1", "r2"]
    assert [one.roi_id for one in table.find("r1")] == ["r1"], "an id goes before a name"
    assert table["r2"].name == "x"
    for look in (table.find, table.__getitem__):
        with pytest.raises(UnknownNameError, match=r"unknown ROI 'y' \(there is x, x, r1\)"):
            look("y")


def test_a_change_gives_a_new_table_and_keeps_the_order():
    table = RoiTable([some("r1", "a"), some("r2", "b")])
    changed = table.with_roi(some("r1", "new")).with_roi(some("r3"))
    assert [one.roi_id for one in changed] == ["r1", "r2", "r3"]
    assert [one.name for one in table] == ["a", "b"]
    assert [one.roi_id for one in changed.without("r1")] == ["r2", "r3"]
    assert "r1" in changed
    assert len(changed) == 3
    assert changed != table


def test_next_name_is_the_first_free_one():
    assert RoiTable().next_name() == "ROI_001"
    table = RoiTable([some("r1", "ROI_001"), some("r2", "ROI_003")])
    assert table.next_name() == "ROI_002"
    assert table.next_name("line {}") == "line 1"
