"""Items as the pixels themselves, held against what lies on disk."""

import numpy as np
import pytest
import tifffile

from napari_slicemap import ExportPlan, open_dataset
from napari_slicemap.errors import RegionError, TileReadError, UnknownNameError
from napari_slicemap.export.choosing.resolve import resolve
from napari_slicemap.export.content.pixels import read_item
from napari_slicemap.export.records.sources import sources_of
from scenes import write_dataset

CHANNELS = ("DAPI", "CD3")


def pixels_of(dataset, select, **fields):
    plan = ExportPlan.model_validate({"select": [select], **fields})
    (item,) = resolve(plan, dataset).items
    return read_item(item, plan, dataset.profiles.get_default(), dataset)


def on_disk(folder, fov):
    return np.stack([tifffile.imread(folder / fov / f"{name}.tif") for name in CHANNELS])


@pytest.fixture
def map_7(folder):
    """Map 7 put together by hand: b lies 36 px right of a, and over it."""
    made = np.zeros((2, 32, 76), np.uint16)
    made[:, :, :40], made[:, :, 36:] = on_disk(folder, "a"), on_disk(folder, "b")
    return made


def area_mean(image, step):
    """The mean of each square of px, as it says in the name."""
    _, height, width = image.shape
    rows, columns = -(-height // step), -(-width // step)
    made = np.empty((len(image), rows, columns), np.float32)
    for y in range(rows):
        for x in range(columns):
            made[:, y, x] = image[:, y * step : (y + 1) * step, x * step : (x + 1) * step].mean(axis=(1, 2))
    return made


def test_a_fov_is_what_lies_on_disk(dataset, folder):
    found = pixels_of(dataset, {"kind": "fov", "ids": ["a"]})
    assert found.shape == (1, 2, 1, 32, 40)
    assert found.source.channels == CHANNELS
    np.testing.assert_array_equal(found.source.array()[0, :, 0], on_disk(folder, "a"), strict=True)
    plan = ExportPlan.model_validate({"select": [{"kind": "fov", "ids": ["a"]}]})
    (item,) = resolve(plan, dataset).items
    assert set(sources_of(item, plan, dataset)) == {folder / "a" / f"{name}.tif" for name in CHANNELS}
    assert found.pixel_size_um == 0.5
    assert found.source.settings["CD3"] == {
        "color": "#ff4d4d",
        "contrast_limits": [0, 800],
        "gamma": 0.8,
        "visible": True,
    }


def test_a_map_is_its_tiles_put_together(dataset, map_7):
    found = pixels_of(dataset, {"kind": "map", "ids": ["7"]})
    np.testing.assert_array_equal(found.source.array()[0, :, 0], map_7, strict=True)


@pytest.mark.parametrize("step", [2, 3, 5])
def test_downsampling_is_the_mean_in_float32(dataset, map_7, step):
    found = pixels_of(dataset, {"kind": "map", "ids": ["7"]}, downsample=step)
    np.testing.assert_allclose(found.source.array()[0, :, 0], area_mean(map_7, step), rtol=1e-6, strict=True)
    assert found.pixel_size_um == 0.5 * step


def test_bands_are_rows_of_the_whole(dataset):
    source = pixels_of(dataset, {"kind": "map", "ids": ["7"]}, downsample=3).source
    whole = source.array()
    for rows in (1, 2, 4):
        parts = np.concatenate(list(source.bands(0, 1, 0, rows)))
        np.testing.assert_array_equal(parts, whole[0, 1, 0])


def test_an_roi_is_cut_out(dataset, map_7):
    found = pixels_of(dataset, {"kind": "map-roi", "ids": ["r1"]})
    np.testing.assert_array_equal(found.source.array()[0, :, 0], map_7[:, 5:25, 30:60])


def test_a_clipped_roi_is_0_outside_its_shape(dataset, map_7):
    box = pixels_of(dataset, {"kind": "map-roi", "ids": ["tri"]}, overlays={"masks": ["cell"]}).source
    cut = pixels_of(
        dataset, {"kind": "map-roi", "ids": ["tri"], "clip": "polygon"}, overlays={"masks": ["cell"]}
    ).source
    y, x = np.mgrid[0:24, 0:24] + 0.5
    inside = x + y < 24  # the corners are (10, 4), (34, 4), (10, 28)
    np.testing.assert_array_equal(cut.array()[0, :, 0], np.where(inside, box.array()[0, :, 0], 0))
    labels = cut.labels["cell"](0, 0, 0, 24)
    np.testing.assert_array_equal(labels, np.where(inside, box.labels["cell"](0, 0, 0, 24), 0))
    assert labels.any()


def test_an_roi_beyond_its_fov_is_cut_and_told(dataset, folder):
    found = pixels_of(dataset, {"kind": "fov-roi", "ids": ["ragged"]})
    np.testing.assert_array_equal(found.source.array()[0, :, 0], on_disk(folder, "a")[:, 20:, 30:])
    assert found.warnings == ("reaches beyond FOV a; cut at its edge",)


def test_cell_crops_are_of_one_size_and_padded_with_0(dataset, folder):
    found = pixels_of(dataset, {"kind": "cell", "ids": ["a:1"], "size_px": 20}, overlays={"masks": ["cell"]})
    expected = np.zeros((2, 20, 20), np.uint16)
    # the centroid (7.5, 8) is px (8, 8), which goes to the middle
    expected[:, 2:, 2:] = on_disk(folder, "a")[:, :18, :18]
    np.testing.assert_array_equal(found.source.array()[0, :, 0], expected)
    labels = found.source.labels["cell"](0, 0, 0, 20)
    assert labels[7:14, 7:13].tolist() == [[1] * 6] * 7
    assert found.warnings == ("reaches beyond FOV a; padded with 0",)


def test_a_band_of_a_crop_that_lies_beyond_its_fov_is_0(dataset):
    source = pixels_of(dataset, {"kind": "cell", "ids": ["a:1"], "size_px": 32}).source
    assert not source.read(0, 0, 0, 0, 8).any()
    assert source.read(0, 0, 0, 8, 10).any()


def test_slices_lie_along_z(dataset, folder, map_7):
    project = dataset.project.model_copy(update={"slice_thickness_um": 200.0})
    found = pixels_of(
        open_dataset(folder, project=project),
        {"kind": "stack", "along": "slices", "ids": ["7", "8"]},
        on_missing="mark",
    )
    assert found.shape == (1, 2, 2, 32, 100)
    stack = found.source.array()
    np.testing.assert_array_equal(stack[0, :, 0, :, :76], map_7)
    assert not stack[0, :, 0, :, 76:].any()
    np.testing.assert_array_equal(stack[0, :, 1, :, :40], on_disk(folder, "c"))
    assert found.source.z_step_um == 200.0
    (missing,) = found.missing
    assert "gone" in missing


def test_a_missing_tile_fails_by_name(dataset):
    with pytest.raises(TileReadError, match="gone"):
        pixels_of(dataset, {"kind": "map", "ids": ["8"]}).source.array()


def test_positions_are_those_of_the_first_px(dataset):
    # map 7 begins at stage (0, 0) µm
    assert pixels_of(dataset, {"kind": "map", "ids": ["7"]}).source.position_um == (0.25, 0.25)
    assert pixels_of(dataset, {"kind": "map-roi", "ids": ["r1"]}).source.position_um == (15.25, 2.75)
    assert pixels_of(dataset, {"kind": "fov", "ids": ["b"]}, downsample=2).source.position_um == (18.5, 0.5)
    assert pixels_of(dataset, {"kind": "fov", "ids": ["e"]}).source.position_um is None


@pytest.fixture
def moving(tmp_path):
    """A dataset whose FOV "film" has times and planes."""
    folder = write_dataset(tmp_path / "set")
    rng = np.random.default_rng(5)
    data = rng.integers(0, 1000, (4, 2, 3, 12, 10)).astype(np.uint16)
    (folder / "film").mkdir()
    for number, name in enumerate(CHANNELS):
        tifffile.imwrite(
            folder / "film" / f"{name}.tif",
            data[:, number],
            ome=True,
            photometric="minisblack",
            metadata={
                "axes": "TZYX",
                "PhysicalSizeX": 0.5,
                "PhysicalSizeY": 0.5,
                "PhysicalSizeZ": 2.0,
                "Plane": {"DeltaT": [time for time in (0.0, 1.5, 3.5, 4.0) for _ in range(3)]},
            },
        )
    return open_dataset(folder), data


def test_a_time_series_has_its_times_and_one_plane(moving):
    dataset, data = moving
    found = pixels_of(dataset, {"kind": "stack", "ids": ["film"]}, z="max")
    np.testing.assert_array_equal(found.source.array()[:, :, 0], data.max(axis=2))
    assert found.source.times_s == (0.0, 1.5, 3.5, 4.0)
    assert found.source.z_step_um is None


def test_all_times_and_planes_are_the_whole_image(moving):
    dataset, data = moving
    found = pixels_of(dataset, {"kind": "fov", "ids": ["film"]}, t="all", z="all")
    np.testing.assert_array_equal(found.source.array(), data, strict=True)
    assert found.source.z_step_um == 2.0
    one = pixels_of(dataset, {"kind": "fov", "ids": ["film"]}, t=2, z=1)
    np.testing.assert_array_equal(one.source.array()[0, :, 0], data[2, :, 1])
    assert one.source.times_s is None
    mean = pixels_of(dataset, {"kind": "fov", "ids": ["film"]}, t=2, z="mean")
    np.testing.assert_allclose(mean.source.array()[0, :, 0], data[2].mean(axis=1), rtol=1e-6)
    assert mean.source.dtype == np.float32


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        pytest.param({"t": 4}, RegionError, r"t = 4 does not exist \(0 to 3 do\)", id="time"),
        pytest.param({"z": 3}, RegionError, r"z = 3 does not exist \(0 to 2 do\)", id="plane"),
        pytest.param({"overlays": {"masks": ["cell"]}}, UnknownNameError, "unknown mask 'cell'", id="mask"),
    ],
)
def test_what_does_not_exist_is_told(moving, fields, error, message):
    dataset, _ = moving

    def read_all():
        source = pixels_of(dataset, {"kind": "fov", "ids": ["film"]}, **fields).source
        return source.array(), [read(0, 0, 0, 12) for read in source.labels.values()]

    with pytest.raises(error, match=message):
        read_all()


def test_a_file_by_channel_holds_that_channel(dataset, folder):
    plan = ExportPlan.model_validate({"select": [{"kind": "fov", "ids": ["a"]}], "channel_files": "separate"})
    items = resolve(plan, dataset).items
    for item, expected in zip(items, on_disk(folder, "a"), strict=True):
        found = read_item(item, plan, dataset.profiles.get_default(), dataset)
        assert found.source.channels == item.channels
        np.testing.assert_array_equal(found.source.array()[0, 0, 0], expected)
