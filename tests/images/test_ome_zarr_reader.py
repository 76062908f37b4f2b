"""OME-Zarr as datasets: images, folders and collections of them, plates; held against zarr-python and plain JSON."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import pixels
from napari_slicemap import open_dataset
from napari_slicemap.cli.info import describe
from napari_slicemap.errors import FileFormatError, PlacementError, SlicemapError, TileReadError
from napari_slicemap.images.acquisition import Acquisition
from napari_slicemap.images.ome_zarr.collection import Collection, CollectionImage
from napari_slicemap.images.ome_zarr.described_image import describe_image
from napari_slicemap.images.ome_zarr.writer import write_ome_zarr as write_our_ome_zarr
from napari_slicemap.images.readers import find_reader
from napari_slicemap.images.readers.ome_zarr import OmeZarr
from napari_slicemap.images.source import ImageSource
from napari_slicemap.images.tiles.names import TileNames

from .ome_zarr_files import SIZE, edit, multiscales, write_group, write_image, write_plate
from .reader_contract import ReaderContract, options

CHANNELS = ({"label": "DAPI"}, {"label": "CD3"})
NORM = ((24 - 1) * 0.5 / 2, (20 - 1) * 0.5 / 2)
"""From the centre of the first px to that of the image, µm."""


def read(path: Path, **changes: Any) -> Acquisition:
    return OmeZarr().read(path, options(path, **changes))


def centers(made: Acquisition) -> dict[str, Any]:
    return {one.fov: one.center_um or one.origin_px for one in made.positions}


class TestOmeZarr(ReaderContract):
    reader = OmeZarr()
    kind = "a Zarr image"

    def build(self, root: Path) -> Path:
        for n, name in enumerate(("a", "b")):
            write_image(root / f"{name}.ome.zarr", n, channels=CHANNELS, corner=(100 + 12 * n, 50))
        return root

    def image_of(self, root: Path, fov: str, channel: str) -> np.ndarray:
        return np.asarray(zarr.open_array(root / f"{fov}.ome.zarr" / "0", mode="r")[["DAPI", "CD3"].index(channel)])

    def spoil(self, source: Path) -> None:
        (source / "zarr.json").write_text("not an image")

    def test_positions(self, tmp_path: Path) -> None:
        made = self.read(tmp_path)
        assert centers(made) == {"a": (100 + NORM[0], 50 + NORM[1]), "b": (112 + NORM[0], 50 + NORM[1])}
        assert {one.map_id for one in made.positions} == {tmp_path.name}
        (found,) = open_dataset(tmp_path).maps.values()
        assert [tuple(tile.window) for tile in found.placement.tiles] == [(0, 24, 0, 20), (24, 48, 0, 20)]

    def test_an_image_whose_metadata_are_spoiled_is_told_and_keeps_its_size(self, tmp_path: Path) -> None:
        path = self.build(tmp_path)
        self.spoil(path / "b.ome.zarr")
        made = self.reader.read(path, options(path))
        assert len(made.problems) == 1
        assert "b.ome.zarr" in made.problems[0]
        assert (made.fovs["b"].size_px, made.fovs["b"].channels) == ((24, 20), ("DAPI", "CD3"))
        assert list(centers(made)) == ["a"]


# --- one image -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("version", [2, 3])
def test_one_image(tmp_path: Path, version: int) -> None:
    path = write_image(tmp_path / "one.ome.zarr", channels=CHANNELS, corner=(7, 3), version=version)
    made = read(path)
    (fov,) = made.fovs.values()
    assert (fov.name, fov.channels, fov.pixel_size_um) == ("one", ("DAPI", "CD3"), 0.5)
    np.testing.assert_array_equal(fov.read(), pixels(1, (2, *SIZE)))
    assert centers(made) == {"one": (7 + NORM[0], 3 + NORM[1])}
    assert find_reader(path)[1] == "one.ome.zarr is an OME-Zarr image"


def test_images_that_say_nothing_of_the_stage_lie_on_no_map(tmp_path: Path) -> None:
    """Writers of pyramids translate the first level by 0."""
    for name, corner in {"a": None, "b": (0, 0), "c": (0, 0)}.items():
        write_image(tmp_path / f"{name}.zarr", corner=corner)
    assert read(tmp_path).positions == ()
    # one that stands alone is all of its map
    for name in "ab":
        (position,) = read(tmp_path / f"{name}.zarr").positions
        assert (position.map_id, position.origin_px, position.center_um) == (name, (0, 0), None)


@pytest.mark.parametrize("version", [2, 3])
def test_an_image_that_says_itself_what_a_collection_would(tmp_path: Path, version: int) -> None:
    own = Collection(stage_y="up", images={".": STATED.images["a"]}).attributes()["napari_slicemap"]
    made = read(write_image(tmp_path / "x.zarr", own={"collection": own}, version=version))
    assert (made.stage_y, made.stage_y_stated, list(made.fovs)) == ("up", True, ["tile A"])
    (position,) = made.positions
    assert (position.map_id, position.slice_id, position.center_um) == ("m1", "03", (10, 20))


@pytest.mark.parametrize(
    ("said", "center"),
    [
        pytest.param({"unit": "nanometer", "pixel": 500, "corner": (7000, 3000)}, (7, 3), id="nanometer"),
        pytest.param({"unit": "angstrom", "pixel": 5000, "corner": (70000, 30000)}, (7, 3), id="angstrom"),
        pytest.param({"unit": "", "corner": (7, 3)}, None, id="no unit"),
        pytest.param({"unit": "pixel", "corner": (7, 3)}, None, id="no length"),
        pytest.param({"own": {"position_um": [7, 3]}}, (7, 3), id="our own"),
        pytest.param({"own": {"position_um": [7, 3]}, "corner": (1, 1)}, (7, 3), id="our own goes before"),
    ],
)
def test_where_an_image_lies(tmp_path: Path, said: dict[str, Any], center: Any) -> None:
    made = read(write_image(tmp_path / "a.zarr", **said))
    expected = [] if center is None else [pytest.approx([a + b for a, b in zip(center, NORM, strict=True)])]
    assert [list(one.center_um) for one in made.positions if one.center_um] == expected


def test_translations_are_scaled_by_what_is_said_of_all_levels(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr", pixel=1, corner=(14, 6))
    more = [{"type": "scale", "scale": [0.5, 0.5]}, {"type": "translation", "translation": [100, 200]}]
    edit(path, lambda said: said["ome"]["multiscales"][0].update(coordinateTransformations=more))
    made = read(path)
    assert made.fovs["a"].pixel_size_um == 0.5
    assert centers(made) == {"a": (207 + NORM[0], 103 + NORM[1])}


def test_a_place_counts_without_a_pixel_size_once_that_is_given(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr", corner=(7, 3))
    steps = [{"type": "translation", "translation": [3, 7]}]
    edit(path, lambda said: said["ome"]["multiscales"][0]["datasets"][0].update(coordinateTransformations=steps))
    assert centers(read(path)) == {"a": (0, 0)}
    assert centers(read(path, pixel_size_um=0.5)) == {"a": (7 + NORM[0], 3 + NORM[1])}


# --- levels and labels ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("version", [2, 3])
def test_a_level_that_is_missing(tmp_path: Path, version: int) -> None:
    levels = ("full", "half", "quarter")
    path = write_image(
        tmp_path / "a.zarr", levels=levels, absent=("full",), corner=(100, 50), labels={"cell": [SIZE, (10, 12)]},
        version=version,
    )  # fmt: skip
    made = read(path)
    (fov,) = made.fovs.values()
    assert (fov.size_px, fov.pixel_size_um) == ((12, 10), 1.0)
    np.testing.assert_array_equal(fov.read()[0], pixels(1, SIZE)[::2, ::2])
    np.testing.assert_array_equal(fov.read_labels("mask", "cell", fov.bounds), pixels(9, (10, 12), np.uint8))
    # the same piece of the stage as at full resolution
    assert centers(made) == {"a": (pytest.approx(100 + NORM[0]), pytest.approx(50 + NORM[1]))}
    (problem,) = made.problems
    assert (
        problem
        == f"{path}: its full resolution, the array 'full', is missing; level 'half' is read instead, of 1 µm/px"
    )


def test_an_image_without_any_of_its_levels(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr", levels=("0", "1"), absent=("0", "1"))
    with pytest.raises(FileFormatError, match=r"a\.zarr: none of the arrays of its levels is there \('0', '1'\)"):
        read(path)


def test_label_images(tmp_path: Path) -> None:
    labels = {"cell": [SIZE], "nucleus": [(40, 48), SIZE], "coarse": [(10, 12)], "gone": [SIZE]}
    path = write_image(tmp_path / "a.zarr", labels=labels)
    shutil.rmtree(path / "labels" / "gone")
    made = read(path)
    (fov,) = made.fovs.values()
    assert list(fov.masks) == ["cell", "nucleus"]
    for name in fov.masks:
        np.testing.assert_array_equal(fov.read_labels("mask", name, fov.bounds), pixels(9, SIZE, np.uint8))
    assert [problem.split("labels: ", 1)[1] for problem in made.problems] == [
        "label image 'coarse' is left out: the image is 24 × 20 px, its levels are 12 × 10",
        "label image 'gone' is left out: it is not there",
    ]


@pytest.mark.parametrize(
    ("path", "name", "mask"),
    [
        pytest.param("cell_body", "cell body", "cell body", id="the name the path was made of"),
        pytest.param("mask_a", "_a", "_a", id="a name that Zarr does not take"),
        pytest.param("cell_2", "cell", "cell", id="a numbered name"),
        pytest.param("nuclei", "image", "nuclei", id="another name"),
        pytest.param("nuclei", "", "nuclei", id="no name"),
    ],
)
def test_names_of_masks(tmp_path: Path, path: str, name: str, mask: str) -> None:
    image = write_image(tmp_path / "a.zarr", labels={path: [SIZE]})
    edit(image / "labels" / path, lambda said: said["ome"]["multiscales"][0].update(name=name))
    assert list(read(image).fovs["a"].masks) == [mask]


# --- how channels are shown ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("said", "settings", "problem"),
    [
        pytest.param(
            {"color": "00FFaa", "window": {"start": 3, "end": 9.5, "min": 0, "max": 99}, "active": False},
            {"color": "#00ffaa", "contrast_limits": (3.0, 9.5), "visible": False},
            None,
            id="all",
        ),
        pytest.param({"color": "#0000FF"}, {"color": "#0000ff"}, None, id="a colour with its sign"),
        pytest.param({"window": {"min": 0, "max": 99}}, {}, None, id="no limits"),
        pytest.param({"color": "blue"}, {}, "colour is 'blue'", id="a colour by name"),
        pytest.param({"color": 255}, {}, "colour is 255", id="a colour by number"),
        pytest.param({"window": {"start": 9, "end": 3}}, {}, "window goes from 9 to 3", id="a falling window"),
        pytest.param(
            {"window": {"start": 10**400, "end": 10**401}}, {}, "window goes from", id="a window out of reach"
        ),
        pytest.param(
            {"window": {"start": "a", "end": None}}, {}, "window goes from 'a' to None", id="a window of text"
        ),
        pytest.param({"window": [1, 2]}, {}, "window goes from", id="a window of two numbers"),
        pytest.param({"active": 1}, {}, None, id="active is a number"),
    ],
)
def test_how_channels_are_shown(tmp_path: Path, said: Any, settings: Any, problem: str | None) -> None:
    made = read(write_image(tmp_path / "a.zarr", channels=[{"label": "DAPI", **said}]))
    assert made.channel_settings == ({"DAPI": settings} if settings else {})
    assert len(made.problems) == (problem is not None)
    assert all(f"{tmp_path / 'a.zarr'}: channel DAPI: its omero {problem}" in one for one in made.problems)


def test_the_first_image_that_has_a_channel_says_how_it_is_shown(tmp_path: Path) -> None:
    write_image(tmp_path / "a.zarr", channels=[{"label": "DAPI"}, {"label": "CD3", "color": "FF0000"}])
    write_image(
        tmp_path / "b.zarr", channels=[{"label": "DAPI", "color": "0000FF"}, {"label": "CD3", "color": "00FF00"}]
    )
    made = read(tmp_path)
    assert made.channel_settings == {"DAPI": {"color": "#0000ff"}, "CD3": {"color": "#ff0000"}}


def test_our_own_gamma(tmp_path: Path) -> None:
    made = read(write_image(tmp_path / "a.zarr", channels=[{"label": "DAPI"}], own={"gamma": {"DAPI": 0.7}}))
    assert made.channel_settings == {"DAPI": {"gamma": 0.7}}


def test_an_omero_block_of_other_channels_is_left_out(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr", channels=CHANNELS)
    edit(path, lambda said: said["ome"]["omero"]["channels"].append({"label": "x"}))
    made = read(path)
    assert (made.fovs["a"].channels, made.channel_settings) == (("C0", "C1"), {})
    assert "omero lists 3 channels, the image has 2" in made.problems[0]


# --- folders -------------------------------------------------------------------------------------------------
def test_images_of_the_same_name_keep_their_endings(tmp_path: Path) -> None:
    write_image(tmp_path / "a.zarr")
    write_image(tmp_path / "a.ome.zarr")
    write_image(tmp_path / ".hidden.zarr")
    assert sorted(read(tmp_path).fovs) == ["a.ome.zarr", "a.zarr"]


def test_images_of_numbered_slices_are_maps(tmp_path: Path) -> None:
    for number in ("z3", "z10"):
        write_image(tmp_path / f"block_{number}.ome.zarr")
    made = open_dataset(tmp_path)
    assert [(one, found.fov_names, found.shape) for one, found in made.maps.items()] == [
        ("10", ["block_z10"], SIZE),
        ("03", ["block_z3"], SIZE),
    ]


def test_one_translation_may_be_left_out_where_others_are_stated(tmp_path: Path) -> None:
    for name, corner in {"a": None, "b": (12, 0)}.items():
        write_image(tmp_path / f"{name}.zarr", corner=corner)
    assert centers(read(tmp_path)) == {"a": NORM, "b": (12 + NORM[0], NORM[1])}
    write_image(tmp_path / "c.zarr")
    assert centers(read(tmp_path)) == {"b": (12 + NORM[0], NORM[1])}


def test_a_plate_among_images_is_told(tmp_path: Path) -> None:
    write_image(tmp_path / "a.zarr")
    write_plate(tmp_path / "p.zarr", {"A/1": [None]})
    made = read(tmp_path)
    assert list(made.fovs) == ["a"]
    assert "p.zarr: it is no image (but a plate)" in made.problems[0]


# --- plates --------------------------------------------------------------------------------------------------
PLACED = {"B/3": [(0, 0), (315, 0)], "B/10": [(1000, 0), (1315, 0)]}


@pytest.mark.parametrize("version", [2, 3])
def test_a_plate_whose_fields_say_where_they_lie(tmp_path: Path, version: int) -> None:
    path = write_plate(tmp_path / "p.zarr", PLACED, version=version)
    made = read(path)
    assert list(made.fovs) == ["B03 0", "B03 1", "B10 0", "B10 1"]
    assert centers(made) == {
        f"{well} {n}": (x + 315 * n + NORM[0], NORM[1]) for well, x in (("B03", 0), ("B10", 1000)) for n in (0, 1)
    }
    assert (made.problems, made.missing, made.stage_y_stated) == ((), (), True)
    found = open_dataset(path)
    assert list(found.maps) == ["B03", "B10"]
    assert [tuple(tile.window) for tile in found.maps["B10"].placement.tiles] == [(0, 24, 0, 20), (630, 654, 0, 20)]
    assert found.why == "p.zarr is an OME-Zarr plate of 4 images"


def test_a_plate_whose_fields_do_not(tmp_path: Path) -> None:
    path = write_plate(tmp_path / "p.zarr", {"A/1": [None] * 3, "A/2": [None]})
    made = read(path)
    assert centers(made) == {"A01 0": (0, 0), "A01 1": (24, 0), "A01 2": (0, 20), "A02 0": (0, 0)}
    assert [one.what for one in made.missing] == ["place of the fields in their well"]
    tiles = TileNames(overlap="25 %", rows=1, serpentine=True)
    told = read(path, tiles=tiles)
    assert centers(told) == {"A01 0": (0, 0), "A01 1": (18, 0), "A01 2": (36, 0), "A02 0": (0, 0)}
    assert told.missing == ()
    with pytest.raises(PlacementError, match=r"map A01: tile 2 has no place in a grid of 1 × 1"):
        read(path, tiles=TileNames(rows=1, columns=1))
    with pytest.raises(PlacementError, match=r"map A01: tiles of 20 px cannot share 20 px"):
        read(path, tiles=TileNames(overlap="20 px"))


def test_a_well_in_which_two_fields_state_no_place_is_put_in_a_grid(tmp_path: Path) -> None:
    path = write_plate(tmp_path / "p.zarr", {"A/1": [None, (315, 0), None]})
    made = read(path)
    assert centers(made) == {"A01 0": (0, 0), "A01 1": (24, 0), "A01 2": (0, 20)}
    assert made.problems[0].endswith("A01 0, A01 2 state no place, so all fields of A01 are put in a grid")


def test_a_field_that_cannot_be_read_leaves_the_others_where_they_are(tmp_path: Path) -> None:
    path = write_plate(tmp_path / "p.zarr", {"A/1": [(5, 0), (315, 0), (625, 0)]})
    (path / "A" / "1" / "1" / "0" / "zarr.json").write_text("{")
    made = read(path)
    assert centers(made) == {"A01 0": (5 + NORM[0], NORM[1]), "A01 2": (625 + NORM[0], NORM[1])}
    assert len(made.problems) == 1
    with pytest.raises(TileReadError, match=r"^FOV A01 1: .*cannot be read as a Zarr image"):
        made.fovs["A01 1"].read()


def test_fields_of_several_acquisitions_lie_on_maps_of_their_own(tmp_path: Path) -> None:
    corners = [(5, 5), (315, 5), (5, 5), (315, 5)]
    path = write_plate(tmp_path / "p.zarr", {"A/1": corners}, acquisitions={"A/1": [0, 0, 1, 1]})
    assert [one.map_id for one in read(path).positions] == ["A01 acquisition 0"] * 2 + ["A01 acquisition 1"] * 2


def test_one_well(tmp_path: Path) -> None:
    path = write_plate(tmp_path / "p.zarr", PLACED)
    made = read(path / "B" / "3")
    assert list(made.fovs) == ["B03 0", "B03 1"]
    assert {one.map_id for one in made.positions} == {"B03"}


def test_what_a_plate_lists_and_is_not_there_is_told(tmp_path: Path) -> None:
    path = write_plate(tmp_path / "p.zarr", {"A/1": [None, None], "A/2": [None], "A/3": [None], "A/4": [None]})
    shutil.rmtree(path / "A" / "1" / "1")
    shutil.rmtree(path / "A" / "2")
    (path / "A" / "3" / "zarr.json").write_text("{")
    edit(path / "A" / "4", lambda said: said["ome"]["well"].update(images=7))
    made = read(path)
    assert list(made.fovs) == ["A01 0"]
    told = "\n".join(sorted(problem.removeprefix(str(path)) for problem in made.problems))
    assert "images that well A01 lists are not there: 1" in told
    assert "wells that it lists are not there: A02" in told
    assert "well A03 is left out" in told
    assert "well A04 lists no images; it is left out" in told


# --- collections ---------------------------------------------------------------------------------------------
def write_collection(path: Path, own: Collection | None = None, series: Any = ("b", "a"), *, version: int = 3) -> Path:
    write_group(path, {"bioformats2raw.layout": 3}, version=version, **({} if own is None else own.attributes()))
    if series is not None:
        write_group(path / "OME", {"series": list(series)}, version=version)
    for n, name in enumerate(series or ("0", "1", "10", "2")):
        write_image(path / name, n, version=version)
    return path


@pytest.mark.parametrize("version", [2, 3])
def test_a_collection_in_the_order_of_its_series(tmp_path: Path, version: int) -> None:
    made = read(write_collection(tmp_path / "c.zarr", version=version))
    assert (list(made.fovs), made.positions, made.problems) == (["b", "a"], (), ())
    np.testing.assert_array_equal(made.fovs["a"].read()[0], pixels(1, SIZE))


def test_a_collection_without_series_is_counted(tmp_path: Path) -> None:
    assert list(read(write_collection(tmp_path / "c.zarr", series=None)).fovs) == ["0", "1", "2", "10"]


STATED = Collection(
    stage_y="up",
    images={
        "a": CollectionImage(fov="tile A", map_id="m1", slice_id="03", center_um=(10.0, 20.0)),
        "b": CollectionImage(fov="tile B", map_id="m1", slice_id="03", center_um=(22.0, 20.0)),
        "c": CollectionImage(fov="tile C", map_id="m2", origin_px=(4.0, 5.0)),
        "d": CollectionImage(fov="tile D"),
    },
)


@pytest.mark.parametrize("version", [2, 3])
def test_a_collection_that_says_which_fov_each_image_is(tmp_path: Path, version: int) -> None:
    path = write_collection(tmp_path / "c.zarr", STATED, series="abcd", version=version)
    found = open_dataset(path)
    assert list(found.fovs) == ["tile A", "tile B", "tile C", "tile D"]
    assert (found.stage_y, found.stage_y_stated, found.problems) == ("up", True, [])
    assert {one: (made.fov_names, made.slice_id) for one, made in found.maps.items()} == {
        "m1": (["tile A", "tile B"], "03"),
        "m2": (["tile C"], "m2"),
    }
    assert [tuple(tile.window) for tile in found.maps["m1"].placement.tiles] == [(0, 24, 0, 20), (24, 48, 0, 20)]
    assert Collection.read(path) == STATED


def test_a_collection_that_does_not_know_the_stage_direction(tmp_path: Path) -> None:
    own = STATED.model_copy(update={"stage_y": None})
    found = open_dataset(write_collection(tmp_path / "c.zarr", own, series="abcd"))
    assert (found.stage_y, found.stage_y_stated) == ("down", False)


def test_an_unfinished_collection_opens_with_what_is_there(tmp_path: Path) -> None:
    own = STATED.model_copy(update={"unfinished": True})
    path = write_collection(tmp_path / "c.zarr", own, series="abcd")
    shutil.rmtree(path / "b")
    made = read(path)
    assert list(made.fovs) == ["tile A", "tile C", "tile D"]
    assert made.problems == (f"{path}: writing it was not finished: 3 of its 4 images are there",)


def test_images_that_a_collection_lists_and_are_not_there_are_told(tmp_path: Path) -> None:
    path = write_collection(tmp_path / "c.zarr")
    shutil.rmtree(path / "b")
    assert read(path).problems == (f"{path}: images that it lists are not there: b",)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        pytest.param({"version": 2, "images": {}}, "version", id="version"),
        pytest.param({"version": 1, "images": {}, "stage": "up"}, r"stage: unknown key \(known: version", id="key"),
        pytest.param({"version": 1, "images": {"a": {"fov": ""}}}, r"images\.a\.fov", id="no name"),
        pytest.param(
            {"version": 1, "images": {"a": {"fov": "x", "map_id": "m"}}}, "expected one of center_um", id="place"
        ),
        pytest.param(
            {"version": 1, "images": {"a": {"fov": "x", "center_um": [1, 2]}}}, "no place without a map_id", id="map"
        ),
        pytest.param(
            {"version": 1, "images": {"a": {"fov": "x", "map_id": "m", "origin_px": [10**400, 1]}}},
            "origin_px",
            id="far",
        ),
        pytest.param(
            {"version": 1, "images": {"a": {"fov": "x"}, "b": {"fov": "x"}}}, "FOV x stands twice", id="twice"
        ),
        pytest.param(
            {"version": 1, "images": {"../a": {"fov": "x"}}}, "does not lie in it", id="a path that leads out"
        ),
        pytest.param(
            {"version": 1, "images": {"a": {"fov": "x", "map_id": "m", "origin_px": [1]}}}, "origin_px", id="px"
        ),
    ],
)
def test_a_collection_whose_own_attributes_are_wrong_is_refused(tmp_path: Path, own: Any, message: str) -> None:
    path = write_group(tmp_path / "c.zarr", {"bioformats2raw.layout": 3}, napari_slicemap=own)
    with pytest.raises(FileFormatError, match=rf"c\.zarr.*{message}"):
        read(path)
    assert find_reader(path)[0].name == "ome-zarr"


XML = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{}</OME>'
IMAGE = '<Image ID="Image:{}" Name="{}"><Pixels><Plane TheZ="0" PositionX="{}" PositionY="7" {}/></Pixels></Image>'
IN_MM = 'PositionXUnit="mm" PositionYUnit="µm"'


@pytest.mark.parametrize(
    ("images", "placed"),
    [
        pytest.param(
            [(0, "left", 1, IN_MM), (1, "right", 2, IN_MM)], {"left": (1000, 7), "right": (2000, 7)}, id="places"
        ),
        pytest.param([(0, "left", 1, IN_MM), (1, "right", 1, IN_MM)], {"left": None, "right": None}, id="one place"),
        pytest.param([(0, "left", 1, ""), (1, "right", 2, "")], {"left": None, "right": None}, id="no unit"),
        pytest.param([(0, "left", "nan", IN_MM), (1, "right", 2, IN_MM)], {"left": None, "right": (2000, 7)}, id="NaN"),
        pytest.param([(0, "a", 1, IN_MM), (1, "a", 2, IN_MM)], {"b": (1000, 7), "a": (2000, 7)}, id="one name"),
        pytest.param(
            [(0, "C:/run/a.czi #1", 1, IN_MM), (1, " ", 2, IN_MM)],
            {"C:_run_a.czi #1": (1000, 7), "a": (2000, 7)},
            id="a path for a name",
        ),
    ],
)
def test_what_ome_xml_says_of_a_collection(tmp_path: Path, images: Any, placed: Any) -> None:
    path = write_collection(tmp_path / "c.zarr")
    text = XML.format("".join(IMAGE.format(*one) for one in images))
    (path / "OME" / "METADATA.ome.xml").write_text(text, encoding="utf-8")
    made = read(path)
    assert {name: centers(made).get(name) for name in made.fovs} == placed
    assert (made.stage_y_stated, made.problems) == (not made.positions, ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("<OME", "cannot be read as OME-XML", id="cut short"),
        pytest.param("\0", "cannot be read as OME-XML", id="no XML"),
        pytest.param("<OME>&x;</OME>", "cannot be read as OME-XML", id="unknown entity"),
        pytest.param("<OME><Image/></OME>", "it describes 1 images, and there are 2", id="too few"),
    ],
)
def test_ome_xml_that_is_wrong_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = write_collection(tmp_path / "c.zarr")
    (path / "OME" / "METADATA.ome.xml").write_text(text)
    made = read(path)
    assert list(made.fovs) == ["b", "a"]
    assert f"METADATA.ome.xml: {message}" in made.problems[0]


numbers = st.floats(allow_nan=False, allow_infinity=False)
places = st.one_of(
    st.just({}),
    st.builds(lambda one, at: {"map_id": one, "center_um": at}, st.text(min_size=1), st.tuples(numbers, numbers)),
    st.builds(lambda one, at: {"map_id": one, "origin_px": at}, st.text(min_size=1), st.tuples(numbers, numbers)),
)


@given(
    st.lists(st.tuples(st.text(min_size=1), places), unique_by=lambda one: one[0], max_size=4),
    st.sampled_from([None, "up", "down"]),
    st.booleans(),
)
def test_a_collection_comes_back_from_json(fovs: Any, stage_y: Any, unfinished: bool) -> None:
    images = {str(n): CollectionImage(fov=fov, **place) for n, (fov, place) in enumerate(fovs)}
    made = Collection(stage_y=stage_y, unfinished=unfinished, images=images)
    said = json.loads(json.dumps(made.attributes(), allow_nan=False))["napari_slicemap"]
    assert Collection.from_data(said, "here") == made


# --- what is no image, or damaged ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda ome: ome.update(multiscales=7), "multiscales are no list of objects", id="multiscales"),
        pytest.param(lambda ome: ome["multiscales"][0].update(axes=7), "axes are no list", id="axes"),
        pytest.param(
            lambda ome: ome["multiscales"][0].update(axes=["x"]), "names 1 axes, but its array has 2", id="axis"
        ),
        pytest.param(lambda ome: ome["multiscales"][0].update(axes=[7, 7]), "no attribute 'get'", id="axes of numbers"),
        pytest.param(lambda ome: ome["multiscales"][0].update(datasets=[]), "list no datasets", id="no levels"),
        pytest.param(
            lambda ome: ome["multiscales"][0]["datasets"][0].update(path="../b"), "does not lie in it", id="path"
        ),
        pytest.param(lambda ome: ome["multiscales"][0]["datasets"][0].update(path=None), "the path None", id="no path"),
        pytest.param(
            lambda ome: ome["multiscales"][0]["datasets"][0]["coordinateTransformations"][0].update(scale=[1e400, 1]),
            "zarr.json",
            id="infinite scale",
        ),
        *(
            pytest.param(
                lambda ome, one=one: ome["multiscales"][0]["datasets"][0]["coordinateTransformations"][0].update(
                    scale=[one, 1]
                ),
                "the scale of '0' is .*, expected finite numbers",
                id=f"scale of {what}",
            )
            for what, one in {"text": "a", "nothing": None, "a number out of reach": 10**400}.items()
        ),
        pytest.param(lambda ome: ome.update(multiscales=multiscales("yx", unit="inch", pixel=-1)), None, id="negative"),
        pytest.param(lambda ome: ome.update(omero=7), None, id="omero is a number"),
        pytest.param(lambda ome: ome.update(omero={"channels": [7]}), None, id="a channel is a number"),
    ],
)
def test_bad_metadata_of_an_image(tmp_path: Path, change: Any, message: str | None) -> None:
    path = write_image(tmp_path / "a.zarr")
    edit(path, lambda said: change(said["ome"]))
    if message is None:
        np.testing.assert_array_equal(read(path).fovs["a"].read()[0], pixels(1, SIZE))
    else:
        with pytest.raises(FileFormatError, match=rf"a\.zarr.*{message}"):
            read(path)


@pytest.mark.parametrize("position", [7, [1], [1, "2"], [10**400, 1], [None, None]])
def test_a_position_that_is_none(tmp_path: Path, position: Any) -> None:
    path = write_image(tmp_path / "a.zarr", own={"position_um": position})
    with pytest.raises(FileFormatError, match=r"a\.zarr: its position_um is .*, expected two numbers"):
        read(path)


@pytest.mark.parametrize("shape", [[-1, 5], [0, 0], "wide", [2**40, 2], [2.5, 3], [True, True]])
def test_a_shape_that_no_image_has(tmp_path: Path, shape: Any) -> None:
    path = write_image(tmp_path / "a.zarr")
    said = json.loads((path / "0" / "zarr.json").read_text())
    (path / "0" / "zarr.json").write_text(json.dumps({**said, "shape": shape}))
    with pytest.raises(FileFormatError, match=r"a\.zarr/0: its shape is"):
        read(path)


@pytest.mark.parametrize("what", ["array", "empty group", "text", "deep"])
def test_a_zarr_folder_that_holds_no_image(tmp_path: Path, what: str) -> None:
    path = tmp_path / "a.zarr"
    if what == "array":
        zarr.create_array(path, shape=(4, 4), dtype="u1")
    else:
        zarr.create_group(path)
    if what in ("text", "deep"):
        (path / "zarr.json").write_text("hello" if what == "text" else "[" * 100_000)
    assert bool(OmeZarr().detect(path)) == (what in ("text", "deep"))
    with pytest.raises(FileFormatError, match=r"a\.zarr"):
        read(path)


def _opens_or_says_why(path: Path, culprit: str) -> None:
    """Read all that opens; anything but an error of ours, that names the file, is a crash."""
    said = []
    try:
        OmeZarr().detect(path)
        for fov in read(path).fovs.values():
            try:
                assert fov.read().shape[1:] == fov.size_px[::-1]
            except TileReadError as error:
                said.append(str(error))
    except SlicemapError as error:
        said.append(str(error))
    assert all(culprit in one for one in said)


def _fuzz(path: Path, files: list[Path], tries: int) -> None:
    rng = np.random.default_rng(7)
    for n in range(tries):
        file = files[n % len(files)]
        before = file.read_bytes()
        changed = bytearray(before)
        for at in rng.integers(0, len(changed), rng.integers(1, 4)):
            changed[at] = rng.choice(np.frombuffer(b'0129-eE.,:[]{}"nul\xff\x00 ', np.uint8))
        file.write_bytes(bytes(changed))
        _opens_or_says_why(path, path.name)
        file.write_bytes(before)


def test_changed_bytes_in_a_plate(tmp_path: Path) -> None:
    path = write_plate(tmp_path / "p.zarr", {"A/1": [(3, 4), (9, 4)]})
    _fuzz(path, [path / name / "zarr.json" for name in ("", "A/1", "A/1/0", "A/1/0/0")], 60)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["6001240_labels_v0.5.zarr", "tubhiswt4D_sub.zarr"])
def test_changed_bytes_in_real_files(tmp_path: Path, real_data: Path, name: str) -> None:
    path = tmp_path / name
    shutil.copytree(real_data / "omezarr" / name, path, copy_function=shutil.copyfile)
    _fuzz(path, sorted(one for one in path.rglob("*") if one.name in ("zarr.json", ".zattrs", ".zarray")), 500)


def _places(said: Any) -> Iterator[tuple[Any, Any]]:
    """Give where each value within JSON stands: what holds it, and its key."""
    keys = list(said) if isinstance(said, dict) else range(len(said)) if isinstance(said, list) else ()
    for key in keys:
        yield said, key
        yield from _places(said[key])


plain = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from(["..", "/", "0"])
)
values = st.recursive(
    plain, lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=4), one, max_size=2), max_leaves=5
)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["6001240_labels_v0.5.zarr", "tubhiswt4D_sub.zarr"])
@settings(max_examples=500)
@given(data=st.data())
def test_changed_values_in_real_files(tmp_path: Path, real_data: Path, name: str, data: st.DataObject) -> None:
    path = tmp_path / name
    if not path.exists():
        shutil.copytree(real_data / "omezarr" / name, path, copy_function=shutil.copyfile)
    files = sorted(one for one in path.rglob("*") if one.name in ("zarr.json", ".zattrs", ".zarray"))
    file = files[data.draw(st.integers(0, len(files) - 1))]
    before = file.read_bytes()
    said = json.loads(before)
    places = list(_places(said))
    holder, key = places[data.draw(st.integers(0, len(places) - 1))]
    holder[key] = data.draw(values)
    file.write_text(json.dumps(said))
    try:
        _opens_or_says_why(path, name)
    finally:
        file.write_bytes(before)


# --- real data -----------------------------------------------------------------------------------------------
def test_real_images(real_data: Path) -> None:
    made = open_dataset(real_data / "omezarr")
    facts = describe(made)
    assert (facts["layout"], facts["problems"], facts["missing"]) == ("ome-zarr", [], [])
    assert facts["masks"] == ["0", "embryo"]
    sharded, tubhis = made.fovs["6001240_labels_v0.5"], made.fovs["tubhiswt4D_sub"]
    said = json.loads((real_data / "omezarr" / "6001240_labels_v0.5.zarr" / "zarr.json").read_text())
    (level,) = said["attributes"]["ome"]["multiscales"][0]["datasets"]
    assert sharded.pixel_size_um == level["coordinateTransformations"][0]["scale"][-1] == pytest.approx(1.4415926)
    assert (sharded.channels, sharded.shape) == (("LaminB1", "Dapi"), (1, 2, 236, 68, 67))
    folder = real_data / "omezarr" / "6001240_labels_v0.5.zarr"
    np.testing.assert_array_equal(sharded.read(z=118), zarr.open_array(folder / "2", mode="r")[:, 118])
    labels = zarr.open_array(folder / "labels" / "0" / "2", mode="r")
    np.testing.assert_array_equal(sharded.read_labels("mask", "0", sharded.bounds), labels[0, 0])
    assert (tubhis.shape, tubhis.pixel_size_um, tubhis.times_s) == ((3, 1, 2, 512, 512), 1.0, (0.0, 1.0, 2.0))
    assert tubhis.masks["embryo"].shape == (3, 2, 512, 512)
    shown = OmeZarr().read(real_data / "omezarr", options(real_data / "omezarr")).channel_settings
    assert shown["Dapi"] == {"color": "#ffff00", "contrast_limits": (0.0, 1500.0), "visible": True}
    assert shown["channel_0"]["contrast_limits"] == (54.0, 107.0)


def test_an_image_within_is_described_alike(real_data: Path) -> None:
    problems: list[str] = []
    found = describe_image(real_data / "omezarr" / "tubhiswt4D_sub.zarr", problems)
    assert (found.size_px, found.channels, problems) == ((512, 512), ("channel_0",), [])


@pytest.mark.parametrize("stated", [False, True], ids=["nobody stated it", "white by choice"])
def test_a_look_that_nobody_stated_is_none(tmp_path: Path, stated: bool) -> None:
    data = pixels(1, (1, 1, 1, 20, 24))
    look = {"color": "#ffffff", "contrast_limits": (0, 100), "gamma": 1.0, "visible": True}
    source = ImageSource.of(
        data, ["DAPI"], settings={"DAPI": look} if stated else {}, provenance={"made": "here"}, pixel_size_um=0.5
    )
    write_our_ome_zarr(tmp_path / "a.zarr", source)
    found = OmeZarr().read(tmp_path / "a.zarr", options(tmp_path)).channel_settings
    assert found.get("DAPI", {}) == ({**look, "contrast_limits": (0.0, 100.0)} if stated else {})
