"""Datasets to OME-Zarr: opened again they are the same, pixel by pixel, and other libraries read the same pixels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import ome_zarr_models
import ome_zarr_models.v04
import ome_zarr_models.v05
import pytest
import tifffile
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader

import builders
from builders import pixels, write_csv, write_tiff
from images.oct_files import write_slice
from images.ome_schema import valid_ome_xml
from napari_slicemap import ChannelSettings, open_dataset
from napari_slicemap.errors import PlanError
from napari_slicemap.export.convert.plan import ConvertPlan, image_paths
from napari_slicemap.export.convert.run import convert_dataset
from scenes import write_dataset


def converted(path, out, /, runner="serial", stated=None, **plan):
    """Convert a dataset and open both."""
    source = open_dataset(path, **(stated or {}))
    report = convert_dataset(source, out, ConvertPlan.model_validate(plan), runner=runner)
    assert [result.error for result in report.results if not result.ok] == []
    assert not list(out.parent.glob(f".{out.name}*"))
    assert not list(out.rglob(".slicemap-*"))
    return source, open_dataset(out)


def shown(channels, high=5e4):
    """Settings in which pixels differ as they do in the data."""
    colors = ("#ff8040", "#20a0ff", "#40ff60")
    return {name: ChannelSettings(colors[n % 3], (0.0, high)) for n, name in enumerate(channels)}


# --- every layout ---------------------------------------------------------------------------------------------
def ome_zarr_folder(root):
    for n in range(2):
        data = pixels(n, (2, 40, 50))
        builders.write_ome_zarr(root / f"s{n}.ome.zarr", data, channels=("A", "B"), pixel_size=(0.5, 0.5))
    return root


def ome_tiff(root):
    root.mkdir()
    said = {"axes": "CYX", "Channel": {"Name": ["A", "B"]}, "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    with tifffile.TiffWriter(root / "run.ome.tif") as tif:
        for n in range(2):
            tif.write(pixels(n, (2, 20, 24)), metadata=said)
    return root / "run.ome.tif"


def section_images(root):
    for n in range(2):
        write_tiff(root / f"section_{n:03d}.tif", pixels(n))
    return root


def tile_files(root):
    for n, name in enumerate(("z03_0_0", "z03_0_1", "z03_1_0", "z04_0_0")):
        write_tiff(root / f"{name}.tif", pixels(n))
    return root


def mosaic_grid(root):
    data = pixels(3, (2, 40, 48))
    name = "mosaic_grid_3d_z03.ome.zarr"
    builders.write_ome_zarr(root / name, data, axes="zyx", pixel_size=(5, 5), chunks=(2, 20, 24))
    return root


def tile_positions(root):
    for n, name in enumerate("ab"):
        write_tiff(root / f"{name}.tif", pixels(n))
    (root / "TileConfiguration.txt").write_text("dim = 2\na.tif; ; (0.0, 2.0)\nb.tif; ; (20.5, 0.0)\n")
    return root


def wafer(root):
    write_tiff(root / "wafer.tif", pixels(0))
    (root / "wafer.magc").write_text("[sections.0001]\npolygon = 1,1,9,1,9,9\n")
    return root


def rows_of_tiles(root):
    """Tiles at odd stage positions, whose order is not that of their names, and overlap."""
    places = np.random.default_rng(5).uniform(10_000, 10_015, (5, 2))
    tiles = {f"{name}.tif": tuple(place) for name, place in zip("dbeac", places.tolist(), strict=True)}
    return builders.tile_table(root, tiles, columns=("x_um", "y_um"), pixel_size_um=0.3251)


def times_and_planes(root):
    write_tiff(root / "t.tif", pixels(0, (3, 2, 2, 20, 24), np.float32), metadata={"axes": "TZCYX"}, imagej=True)
    return write_csv(root / "tiles.csv", ("path", "map_id", "x_px", "y_px"), [("t.tif", "m", 0, 0)])


LAYOUTS = [
    pytest.param(builders.fov_folders, {}, id="fov-folders"),
    pytest.param(builders.steinbock, {}, id="steinbock"),
    pytest.param(builders.tile_table, {}, id="tiles-csv"),
    pytest.param(rows_of_tiles, {"stage_y": "up"}, id="tiles-csv by stage"),
    pytest.param(times_and_planes, {}, id="times and planes"),
    pytest.param(write_slice, {}, id="raw-tiles"),
    pytest.param(ome_zarr_folder, {}, id="ome-zarr"),
    pytest.param(ome_tiff, {}, id="ome-tiff"),
    pytest.param(section_images, {}, id="section-images"),
    pytest.param(tile_files, {"tiles": {"pattern": "z{slice}_{row}_{col}.tif", "overlap": "4px"}}, id="tile-files"),
    pytest.param(mosaic_grid, {"tiles": {"overlap": "4px"}}, id="mosaic-grid"),
    pytest.param(tile_positions, {}, id="tile-positions"),
    pytest.param(wafer, {}, id="wafer"),
]


@pytest.mark.parametrize(("build", "stated"), LAYOUTS)
def test_a_converted_dataset_renders_the_same(tmp_path, build, stated):
    path = build(tmp_path / "run")
    source, made = converted(path, tmp_path / "out.ome.zarr", stated=stated)
    assert made.layout == "ome-zarr"
    assert made.problems == []
    assert set(made.fovs) == set(source.fovs)
    check_fovs(source, made)
    check_maps(source, made)
    assert list(made.maps) == list(source.maps)
    for map_id, one in source.maps.items():
        windows = [(tile.name, tile.window) for tile in one.placement.tiles]
        assert [(tile.name, tile.window) for tile in made.maps[map_id].placement.tiles] == windows


@pytest.mark.parametrize(("build", "stated"), [one for one in LAYOUTS if one.id not in ("ome-zarr", "ome-tiff")])
def test_a_mosaic_of_a_map_renders_as_the_map(tmp_path, build, stated):
    path = build(tmp_path / "run")
    source, made = converted(path, tmp_path / "out.ome.zarr", stated=stated, kind="map")
    assert list(made.fovs) == list(made.maps) == list(source.maps)
    check_maps(source, made)


def check_fovs(source, made):
    for name, fov in source.fovs.items():
        other = made.fovs[name]
        assert (other.channels, other.shape, other.times_s) == (fov.channels, fov.shape, fov.times_s)
        assert other.pixel_size_um == fov.pixel_size_um
        for t, z in np.ndindex(fov.shape[0], fov.shape[2]):
            np.testing.assert_array_equal(other.read(t=t, z=z), fov.read(t=t, z=z), strict=True)


def check_maps(source, made):
    for map_id, one in source.maps.items():
        other = made.maps[map_id]
        assert (other.shape, other.slice_id) == (one.shape, one.slice_id)
        assert (other.placement.stage_y, made.stage_y_stated) == (one.placement.stage_y, source.stage_y_stated)
        if one.placement.bounds_um is not None:
            np.testing.assert_allclose(other.placement.stage_um(0, 0), one.placement.stage_um(0, 0), rtol=1e-12)
        fov = source.fovs[one.fov_names[0]]
        looks = shown(one.channels, float(fov.read().max()))
        np.testing.assert_array_equal(other.render_region(None, looks), one.render_region(None, looks))
        assert one.render_region(None, looks).max() > 0


@pytest.mark.parametrize("path", ["imagexpress/ImageXpress", "afm/sample_0.h5-jpk", "omezarr/tubhiswt4D_sub.zarr"])
def test_real_acquisitions(real_data, tmp_path, path):
    source, made = converted(real_data / path, tmp_path / "out.ome.zarr")
    check_fovs(source, made)
    check_maps(source, made)


def test_real_images_of_a_slide(real_data, tmp_path):
    path = real_data / "imc" / "steinbock"
    one = list(open_dataset(path).maps.values())[-1]
    source, made = converted(path, tmp_path / "imc.ome.zarr", runner="threads", ids=one.fov_names)
    looks = shown(one.channels[:2], 20.0)
    np.testing.assert_array_equal(made.maps[one.map_id].render_region(None, looks), one.render_region(None, looks))
    name = one.fov_names[0]
    fov = source.fovs[name]
    for mask in fov.masks:
        found = made.fovs[name].read_labels("mask", mask, fov.bounds)
        np.testing.assert_array_equal(found, fov.read_labels("mask", mask, fov.bounds))


# --- what is in the files, by other libraries ------------------------------------------------------------------
def attributes(group):
    found = zarr.open_group(group, mode="r").attrs.asdict()
    return found.get("ome", found), found.get("napari_slicemap")


@pytest.mark.parametrize(("version", "models"), [("0.5", ome_zarr_models.v05), ("0.4", ome_zarr_models.v04)])
def test_other_libraries_read_the_same(tmp_path, version, models):
    folder, out = builders.fov_folders(tmp_path / "run"), tmp_path / "out.ome.zarr"
    converted(folder, out, options={"version": version, "compression": "lz4", "chunk": 16})
    group = zarr.open_group(out, mode="r")
    assert group.metadata.zarr_format == (3 if version == "0.5" else 2)
    assert attributes(out)[0]["bioformats2raw.layout"] == 3
    assert attributes(out / "OME")[0]["series"] == ["a1", "a2"]
    wanted = np.stack([tifffile.imread(folder / "a2" / f"{name}.tiff") for name in ("CD3", "DAPI")])
    array = zarr.open_array(out / "a2" / "0", mode="r")
    np.testing.assert_array_equal(array[0, :, 0], wanted, strict=True)
    assert array.chunks[-2:] == (16, 16)
    labels = zarr.open_array(out / "a2" / "labels" / "cell" / "0", mode="r")[0, 0, 0]
    np.testing.assert_array_equal(labels, tifffile.imread(folder / "masks" / "a2_cell.tiff"))
    # the centre of the first px, stage µm: 24 × 20 px of 0.5 µm around (112, 50)
    scale, translation = attributes(out / "a2")[0]["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    assert scale["scale"][-2:] == [0.5, 0.5]
    assert translation["translation"][-2:] == [50 - 4.75, 112 - 5.75]
    models.Image.from_zarr(zarr.open_group(out / "a2", mode="r"))
    models.ImageLabel.from_zarr(zarr.open_group(out / "a2" / "labels" / "cell", mode="r"))
    models.BioFormats2Raw.from_zarr(group)
    described = valid_ome_xml(out / "OME" / "METADATA.ome.xml").images
    assert [(one.id, one.name) for one in described] == [("Image:a1", "a1"), ("Image:a2", "a2")]
    assert [channel.name for channel in described[0].pixels.channels] == ["CD3", "DAPI"]
    assert (described[0].pixels.size_x, described[0].pixels.physical_size_x) == (24, 0.5)
    (node, *_) = Reader(parse_url(out / "a2", mode="r"))()
    np.testing.assert_array_equal(np.asarray(node.data[0])[0, :, 0], wanted)


def test_annotations_keep_their_colours_and_names(tmp_path):
    folder, out = builders.fov_folders(tmp_path / "run", ("a1",)), tmp_path / "out.ome.zarr"
    labels = np.zeros((20, 24), np.uint8)
    labels[3:9], labels[12:] = 1, 7
    write_tiff(folder / "annotations" / "a1_cell.tif", labels)
    table = folder / "annotations" / "a1_cell.csv"
    write_csv(table, ("label", "name", "color"), [(1, "tumour", "red"), (7, "", "#00ff80")])
    converted(folder, out)
    assert sorted(attributes(out / "labels")[0]["labels"]) == ["cell", "cell__annotation_"]
    label = attributes(out / "labels" / "cell__annotation_")[0]["image-label"]
    assert label["colors"] == [
        {"label-value": 1, "rgba": [255, 0, 0, 255]},
        {"label-value": 7, "rgba": [0, 255, 128, 255]},
    ]
    assert label["properties"] == [{"label-value": 1, "name": "tumour"}]
    np.testing.assert_array_equal(zarr.open_array(out / "labels" / "cell__annotation_" / "0")[0, 0, 0], labels)


def test_channels_look_as_in_the_default_profile(folder, tmp_path):
    out = tmp_path / "out.ome.zarr"
    source, _ = converted(folder, out, ids=["a"])
    profile = source.profiles.get_default()
    for channel in attributes(out)[0]["omero"]["channels"]:
        wanted = profile.channels[channel["label"]]
        assert f"#{channel['color'].lower()}" == wanted.color
        assert (channel["window"]["start"], channel["window"]["end"]) == wanted.contrast_limits


def test_the_record_is_the_same_whenever_it_is_made(folder, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(folder, tmp_path / name / "set")
        converted(
            tmp_path / name / "set", tmp_path / f"{name}.ome.zarr", runner="threads" if name == "one" else "serial"
        )
    assert contents(tmp_path / "one.ome.zarr") == contents(tmp_path / "two.ome.zarr")
    record = attributes(tmp_path / "one.ome.zarr" / "a")[1]["provenance"]
    size = (folder / "a" / "DAPI.tif").stat().st_size
    assert {"path": "a/DAPI.tif", "size": size} in record["sources"]
    assert str(tmp_path) not in json.dumps(record)


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_mixed_types_are_held_by_one_that_holds_them_all(tmp_path):
    write_tiff(tmp_path / "run" / "a" / "A.tif", pixels(0))
    write_tiff(tmp_path / "run" / "a" / "B.tif", pixels(1, dtype=np.float32))
    source, made = converted(tmp_path / "run", tmp_path / "out.ome.zarr")
    np.testing.assert_array_equal(made.fovs["a"].read(), source.fovs["a"].read())
    assert made.fovs["a"].dtype == np.float32


def test_whole_numbers_are_not_rounded(tmp_path):
    write_tiff(tmp_path / "run" / "a" / "A.tif", pixels(0, dtype=np.int64))
    write_tiff(tmp_path / "run" / "a" / "B.tif", pixels(1, dtype=np.float32))
    report = convert_dataset(open_dataset(tmp_path / "run"), tmp_path / "out.ome.zarr")
    assert report.results[0].error.startswith("FOV a: channel A is int64, and no type holds it")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    ("names", "paths"),
    [
        pytest.param(["a b", "a_b", "A_B"], ["a_b", "a_b_2", "A_B_3"], id="alike"),
        pytest.param(["OME", "ome", "labels", "zarr.json"], ["OME_2", "ome_3", "labels_2", "zarr.json_2"], id="taken"),
        pytest.param([".", "__x", "µ", "../.."], ["image_.", "image__x", "image_", "image.._.."], id="odd"),
    ],
)
def test_paths_of_images(names, paths):
    assert image_paths(names) == paths


# --- tiles that are missing -----------------------------------------------------------------------------------
def test_a_tile_that_cannot_be_read_fails_its_mosaic_or_is_told(folder, tmp_path):
    plan = ConvertPlan(kind="map", ids=("8",))
    dataset, out = open_dataset(folder), tmp_path / "out.ome.zarr"
    report = convert_dataset(dataset, out, plan)
    assert "gone" in report.results[0].error
    assert list(tmp_path.iterdir()) == []
    report = convert_dataset(dataset, out, plan.model_copy(update={"on_missing": "mark"}))
    assert report.counts["ok"] == 1
    assert any("gone" in warning for warning in report.results[0].metadata["warnings"])
    mosaic = zarr.open_array(out / "0", mode="r")[0, :, 0]
    np.testing.assert_array_equal(mosaic[:, :, :40], dataset.fovs["c"].read(mosaic_channels(out)))
    assert not mosaic[:, :, 60:].any()


def mosaic_channels(out):
    return [channel["label"] for channel in attributes(out)[0]["omero"]["channels"]]


def test_masks_of_a_mosaic(tmp_path):
    out = tmp_path / "out.ome.zarr"
    source, made = converted(builders.fov_folders(tmp_path / "run"), out, kind="map")
    one = source.maps["S1"]
    wanted = np.concatenate(
        [source.fovs[name].read_labels("mask", "cell", source.fovs[name].bounds) for name in ("a1", "a2")], 1
    )
    np.testing.assert_array_equal(made.fovs["S1"].read_labels("mask", "cell", one.bounds), wanted)


def test_a_fov_that_cannot_be_read_fails_alone(tmp_path):
    folder, out = write_dataset(tmp_path / "run"), tmp_path / "out.ome.zarr"
    (folder / "e" / "DAPI.tif").write_text("not an image")
    report = convert_dataset(open_dataset(folder), out)
    assert [result.item_id for result in report.results if not result.ok] == ["image:e"]
    problems = open_dataset(out).problems
    assert any("was not finished: 4 of its 5 images are there" in problem for problem in problems)


@pytest.mark.parametrize(
    ("out", "said"),
    [
        pytest.param("run", "holds the dataset itself", id="the dataset"),
        pytest.param("", "holds the dataset itself", id="above the dataset"),
        pytest.param("run/out.ome.zarr", "lies in the dataset", id="in the dataset"),
        pytest.param("out", "an OME-Zarr folder is called something.ome.zarr", id="name"),
        pytest.param("file.zarr", "is a file", id="file"),
        pytest.param("other.zarr", "a folder of something else", id="other folder"),
    ],
)
def test_outputs_that_are_refused(tmp_path, out, said):
    folder = builders.fov_folders(tmp_path / "run")
    (tmp_path / "file.zarr").write_text("")
    (tmp_path / "other.zarr").mkdir()
    (tmp_path / "other.zarr" / "thesis.txt").write_text("dear")
    before = contents(tmp_path)
    with pytest.raises(PlanError, match=said):
        convert_dataset(open_dataset(folder), tmp_path / out, force=True)
    assert contents(tmp_path) == before


def test_names_that_do_not_exist(tmp_path):
    dataset = open_dataset(builders.fov_folders(tmp_path / "run"))
    with pytest.raises(PlanError, match="unknown FOV 'b9'"):
        convert_dataset(dataset, Path(tmp_path / "out.ome.zarr"), ConvertPlan(ids=("a1", "b9")))
