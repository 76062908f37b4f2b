"""Fragments of interpolation: written, read, merged into the table; all of them or none."""

from __future__ import annotations

import csv
import re
from collections import OrderedDict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap.errors import DatasetNotFoundError, FileFormatError, PlanError, UnknownNameError
from napari_slicemap.slices import slice_config
from napari_slicemap.slices.fragments import FRAGMENT_COLUMNS, Fragment, read_fragments, write_fragment
from napari_slicemap.slices.slice_values import INTERPOLATION_FALLBACK_REASONS, INTERPOLATION_METHODS

HEADER = ",".join(FRAGMENT_COLUMNS)
MADE = "{0},zmorph,zmorph,,false,slice_z{0}_interpolated.ome.zarr"
LEFT = "{0},zmorph,,low_overlap_ncc,true,"


def fragment(folder: Path, slice_id: str, row: str, *, image: bool = True) -> Path:
    """A fragment by hand, and the image that it speaks of."""
    folder.mkdir(parents=True, exist_ok=True)
    if image and row == MADE:
        (folder / f"slice_z{slice_id}_interpolated.ome.zarr").mkdir(exist_ok=True)
    path = folder / f"slice_z{slice_id}_manifest.csv"
    path.write_text(f"{HEADER}\n{row.format(slice_id)}\n")
    return path


def rows(*ids: str) -> slice_config.SliceRows:
    return OrderedDict((one, {"slice_id": one, "use": True, "notes": f"note of {one}"}) for one in ids)


@st.composite
def fragments(draw: st.DrawFn) -> Fragment:
    method, number = draw(st.sampled_from(INTERPOLATION_METHODS)), draw(st.integers(0, 9999))
    slice_id = f"{number:02d}"
    if draw(st.booleans()):
        reason = draw(st.sampled_from(INTERPOLATION_FALLBACK_REASONS))
        return Fragment(slice_id, method, "", reason, True, "")
    return Fragment(slice_id, method, method, "", False, f"slice_z{slice_id}_interpolated.ome.zarr")


@given(fragments())
def test_what_is_written_is_read(tmp_path_factory, one):
    folder = tmp_path_factory.mktemp("fragments")
    path = write_fragment(folder, one)
    assert read_fragments(folder, check_outputs=False) == {one.slice_id: one}
    with path.open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert list(row) == list(FRAGMENT_COLUMNS)
    assert row["interpolation_failed"] == str(one.interpolation_failed).lower()
    assert (row["slice_id"], row["fallback_reason"], row["output_path"]) == (
        one.slice_id,
        one.fallback_reason,
        one.output_path,
    )


# --- merging ------------------------------------------------------------------------------------------------
def test_fragments_are_merged_in_one_step(tmp_path):
    fragment(tmp_path, "03", MADE)
    fragment(tmp_path, "01", LEFT)
    before = rows("00", "01", "02", "03", "04")
    merged = slice_config.merge_fragments(before, tmp_path)
    columns = (
        "interpolated",
        "interpolation_failed",
        "interpolation_method_used",
        "interpolation_fallback_reason",
        "use",
        "notes",
    )
    assert {one: tuple(row[name] for name in columns) for one, row in merged.items()} == {
        "00": (None, None, "", "", True, "note of 00"),
        "01": (False, True, "", "low_overlap_ncc", True, "note of 01"),
        "02": (None, None, "", "", True, "note of 02"),
        "03": (True, False, "zmorph", "", True, "note of 03"),
        "04": (None, None, "", "", True, "note of 04"),
    }
    assert before == rows("00", "01", "02", "03", "04"), "the table given is not changed"
    slice_config.write(tmp_path / "final.csv", merged)
    assert slice_config.read(tmp_path / "final.csv") == merged


def test_an_earlier_outcome_is_replaced(tmp_path):
    fragment(tmp_path, "01", LEFT)
    once = slice_config.merge_fragments(rows("00", "01"), tmp_path)
    fragment(tmp_path, "01", MADE)
    twice = slice_config.merge_fragments(once, tmp_path)["01"]
    assert (twice["interpolated"], twice["interpolation_failed"]) == (True, False)
    assert (twice["interpolation_method_used"], twice["interpolation_fallback_reason"]) == ("zmorph", "")


@pytest.mark.parametrize("kind", ["a folder", "its name", "paths", "one path", "a generator"])
def test_where_fragments_may_come_from(tmp_path, kind):
    paths = [fragment(tmp_path / "a", "01", MADE), fragment(tmp_path / "a", "3", LEFT)]
    (tmp_path / "a" / "slice_z01_interpolation.json").write_text("{}")
    sources = {
        "a folder": tmp_path / "a",
        "its name": str(tmp_path / "a"),
        "paths": [str(paths[0]), paths[1]],
        "one path": paths[0],
        "a generator": (path for path in paths),
    }
    merged = slice_config.merge_fragments(rows("01", "03"), sources[kind])
    assert merged["01"]["interpolated"] is True
    assert bool(merged["03"].get("interpolation_failed")) is (kind != "one path")


def test_no_fragments_change_nothing(tmp_path):
    assert slice_config.merge_fragments(rows("00", "01"), tmp_path) == rows("00", "01")


def test_a_slice_that_the_table_has_not_is_an_error_unless_added(tmp_path):
    fragment(tmp_path, "02", MADE)
    with pytest.raises(UnknownNameError, match="unknown slice '02'"):
        slice_config.merge_fragments(rows("01", "03"), tmp_path)
    added = slice_config.merge_fragments(rows("01", "03"), tmp_path, add=True)
    assert list(added) == ["01", "02", "03"]
    assert (added["02"]["use"], added["02"]["notes"]) == (False, "there is no image of it")
    assert added["02"]["interpolated"] is True
    assert list(slice_config.merge_fragments(rows("03", "01"), tmp_path, add=True)) == ["03", "01", "02"]


def test_a_slice_keeps_its_use_and_notes_when_ids_match_by_number(tmp_path):
    fragment(tmp_path, "002", MADE)
    (row,) = slice_config.merge_fragments(rows("02"), tmp_path, add=True).values()
    assert (row["slice_id"], row["use"], row["notes"], row["interpolated"]) == ("02", True, "note of 02", True)


# --- what is missing, or there twice --------------------------------------------------------------------------
def test_everything_missing_or_there_twice_is_named_at_once(tmp_path):
    first = fragment(tmp_path / "a", "01", LEFT)
    second = fragment(tmp_path / "b", "01", LEFT)
    lost = fragment(tmp_path / "a", "03", MADE, image=False)
    fragments, wanted = [first, second, lost], ["1", "03", "05", "7"]
    with pytest.raises(PlanError) as caught:
        slice_config.merge_fragments(rows("01", "03", "05"), fragments, expected=wanted, check_outputs=True)
    assert caught.value.faults == [
        f"{second}: slice 01 has a fragment already, {first}; keep one of them",
        f"{lost}: slice 03: there is no image slice_z03_interpolated.ome.zarr",
        "slice 05 has no fragment slice_z05_manifest.csv (there are those of 01, 01, 03)",
        "slice 07 has no fragment slice_z07_manifest.csv (there are those of 01, 01, 03)",
    ]


def test_two_names_of_one_slice_are_found_out(tmp_path):
    fragment(tmp_path, "01", LEFT)
    fragment(tmp_path, "001", LEFT)
    with pytest.raises(PlanError, match="slice 01 has a fragment already"):
        read_fragments(tmp_path)


def test_images_elsewhere_need_not_be_there(tmp_path):
    fragment(tmp_path, "03", MADE, image=False)
    assert read_fragments(tmp_path, check_outputs=False)["03"].method_used == "zmorph"


@pytest.mark.parametrize("many", [pytest.param(False, id="folder"), pytest.param(True, id="file")])
def test_no_such_folder_or_file(tmp_path, many):
    lost = tmp_path / "lost"
    with pytest.raises(DatasetNotFoundError, match="lost: there is no such folder or file of fragments"):
        read_fragments([lost] if many else lost)


# --- malformed ------------------------------------------------------------------------------------------------
# the whole of a fragment of slice 01 → what is said of it
REASONS = ", ".join(INTERPOLATION_FALLBACK_REASONS)
MALFORMED = {
    "nothing": ("", "the file is empty"),
    "a header only": (HEADER, "0 rows, expected one, of one slice"),
    "two rows": (f"{HEADER}\n{LEFT}\n{LEFT}", "2 rows, expected one, of one slice"),
    "a column is missing": ("slice_id,method\n01,zmorph", "no column method_used, fallback_reason"),
    "a column too many": (f"{HEADER},score\n{LEFT},1", "line 2: unknown column 'score', expected slice_id, method"),
    "a cell is missing": (f"{HEADER}\n01,zmorph,,low_overlap_ncc,true", "line 2: 5 cells, expected 6"),
    "tabs": (HEADER.replace(",", "\t"), "is it separated by ';' or tabs instead of commas?"),
    "no id": (f"{HEADER}\nslice,zmorph,,low_overlap_ncc,true,", "line 2: slice_id is 'slice', expected digits only"),
    "another slice": (f"{HEADER}\n02,zmorph,,low_overlap_ncc,true,", "line 2: slice_id is '02', expected '01', as in"),
    "no such method": (f"{HEADER}\n01,cubic,,low_overlap_ncc,true,", "line 2: method is 'cubic', expected zmorph"),
    "no such method used": (
        f"{HEADER}\n01,zmorph,cubic,,false,x.zarr",
        "line 2: method_used is 'cubic', expected zmorph, weighted, average",
    ),
    "no such reason": (
        f"{HEADER}\n01,zmorph,,bored,true,",
        f"line 2: fallback_reason is 'bored', expected {REASONS}, or nothing",
    ),
    "no such flag": (f"{HEADER}\n01,zmorph,,low_overlap_ncc,perhaps,", "line 2: interpolation_failed is 'perhaps'"),
    "an empty flag": (f"{HEADER}\n01,zmorph,,low_overlap_ncc,,", "line 2: interpolation_failed is empty"),
    "made, with a reason": (
        f"{HEADER}\n01,zmorph,zmorph,low_overlap_ncc,false,x.zarr",
        "line 2: fallback_reason is 'low_overlap_ncc', expected nothing, as interpolation_failed is false",
    ),
    "made, without a method": (
        f"{HEADER}\n01,zmorph,,,false,x.zarr",
        "line 2: method_used is empty, expected a value, as interpolation_failed is false",
    ),
    "made, without an image": (
        f"{HEADER}\n01,zmorph,zmorph,,false,",
        "line 2: output_path is empty, expected a value, as interpolation_failed is false",
    ),
    "left, without a reason": (
        f"{HEADER}\n01,zmorph,,,true,",
        "line 2: fallback_reason is empty, expected a value, as interpolation_failed is true",
    ),
    "left, with an image": (
        f"{HEADER}\n01,zmorph,,low_overlap_ncc,true,x.zarr",
        "line 2: output_path is 'x.zarr', expected nothing, as interpolation_failed is true",
    ),
}


@pytest.mark.parametrize(("text", "said"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_fragment_is_named_with_line_and_column(tmp_path, text, said):
    fragment(tmp_path, "00", LEFT)
    path = tmp_path / "slice_z01_manifest.csv"
    path.write_text(text.format("01") + "\n" * bool(text))
    with pytest.raises(FileFormatError, match=re.escape(said)) as caught:
        slice_config.merge_fragments(rows("00", "01"), tmp_path)
    assert str(path) in str(caught.value)
