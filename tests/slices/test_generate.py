"""New slice tables: which slices a source holds, and who is left out from the beginning."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap.errors import DatasetNotFoundError, FileFormatError, PlanError, UnknownNameError
from napari_slicemap.slices import slice_config
from napari_slicemap.slices.generate import find_slice_ids, generate, new_table, recognise
from napari_slicemap.slices.slice_config import CANONICAL_COLUMNS

if TYPE_CHECKING:
    from pathlib import Path

SHIFTS = "fixed_id,moving_id,x_shift,y_shift\n"


def folders(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).mkdir(parents=True)
    root.mkdir(exist_ok=True)
    return root


# --- which slices ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("names", "kind", "ids"),
    [
        pytest.param(
            ("mosaic_grid_3d_z03.ome.zarr", "mosaic_grid_3d_z00.ome.zarr", "other"),
            "mosaics",
            ["00", "03"],
            id="mosaics",
        ),
        pytest.param(("m_z1_z12.ome.zarr", "m_z9.zarr"), "mosaics", ["09", "12"], id="the last z number counts"),
        pytest.param(("m_z100.ome.zarr", "m_z099.ome.zarr"), "mosaics", ["099", "100"], id="padded as in the names"),
        pytest.param(
            ("tile_x00_y00_z03", "tile_x01_y00_z03", "tile_x00_y00_z10", "notes"), "tiles", ["03", "10"], id="tiles"
        ),
        pytest.param(
            ("z04/tile_x00_y00_z04", "z04/tile_x00_y01_z04", "z5/tile_x0_y0_z05", "z06"),
            "tiles",
            ["04", "05"],
            id="tiles in folders of slices",
        ),
        pytest.param(
            ("tile_x00_y00_z01", "z02/tile_x00_y00_z02"), "tiles", ["01", "02"], id="tiles in the root and in folders"
        ),
        pytest.param(("tile_x00_y00_z01", "m_z07.ome.zarr"), "mosaics", ["07"], id="mosaics before tiles"),
        pytest.param((".m_z02.ome.zarr", "tile_x00_y00_z01"), "tiles", ["01"], id="hidden folders do not count"),
    ],
)
def test_slices_of_folders(tmp_path, names, kind, ids):
    root = folders(tmp_path / "in", *names)
    assert recognise(root) == kind
    assert find_slice_ids(root) == ids
    assert find_slice_ids(root, kind) == ids


@pytest.mark.parametrize(
    ("rows", "ids"),
    [
        pytest.param("0,1,0,0\n1,2,0,0\n", ["00", "01", "02"], id="numbers"),
        pytest.param("0.0,1.0,0,0\n1.0,10.0,0,0\n", ["00", "01", "10"], id="as tables of numbers write them"),
        pytest.param("05,12,,\n03,05,,\n", ["03", "05", "12"], id="shifts do not matter, nor their order"),
        pytest.param("99,100,1,1\n", ["99", "100"], id="by number"),
    ],
)
def test_slices_of_shifts(tmp_path, rows, ids):
    path = tmp_path / "shifts_xy.csv"
    path.write_text(SHIFTS + rows)
    assert recognise(path) == "shifts"
    assert find_slice_ids(path) == ids


def test_section_images_are_read_when_asked_for(tmp_path):
    root = folders(tmp_path / "sections")
    for number in (4, 2):
        (root / f"image_{number:04d}.tif").touch()
    assert recognise(root) is None, "images lie in folders of every kind"
    assert find_slice_ids(root, "mosaics") == ["0002", "0004"]


def test_real_sections(real_data):
    rows = generate(real_data / "brain_sections", kind="mosaics", exclude=["116"])
    assert len(rows) == 270
    assert [one for one, row in rows.items() if not row["use"]] == ["0000", "0116"]


@pytest.mark.parametrize(
    ("make", "kind", "error", "says"),
    [
        pytest.param(lambda root: None, None, DatasetNotFoundError, "no such file or folder", id="nothing there"),
        pytest.param(lambda root: None, "tiles", DatasetNotFoundError, "no such folder", id="no tiles there"),
        pytest.param(lambda root: None, "shifts", DatasetNotFoundError, "no such file", id="no shifts there"),
        pytest.param(
            lambda root: folders(root, "other"),
            None,
            DatasetNotFoundError,
            r"mosaics .*z<NN>.*; raw tiles .*tile_x<NN>.*; a shifts file",
            id="nothing known: what was looked for",
        ),
        pytest.param(
            lambda root: folders(root, "x_y_z"),
            "tiles",
            DatasetNotFoundError,
            "there is x_y_z",
            id="no tiles: what there is",
        ),
        pytest.param(
            lambda root: folders(root, "z04/tile_x00_y00_z05"),
            "tiles",
            FileFormatError,
            "tile of slice 05, expected those of z04",
            id="a tile in another slice's folder",
        ),
        pytest.param(
            lambda root: folders(root, "tile_x00_y00_z05", "tile_x01_y00_z005"),
            "tiles",
            FileFormatError,
            "tile_x01_y00_z005: slice 005 is 05 in tile_x00_y00_z05",
            id="a slice named in two ways",
        ),
        pytest.param(
            lambda root: folders(root, "a_z03.ome.zarr", "b_z003.ome.zarr"),
            None,
            FileFormatError,
            "b_z003.ome.zarr: it is of slice 003, as a_z03.ome.zarr is",
            id="two mosaics of a slice",
        ),
    ],
)
def test_wrong_folders_are_refused(tmp_path, make, kind, error, says):
    root = tmp_path / "in"
    make(root)
    with pytest.raises(error, match=says):
        find_slice_ids(root, kind)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(SHIFTS + "0,1.7,0,0\n", r"line 2: moving_id: .*1\.7.*whole number", id="half an id"),
        pytest.param(SHIFTS + "0,1,0,0\n,2,0,0\n", "line 3: fixed_id: .*''", id="an empty id"),
        pytest.param(SHIFTS + "-1,1,0,0\n", "line 2: fixed_id: .*-1", id="a negative id"),
        pytest.param("moving_id,x\n1,2\n", "no column fixed_id", id="a column missing"),
        pytest.param(SHIFTS, "no pairs", id="a header only"),
    ],
)
def test_wrong_shifts_are_refused(tmp_path, text, says):
    path = tmp_path / "shifts_xy.csv"
    path.write_text(text)
    with pytest.raises(FileFormatError, match=says) as refused:
        find_slice_ids(path)
    assert str(path) in str(refused.value)


# --- the table ---------------------------------------------------------------------------------------------
def test_a_new_table_has_every_column_and_nothing_decided(tmp_path):
    path = tmp_path / "slice_config.csv"
    slice_config.write(path, new_table(["10", "2", "00"]))
    with path.open(newline="") as stream:
        header, *lines = list(csv.reader(stream))
    assert tuple(header) == CANONICAL_COLUMNS
    assert [line[:2] for line in lines] == [["00", "false"], ["02", "true"], ["10", "true"]]
    assert [line[2:] for line in lines] == [[""] * 11 + ["calibration_slice"], [""] * 12, [""] * 12]


@pytest.mark.parametrize(
    ("options", "notes"),
    [
        pytest.param({}, {"00": "calibration_slice"}, id="the first is a calibration slice"),
        pytest.param({"exclude_first": 0}, {}, id="none left out"),
        pytest.param({"exclude_first": 2}, {"00": "calibration_slice", "01": "calibration_slice"}, id="the first two"),
        pytest.param(
            {"exclude": ["3", "002"], "exclude_first": 0},
            {"02": "manually_excluded", "03": "manually_excluded"},
            id="by number, however padded",
        ),
        pytest.param({"exclude": ["00"]}, {"00": "manually_excluded; calibration_slice"}, id="for both reasons"),
    ],
)
def test_left_out_from_the_beginning(options, notes):
    rows = new_table(["00", "01", "02", "03"], **options)
    assert {one: row["notes"] for one, row in rows.items() if not row["use"]} == notes
    assert all(row["use"] == (one not in notes) for one, row in rows.items())


@pytest.mark.parametrize(
    ("ids", "options", "error", "says"),
    [
        pytest.param(["00", "01"], {"exclude": ["7"]}, UnknownNameError, "'07'.*there is 00, 01", id="unknown slice"),
        pytest.param(["00", "01"], {"exclude": ["x"]}, FileFormatError, "'x', expected digits", id="no slice id"),
        pytest.param(["00", "01"], {"exclude_first": 3}, PlanError, "from 0 to 2", id="more than there are"),
        pytest.param(["00", "01"], {"exclude_first": -1}, PlanError, "from 0 to 2", id="less than none"),
        pytest.param([], {}, PlanError, "no slices", id="no slices"),
        pytest.param(["3", "03"], {}, FileFormatError, "03 stands twice", id="twice"),
        pytest.param(["3", "003"], {}, FileFormatError, "003 stands twice, first as 03", id="twice, padded"),
    ],
)
def test_wrong_requests_are_refused(ids, options, error, says):
    with pytest.raises(error, match=says):
        new_table(ids, **options)


def test_generate_is_both(tmp_path):
    root = folders(tmp_path / "in", "m_z00.ome.zarr", "m_z01.ome.zarr", "m_z02.ome.zarr")
    assert generate(root, exclude=["2"]) == new_table(["00", "01", "02"], exclude=["02"])
    assert generate(root, kind="mosaics", exclude_first=0) == new_table(["00", "01", "02"], exclude_first=0)


@given(
    ids=st.sets(st.integers(0, 10**6), min_size=1, max_size=30).map(lambda found: [f"{one:02d}" for one in found]),
    data=st.data(),
)
def test_what_is_written_is_read_back(tmp_path, ids, data):
    exclude = data.draw(st.lists(st.sampled_from(ids), max_size=5))
    rows = new_table(ids, exclude=exclude, exclude_first=data.draw(st.integers(0, len(ids))))
    slice_config.write(tmp_path / "t.csv", rows)
    assert slice_config.read(tmp_path / "t.csv") == rows
    assert [int(one) for one in rows] == sorted(int(one) for one in ids)
