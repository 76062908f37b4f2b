"""Datasets as opened: project files, UELer's folders, read-only data, ``init_dataset``."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import tifffile

from builders import (
    descriptor_entry,
    fov_folders,
    pixels,
    steinbock,
    tile_table,
    write_csv,
    write_descriptor,
    write_ome_zarr,
    write_tiff,
)
from napari_slicemap import ChannelSettings, Dataset, Roi, RoiTable, open_dataset
from napari_slicemap.dataset import Named, init_dataset
from napari_slicemap.errors import (
    DatasetNotFoundError,
    FileFormatError,
    PlacementError,
    PlanError,
    SlicemapError,
    TileReadError,
    UnknownNameError,
)
from napari_slicemap.images.region import Window
from napari_slicemap.project import Places, Project, find_project, write_project


def toml(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "slicemap.toml").write_text(text, encoding="utf-8")
    return folder / "slicemap.toml"


def facts(dataset: Dataset) -> dict[str, Any]:
    """What two openings of one dataset must agree in."""
    return {
        "fovs": {name: (fov.channels, fov.pixel_size_um, sorted(fov.masks)) for name, fov in dataset.fovs.items()},
        "maps": {name: [(t.name, t.window) for t in one.placement.tiles] for name, one in dataset.maps.items()},
        "profiles": dataset.profiles,
        "rois": dataset.rois,
        "cells": None if dataset.cells is None else dataset.cells.to_dict("list"),
        "name": dataset.name,
    }


# --- opening -------------------------------------------------------------------------------------------------
def test_a_folder_of_fov_folders(tmp_path: Path) -> None:
    dataset = open_dataset(fov_folders(tmp_path / "block 12"))
    assert (dataset.name, dataset.layout, dataset.file, dataset.problems) == ("block 12", "fov-folders", None, [])
    assert list(dataset.fovs) == ["a1", "a2"]
    assert dataset.channels == ("CD3", "DAPI")
    assert list(dataset.maps) == dataset.slice_ids == ["S1"]
    assert [t.window for t in dataset.maps["S1"].placement.tiles] == [Window(0, 24, 0, 20), Window(24, 48, 0, 20)]
    assert dataset.maps["S1"].base_pixel_size_um() == 0.5
    assert dataset.fovs["a1"].pixel_size_um == 0.5  # the descriptor says it
    assert dataset.map_of("a2") is dataset.maps["S1"]
    assert dataset.map_of("nobody") is None
    assert dataset.cells is not None
    assert dataset.cells["label"].tolist() == [1, 2, 1, 2]
    assert (dataset.slices, len(dataset.rois), dataset.profiles.names) == (None, 0, [])


def test_the_painted_pixels_are_the_files(tmp_path: Path) -> None:
    dataset = open_dataset(fov_folders(tmp_path))
    shown = dataset.maps["S1"].render_region(None, {"DAPI": ChannelSettings("white", (0, 65535))})[..., 0]
    raw = np.hstack([tifffile.imread(tmp_path / name / "DAPI.tiff") for name in ("a1", "a2")])
    np.testing.assert_array_equal(shown, np.round(raw / 65535 * 255))


def test_opening_reads_no_pixel_and_where_all_is_stated_no_file(tmp_path: Path) -> None:
    fov_folders(tmp_path)
    with mock.patch.object(tifffile, "TiffFile", side_effect=AssertionError("an image was opened")):
        dataset = open_dataset(tmp_path)
        assert dataset.maps["S1"].shape == (20, 48)
        assert dataset.cells is not None


def test_names_stay_what_they_are(tmp_path: Path) -> None:
    names = ("001", "1.0", "NA", "nan")
    dataset = open_dataset(fov_folders(tmp_path, names, channels=("Beta-tubulin", "NA")))
    assert tuple(dataset.fovs) == names
    assert dataset.cells is not None
    assert list(dict.fromkeys(dataset.cells["fov"])) == list(names)
    assert dataset.maps["S1"].fov_names == list(names)
    with pytest.raises(UnknownNameError, match=r"unknown channel 'tubulin' \(there is Beta-tubulin, NA\)"):
        dataset.maps["S1"].render_region(None, {"tubulin": ChannelSettings("white", (0, 1))})


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        pytest.param("fovs", "a3", r"unknown FOV 'a3' \(there is a1, a2\)", id="FOV"),
        pytest.param("maps", "7", r"unknown map '7' \(there is S1\)", id="map"),
    ],
)
def test_unknown_names_are_told_with_those_that_exist(tmp_path: Path, kind: str, name: str, message: str) -> None:
    found = getattr(open_dataset(fov_folders(tmp_path)), kind)
    with pytest.raises(UnknownNameError, match=message):
        found[name]
    assert found.get(name) is None
    assert isinstance(pickle.loads(pickle.dumps(Named("FOV", {"a": 1}))), Named)


def test_a_fov_in_the_descriptor_but_not_on_disk(tmp_path: Path) -> None:
    fov_folders(tmp_path)
    shutil.rmtree(tmp_path / "a2")
    one = open_dataset(tmp_path).maps["S1"]
    assert one.fov_names == ["a1", "a2"]
    assert one.shape == (20, 48)
    with pytest.raises(TileReadError, match=r"FOV a2: map S1 names it \(.*S1\.json, fovs\[1\] \(a2\)\), but it is not"):
        one.render_region(None, {"DAPI": ChannelSettings("white", (0, 1))})


def test_bad_descriptors_are_told_and_the_others_load(tmp_path: Path) -> None:
    fov_folders(tmp_path)
    (tmp_path / "maps" / "bad.json").write_text("{")
    dataset = open_dataset(tmp_path)
    assert list(dataset.maps) == ["S1"]
    (problem,) = dataset.problems
    assert "bad.json: line 1, column 2" in problem


def test_a_slice_of_several_maps(tmp_path: Path) -> None:
    fov_folders(tmp_path, maps=False)
    for slide, fov in (("p", "a1"), ("q", "a2")):
        entry = descriptor_entry(fov, (0, 0), slideId=slide)
        write_descriptor(tmp_path / "maps" / f"{slide}.json", [entry], **({"slice_id": "03"} if slide == "p" else {}))
    toml(tmp_path, 'version = 1\n[map_slices]\nq = "04"\n')
    dataset = open_dataset(tmp_path)
    assert {name: one.slice_id for name, one in dataset.maps.items()} == {"p": "03", "q": "04"}
    assert dataset.slice_ids == ["03", "04"]


def test_a_map_on_a_grid_of_another_pixel_size(tmp_path: Path) -> None:
    dataset = open_dataset(fov_folders(tmp_path))
    assert dataset.map_at("S1", 0.5) is dataset.maps["S1"]
    assert dataset.map_at("S1", 1.0).shape == (10, 24)


@pytest.mark.parametrize(
    ("stated", "size"), [pytest.param("0.39", 0.39, id="number"), pytest.param('"390 nm"', 0.39, id="with unit")]
)
def test_a_pixel_size_that_only_the_project_states(tmp_path: Path, stated: str, size: float) -> None:
    fov_folders(tmp_path, maps=False)
    write_descriptor(tmp_path / "maps" / "m.json", [descriptor_entry("a1", (0, 0), fovSizeMicrons=...)])
    with pytest.raises(PlacementError, match=r"FOV a1 .*its pixel size is unknown; .*pixel_size_um in"):
        open_dataset(tmp_path)
    toml(tmp_path, f"version = 1\npixel_size_um = {stated}\n")
    dataset = open_dataset(tmp_path)
    assert dataset.maps["S1"].base_pixel_size_um() == pytest.approx(size)
    assert [fov.pixel_size_um for fov in dataset.fovs.values()] == pytest.approx([size, size])


@pytest.mark.parametrize(("stage_y", "first"), [("up", "slide1_001"), ("down", "slide1_002")])
def test_stage_y_of_the_project_goes_before_the_layouts(tmp_path: Path, stage_y: str, first: str) -> None:
    steinbock(tmp_path)
    assert open_dataset(tmp_path).stage_y == "up"
    toml(tmp_path, f'version = 1\nstage_y = "{stage_y}"\n')
    dataset = open_dataset(tmp_path)
    tops = {t.name: t.window.y0 for t in dataset.maps["slide1"].placement.tiles}
    assert dataset.stage_y == stage_y
    assert min(tops, key=tops.__getitem__) == first


# --- the project file ----------------------------------------------------------------------------------------
def test_a_project_elsewhere_that_points_to_read_only_data(tmp_path: Path) -> None:
    data = fov_folders(tmp_path / "data")
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    home = tmp_path / "home"
    toml(home, 'version = 1\nname = "mine"\ndata = "../data"\nexports = "out"\n')
    RoiTable([Roi(name="r", map_id="S1", x_min=0, x_max=1, y_min=0, y_max=1)]).write(home / "rois.csv")
    by_folder, by_file = open_dataset(home), open_dataset(home / "slicemap.toml")
    assert facts(by_folder) == facts(by_file)
    assert (by_folder.name, list(by_folder.fovs), len(by_folder.rois)) == ("mine", ["a1", "a2"], 1)
    assert by_folder.places.written("exports") == home / "out"
    assert by_folder.places.found("masks") == data / "masks"
    assert sorted(by_folder.fovs["a1"].masks) == ["cell"]
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before


def test_parts_beside_the_project_file_go_before_those_beside_the_data(tmp_path: Path) -> None:
    fov_folders(tmp_path / "data")
    toml(tmp_path / "home", 'version = 1\ndata = "../data"\n')
    labels = pixels(9)
    write_tiff(tmp_path / "home" / "masks" / "a1_own.tif", labels)
    write_csv(tmp_path / "home" / "cells.csv", ("fov", "label", "X", "Y"), [("a1", 9, 0, 0)])
    dataset = open_dataset(tmp_path / "home")
    assert sorted(dataset.fovs["a1"].masks) == ["own"]
    assert dataset.cells is not None
    assert dataset.cells["label"].tolist() == [9]


def test_the_columns_of_the_cell_table(tmp_path: Path) -> None:
    fov_folders(tmp_path)
    write_csv(tmp_path / "mine.csv", ("image", "id", "cx", "cy"), [("a1.tiff", 4, 1.5, 2.5)])
    toml(tmp_path, 'version = 1\ncells = "mine.csv"\n[cell_columns]\nfov = "image"\nlabel = "id"\nx = "cx"\ny = "cy"\n')
    cells = open_dataset(tmp_path).cells
    assert cells is not None
    assert cells.to_dict("records") == [{"fov": "a1", "label": 4, "x": 1.5, "y": 2.5}]


def test_a_broken_cell_table_is_told_when_it_is_wanted(tmp_path: Path) -> None:
    fov_folders(tmp_path)
    (tmp_path / "cells.csv").write_text("fov,label,X,Y\na1,1,here,2\n")
    dataset = open_dataset(tmp_path)
    with pytest.raises(FileFormatError, match=r"cells\.csv, line 2: X is 'here', expected a number"):
        _ = dataset.cells


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("version = 1\nstage-y = 'up'\n", r"stage-y: unknown key \(known: version, name, data, ", id="key"),
        pytest.param(
            "[cell_columns]\nX = 'a'\n", r"cell_columns\.X: unknown key \(known: fov, label, x, y\)", id="deep"
        ),
        pytest.param("version = 2\n", "version: Input should be 1", id="version"),
        pytest.param("stage_y = 'left'\n", "stage_y: Input should be 'down' or 'up'", id="stage_y"),
        pytest.param("pixel_size_um = 0\n", "pixel_size_um: Input should be greater than 0", id="pixel size 0"),
        pytest.param("pixel_size_um = '5,5 um'\n", "pixel_size_um: '5,5 um' is not a length", id="decimal comma"),
        pytest.param("slice_thickness_um = nan\n", "slice_thickness_um: nan is not a finite length", id="nan"),
        pytest.param("overlap = 'average'\n", "overlap: Input should be 'last', 'first'", id="overlap"),
        pytest.param("[map_slices]\na = 3\n", "map_slices.a: Input should be a valid string", id="slice id a number"),
        pytest.param("data = \n", "no valid TOML", id="no TOML"),
        pytest.param("layout = 'zeiss'\n", r"unknown layout 'zeiss' \(there is tiles-csv", id="layout"),
        pytest.param("data = 'gone'\n", "gone: there is no such file or folder", id="data"),
        pytest.param("layout = 'steinbock'\n", r"panel\.csv", id="another layout than the data has"),
    ],
)
def test_bad_project_files(tmp_path: Path, text: str, message: str) -> None:
    fov_folders(tmp_path)
    toml(tmp_path, text)
    with pytest.raises((SlicemapError, OSError), match=message):
        open_dataset(tmp_path)


def test_what_is_asked_for_by_name_and_is_not_there_is_told(tmp_path: Path) -> None:
    fov_folders(tmp_path)
    toml(tmp_path, 'masks = "segmentation"\nannotations = "annotations"\nrois = "later.csv"\ncells = "cells.csv"\n')
    problems = open_dataset(tmp_path).problems
    assert [problem.split(",")[0] for problem in problems] == [
        "slicemap.toml: masks is 'segmentation'",
        "slicemap.toml: annotations is 'annotations'",
    ]


def test_the_project_file_beside_a_table_is_the_tables(tmp_path: Path) -> None:
    table = tile_table(tmp_path)
    toml(tmp_path, 'name = "mine"\ndata = "tiles.csv"\n')
    assert open_dataset(table).name == open_dataset(tmp_path).name == "mine"
    toml(tmp_path, 'name = "the folder\'s"\n')
    assert open_dataset(table).name == "the folder's"
    other = table.rename(tmp_path / "other.csv")
    assert open_dataset(other).name == "other"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        pytest.param("run.2026/a.ome.tif", "a", id="file"),
        pytest.param("run.2026", "run.2026", id="folder with a dot"),
        pytest.param("b.ome.zarr", "b", id="Zarr"),
    ],
)
def test_a_dataset_is_called_as_its_data(tmp_path: Path, path: str, name: str) -> None:
    (tmp_path / "run.2026").mkdir()
    for image in ("a", "b"):
        write_tiff(tmp_path / "run.2026" / f"{image}.ome.tif", pixels(1))
    write_ome_zarr(tmp_path / "b.ome.zarr", pixels(1), axes="yx")
    assert open_dataset(tmp_path / path).name == name


def test_project_round_trip(tmp_path: Path) -> None:
    project = Project.model_validate(
        {
            "name": "µ block",
            "data": "../x",
            "pixel_size_um": "390 nm",
            "map_slices": {"slide-7": "03"},
            "cell_columns": {"fov": "Image"},
        }
    )
    write_project(project, tmp_path / "slicemap.toml")
    again, home, file = find_project(tmp_path)
    assert again == project
    assert (home, file) == (tmp_path, tmp_path / "slicemap.toml")


@pytest.mark.parametrize("path", ["gone", "gone/slicemap.toml", "gone.csv"])
def test_nothing_there(tmp_path: Path, path: str) -> None:
    with pytest.raises(DatasetNotFoundError, match=f"{path}: there is no such file or folder"):
        open_dataset(tmp_path / path)


# --- UELer ---------------------------------------------------------------------------------------------------
ROI_MANAGER = (
    "roi_id,fov,map_id,x,y,width,height,x_min,x_max,y_min,y_max,zoom,marker_set,tags,comment,created_at,updated_at,"
    "name,roi_kind,geometry\n"
    'id-1,a1,,0,0,0,0,2,10,3,9,1,tissue,"good, edge",nice,2024-05-14T09:30:00Z,2024-05-14T09:30:00Z,first,view,\n'
    "id-2,,7.0,0,0,0,0,1,5,1,5,1,,,,,,NA,,\n"
)
WIDGETS = {
    "marker_sets": {
        "tissue": {
            "selected_channels": ["DAPI"],
            "channel_settings": {"DAPI": {"color": "blue", "contrast_min": 5, "contrast_max": 900}, "CD3": {}},
        },
        "empty": {"selected_channels": [], "channel_settings": {}},
    },
    "zoom": 3,
}


@pytest.fixture
def ueler(tmp_path: Path) -> Path:
    root = fov_folders(tmp_path / "data", maps=False)
    write_descriptor(root / ".UELer" / "maps" / "deep" / "m.json", [descriptor_entry("a1", (0, 0), slideId=7)])
    (root / ".UELer" / "widget_states.json").write_text(json.dumps(WIDGETS))
    (root / ".UELer" / "roi_manager.csv").write_text(ROI_MANAGER)
    return root


def test_uelers_folder_is_imported(ueler: Path) -> None:
    dataset = open_dataset(ueler)
    assert list(dataset.maps) == ["7"]
    assert dataset.maps["7"].fov_names == ["a1"]
    assert dataset.profiles.names == ["tissue"]
    (settings,) = dataset.profiles["tissue"].channels.items()
    assert settings == ("DAPI", ChannelSettings("#0000ff", (5, 900)))
    one, two = dataset.rois
    assert (one.name, one.fov, one.tags, one.profile, one.x_max) == ("first", "a1", ("good", "edge"), "tissue", 10)
    assert (two.name, two.fov, two.map_id) == ("NA", "", "7")


def test_our_own_files_go_before_uelers(ueler: Path) -> None:
    write_descriptor(ueler / "maps" / "m.json", [descriptor_entry("a2", (0, 0))])
    (ueler / "profiles.json").write_text('{"version": 1, "profiles": {}}')
    RoiTable().write(ueler / "rois.csv")
    dataset = open_dataset(ueler)
    assert (list(dataset.maps), dataset.profiles.names, len(dataset.rois)) == (["S1"], [], 0)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        pytest.param("widget_states.json", "[]", r"widget_states\.json: expected an object", id="widgets a list"),
        pytest.param("widget_states.json", "{", r"widget_states\.json: line 1", id="widgets cut short"),
        pytest.param("roi_manager.csv", "", r"roi_manager\.csv: the file is empty", id="ROIs empty"),
        pytest.param("roi_manager.csv", ROI_MANAGER + "id-3,a1\n", r"roi_manager\.csv, line 4", id="ROIs cut short"),
        pytest.param("roi_manager.csv", "roi_id,x\n1,2\n", r"line 1: no column x_min", id="ROIs without columns"),
    ],
)
def test_uelers_files_that_cannot_be_read(ueler: Path, file: str, text: str, message: str) -> None:
    (ueler / ".UELer" / file).write_text(text)
    with pytest.raises(FileFormatError, match=message):
        open_dataset(ueler)


def test_init_keeps_what_was_imported(ueler: Path, tmp_path: Path) -> None:
    made = init_dataset(ueler, project_folder=tmp_path / "home")
    assert [path.name for path in made] == ["slicemap.toml", "profiles.json", "rois.csv"]
    shutil.rmtree(ueler / ".UELer")
    dataset = open_dataset(tmp_path / "home")
    assert dataset.profiles.names == ["tissue"]
    assert [roi.roi_id for roi in dataset.rois] == ["id-1", "id-2"]


# --- init ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("layout", ["fov-folders", "steinbock", "tiles-csv"])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["beside", "elsewhere"])
def test_init_writes_a_project_that_opens_the_same_data(tmp_path: Path, layout: str, elsewhere: bool) -> None:
    build = {"fov-folders": fov_folders, "steinbock": steinbock, "tiles-csv": tile_table}[layout]
    path = build(tmp_path / "data")
    before = open_dataset(path)
    home = tmp_path / "deep" / "home" if elsewhere else tmp_path / "data"
    made = init_dataset(path, name="mine", project_folder=home if elsewhere else None)
    assert made == [home / "slicemap.toml", home / "profiles.json"]
    after = open_dataset(home)
    assert facts(after) | {"profiles": 0, "name": 0} == facts(before) | {"profiles": 0, "name": 0}
    assert (after.name, after.profiles.names, after.layout, after.problems) == ("mine", ["auto"], layout, [])
    assert set(after.profiles["auto"].channels) == set(before.channels)
    stated = tomllib.loads((home / "slicemap.toml").read_text("utf-8"))
    assert stated.get("stage_y") == (before.stage_y if before.stage_y_stated else None)
    assert {"slice_config", "profiles", "rois", "exports"} <= set(stated)
    assert not Path(stated["data"]).is_absolute()


def test_init_states_what_it_was_told(tmp_path: Path) -> None:
    fov_folders(tmp_path, maps=False)
    init_dataset(tmp_path, stage_y="up", pixel_size="390 nm", profile="mine")
    dataset = open_dataset(tmp_path)
    assert (dataset.stage_y, dataset.project.pixel_size_um) == ("up", pytest.approx(0.39))
    assert dataset.profiles.names == ["mine"]


def test_the_project_can_move_with_its_data(tmp_path: Path) -> None:
    init_dataset(fov_folders(tmp_path / "a" / "data"), project_folder=tmp_path / "a" / "home")
    (tmp_path / "a").rename(tmp_path / "b")
    assert list(open_dataset(tmp_path / "b" / "home").fovs) == ["a1", "a2"]


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Path]:
    """A project elsewhere, with a profile and an ROI that somebody made."""
    data, home = fov_folders(tmp_path / "data"), tmp_path / "home"
    (data / ".UELer").mkdir()
    (data / ".UELer" / "roi_manager.csv").write_text(ROI_MANAGER)
    init_dataset(data, project_folder=home)
    book = json.loads((home / "profiles.json").read_text())
    book["profiles"]["mine"] = book["profiles"].pop("auto")
    (home / "profiles.json").write_text(json.dumps({**book, "default": "mine"}))
    RoiTable([Roi(roi_id="mine", map_id="S1", x_min=0, x_max=1, y_min=0, y_max=1)]).write(home / "rois.csv")
    yield home
    again = open_dataset(home)
    assert again.profiles.names == ["mine"], "init wrote over somebody's profiles"
    assert [roi.roi_id for roi in again.rois] == ["mine"], "init wrote over somebody's ROIs"


def test_init_again_is_refused(written: Path) -> None:
    for path in (written, written / "slicemap.toml"):
        with pytest.raises(PlanError, match=r"home/slicemap\.toml is there already; --force replaces it"):
            init_dataset(path)
    with pytest.raises(PlanError, match=r"home/slicemap\.toml is there already"):
        init_dataset(written.parent / "data", project_folder=written)


@pytest.mark.parametrize("given", ["the data", "the project's folder", "the project file"])
def test_init_by_force_replaces_the_project_file_and_nothing_else(written: Path, given: str) -> None:
    path = {"the data": written.parent / "data", "the project file": written / "slicemap.toml"}.get(given, written)
    folder = written if given == "the data" else None
    made = init_dataset(path, project_folder=folder, name="new", force=True)
    assert made == [written / "slicemap.toml"]
    assert open_dataset(written).name == "new"
    assert open_dataset(written).places.data == written.parent / "data"


@pytest.mark.parametrize(
    ("told", "message"),
    [
        pytest.param({"stage_y": "left"}, "stage_y: Input should be 'down' or 'up'", id="stage_y"),
        pytest.param({"pixel_size": "wide"}, "pixel_size_um: 'wide' is not a length", id="pixel size"),
        pytest.param({"pixel_size": -1}, "pixel_size_um: Input should be greater than 0", id="pixel size below 0"),
    ],
)
def test_init_refuses(tmp_path: Path, told: dict[str, Any], message: str) -> None:
    fov_folders(tmp_path)
    with pytest.raises(PlanError, match=message):
        init_dataset(tmp_path, **told)
    assert not (tmp_path / "slicemap.toml").exists()


def test_init_of_what_cannot_be_read_writes_nothing(tmp_path: Path) -> None:
    for channel in ("DAPI", "CD3"):
        (tmp_path / "data" / "a1").mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / "a1" / f"{channel}.tif").write_text("not an image")
    with pytest.raises(TileReadError, match="no FOV can be read"):
        init_dataset(tmp_path / "data", project_folder=tmp_path / "home")
    assert list((tmp_path / "home").iterdir()) == []


def test_init_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fov_folders(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # tests may run as root, who can write anywhere
    with pytest.raises(PlanError, match="cannot be written to; choose where the project file goes with --project-fol"):
        init_dataset(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(PlanError, match=r"file cannot be made \(File exists\); choose another --project-folder"):
        init_dataset(tmp_path, project_folder=tmp_path / "file")


# --- other processes -----------------------------------------------------------------------------------------
def test_a_dataset_survives_pickling_into_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fov_folders(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    dataset = open_dataset("data")
    packed = pickle.dumps(dataset)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert facts(pickle.loads(packed)) == facts(dataset)


def test_a_project_handed_in_is_kept_when_pickled(tmp_path: Path) -> None:
    fov_folders(tmp_path)
    dataset = open_dataset(tmp_path, project=Project(name="handed in", stage_y="up"))
    again = pickle.loads(pickle.dumps(dataset))
    assert (again.name, again.stage_y) == ("handed in", "up")


def test_places_of_a_file_are_beside_it(tmp_path: Path) -> None:
    table = tile_table(tmp_path)
    project, home, file = find_project(table)
    places = Places(project, home)
    assert (places.data, places.data_folder, file) == (table, tmp_path, None)
    assert places.written("rois") == tmp_path / "rois.csv"


@pytest.mark.parametrize(
    ("slice_id", "used"),
    [
        pytest.param("09", False, id="as in the table"),
        pytest.param("9", False, id="by number"),
        pytest.param("009", False, id="padded more"),
        pytest.param("10", True, id="another slice"),
        pytest.param("slide-9", True, id="text that only holds the number"),
    ],
)
def test_a_slice_is_looked_up_in_the_table_by_number(tmp_path, slice_id, used):
    tile_table(tmp_path)
    (tmp_path / "slice_config.csv").write_text("slice_id,use\n09,false\n")
    dataset = open_dataset(tmp_path)
    assert dataset.is_used(slice_id) is used
    assert bool(dataset.why_excluded(slice_id)) is not used
