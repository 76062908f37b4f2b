"""``run_export``: what lies in the folder afterwards, reopened by others."""

import csv
import hashlib
import json
import os
import pickle
import shutil
import stat
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_slicemap import (
    ExportPlan,
    MaskOverlay,
    Region,
    compute_scale_bar,
    open_dataset,
    render_fov_to_array,
    repeat_export,
    run_export,
)
from napari_slicemap.dataset import init_dataset
from napari_slicemap.errors import PlanError
from napari_slicemap.export.records.provenance import sidecar_path
from napari_slicemap.export.run import prepare
from napari_slicemap.export.running.drafts import digest_of
from napari_slicemap.export.running.results import RESULT_COLUMNS
from napari_slicemap.export.writers import writers
from napari_slicemap.files import read_json
from napari_slicemap.render.scale_bar import ScaleBarStyle, draw_scale_bar
from scenes import LINE, MAP_HEIGHT, MAP_WIDTH, write_dataset, write_rois

MAP = {"kind": "map", "ids": ["7"]}
FOVS = {"kind": "fov", "ids": ["a", "b"]}


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def own(tmp_path):
    return write_dataset(tmp_path / "own")


def done(report):
    """The report of a run in which all went well."""
    assert [result.error for result in report.results if not result.ok] == []
    return report


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def names(folder):
    """What lies in a folder, but for what exports keep there for themselves."""
    kept = {".slicemap-done", ".slicemap-lock"}
    return sorted(path.name for path in folder.iterdir() if path.name not in kept) if folder.exists() else []


def results(folder):
    with (folder / "export_results.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def bytes_of(folder):
    pictures = [path for path in sorted(folder.iterdir()) if path.suffix in (".png", ".tif")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in pictures}


# --- pixels ---------------------------------------------------------------------------------------------------
def channels(dataset, profile="tissue"):
    return dataset.profiles[profile].channels


CROPS = [
    pytest.param(
        {"kind": "fov", "ids": ["a"]},
        "a",
        lambda d, n: render_fov_to_array(d.fovs["a"], channels(d), downsample=n),
        id="FOV",
    ),
    pytest.param(
        {"kind": "fov-roi", "ids": ["core"]},
        "a_roi_core",
        lambda d, n: render_fov_to_array(d.fovs["a"], channels(d), region=Region(4, 20, 6, 16), downsample=n),
        id="FOV ROI",
    ),
    pytest.param(
        {"kind": "map-roi", "ids": ["r1"]},
        "map_7_roi_Edge",
        lambda d, n: d.maps["7"].render_region(Region(30, 60, 5, 25), channels(d), downsample=n),
        id="map ROI",
    ),
    pytest.param(MAP, "map_7", lambda d, n: d.maps["7"].render_region(None, channels(d), downsample=n), id="map"),
    pytest.param(
        {"kind": "cell", "ids": ["a:1"], "size_px": 24},
        "a_cell_1",
        lambda d, n: render_fov_to_array(
            d.fovs["a"], channels(d), region=Region(-4, 20, -4, 20), downsample=n, grid_origin=(-4, -4), pad=True
        ),
        id="cell crop",
    ),
]


@pytest.mark.parametrize("format_", ["png", "tif"])
@pytest.mark.parametrize("downsample", [1, 3])
@pytest.mark.parametrize(("select", "stem", "expected"), CROPS)
def test_files_hold_what_is_rendered(dataset, plan, out, format_, downsample, select, stem, expected):
    report = done(run_export(plan(select, format=format_, downsample=downsample), dataset))
    (result,) = report.results
    assert result.output_path == out / f"{stem}.{format_}"
    read = pixels if format_ == "png" else tifffile.imread
    np.testing.assert_array_equal(read(result.output_path), expected(dataset, downsample))
    assert report.counts == {"ok": 1, "failed": 0, "skipped": 0, "cancelled": 0}


@pytest.mark.parametrize(("t", "z"), [(0, 0), (1, 2), (1, "max"), (0, "mean")])
def test_time_and_depth_reach_the_files(own, plan, out, t, z):
    rng = np.random.default_rng(8)
    stack = rng.integers(0, 1200, (2, 3, 32, 40)).astype(np.uint16)
    for fov in "ab":
        tifffile.imwrite(own / fov / "DAPI.tif", stack, ome=True, metadata={"axes": "TZYX"})
    done(run_export(plan(MAP, {"kind": "fov", "ids": ["a"]}, t=t, z=z, profile="plain"), open_dataset(own)))
    plane = {"max": stack[t].max(axis=0), "mean": stack[t].mean(axis=0)}.get(
        z, stack[t, z if isinstance(z, int) else 0]
    )
    expected = np.rint(255 * np.clip(plane / 1000, 0, 1))
    for name in ("a", "map_7"):
        assert np.abs(pixels(out / f"{name}.png")[:, :36, 0] - expected[:, :36]).max() <= 1


def test_the_background_reaches_the_files(own, plan, out):
    write_rois(own / "rois.csv", [("x", "x", "", "7", "rectangle", (-10, 10, 0, 10), "", "")])
    crop = {"kind": "cell", "ids": ["a:1"], "size_px": 24}
    done(run_export(plan({"kind": "map-roi", "all": True}, crop, background="#102030"), open_dataset(own)))
    assert (pixels(out / "map_7_roi_x.png")[:, :10] == (16, 32, 48)).all()
    assert (pixels(out / "a_cell_1.png")[:4] == (16, 32, 48)).all()


@pytest.mark.parametrize("rule", ["first", "last"])
def test_the_overlap_rule_of_the_project_reaches_the_files(own, plan, out, rule):
    (own / "slicemap.toml").write_text(f'version = 1\noverlap = "{rule}"\n')
    done(run_export(plan(MAP, {"kind": "fov", "all": True}, include_excluded=True), open_dataset(own)))
    shared = pixels(out / "map_7.png")[:, 36:40]
    left, right = pixels(out / "a.png")[:, 36:40], pixels(out / "b.png")[:, :4]
    np.testing.assert_array_equal(shared, left if rule == "first" else right)


@pytest.mark.parametrize("downsample", [1, 2, 8])
def test_files_state_the_size_of_their_own_pixels(dataset, plan, out, downsample):
    done(run_export(plan(MAP, downsample=downsample), dataset))
    done(run_export(plan(MAP, downsample=downsample, format="tif"), dataset))
    with Image.open(out / "map_7.png") as image:
        assert 25400 / image.info["dpi"][0] == pytest.approx(0.5 * downsample, rel=1e-5)
    with tifffile.TiffFile(out / "map_7.tif") as tif:
        number, by = tif.pages[0].tags["XResolution"].value
        assert tif.pages[0].tags["ResolutionUnit"].value == 3
        assert 10_000 * by / number == pytest.approx(0.5 * downsample)


def test_an_unknown_pixel_size_is_stated_by_no_file(dataset, plan, out):
    done(run_export(plan({"kind": "fov", "ids": ["e"]}), dataset))
    with Image.open(out / "e.png") as image:
        assert "dpi" not in image.info
    assert json.loads((out / "e.png.provenance.json").read_text())["pixel_size_um"] is None


def test_masks_are_drawn_in_the_profiles_style(dataset, plan, out):
    done(run_export(plan(MAP, overlays={"masks": ["cell"]}), dataset))
    expected = dataset.maps["7"].render_region(None, channels(dataset), overlays=[MaskOverlay("cell", color="#ffff00")])
    np.testing.assert_array_equal(pixels(out / "map_7.png"), expected)


def test_shapes_lie_where_they_are_in_a_cell_crop(own, plan, out):
    """The crop has a grid of its own; shapes of the FOV must move with it."""
    write_rois(own / "rois.csv", [("x", "x", "a", "", "line", (6, 24, 6, 19), LINE, "")])
    crop = {"kind": "cell", "ids": ["a:2"], "size_px": 20}
    done(run_export(plan(crop, {"kind": "fov", "ids": ["a"]}, overlays={"rois": True}), open_dataset(own)))
    np.testing.assert_array_equal(pixels(out / "a_cell_2.png"), pixels(out / "a.png")[1:21, 13:33])
    assert (pixels(out / "a_cell_2.png") == (255, 255, 0)).all(axis=-1).any()


@pytest.mark.parametrize("downsample", [1, 2])
def test_a_polygon_clip_is_transparent_outside(dataset, plan, out, downsample):
    select = {"kind": "map-roi", "ids": ["tri"]}
    done(run_export(plan({**select, "clip": "polygon"}, downsample=downsample), dataset))
    made = pixels(out / "map_7_roi_tri.png")
    assert made.shape == (24 // downsample, 24 // downsample, 4)
    # the triangle (10, 4) (34, 4) (10, 28): pixel centres on its long side are decided either way
    y, x = np.mgrid[: made.shape[0], : made.shape[1]] * downsample + downsample / 2
    assert (made[x + y < 24 - 1e-6, 3] == 255).all()
    assert (made[x + y > 24 + 1e-6, 3] == 0).all()
    boxed = done(run_export(plan(select, downsample=downsample, overwrite="overwrite"), dataset))
    np.testing.assert_array_equal(made[..., :3], pixels(boxed.results[0].output_path))


def test_cell_crops_have_one_size_wherever_they_lie(dataset, plan, out):
    for step in (1, 7):
        report = done(run_export(plan({"kind": "cell", "all": True, "size_px": 33}, downsample=step), dataset))
        shapes = {pixels(result.output_path).shape for result in report.results}
        assert shapes == {(-(-33 // step), -(-33 // step), 3)}
        shutil.rmtree(out)


def test_a_crop_at_the_edge_says_that_it_was_padded(dataset, plan):
    (result,) = done(run_export(plan({"kind": "cell", "ids": ["a:1"], "size_px": 24}), dataset)).results
    assert result.metadata["warnings"] == ["reaches beyond FOV a; padded with background"]


def test_an_roi_that_reaches_beyond_its_fov_is_cut_and_says_so(dataset, plan):
    (result,) = done(run_export(plan({"kind": "fov-roi", "ids": ["ragged"]}), dataset)).results
    assert pixels(result.output_path).shape == (12, 10, 3)
    assert result.metadata["warnings"] == ["reaches beyond FOV a; cut at its edge"]


def test_a_line_says_how_much_room_is_around_it(dataset, plan):
    (result,) = done(run_export(plan({"kind": "fov-roi", "ids": ["scratch"], "clip": "polygon"}), dataset)).results
    assert pixels(result.output_path).shape == (13, 18, 3)
    assert result.metadata["warnings"] == ["a line is exported as the box around it, with 4 px on each side"]


def test_a_partly_empty_region_says_how_much(own, plan):
    write_rois(own / "rois.csv", [("x", "x", "", "7", "rectangle", (-40, 40, 0, 32), "", "")])
    (result,) = done(run_export(plan({"kind": "map-roi", "all": True}), open_dataset(own))).results
    assert result.metadata["warnings"] == ["50.0% of the picture shows no tile"]


# --- the scale bar --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("downsample", [1, 2])
@pytest.mark.parametrize("select", [pytest.param(MAP, id="map"), pytest.param({"kind": "fov", "ids": ["a"]}, id="FOV")])
def test_the_scale_bar_counts_the_downsampling_once(dataset, plan, downsample, select):
    bar = {"enabled": True, "color": "#ff00ff", "fraction": 0.5, "label": False}
    (result,) = done(run_export(plan(select, downsample=downsample, scale_bar=bar), dataset)).results
    made = pixels(result.output_path)
    length_um = {(76, 1): 10, (76, 2): 10, (40, 1): 10, (40, 2): 10}[(MAP_WIDTH if select is MAP else 40, downsample)]
    inked = (made == (255, 0, 255)).all(axis=-1)
    assert inked.sum(axis=1).max() == round(length_um / (0.5 * downsample))


def test_a_scale_bar_is_that_of_the_screen(dataset, plan):
    (result,) = done(run_export(plan(MAP, scale_bar={"enabled": True}), dataset)).results
    plain = dataset.maps["7"].render_region(None, channels(dataset))
    bar = compute_scale_bar(MAP_WIDTH, 500)
    expected, _ = draw_scale_bar(plain, bar, ScaleBarStyle(enabled=True))
    np.testing.assert_array_equal(pixels(result.output_path), expected)


def test_a_scale_bar_without_a_pixel_size_fails_its_item_only(dataset, plan, out):
    report = run_export(plan({"kind": "fov", "ids": ["e", "a"]}, scale_bar={"enabled": True}), dataset)
    assert [result.ok for result in report.results] == [False, True]
    assert "a scale bar needs a pixel size" in report.results[0].error
    assert not (out / "e.png").exists()


def test_a_scale_bar_that_does_not_fit_is_told(dataset, plan):
    bar = {"enabled": True, "length_um": 1000}
    (result,) = done(run_export(plan({"kind": "fov", "ids": ["a"]}, scale_bar=bar), dataset)).results
    assert result.metadata["warnings"] == ["no scale bar: 1 mm (2000 px) does not fit into 40 × 32 px"]


# --- records --------------------------------------------------------------------------------------------------
def test_the_sidecar_says_how_to_repeat_it(dataset, plan, out, folder):
    select = {"kind": "map-roi", "ids": ["r1"]}
    done(run_export(plan(select, downsample=2, scale_bar={"enabled": True}), dataset))
    record = json.loads((out / "map_7_roi_Edge.png.provenance.json").read_text())
    assert set(record) == {
        "version", "software", "created_at", "dataset", "item", "plan", "profile", "sources", "map", "region",
        "pixel_size_um", "downsample", "level", "missing_tiles", "warnings", "output",
    }  # fmt: skip
    assert record["version"] == 1
    assert {"napari-slicemap", "python", "numpy"} <= set(record["software"])
    assert record["item"]["roi_id"] == "r1"
    assert record["item"]["stem"] == "map_7_roi_Edge"
    assert record["plan"]["downsample"] == record["downsample"] == 2
    assert record["pixel_size_um"] == 1.0
    assert record["profile"]["channels"]["DAPI"]["contrast_limits"] == [0, 1000]
    assert record["region"] == {"map_px": [30, 60, 5, 25], "stage_um": [15, 30, 2.5, 12.5]}
    assert record["map"] == {
        "id": "7", "slice_id": "07", "bounds_um": [0, 38, 0, 16], "stage_y": "down", "overlap": "last",
    }  # fmt: skip
    sources = {source["path"]: source["size"] for source in record["sources"]}
    assert sources[(folder / "a" / "DAPI.tif").as_posix()] == (folder / "a" / "DAPI.tif").stat().st_size
    file = out / "map_7_roi_Edge.png"
    assert record["output"] == {
        "path": file.name,
        "bytes": file.stat().st_size,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }
    assert record["missing_tiles"] == []


def test_the_sidecar_names_every_file_that_was_drawn(own, plan, out):
    (own / "annotations").mkdir()
    for fov in "ab":
        tifffile.imwrite(own / "annotations" / f"{fov}_zone.tif", np.ones((32, 40), np.uint8))
        (own / "annotations" / f"{fov}_zone.csv").write_text("label,name,color\n1,tumour,red\n")
    chosen = {"masks": ["cell"], "annotations": ["zone"]}
    done(run_export(plan(MAP, {"kind": "fov", "ids": ["a"]}, overlays=chosen), open_dataset(own)))
    expected = {
        "a": ["a/CD3.tif", "a/DAPI.tif", "annotations/a_zone.csv", "annotations/a_zone.tif", "masks/a_cell.tif"],
    }
    expected["map_7"] = sorted(
        expected["a"] + [path.replace("a/", "b/").replace("/a_", "/b_") for path in expected["a"]]
    )
    for stem, files in expected.items():
        record = json.loads((out / f"{stem}.png.provenance.json").read_text())
        assert sorted(source["path"] for source in record["sources"]) == [str(own / name) for name in files]
        assert all(source["size"] > 0 for source in record["sources"])


def test_a_plan_from_the_sidecar_gives_the_same_bytes(dataset, plan, out, tmp_path):
    from napari_slicemap import ExportPlan

    done(run_export(plan(MAP, overlays={"masks": ["cell"]}, scale_bar={"enabled": True}, downsample=2), dataset))
    record = json.loads((out / "map_7.png.provenance.json").read_text())
    again = ExportPlan.model_validate({**record["plan"], "output_folder": str(tmp_path / "again")})
    done(run_export(again, dataset))
    assert bytes_of(tmp_path / "again") == bytes_of(out)


def test_the_results_table(dataset, plan, out):
    run_export(plan(FOVS, {"kind": "map", "ids": ["8"]}), dataset)
    rows = results(out)
    assert list(rows[0]) == list(RESULT_COLUMNS)
    assert [(r["item_id"], r["kind"], r["ok"], r["skipped"], r["output_path"]) for r in rows] == [
        ("fov:a", "fov", "true", "false", "a.png"),
        ("fov:b", "fov", "true", "false", "b.png"),
        ("map:map_8", "map", "false", "false", "map_8.png"),
    ]
    assert int(rows[0]["bytes"]) == (out / "a.png").stat().st_size
    assert "FOV gone" in rows[2]["error"]
    assert "FOV gone" in (out / "export.log").read_text()
    assert "Traceback" in (out / "export.log").read_text()


def test_rows_of_earlier_runs_stay_unless_done_anew(dataset, plan, out):
    run_export(plan(FOVS), dataset)
    first = results(out)
    run_export(plan({"kind": "fov", "ids": ["b", "c"]}, overwrite="overwrite"), dataset)
    assert [row["item_id"] for row in results(out)] == ["fov:a", "fov:b", "fov:c"]
    assert results(out)[0] == first[0]


def test_a_results_table_that_cannot_be_read_is_refused_before_anything_runs(dataset, plan, out):
    out.mkdir()
    (out / "export_results.csv").write_text("item_id;kind\n")
    with pytest.raises(PlanError, match=r"export_results.csv, line 1: no column"):
        run_export(plan(FOVS), dataset)
    assert names(out) == ["export_results.csv"]


@pytest.mark.parametrize("format_", ["png", "tif"])
def test_the_same_plan_gives_the_same_bytes(folder, plan, out, tmp_path, format_):
    made = plan(
        *({"kind": kind, "all": True} for kind in ("map", "fov-roi", "map-roi", "cell")),
        format=format_, on_missing="mark", overlays={"masks": ["cell"], "rois": True},
    )  # fmt: skip
    run_export(made, open_dataset(folder))
    again = made.model_copy(update={"output_folder": str(tmp_path / "again")})
    run_export(again, open_dataset(folder))
    assert len(bytes_of(out)) > 8
    assert bytes_of(out) == bytes_of(tmp_path / "again")


def test_bytes_do_not_depend_on_the_order_or_on_what_was_read_before(dataset, folder, plan, out, tmp_path):
    run_export(plan(FOVS, MAP), dataset)
    run_export(plan(MAP, output_folder=str(tmp_path / "one")), open_dataset(folder))
    assert bytes_of(tmp_path / "one")["map_7.png"] == bytes_of(out)["map_7.png"]


# --- failures -------------------------------------------------------------------------------------------------
def test_a_missing_tile_fails_its_item_by_name_and_the_others_are_written(dataset, plan, out):
    report = run_export(plan({"kind": "map", "ids": ["8", "7"]}), dataset)
    assert [result.ok for result in report.results] == [False, True]
    assert "FOV gone: map 8 names it" in report.results[0].error
    assert "but it is not on disk" in report.results[0].error
    assert report.counts == {"ok": 1, "failed": 1, "skipped": 0, "cancelled": 0}
    assert names(out) == ["export.log", "export_results.csv", "map_7.png", "map_7.png.provenance.json"]


def test_a_missing_tile_may_be_marked(dataset, plan, out):
    (result,) = done(run_export(plan({"kind": "map", "ids": ["8"]}, on_missing="mark"), dataset)).results
    assert "FOV gone" in result.metadata["warnings"][0]
    record = json.loads((out / "map_8.png.provenance.json").read_text())
    assert "FOV gone" in record["missing_tiles"][0]
    assert set(np.unique(pixels(out / "map_8.png")[:, 61:])) == {48, 112}
    assert "FOV gone" in results(out)[0]["warnings"]


def test_a_broken_file_fails_its_item_by_name(own, plan):
    (own / "a" / "CD3.tif").write_bytes(b"II*\0 this is no TIFF")
    report = run_export(plan(FOVS), open_dataset(own))
    assert [result.ok for result in report.results] == [False, True]
    assert "FOV a" in report.results[0].error
    assert "CD3.tif" in report.results[0].error


def test_a_channel_that_one_fov_lacks_fails_that_item(own, plan):
    (own / "a" / "CD3.tif").unlink()
    report = run_export(plan(FOVS), open_dataset(own))
    assert [result.error for result in report.results] == ["FOV a: unknown channel 'CD3' (there is DAPI)", ""]


OUTSIDE = [
    pytest.param(("x", "x", "a", "", "rectangle", (400, 420, 400, 410), "", ""), "FOV a: the region", id="FOV"),
    pytest.param(("x", "x", "", "7", "rectangle", (-50, -10, 0, 10), "", ""), "map 7: the region", id="map"),
    pytest.param(
        ("x", "x", "", "g", "rectangle", (45, 55, 0, 10), "", ""), "map g: no tile lies in the region", id="a gap"
    ),
]


@pytest.mark.parametrize(("roi", "message"), OUTSIDE)
def test_an_roi_outside_the_data_fails_instead_of_giving_black(own, plan, out, roi, message):
    from scenes import descriptor

    (own / "maps" / "7.json").write_text(json.dumps(descriptor("7", "07", {"a": (10.0, 8.0)})))
    (own / "maps" / "g.json").write_text(json.dumps(descriptor("g", "07", {"b": (10.0, 8.0), "e": (40.0, 8.0)})))
    write_rois(own / "rois.csv", [roi])
    (result,) = run_export(plan({"kind": "fov-roi" if roi[2] else "map-roi", "all": True}), open_dataset(own)).results
    assert not result.ok
    assert message in result.error
    assert not [name for name in names(out) if name.endswith(".png")]


def test_cancel_leaves_the_rest_undone_and_says_so(dataset, plan, out):
    told = []
    report = run_export(
        plan({"kind": "fov", "all": True}, include_excluded=True),
        dataset,
        on_progress=lambda result, done, total: told.append((result.item_id, done, total)),
        cancel=lambda: len(told) == 2,
    )
    assert told == [("fov:a", 1, 5), ("fov:b", 2, 5)]
    assert report.counts == {"ok": 2, "failed": 0, "skipped": 0, "cancelled": 3}
    assert [row["item_id"] for row in results(out)] == ["fov:a", "fov:b"]


def test_an_interrupted_run_tells_of_what_it_wrote(dataset, plan, out):
    def stop(*_):
        raise KeyboardInterrupt("stop")

    with pytest.raises(KeyboardInterrupt, match="stop"):
        run_export(plan(FOVS), dataset, on_progress=stop)
    assert [row["output_path"] for row in results(out)] == ["a.png"]


# --- files that are there -------------------------------------------------------------------------------------
def test_refuse_touches_nothing(dataset, plan, out):
    out.mkdir()
    (out / "b.png").write_text("mine")
    with pytest.raises(PlanError, match=r"already holds b.png; choose another folder, or overwrite or rename"):
        run_export(plan(FOVS), dataset)
    assert names(out) == ["b.png"]
    assert (out / "b.png").read_text() == "mine"


def test_overwrite_replaces(dataset, plan, out):
    out.mkdir()
    (out / "b.png").write_text("mine")
    done(run_export(plan(FOVS, overwrite="overwrite"), dataset))
    assert pixels(out / "b.png").shape == (32, 40, 3)
    assert [name for name in names(out) if name.endswith("png")] == ["a.png", "b.png"]


def test_a_failed_overwrite_leaves_the_old_file_whole(own, plan, out):
    done(run_export(plan(FOVS), open_dataset(own)))
    before = bytes_of(out)
    (own / "a" / "CD3.tif").write_bytes(b"broken")
    report = run_export(plan(FOVS, overwrite="overwrite"), open_dataset(own))
    assert [result.ok for result in report.results] == [False, True]
    assert bytes_of(out) == before
    assert results(out)[0]["ok"] == "false"


def test_rename_keeps_every_file(dataset, plan, out):
    for expected in (["a.png", "b.png"], ["a_2.png", "b_2.png"], ["a_3.png", "b_3.png"]):
        report = done(run_export(plan(FOVS, overwrite="rename"), dataset))
        assert [result.output_path.name for result in report.results] == expected
    assert len(bytes_of(out)) == 6
    assert len(results(out)) == 6


def test_rename_does_not_take_the_name_of_another_item(own, plan, out):
    write_rois(own / "rois.csv", [(n, n, "a", "", "rectangle", (1, 9, 1, 9), "", "") for n in ("x", "x_2")])
    out.mkdir()
    (out / "a_roi_x.png").write_text("mine")
    report = done(run_export(plan({"kind": "fov-roi", "all": True}, overwrite="rename"), open_dataset(own)))
    assert [result.output_path.name for result in report.results] == ["a_roi_x_3.png", "a_roi_x_2.png"]
    assert (out / "a_roi_x.png").read_text() == "mine"


# --- checks ---------------------------------------------------------------------------------------------------
FAULTS = [
    pytest.param({"format": "bmp"}, r"unknown format 'bmp' \(there is png, jpg", id="format"),
    pytest.param({"profile": "nope"}, r"unknown profile 'nope' \(there is tissue, plain, absent\)", id="profile"),
    pytest.param({"profile": "absent"}, r"profile absent: unknown channel 'CD4' \(there is CD3, DAPI\)", id="channel"),
    pytest.param({"overlays": {"masks": ["nucleus"]}}, r"unknown mask 'nucleus' \(there is cell\)", id="mask"),
    pytest.param({"overlays": {"annotations": ["z"]}}, r"unknown annotation 'z' \(there is none\)", id="annotation"),
    pytest.param(
        {"options": {"quality": 9}}, "options of png: quality: unknown key .known: compress_level", id="option"
    ),
    pytest.param({"options": {"compress_level": 99}}, "options of png: compress_level", id="value of an option"),
    pytest.param({"select": [{"kind": "fov", "ids": ["x"]}]}, "unknown FOV 'x'", id="FOV"),
]


@pytest.mark.parametrize(("fields", "message"), FAULTS)
def test_faults_are_told_and_nothing_is_written(dataset, plan, out, fields, message):
    made = plan(*fields.pop("select", [FOVS]), **fields)
    with pytest.raises(PlanError, match=message):
        run_export(made, dataset)
    assert not out.exists()


def test_all_faults_are_told_at_once(dataset, plan, tmp_path):
    (tmp_path / "out").write_text("a file")
    made = plan(
        {"kind": "fov", "ids": ["x", "y"]}, {"kind": "map", "ids": ["z"]},
        format="bmp", profile="nope", overlays={"masks": ["nucleus"], "annotations": ["zone"]},
    )  # fmt: skip
    with pytest.raises(PlanError, match="unknown format") as caught:
        run_export(made, dataset)
    told = "\n".join(caught.value.faults)
    for part in ("'bmp'", "'nope'", "'x'", "'y'", "'z'", "'nucleus'", "'zone'", "is a file"):
        assert part in told
    assert len(caught.value.faults) == 8


def test_files_that_are_there_are_told_beside_other_faults(dataset, plan, out):
    out.mkdir()
    (out / "a.png").write_text("mine")
    with pytest.raises(PlanError, match=r"unknown mask 'nucleus'.*already holds a.png"):
        run_export(plan(FOVS, overlays={"masks": ["nucleus"]}), dataset)


def test_no_profile_at_all(own, plan):
    (own / "profiles.json").unlink()
    with pytest.raises(PlanError, match="dataset own has no profile yet; `slicemap init` makes one"):
        run_export(plan(FOVS), open_dataset(own))


def test_too_little_room(dataset, plan, out, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(PlanError, match=r"may be needed, but only 0.0 GiB are free"):
        run_export(plan(FOVS), dataset)
    assert not out.exists()


@pytest.mark.parametrize(("format_", "writer"), [("png", "png.PngWriter"), ("tif", "tiff.TiffWriter")])
def test_a_picture_that_the_format_cannot_hold(dataset, plan, out, monkeypatch, format_, writer):
    monkeypatch.setattr(f"napari_slicemap.export.writers.{writer}.largest_side", MAP_WIDTH - 1)
    message = f"map_7: 76 × 32 px is more than {format_} holds .75 px a side.; choose a larger downsample"
    with pytest.raises(PlanError, match=message) as caught:
        run_export(plan(MAP, FOVS, format=format_), dataset)
    assert len(caught.value.faults) == 1
    assert not out.exists()
    done(run_export(plan(MAP, FOVS, format=format_, downsample=2), dataset))


def test_a_region_beyond_all_formats(own, plan, out):
    write_rois(own / "rois.csv", [("x", "x", "", "7", "rectangle", (0, 2**31, 0, 10), "", "")])
    with pytest.raises(PlanError, match=r"map_7_roi_x: 2147483648 × 10 px is more than png holds"):
        run_export(plan({"kind": "map-roi", "all": True}), open_dataset(own))
    assert not out.exists()


def test_a_tile_that_fails_while_the_picture_is_written_leaves_no_file(own, plan, out, monkeypatch):
    monkeypatch.setattr("napari_slicemap.export.writers.png_encoder._STRIP_BYTES", 1)
    monkeypatch.setattr("napari_slicemap.render.picture._BAND_PIXELS", 1)
    (own / "b" / "DAPI.tif").write_bytes((own / "b" / "DAPI.tif").read_bytes()[:-600])  # only its last rows are lost
    (result,) = run_export(plan(MAP), open_dataset(own)).results
    assert not result.ok
    assert "FOV b" in result.error
    assert names(out) == ["export.log", "export_results.csv"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to(dataset, plan, tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(PlanError, match="cannot be written to; choose another output folder"):
        run_export(plan(FOVS), dataset)


RUNNERS = [
    pytest.param({"runner": "x"}, r"unknown runner 'x' \(there is serial, threads, dask\)", id="name"),
    pytest.param({"workers": 2}, "runner serial does one item at a time", id="workers of none"),
    pytest.param({"runner": "threads", "workers": 0}, "workers is 0, expected at least 1", id="no workers"),
    pytest.param({"runner": "threads", "scheduler": "tcp://x:1"}, "runner threads uses no scheduler", id="scheduler"),
    pytest.param({"runner": "dask", "scheduler": "tcp://x:1", "workers": 2}, "not both", id="both"),
]


@pytest.mark.parametrize(("how", "message"), RUNNERS)
def test_a_runner_that_cannot_be_is_told_with_the_other_faults(dataset, plan, out, how, message):
    with pytest.raises(PlanError, match=message) as caught:
        run_export(plan(FOVS, overlays={"masks": ["nucleus"]}), dataset, **how)
    assert "unknown mask 'nucleus'" in str(caught.value)
    assert not out.exists()


def test_dask_that_is_not_installed_is_told(dataset, plan, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(PlanError, match=r'pip install "napari-slicemap\[cluster\]"'):
        run_export(plan(FOVS), dataset, runner="dask")


def test_a_home_folder_that_nobody_has_is_a_name(dataset, plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert prepare(plan(FOVS, output_folder="~no-such-user/x"), dataset).folder.parts[-1] == "x"


def test_without_a_folder_it_is_the_datasets_own(own):
    from napari_slicemap import ExportPlan

    report = done(run_export(ExportPlan.model_validate({"select": [FOVS]}), open_dataset(own)))
    assert report.results[0].output_path == (own / "exports" / "a.png").resolve()


def test_a_prepared_plan_can_be_sent_to_another_process(dataset, plan):
    prepared = pickle.loads(pickle.dumps(prepare(plan(FOVS), dataset)))
    assert [path.name for path in prepared.outputs] == ["a.png", "b.png"]


def test_small_bands_change_no_byte(folder, plan, out, tmp_path, monkeypatch):
    chosen = [MAP, {"kind": "map-roi", "all": True}]
    how = {"overlays": {"masks": ["cell"], "rois": True}, "downsample": 3, "scale_bar": {"enabled": True}}
    monkeypatch.setattr("napari_slicemap.export.writers.png_encoder._STRIP_BYTES", 1)  # a strip for each row
    done(run_export(plan(*chosen, **how), open_dataset(folder)))
    monkeypatch.setattr("napari_slicemap.render.picture._BAND_PIXELS", 1)
    done(run_export(plan(*chosen, **how, output_folder=str(tmp_path / "again")), open_dataset(folder)))
    assert len(bytes_of(out)) == 4
    assert bytes_of(tmp_path / "again") == bytes_of(out)


def test_map_size(dataset):
    assert dataset.maps["7"].shape == (MAP_HEIGHT, MAP_WIDTH)


@pytest.mark.skipif(os.name != "posix", reason="file names are text there")
@pytest.mark.parametrize("format_", list(writers()))
def test_names_that_are_no_utf_8_are_exported_recorded_and_repeated(tmp_path, format_):
    name = os.fsdecode(b"caf\xe9")
    folder = tmp_path / "set" / name
    folder.mkdir(parents=True)
    tifffile.imwrite(folder / "A.tif", np.arange(400, dtype=np.uint16).reshape(20, 20))
    init_dataset(tmp_path / "set")
    plan = ExportPlan(output_folder=str(tmp_path / "out"), format=format_, select=[{"kind": "fov", "all": True}])
    (result,) = run_export(plan, open_dataset(tmp_path / "set")).results
    assert result.error == ""
    assert result.output_path.name.startswith("caf_.")
    record = read_json(sidecar_path(result.output_path))
    assert record["item"]["fov"] == name
    again = repeat_export(sidecar_path(result.output_path), tmp_path / "again")
    assert [one.error for one in again.results] == [""]
    assert digest_of(again.results[0].output_path) == digest_of(result.output_path)


def test_a_folder_in_the_place_of_an_output_is_told_and_left_alone(dataset, plan, tmp_path):
    inner = tmp_path / "out" / "a.png" / "inner.txt"
    inner.parent.mkdir(parents=True)
    inner.write_text("mine")
    (result,) = run_export(plan({"kind": "fov", "ids": ["a"]}, overwrite="overwrite"), dataset).results
    assert f"{inner.parent} is a folder; no file can take its place" in result.error
    assert inner.read_text() == "mine"
    assert not sidecar_path(inner.parent).exists()
