"""What is known of the return in a slice, on disk and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from napari_slicemap.errors import FileFormatError
from napari_slicemap.slices.diagnostics import read_diagnostics, write_diagnostics
from napari_slicemap.slices.galvo.decisions import GalvoSettings, detect_tiles
from napari_slicemap.slices.galvo.record import (
    Applied,
    GalvoRecord,
    Parts,
    TileRecord,
    read_record,
    read_records,
    write_record,
)
from napari_slicemap.slices.galvo.tile_slices import find_tile_slices
from oct_slices import EXTRA, LINES, SHIFT, make_tiles, write_raw

share = st.floats(0, 1)
names = st.text(max_size=12).filter(lambda text: text.isprintable())
parts = st.builds(Parts, *[], **dict.fromkeys(Parts.model_fields, share))
whole = st.integers(0, 2000)
tiles = st.builds(
    TileRecord, name=names, shift=whole, confidence=share, share=share, mean_intensity=st.floats(0, 1e6), parts=parts
)
records = st.builds(
    GalvoRecord,
    axis=st.sampled_from("xy"),
    n_extra=st.integers(1, 99),
    lines=st.integers(1, 2000),
    shift=whole,
    confidence=share,
    threshold=share,
    parts=st.none() | parts,
    tiles=st.lists(tiles, max_size=3).map(tuple),
    background=st.lists(names, max_size=3).map(tuple),
    likeliest=st.none() | whole,
    reviewer_shift=st.none() | whole,
    decided_by=names,
    applied=st.none() | st.builds(Applied, shift=whole, path=names),
    replaces=st.none() | st.booleans(),
)


@given(records)
def test_a_record_comes_back_as_it_was(tmp_path: Path, record: GalvoRecord) -> None:
    path = write_record(tmp_path, "03", record)
    assert read_record(tmp_path, "03") == record
    written = path.read_bytes()
    write_record(tmp_path, "03", record)
    assert path.read_bytes() == written


def test_what_a_detection_found_is_written_down(tmp_path: Path) -> None:
    write_raw(tmp_path / "raw", make_tiles(empty=[(0, 1)]))
    one = find_tile_slices(tmp_path / "raw")["03"]
    found = detect_tiles(one, GalvoSettings(n_samples=3, threshold=0.55))
    write_record(tmp_path, "03", GalvoRecord.of(one, found))
    said = json.loads((tmp_path / "slice_03.json").read_text())["galvo"]
    assert (said["axis"], said["n_extra"], said["lines"], said["shift"]) == ("x", EXTRA, LINES, SHIFT)
    assert (said["confidence"], said["threshold"], said["decided_by"]) == (found.confidence, 0.55, "detection")
    assert [tile["name"] for tile in said["tiles"]] == [one.tiles[tile.index].name for tile in found.tiles]
    assert said["background"] == ["tile_x01_y00_z03"]
    assert found.best is not None
    assert said["parts"]["contrast"] == pytest.approx(found.best.score.contrast, abs=1e-6)
    assert said["likeliest"] == SHIFT
    assert (said["reviewer_shift"], said["applied"], said["replaces"]) == (None, None, None)


def test_all_tiles_are_background(tmp_path: Path) -> None:
    write_raw(tmp_path, make_tiles())
    one = find_tile_slices(tmp_path)["03"]
    record = GalvoRecord.of(one, detect_tiles(one, GalvoSettings(min_intensity=1e6)))
    assert (record.parts, record.likeliest, record.tiles, record.confidence, record.suggests_fix) == (
        None,
        None,
        (),
        0.0,
        False,
    )
    assert len(record.background) == 6


def record_of(**changes: Any) -> GalvoRecord:
    said = {"axis": "x", "n_extra": 12, "lines": 60, "shift": 28, "confidence": 0.9, "threshold": 0.6}
    return GalvoRecord(**(said | changes))


@pytest.mark.parametrize(
    ("changes", "fix"),
    [
        pytest.param({}, True, id="found"),
        pytest.param({"confidence": 0.6}, True, id="at the threshold"),
        pytest.param({"confidence": 0.599, "shift": 0}, False, id="below it"),
        pytest.param({"shift": 0}, False, id="at the end already"),
    ],
)
def test_what_a_detection_suggests(changes: dict[str, Any], fix: bool) -> None:
    assert record_of(**changes).suggests_fix is fix


def test_a_confidence_is_not_rounded_past_the_threshold(tmp_path: Path) -> None:
    write_record(tmp_path, "03", record_of(confidence=0.5999999999))
    read = read_record(tmp_path, "03")
    assert read is not None
    assert not read.suggests_fix


# --- files ---------------------------------------------------------------------------------------------------
def test_nothing_is_known(tmp_path: Path) -> None:
    assert read_record(tmp_path / "no", "03") is None
    write_diagnostics(tmp_path, "03", "quality", {"ssim": 0.5})
    assert read_record(tmp_path, "03") is None
    assert read_records(tmp_path, {"03": {}, "04": {}}) == {}


def test_other_parts_stay(tmp_path: Path) -> None:
    write_diagnostics(tmp_path, "03", "quality", {"ssim": 0.5})
    write_record(tmp_path, "03", record_of())
    assert read_diagnostics(tmp_path, "03")["quality"] == {"ssim": 0.5}
    assert read_records(tmp_path, {"03": {}, "04": {}}) == {"03": record_of()}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"shift": "28 lines"}, "shift", id="a shift in words"),
        pytest.param({"confidence": 1.5}, "confidence", id="more than sure"),
        pytest.param({"axis": "z"}, "axis", id="axis z"),
        pytest.param({"n_extra": 0}, "n_extra", id="no return"),
        pytest.param({"lines": None}, "lines", id="no A-lines"),
        pytest.param({"parts": {"contrast": 1}}, "parts.sharpness", id="parts that are missing"),
        pytest.param({"tiles": [{"name": "a"}]}, "tiles.0.shift", id="half a tile"),
        pytest.param({"reviewer": 3}, "unknown key.*reviewer_shift", id="an unknown key"),
        pytest.param({"applied": {"shift": 3}}, "applied.path", id="a fix that is nowhere"),
    ],
)
def test_a_record_that_cannot_be_is_named(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    path = write_diagnostics(tmp_path, "03", "galvo", {**record_of().model_dump(mode="json"), **changes})
    with pytest.raises(FileFormatError, match=rf"slice_03\.json: galvo: .*{says}") as error:
        read_record(path.parent, "03")
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"version": 1, "galvo": []}'])
def test_a_file_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "slice_03.json").write_text(text)
    with pytest.raises(FileFormatError, match=r"slice_03\.json"):
        read_record(tmp_path, "03")


def test_a_record_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        record_of().shift = 3  # type: ignore[misc]
