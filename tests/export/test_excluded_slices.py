"""Nothing that lies on an excluded slice is exported, of whatever kind, unless it is asked for."""

from __future__ import annotations

import pytest

from napari_slicemap import ExportPlan, open_dataset, run_export
from napari_slicemap.errors import PlanError
from napari_slicemap.export.choosing.resolve import resolve
from napari_slicemap.slices import slice_config
from scenes import write_dataset

WHY = "slice 07 is excluded (auto_excluded: noisy cluster (3 consecutive))"
ON_IT = {"a", "b"}


@pytest.fixture
def folder(tmp_path):
    """Map 7 with the FOVs a and b, both ROIs and all cells, is auto-excluded; map 9 with d is used again."""
    made = write_dataset(tmp_path / "set")
    rows = slice_config.read(made / "slice_config.csv")
    noisy = {"auto_excluded": True, "auto_exclude_reason": "noisy cluster (3 consecutive)"}
    rows = slice_config.stamp_many(rows, {"7": noisy, "9": {"use": True}})
    slice_config.write(made / "slice_config.csv", rows)
    return made


@pytest.fixture
def dataset(folder):
    return open_dataset(folder)


EVERYTHING = [
    pytest.param({"kind": "fov"}, id="fov"),
    pytest.param({"kind": "fov-roi"}, id="fov-roi"),
    pytest.param({"kind": "map"}, id="map"),
    pytest.param({"kind": "map-roi"}, id="map-roi"),
    pytest.param({"kind": "cell", "size_px": 16}, id="cell"),
    pytest.param({"kind": "stack"}, id="time series"),
    pytest.param({"kind": "stack", "along": "slices"}, id="slices"),
]


def whereabouts(items):
    """Map ids and FOVs of items, or of the members of stacks."""
    leaves = [leaf for item in items for leaf in (item.members or (item,))]
    return {leaf.fov or leaf.map_id for leaf in leaves}


@pytest.mark.parametrize("select", EVERYTHING)
def test_no_kind_of_item_gets_past_the_table(dataset, select):
    plan = ExportPlan.model_validate({"select": [{**select, "all": True}]})
    taken = resolve(plan.model_copy(update={"include_excluded": True}), dataset)
    assert whereabouts(taken.items) & {*ON_IT, "7"}, "nothing lies on the slice: this proves nothing"
    assert taken.left_out == ()
    made = resolve(plan, dataset)
    assert made.left_out == (WHY,)
    assert whereabouts(made.items) == whereabouts(taken.items) - {*ON_IT, "7"}


@pytest.mark.parametrize(
    "rows", [None, {}, {"08": {"slice_id": "08", "use": True}}], ids=["no table", "empty", "other"]
)
def test_what_the_table_does_not_hold_is_exported(dataset, rows):
    dataset.slices = rows
    made = resolve(ExportPlan(select=[{"kind": "map", "all": True}]), dataset)
    assert whereabouts(made.items) == {"7", "8", "9"}


def test_maps_are_tied_to_slices_by_the_project(folder):
    (folder / "slicemap.toml").write_text('version = 1\n[map_slices]\n"8" = "7"\n"7" = "09"\n')
    made = resolve(ExportPlan(select=[{"kind": "map", "all": True}]), open_dataset(folder))
    assert whereabouts(made.items) == {"7", "9"}
    assert made.left_out == (WHY.replace("slice 07", "slice 7"),)


def test_a_table_that_was_read_anew_decides(dataset, folder):
    plan = ExportPlan(select=[{"kind": "map", "all": True}])
    rows = slice_config.stamp_many(dataset.slices, {"7": {"auto_excluded": False}, "8": {"use": False}})
    slice_config.write(folder / "slice_config.csv", rows)
    dataset.reload_slices()
    assert whereabouts(resolve(plan, dataset).items) == {"7", "9"}


def test_an_excluded_slice_that_is_asked_for_by_name_is_not_exported_either(dataset, tmp_path):
    plan = ExportPlan(select=[{"kind": "map", "ids": ["7"]}], output_folder=str(tmp_path / "out"))
    with pytest.raises(PlanError, match="nothing to export: slice 07 is excluded"):
        run_export(plan, dataset)
    assert not (tmp_path / "out").exists()


def test_exclusion_leaves_the_pixels_of_what_is_asked_for_alone(dataset, tmp_path):
    plan = ExportPlan(select=[{"kind": "map", "ids": ["7"]}], include_excluded=True, output_folder=str(tmp_path / "a"))
    (excluded,) = run_export(plan, dataset).results
    dataset.slices = None
    (used,) = run_export(plan.model_copy(update={"output_folder": str(tmp_path / "b")}), dataset).results
    assert excluded.output_path.read_bytes() == used.output_path.read_bytes()
