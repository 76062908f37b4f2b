"""The known defects of an ancestor (rendering.md): each has its regression test, here by its name.

Where a room's own tests look closer at one, they are named in its docstring.
"""

import csv
import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_slicemap import AnnotationOverlay, ChannelSettings, ExportPlan, Region, RoiTable, open_dataset, run_export
from napari_slicemap.errors import FileFormatError, UnknownNameError
from napari_slicemap.images.acquisition import TilePosition
from napari_slicemap.maps.placement import place
from napari_slicemap.render.virtual_map import VirtualMap
from scenes import descriptor, make_fov, write_dataset, write_rois

BOX = (2, 12, 2, 12)
MAGENTA = (255, 0, 255)


@pytest.fixture
def folder(tmp_path):
    return write_dataset(tmp_path / "set")


@pytest.fixture
def export(folder, tmp_path):
    """Export choices of the dataset, and give report and output folder."""

    def run(*selects, **fields):
        plan = {"output_folder": str(tmp_path / "out"), "select": selects, **fields}
        return run_export(ExportPlan.model_validate(plan), open_dataset(folder)), tmp_path / "out"

    return run


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.parametrize("downsample", [1, 2, 4])
def test_scale_bar_multiplied_by_the_downsample_twice(export, downsample):
    """A bar of 10 µm is 10 µm of the figure's own pixels: 20, 10 or 5 px at 0.5 µm."""
    bar = {"enabled": True, "length_um": 10, "color": "#ff00ff", "label": False}
    _, out = export({"kind": "map", "ids": ["7"]}, downsample=downsample, scale_bar=bar)
    inked = (pixels(out / "map_7.png") == MAGENTA).all(axis=-1)
    assert inked.sum(axis=1).max() == 20 // downsample


@pytest.mark.parametrize("size", [32, 64, 128])
def test_bar_missing_below_300_px(export, size):
    """See also tests/render/test_scale_bar.py, from 32 px up."""
    report, out = export(
        {"kind": "cell", "ids": ["a:1"], "size_px": size}, scale_bar={"enabled": True, "color": "#ff00ff"}
    )
    assert report.results[0].metadata["warnings"] == ["reaches beyond FOV a; padded with background"]
    assert (pixels(out / "a_cell_1.png") == MAGENTA).all(axis=-1).any()


@pytest.mark.parametrize("pixel_um", [0.39, 0.325, 0.65])
@pytest.mark.parametrize("stage_y", ["down", "up"])
def test_tiles_1_px_off_and_black_columns(pixel_um, stage_y):
    """A regular grid of 512-px tiles has no gap, no overlap and no extra column, far from the origin too."""
    count, side = 12, 512
    fov = make_fov("t", {"A": np.zeros((side, side), np.uint8)}, pixel_size_um=pixel_um)
    positions = [
        TilePosition(
            "m",
            f"{row}-{column}",
            "grid",
            center_um=(12_345.678 + column * side * pixel_um, -9_876.543 + row * side * pixel_um),
            size_px=(side, side),
            pixel_size_um=pixel_um,
        )
        for row in range(count)
        for column in range(count)
    ]
    made = place("m", positions, {"t": fov}, stage_y=stage_y)
    assert made.shape == (count * side, count * side)
    rows = range(count) if stage_y == "down" else range(count - 1, -1, -1)
    expected = [(column * side, row * side) for row in rows for column in range(count)]
    assert [(tile.window.x0, tile.window.y0) for tile in made.tiles] == expected


@pytest.mark.parametrize("offset", [0.1, 0.49, 0.5, 0.51, 0.9])
def test_1_px_overwrite_at_a_seam_for_fractional_bounds(offset):
    """Parts that meet at a fractional bound agree in the pixel that both show. See also test_virtual_map.py."""
    rng = np.random.default_rng(0)
    fovs = {n: make_fov(n, {"A": rng.integers(0, 255, (20, 20), dtype=np.uint8)}) for n in "ab"}
    one = VirtualMap(place("m", [TilePosition("m", n, "x", origin_px=(i * 20, 0)) for i, n in enumerate("ab")], fovs))
    settings = {"A": ChannelSettings("#ffffff", (0, 255))}
    whole = one.render_region(None, settings)
    for seam in (19 + offset, 20 + offset):
        left = one.render_region(Region(0, seam, 0, 20), settings)
        right = one.render_region(Region(seam, 40, 0, 20), settings)
        np.testing.assert_array_equal(left, whole[:, : left.shape[1]])
        np.testing.assert_array_equal(right, whole[:, 40 - right.shape[1] :])
        assert left.shape[1] + right.shape[1] == 41, "one pixel is cut by the bound, and shown by both"


def test_annotations_missing_from_map_exports(folder, export):
    (folder / "annotations").mkdir()
    zones = np.zeros((32, 40), np.uint8)
    zones[4:20, 4:30] = 1
    for fov in "ab":
        tifffile.imwrite(folder / "annotations" / f"{fov}_zone.tif", zones)
        (folder / "annotations" / f"{fov}_zone.csv").write_text("label,name,color\n1,tumour,#ff00ff\n")
    _, out = export({"kind": "map", "ids": ["7"]}, overlays={"annotations": ["zone"]})
    dataset = open_dataset(folder)
    channels = dataset.profiles["tissue"].channels
    plain = dataset.maps["7"].render_region(None, channels)
    drawn = dataset.maps["7"].render_region(None, channels, overlays=[AnnotationOverlay("zone")])
    made = pixels(out / "map_7.png")
    np.testing.assert_array_equal(made, drawn)
    changed = (made != plain).any(axis=-1)
    assert changed[4:20, 4:30].mean() > 0.9, "on the left tile"
    assert changed[4:20, 40:66].mean() > 0.9, "and on the right one"
    assert not changed[:4].any()


def test_map_id_7_reloaded_as_7_0(folder):
    """Through our own table, with a gap in the column that made pandas turn ids into floats."""
    write_rois(
        folder / "rois.csv",
        [("r1", "x", "", "7", "rectangle", BOX, "", ""), ("r2", "y", "a", "", "rectangle", BOX, "", "")],
    )
    for _ in range(2):
        table = open_dataset(folder).rois
        assert [roi.map_id for roi in table] == ["7", ""]
        table.write(folder / "rois.csv")
    with (folder / "rois.csv").open() as stream:
        assert [row["map_id"] for row in csv.DictReader(stream)] == ["7", ""]


def test_two_rois_of_one_name_overwriting_each_others_file(export):
    report, out = export({"kind": "map-roi", "ids": ["Edge"]})
    assert [result.output_path.name for result in report.results] == ["map_7_roi_Edge.png", "map_7_roi_Edge_2.png"]
    assert pixels(out / "map_7_roi_Edge.png").shape == (20, 30, 3)
    assert pixels(out / "map_7_roi_Edge_2.png").shape == (10, 10, 3)


def test_an_roi_outside_the_data_exported_as_a_black_success(export):
    """See also tests/export/test_run.py, for maps and for gaps between tiles."""
    report, out = export({"kind": "fov-roi", "ids": ["far"]})
    assert not report.results[0].ok
    assert "wholly outside the data" in report.results[0].error
    assert not list(out.glob("*.png"))


def test_a_fov_in_the_descriptor_but_not_on_disk_failing_as_a_none_type(export):
    report, _ = export({"kind": "map", "ids": ["8"]})
    assert "FOV gone: map 8 names it" in report.results[0].error
    assert "8.json" in report.results[0].error
    assert "NoneType" not in report.results[0].error + report.results[0].traceback


def test_beta_tubulin_matched_to_tubulin(folder, export):
    for fov in "ab":
        (folder / fov / "DAPI.tif").rename(folder / fov / "Beta-tubulin.tif")
    profile = {"channels": {"tubulin": {"color": "white", "contrast_limits": [0, 1000]}}}
    (folder / "profiles.json").write_text(json.dumps({"version": 1, "profiles": {"p": profile}}))
    for name in "cde":
        (folder / name / "DAPI.tif").rename(folder / name / "tubulin.tif")
    report, _ = export({"kind": "fov", "ids": ["a", "c"]})
    assert [result.error for result in report.results] == [
        "FOV a: unknown channel 'tubulin' (there is Beta-tubulin, CD3)",
        "",
    ]
    with pytest.raises(UnknownNameError, match="unknown channel 'tubulin'"):
        open_dataset(folder).fovs["a"].read(["tubulin"])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"roi_id,name\n\xff\n", id="no text"),
        pytest.param(b"roi_id,name\nr1\n", id="cut short"),
    ],
)
def test_an_unreadable_roi_csv_treated_as_empty_and_then_overwritten(folder, content):
    """See also tests/rois/test_table.py."""
    (folder / "rois.csv").write_bytes(content)
    with pytest.raises(FileFormatError, match=r"rois\.csv"):
        open_dataset(folder)
    with pytest.raises(FileFormatError, match=r"rois\.csv"):
        RoiTable.read(folder / "rois.csv")
    assert (folder / "rois.csv").read_bytes() == content


def test_png_and_tiff_without_pixel_size(export):
    """See also tests/export/test_writers.py."""
    for format_ in ("png", "tif"):
        _, out = export({"kind": "map", "ids": ["7"]}, format=format_, downsample=2)
    with Image.open(out / "map_7.png") as image:
        assert 25400 / image.info["dpi"][0] == pytest.approx(1.0)
    with tifffile.TiffFile(out / "map_7.tif") as tif:
        tags = tif.pages[0].tags
        assert (tags["ResolutionUnit"].value, tags["XResolution"].value) == (3, (10_000, 1))


def test_the_descriptor_of_the_scene_is_what_these_tests_think():
    assert descriptor("7", "07", {"a": (10.0, 8.0)})["fovs"][0]["fovSizeMicrons"] == 20
