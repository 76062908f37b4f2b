"""Repeating outputs from their records, and what records say."""

from __future__ import annotations

import hashlib
import json
import os
import shutil

import pytest

from export.runs import bytes_of, record_of, write_cells
from napari_slicemap import open_dataset, run_export
from napari_slicemap.errors import FileFormatError, PlanError, UnknownNameError
from napari_slicemap.export.choosing.resolve import resolve
from napari_slicemap.export.records.provenance import embedded
from napari_slicemap.export.repeat import repeat_export
from scenes import write_dataset

CELLS = {"kind": "cell", "all": True, "size_px": 24}
MAP = {"kind": "map", "ids": ["7"]}


@pytest.fixture
def own(tmp_path):
    return write_dataset(tmp_path / "own")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


EVERY = [
    pytest.param({"kind": "fov", "ids": ["a"]}, {}, id="FOV"),
    pytest.param({"kind": "fov-roi", "ids": ["core"]}, {"downsample": 2}, id="FOV ROI"),
    pytest.param({"kind": "map-roi", "ids": ["tri"], "clip": "polygon"}, {}, id="polygon on a map"),
    pytest.param({"kind": "cell", "ids": ["a:1"], "size_px": 24}, {"profile": "plain"}, id="cell"),
    pytest.param(MAP, {"overlays": {"masks": ["cell"], "rois": True}, "scale_bar": {"enabled": True}}, id="map"),
    pytest.param({"kind": "map", "ids": ["8"]}, {"on_missing": "mark", "format": "tif"}, id="missing tile"),
]


@pytest.mark.parametrize(("select", "fields"), EVERY)
def test_an_output_is_repeated_to_the_byte(own, plan, out, tmp_path, select, fields):
    (result,) = run_export(plan(select, **fields), open_dataset(own)).results
    assert result.ok
    sidecar = out / f"{result.output_path.name}.provenance.json"
    report = repeat_export(sidecar, tmp_path / "again")
    assert report.counts == {"ok": 1, "failed": 0, "skipped": 0, "cancelled": 0}
    assert bytes_of(tmp_path / "again") == bytes_of(out)
    # and once more from the record of the repetition
    repeat_export(tmp_path / "again" / sidecar.name, tmp_path / "third", runner="threads", workers=2)
    assert bytes_of(tmp_path / "third") == bytes_of(out)


def test_profile_plan_and_rois_of_today_do_not_count(own, plan, out, tmp_path):
    run_export(plan({"kind": "map-roi", "ids": ["r1"]}), open_dataset(own))
    profiles = json.loads((own / "profiles.json").read_text())
    profiles["profiles"]["tissue"]["channels"]["CD3"]["contrast_limits"] = [5, 6]
    (own / "profiles.json").write_text(json.dumps(profiles))
    (own / "rois.csv").unlink()
    repeat_export(out / "map_7_roi_Edge.png.provenance.json", tmp_path / "again")
    assert bytes_of(tmp_path / "again") == bytes_of(out)


def test_where_it_goes_and_what_is_there(own, plan, out):
    run_export(plan({"kind": "fov", "ids": ["a"]}), open_dataset(own))
    sidecar = out / "a.png.provenance.json"
    with pytest.raises(PlanError, match=r"already holds a.png"):
        repeat_export(sidecar)
    assert repeat_export(sidecar, overwrite="overwrite").counts["ok"] == 1
    assert repeat_export(sidecar, resume=True).counts["skipped"] == 1
    assert repeat_export(sidecar, overwrite="rename").results[0].output_path == out / "a_2.png"


def touch(path):
    os.utime(path, (1, 1))


def grow(path):
    path.write_bytes(path.read_bytes() + b"more")


CHANGED = [
    pytest.param(lambda own: touch(own / "a" / "CD3.tif"), r"a/CD3.tif has another time of change", id="time"),
    pytest.param(lambda own: grow(own / "b" / "DAPI.tif"), r"b/DAPI.tif has changed \(.* bytes, now ", id="size"),
    pytest.param(lambda own: touch(own / "masks" / "a_cell.tif"), r"a_cell.tif has another time", id="mask"),
    pytest.param(lambda own: touch(own / "rois.csv"), r"rois.csv has another time", id="ROIs that are drawn"),
    pytest.param(
        lambda own: (own / "slicemap.toml").write_text('version = 1\noverlap = "blend"\n'),
        r"was made with the map .*last.*, which is now .*blend",
        id="overlap",
    ),
    pytest.param(
        lambda own: (own / "b" / "CD3.tif").unlink(), r"was made from \d+ files, and would now be made from", id="gone"
    ),
]


@pytest.mark.parametrize(("change", "message"), CHANGED)
def test_what_changed_since_is_refused_by_name_unless_accepted(own, plan, out, tmp_path, change, message):
    run_export(plan(MAP, overlays={"masks": ["cell"], "rois": True}), open_dataset(own))
    change(own)
    sidecar = out / "map_7.png.provenance.json"
    with pytest.raises(PlanError, match=message) as caught:
        repeat_export(sidecar, tmp_path / "again")
    assert "--changed-sources accept" in str(caught.value)
    assert not (tmp_path / "again").exists()
    report = repeat_export(sidecar, tmp_path / "again", changed_sources="accept")
    assert len(report.results) == 1


def test_data_that_moved(own, plan, out, tmp_path):
    run_export(plan(MAP), open_dataset(own))
    sidecar = out / "map_7.png.provenance.json"
    shutil.copytree(own, tmp_path / "copy")
    shutil.rmtree(own)
    with pytest.raises(PlanError, match="own"):
        repeat_export(sidecar, tmp_path / "again")
    assert repeat_export(sidecar, tmp_path / "again", dataset=open_dataset(tmp_path / "copy")).counts["ok"] == 1
    assert bytes_of(tmp_path / "again") == bytes_of(out)
    grow(tmp_path / "copy" / "a" / "CD3.tif")
    with pytest.raises(PlanError, match=r"copy/a/CD3.tif has changed"):
        repeat_export(sidecar, tmp_path / "third", dataset=open_dataset(tmp_path / "copy"))


def test_a_stored_level_that_is_gone_is_told(own, plan, out, tmp_path, monkeypatch):
    from napari_slicemap.render import build_levels

    monkeypatch.setattr(build_levels, "_SMALLEST_SIDE", 1, raising=False)
    run_export(plan(MAP), open_dataset(own))
    sidecar = out / "map_7.png.provenance.json"
    record = json.loads(sidecar.read_text())
    sidecar.write_text(json.dumps({**record, "level": 8}))
    (result,) = repeat_export(sidecar, tmp_path / "again").results
    assert result.error == (
        "map_7 was made from the stored level 1/8, but would now be made from the tiles; see `slicemap levels`"
    )
    assert bytes_of(tmp_path / "again") == {}


# --- one record for many --------------------------------------------------------------------------------------
@pytest.fixture
def crops(own, plan, out, monkeypatch):
    monkeypatch.setattr("napari_slicemap.export.running.prepare.MANY_CELLS", 10)
    write_cells(own, 70)
    report = run_export(plan(CELLS), open_dataset(own))
    assert report.counts["ok"] == 70
    return out / "export.provenance.json"


def test_the_record_of_many_crops(crops, out, own):
    record = json.loads(crops.read_text())
    (run,) = record["runs"]
    assert set(run) == {"version", "software", "dataset", "plan", "profile", "created_at", "items", "sources"}
    assert len(run["items"]) == 70
    assert sorted(source["path"] for source in run["sources"]) == sorted(
        str(own / fov / f"{name}.tif") for fov in "ab" for name in ("CD3", "DAPI")
    )
    for item in run["items"]:
        made = (out / item["output"]["path"]).read_bytes()
        assert item["output"]["bytes"] == len(made)
        assert item["output"]["sha256"] == hashlib.sha256(made).hexdigest()
        assert item["item"]["stem"] + ".png" == item["output"]["path"]
    assert not list(out.glob("*.png.provenance.json"))
    assert list((out / ".slicemap-done").iterdir()) == []


def test_all_of_a_record_or_one_item(crops, out, tmp_path):
    assert repeat_export(crops, tmp_path / "again").counts["ok"] == 70
    assert bytes_of(tmp_path / "again") == bytes_of(out)
    one = repeat_export(crops, tmp_path / "one", item="cell:b_cell_2")
    assert [result.item_id for result in one.results] == ["cell:b_cell_2"]
    assert bytes_of(tmp_path / "one") == {"b_cell_2.png": bytes_of(out)["b_cell_2.png"]}
    # a repetition of one has a sidecar of its own
    assert record_of(tmp_path / "one", "b_cell_2.png")["item"]["label"] == 2
    with pytest.raises(UnknownNameError, match="unknown item 'cell:x'"):
        repeat_export(crops, tmp_path / "none", item="cell:x")


def test_runs_add_to_the_record_and_what_was_replaced_leaves_it(crops, own, plan, out, tmp_path):
    half = {"kind": "cell", "query": "label <= 30", "size_px": 20}
    run_export(plan(half, overwrite="overwrite"), open_dataset(own))
    runs = json.loads(crops.read_text())["runs"]
    assert [len(run["items"]) for run in runs] == [40, 30]
    assert repeat_export(crops, tmp_path / "again").counts["ok"] == 70
    assert bytes_of(tmp_path / "again") == bytes_of(out)


# --- what is no record ----------------------------------------------------------------------------------------
WRONG = [
    pytest.param(None, "there is no such record", id="no file"),
    pytest.param("{", "this is no valid JSON", id="no JSON"),
    pytest.param("[]", "this is no record of an export: it lacks item", id="a list"),
    pytest.param('{"version": 1}', "it lacks item, plan, profile", id="another file"),
    pytest.param('{"runs": 3}', "expected a record of cell crops", id="runs"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_what_is_no_record(tmp_path, text, message):
    if text is not None:
        (tmp_path / "x.provenance.json").write_text(text)
    with pytest.raises((PlanError, FileFormatError), match=message):
        repeat_export(tmp_path / "x.provenance.json")


# --- what is embedded -----------------------------------------------------------------------------------------
def test_what_is_embedded_is_the_same_wherever_and_however_it_goes(own, plan, tmp_path):
    def made(folder, **fields):
        dataset = open_dataset(folder)
        asked = plan(MAP, **fields)
        (item,) = [one for one in resolve(asked, dataset).items if one.kind == "map"]
        return json.dumps(embedded(item, asked, dataset.profiles["tissue"], dataset))

    first = made(own, overlays={"masks": ["cell"]})
    shutil.copytree(own, tmp_path / "x" / "own")
    os.utime(tmp_path / "x" / "own" / "a" / "CD3.tif", (1, 1))
    assert made(tmp_path / "x" / "own", overlays={"masks": ["cell"]}) == first
    assert made(own, overlays={"masks": ["cell"]}, output_folder="elsewhere", overwrite="rename") == first
    assert str(tmp_path) not in first
    assert "mtime" not in first
    sources = {one["path"]: one["size"] for one in json.loads(first)["sources"]}
    assert sources["a/CD3.tif"] == (own / "a" / "CD3.tif").stat().st_size
    assert "masks/a_cell.tif" in sources
    assert made(own, downsample=2) != made(own)
