"""The slice table: what is accepted, what is refused and how, and that nothing is lost on the way."""

from __future__ import annotations

import copy
import csv
import pickle
import re
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odd_tables import ACCEPTED, BOOLEAN, DIGITS, REFUSED, SCORE

from napari_slicemap.errors import FileFormatError, SlicemapError, UnknownNameError
from napari_slicemap.slices import slice_config
from napari_slicemap.slices.slice_config import (
    CANONICAL_COLUMNS,
    INTERPOLATION_FALLBACK_REASONS,
    INTERPOLATION_METHODS,
    SliceRows,
)

if TYPE_CHECKING:
    from pathlib import Path

HEADER = ",".join(CANONICAL_COLUMNS)
CANONICAL = f"""{HEADER}
00,false,0.000,0.234,false,false,,false,,false,false,,,calibration_slice
01,true,0.812,0.870,true,false,,false,,false,false,,,
02,false,0.198,0.87,true,false,,false,,true,false,zmorph,,"Bad cut, see photo"
03,true,0.756,0.6123456789,true,true,true,false,,false,false,,,rehomed; x by one tile
04,true,0.744,0,false,true,false,true,noisy cluster (3 consecutive),false,false,,,
05,true,0.700,1.0,false,,,true,noisy cluster (3 consecutive),,,,,
06,true,0.701,,,,,true,noisy cluster (3 consecutive),,,,,"the reviewer: ""keep?"", 12 May"
07,false,,,,,,,,false,true,,low_overlap_ncc,gap left — µm-thin
10,true,1.000,0.5,false,,,,,true,false,average,,
09,true,,,,,,,,true,false,weighted,,
100,true,,,,,,,,false,true,,affine_determinant_non_positive,
99,true,,,,,,,,,,,,
""".encode()


def table(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "slice_config.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def plain(rows: SliceRows) -> list[dict[str, Any]]:
    return [dict(row) for row in rows.values()]


def small(**columns: Any) -> SliceRows:
    """Three slices, all used, with `columns` in slice 01."""
    rows = OrderedDict((i, {"slice_id": i, "use": True}) for i in ("00", "01", "02"))
    return slice_config.stamp(rows, "01", columns)


# --- what is accepted --------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted_table(name: str, tmp_path: Path) -> None:
    text, expected = ACCEPTED[name]
    assert plain(slice_config.read(table(tmp_path, text))) == expected


@pytest.mark.parametrize(
    ("text", "meaning"),
    [(word, True) for word in ("true", "1", "yes", "TRUE", "Yes")]
    + [(word, False) for word in ("false", "0", "no", "False", "NO")],
)
def test_boolean_words(text: str, meaning: bool, tmp_path: Path) -> None:
    row = slice_config.read(table(tmp_path, f"slice_id,use,rehomed\n00,{text},{text}\n"))["00"]
    assert row["use"] is meaning
    assert row["rehomed"] is meaning


# --- what is refused ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", REFUSED)
def test_refused_table(name: str, tmp_path: Path) -> None:
    text, message = REFUSED[name]
    with pytest.raises(FileFormatError, match=message) as caught:
        slice_config.read(table(tmp_path, text))
    assert "slice_config.csv" in str(caught.value)


def test_missing_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        slice_config.read(tmp_path / "none.csv")


# --- reading and writing -----------------------------------------------------------------------------------
def test_canonical_file_is_read_and_written_byte_for_byte(tmp_path: Path) -> None:
    rows = slice_config.read(table(tmp_path, CANONICAL))
    slice_config.write(tmp_path / "again.csv", rows)
    assert (tmp_path / "again.csv").read_bytes() == CANONICAL
    assert list(rows) == ["00", "01", "02", "03", "04", "05", "06", "07", "10", "09", "100", "99"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("slice_id,use\n00,true\n01,false\n", None),
        ("slice_id,use,notes\n00,true,\n", None),
        ("slice_id,use,notes,depth,ssim\n00,true,,085,x\n", None),
        ('slice_id,use,"depth, µm"\n00,true,"1,5"\n', None),
        ('slice_id,use,notes\n00,true,"a\nb"\n', None),
        ("slice_id\n00\n", "slice_id,use\n00,true\n"),
        ("slice_id,depth\n00,5\n", "slice_id,use,depth\n00,true,5\n"),
        ("notes,depth,use,slice_id\na,5,NO,7\n", "slice_id,use,notes,depth\n07,false,a,5\n"),
        ("slice_id,use,quality_score\n00,1,.5\n", "slice_id,use,quality_score\n00,true,0.500\n"),
        ("slice_id,use,galvo_confidence\n0,1,5e-1\n", "slice_id,use,galvo_confidence\n00,true,0.500\n"),
        ("slice_id,use,galvo_confidence\n0,1,-0.0\n", "slice_id,use,galvo_confidence\n00,true,0.000\n"),
        ("slice_id,use,notes\r\n00,1,\r\n", "slice_id,use,notes\n00,true,\n"),
        ("slice_id,use\n", None),
    ],
)
def test_other_tables_become_canonical(before: str, after: str | None, tmp_path: Path) -> None:
    path = table(tmp_path, before)
    for _ in range(2):
        slice_config.write(path, slice_config.read(path))
        assert path.read_bytes().decode() == (after or before)


def test_stamping_one_row_leaves_the_bytes_of_the_others(tmp_path: Path) -> None:
    path = table(tmp_path, CANONICAL)
    slice_config.write(path, slice_config.stamp(slice_config.read(path), "02", {"galvo_confidence": 0.9}))
    expected = CANONICAL.replace(b"0.198,0.87,", b"0.198,0.900,")
    assert path.read_bytes() == expected


@pytest.mark.parametrize(
    ("confidence", "text"),
    [
        (0.9, "0.900"),
        (1, "1.000"),
        (0.0, "0.000"),
        (-0.0, "0.000"),
        (0.12345, "0.12345"),
        (1e-7, "0.0000001"),
        (1 / 3, "0.3333333333333333"),
        (np.float64(0.25), "0.250"),
        (np.float32(0.5), "0.500"),
        ("0.5", "0.5"),
        (None, ""),
    ],
)
def test_confidence_is_written_without_loss(confidence: object, text: str, tmp_path: Path) -> None:
    slice_config.write(tmp_path / "a.csv", small(galvo_confidence=confidence))
    assert (tmp_path / "a.csv").read_text().splitlines()[2] == f"01,true,{text}"


def test_a_score_as_read_is_an_ordinary_float_and_survives_copies(tmp_path: Path) -> None:
    rows = slice_config.read(table(tmp_path, CANONICAL))
    for made in (copy.deepcopy(rows), pickle.loads(pickle.dumps(rows))):
        assert made == rows
        slice_config.write(tmp_path / "again.csv", made)
        assert (tmp_path / "again.csv").read_bytes() == CANONICAL
    confidence = rows["01"]["galvo_confidence"]
    assert isinstance(confidence, float)
    assert repr(confidence + 0) == repr(0.87)


def test_independent_readers_agree(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = slice_config.read(table(tmp_path, CANONICAL))
    slice_config.write(path, rows)
    frame = pd.read_csv(path, dtype={"slice_id": str})
    assert list(frame.columns) == list(CANONICAL_COLUMNS)
    assert frame["slice_id"].tolist() == list(rows)
    assert frame["use"].tolist() == [row["use"] for row in rows.values()]
    assert frame["quality_score"].dropna().tolist() == [
        row["quality_score"] for row in rows.values() if row["quality_score"] is not None
    ]
    # tools that split on commas without knowing of quotes
    naive = [line.split(",")[:2] for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    assert naive == [[slice_id, str(row["use"]).lower()] for slice_id, row in rows.items()]


def test_rows_that_lack_a_column_are_written_empty_but_used(tmp_path: Path) -> None:
    ragged: dict[str, dict[str, Any]] = {
        "00": {"notes": "a"},
        "1": {"slice_id": "1", "use": False, "rehomed": True},
    }
    slice_config.write(tmp_path / "a.csv", ragged)
    assert (tmp_path / "a.csv").read_text() == "slice_id,use,rehomed,notes\n00,true,,a\n01,false,true,\n"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"00": {"use": None}}, rf"a.csv: slice 00: use is empty, {BOOLEAN}"),
        ({"00": {"use": "perhaps"}}, rf"a.csv: slice 00: use is 'perhaps', {BOOLEAN}"),
        ({"00": {"quality_score": float("nan")}}, rf"slice 00: quality_score is nan, {SCORE}"),
        ({"00": {"quality_score": True}}, rf"slice 00: quality_score is True, {SCORE}"),
        ({"00": {"rehomed": 0.5}}, rf"slice 00: rehomed is 0.5, {BOOLEAN}"),
        ({"00": {"notes": 5}}, r"slice 00: notes is 5, expected text"),
        ({"00": {"depth": 85}}, r"slice 00: depth is 85, expected text"),
        ({"0.0": {}}, rf"slice 0.0: slice_id is '0.0', {DIGITS}"),
        ({"00": {"slice_id": "01"}}, r"slice 00: slice_id is '01', expected '00', as the row's key"),
        ({"3": {}, "03": {}}, r"slice 03: stands twice, expected each slice once"),
        ({"00": {"Notes": "a"}}, r"a.csv: column 'Notes', expected it to be called 'notes'"),
        ({"00": {" ": "a"}}, r"a.csv: column 3 has no name"),
        ({"00": {" depth": "a"}}, r"a.csv: column ' depth', expected one line without outer blanks"),
    ],
)
def test_bad_rows_are_refused_and_the_old_file_stays(
    rows: dict[str, dict[str, Any]], message: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("as before")
    with pytest.raises(FileFormatError, match=message):
        slice_config.write(tmp_path / "a.csv", rows)
    assert (tmp_path / "a.csv").read_text() == "as before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


# any text but half characters; a lone \r becomes \n, and outer blanks go
texts = st.text(st.characters(exclude_categories=["Cs"])).map(lambda text: text.replace("\r", "\n").strip())
flags = st.none() | st.booleans()
scores = st.floats(0, 1)
columns = {
    "quality_score": st.none() | scores.map(lambda score: round(score, 3)),
    "galvo_confidence": st.none() | scores,
    "galvo_fix": flags,
    "rehomed": flags,
    "rehoming_reliable": flags,
    "auto_excluded": flags,
    "auto_exclude_reason": texts,
    "interpolated": flags,
    "interpolation_failed": flags,
    "interpolation_method_used": st.sampled_from(["", *INTERPOLATION_METHODS]),
    "interpolation_fallback_reason": st.sampled_from(["", *INTERPOLATION_FALLBACK_REASONS]),
    "notes": texts,
}
unknown_names = texts.filter(
    lambda name: name and "\n" not in name and re.sub(r"[\s-]+", "_", name).lower() not in CANONICAL_COLUMNS
)
ids = st.integers(0, 10**6).map(lambda number: f"{number:02d}")


@st.composite
def tables(draw: st.DrawFn) -> SliceRows:
    kinds: dict[str, st.SearchStrategy[Any]] = {"use": st.booleans()}
    kinds |= {name: columns[name] for name in draw(st.sets(st.sampled_from(sorted(columns))))}
    kinds |= dict.fromkeys(draw(st.lists(unknown_names, unique=True, max_size=3)), texts)
    made: SliceRows = OrderedDict()
    for slice_id in draw(st.lists(ids, unique=True, min_size=1, max_size=6)):
        made[slice_id] = {"slice_id": slice_id} | {name: draw(kind) for name, kind in kinds.items()}
    return made


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(rows=tables())
def test_rows_survive_writing_and_reading(rows: SliceRows, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    slice_config.write(path, rows)
    read = slice_config.read(path)
    assert read == rows
    for row in rows:  # 1.0 == True: equal is not yet the same
        assert all(isinstance(read[row][name], type(value)) for name, value in rows[row].items())
    first = path.read_bytes()
    slice_config.write(path, read)
    assert path.read_bytes() == first
    with path.open(newline="", encoding="utf-8") as stream:
        assert [row["slice_id"] for row in csv.DictReader(stream)] == list(rows)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(rows=tables(), data=st.data())
def test_what_is_stamped_is_what_will_be_read(rows: SliceRows, data: st.DataObject, tmp_path: Path) -> None:
    before = copy.deepcopy(rows)
    column = data.draw(st.sampled_from(sorted(columns)))
    slice_id = data.draw(st.sampled_from(list(rows)))
    stamped = slice_config.stamp(rows, slice_id, {column: data.draw(columns[column])})
    slice_config.write(tmp_path / "a.csv", stamped)
    assert slice_config.read(tmp_path / "a.csv") == stamped
    assert rows == before


def test_text_with_carriage_returns_can_be_read_back(tmp_path: Path) -> None:
    slice_config.write(tmp_path / "a.csv", {"00": {"notes": "a\rb\r\nc"}})
    assert slice_config.read(tmp_path / "a.csv")["00"]["notes"] == "a\nb\nc"


@pytest.mark.timeout(60)  # about 1 s; room for a busy machine, none for squared time
def test_a_long_table_is_read_whole(tmp_path: Path) -> None:
    lines = [f"{i:02d},true,{i % 1000 / 1000:.3f},0.{i},false,,,,,false,false,,,note {i}" for i in range(100_000)]
    path = table(tmp_path, "\n".join([HEADER, *lines]))
    rows = slice_config.read(path)
    assert len(rows) == 100_000
    assert (rows["99999"]["quality_score"], rows["99999"]["notes"]) == (0.999, "note 99999")


def test_a_fault_far_down_a_long_table_is_named_by_its_line(tmp_path: Path) -> None:
    lines = [f"{i:02d},true" for i in range(100_000)]
    for wrong, message in (
        ("100000,maybe", rf"line 100002 \(slice 100000\): use is 'maybe', {BOOLEAN}"),
        ("100000,true,", r"line 100002: 3 cells, expected 2"),
        ("7,true", r"line 100002: slice_id is '7', expected each slice once; it stands in .*line 9 already"),
    ):
        with pytest.raises(FileFormatError, match=message):
            slice_config.read(table(tmp_path, "\n".join(["slice_id,use", *lines, wrong])))


# --- stamping ----------------------------------------------------------------------------------------------
def test_stamp_changes_only_what_it_is_given() -> None:
    rows = small(notes="a", depth="5", quality_score=0.5)
    before = copy.deepcopy(rows)
    stamped = slice_config.stamp(rows, "01", {"use": False, "quality_score": 0.12345})
    assert stamped["01"] == before["01"] | {"use": False, "quality_score": 0.123}
    assert [stamped[i] for i in ("00", "02")] == [before[i] for i in ("00", "02")]
    assert rows == before
    stamped["00"]["use"] = False
    assert rows == before


def test_a_new_column_is_given_to_every_row() -> None:
    rows = OrderedDict((i, {"slice_id": i}) for i in ("00", "01"))
    stamped = slice_config.stamp(rows, "01", {"use": "no", "rehomed": "yes", "notes": "x", "depth": "5"})
    assert stamped["00"] == {"slice_id": "00", "use": True, "rehomed": None, "notes": "", "depth": ""}
    assert stamped["01"] == {"slice_id": "01", "use": False, "rehomed": True, "notes": "x", "depth": "5"}
    assert rows["00"] == {"slice_id": "00"}


def test_stamp_many_stamps_each_its_own() -> None:
    rows = small()
    stamped = slice_config.stamp_many(rows, {"00": {"use": False}, "2": {"rehomed": np.True_}})
    assert [row["use"] for row in stamped.values()] == [False, True, True]
    assert [row["rehomed"] for row in stamped.values()] == [None, None, True]
    assert stamped["02"]["rehomed"] is True
    assert slice_config.stamp_many(rows, {}) == rows


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "a", "a"),
        ("a", "b", "a; b"),
        ("a", "a", "a"),
        ("a; b", "a", "a; b"),
        ("a; b", "b; c", "a; b; c"),
        ("ab", "a", "ab; a"),
        ("a", "", "a"),
        ("a", None, "a"),
        (None, "a", "a"),
        ("a", "two\r\nlines ", "a; two lines"),
    ],
)
def test_notes_are_appended_once(old: str | None, new: str | None, expected: str) -> None:
    rows = small()
    rows["01"]["notes"] = old
    stamped = slice_config.stamp(rows, "01", {"notes": new}, append_notes=True)
    assert stamped["01"]["notes"] == expected
    assert slice_config.stamp(stamped, "01", {"notes": new}, append_notes=True) == stamped


def test_notes_are_replaced_unless_asked_otherwise() -> None:
    assert slice_config.stamp(small(notes="a"), "01", {"notes": "b"})["01"]["notes"] == "b"
    assert slice_config.stamp(small(notes="a"), "01", {"use": 0}, append_notes=True)["01"]["notes"] == "a"


def test_unknown_slice_is_refused_unless_added() -> None:
    rows = small()
    with pytest.raises(UnknownNameError, match=r"slice table: unknown slice '09' \(there is 00, 01, 02\)") as caught:
        slice_config.stamp(rows, "9", {"use": False})
    assert isinstance(caught.value, SlicemapError)
    assert isinstance(caught.value, KeyError)
    stamped = slice_config.stamp(rows, "9", {"rehomed": True}, add=True)
    assert list(stamped) == ["00", "01", "02", "09"]
    assert stamped["09"] == {"slice_id": "09", "use": True, "rehomed": True}
    assert slice_config.stamp(rows, "9", {"use": False}, add=True)["09"]["use"] is False


def test_slices_are_stamped_by_number() -> None:
    rows = OrderedDict({"003": {"slice_id": "003", "use": True}})
    for asked in ("3", "03", "003"):
        stamped = slice_config.stamp(rows, asked, {"slice_id": "3", "use": False}, add=True)
        assert stamped == {"003": {"slice_id": "003", "use": False}}
    twice = slice_config.stamp_many(rows, {"5": {"use": False}, "05": {"rehomed": True}}, add=True)
    assert list(twice) == ["003", "05"]
    assert twice["05"] == {"slice_id": "05", "use": False, "rehomed": True}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"use": ""}, rf"slice 01: use is empty, {BOOLEAN}"),
        ({"use": float("nan")}, rf"slice 01: use is nan, {BOOLEAN}"),
        ({"auto_excluded": "x"}, rf"slice 01: auto_excluded is 'x', {BOOLEAN}"),
        ({"galvo_confidence": 1.5}, rf"slice 01: galvo_confidence is 1.5, {SCORE}"),
        ({"quality_score": [0.5]}, rf"slice 01: quality_score is \[0.5\], {SCORE}"),
        ({"interpolation_method_used": "Zmorph"}, r"is 'Zmorph', expected zmorph, weighted, average"),
        ({"slice_id": "02"}, r"slice 01: slice_id is '02', expected '01': stamping renames no slice"),
        ({"Use": False}, r"slice 01: stamp: column 'Use', expected it to be called 'use'"),
        ({"auto-excluded": True}, r"column 'auto-excluded', expected it to be called 'auto_excluded'"),
        ({"depth": 5}, r"slice 01: depth is 5, expected text"),
    ],
)
def test_bad_values_are_not_stamped(values: dict[str, object], message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        slice_config.stamp(small(), "01", values)


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("slice_id", "3", "03"),
        ("slice_id", 3, "03"),
        ("slice_id", " 100 ", "100"),
        ("use", "Yes", True),
        ("use", np.False_, False),
        ("galvo_fix", "", None),
        ("galvo_fix", np.int64(1), True),
        ("quality_score", "0.9996", 1.0),
        ("quality_score", np.float32(0.25), 0.25),
        ("galvo_confidence", " ", None),
        ("galvo_confidence", "0.61234", 0.61234),
        ("interpolation_method_used", None, ""),
        ("interpolation_method_used", " zmorph ", "zmorph"),
        ("notes", " two \n lines ", "two lines"),
        ("depth", None, ""),
    ],
)
def test_typed_cells(column: str, value: object, expected: object) -> None:
    made = slice_config.validate_value(column, value)
    assert made == expected
    assert isinstance(made, type(expected))


def test_ids_sort_by_number() -> None:
    mixed = ["100", "1" + 5000 * "0", "10", "02", "99", "00", "03", "002"]
    ordered = ["00", "002", "02", "03", "10", "99", "100", "1" + 5000 * "0"]
    assert sorted(mixed, key=slice_config.id_key) == ordered


# --- deciding ----------------------------------------------------------------------------------------------
DECISIONS: dict[str, tuple[dict[str, Any], bool, str]] = {
    "nothing said": ({}, True, ""),
    "used": ({"use": True, "auto_excluded": False, "notes": "fine"}, True, ""),
    "used, exclusion undecided": ({"use": True, "auto_excluded": None}, True, ""),
    "not used": ({"use": False}, False, "use is false"),
    "not used, with a note": (
        {"use": False, "notes": "calibration_slice"},
        False,
        "use is false: calibration_slice",
    ),
    "use undecided": ({"use": None}, False, "use is false"),
    "excluded": (
        {"use": True, "auto_excluded": True, "auto_exclude_reason": "noisy cluster (3 consecutive)"},
        False,
        "auto_excluded: noisy cluster (3 consecutive)",
    ),
    "both": (
        {"use": False, "auto_excluded": True, "auto_exclude_reason": "", "notes": "bad cut"},
        False,
        "use is false: bad cut; auto_excluded",
    ),
    "numpy": ({"use": np.True_, "auto_excluded": np.False_}, True, ""),
    "text": ({"use": "false"}, False, "use is false"),
}


@pytest.mark.parametrize("name", DECISIONS)
def test_decision(name: str) -> None:
    row, used, why = DECISIONS[name]
    assert slice_config.is_used(row) is used
    assert slice_config.why_excluded(row) == why


def test_filter_and_force_skip(tmp_path: Path) -> None:
    rows = slice_config.read(table(tmp_path, CANONICAL))
    before = copy.deepcopy(rows)
    filtered = slice_config.filter_slices_to_use(rows)
    assert isinstance(filtered, OrderedDict)
    assert list(filtered) == ["01", "03", "04", "05", "06", "10", "09", "100", "99"]
    skipped = slice_config.force_skip_slices(rows)
    assert list(skipped) == list(rows)
    assert [i for i in rows if skipped[i] != rows[i]] == ["04", "05", "06"]
    assert skipped["04"] == rows["04"] | {"use": False}
    used = slice_config.filter_slices_to_use(skipped)
    assert list(used) == ["01", "03", "10", "09", "100", "99"]
    assert list(used) == [i for i, row in rows.items() if slice_config.is_used(row)]
    for result in (filtered, skipped):
        result["01"]["use"] = False
    assert rows == before


def test_tables_without_decisions_use_every_slice(tmp_path: Path) -> None:
    rows = slice_config.read(table(tmp_path, "slice_id\n00\n01\n"))
    assert list(slice_config.filter_slices_to_use(rows)) == ["00", "01"]
    assert slice_config.force_skip_slices(rows) == rows


def test_canonical_columns_are_these() -> None:
    assert HEADER == (
        "slice_id,use,quality_score,galvo_confidence,galvo_fix,rehomed,rehoming_reliable,auto_excluded,"
        "auto_exclude_reason,interpolated,interpolation_failed,interpolation_method_used,"
        "interpolation_fallback_reason,notes"
    )
