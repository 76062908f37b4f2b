"""From a plan to the list of things to write."""

import json

import pandas as pd
import pytest

from napari_slicemap import ExportPlan, Region, open_dataset
from napari_slicemap.errors import PlanError
from napari_slicemap.export.choosing.cell_choice import query_cells
from napari_slicemap.export.choosing.resolve import resolve
from napari_slicemap.export.run import prepare
from scenes import ROIS, descriptor, write_dataset, write_rois

BOX = (1, 9, 2, 8)


@pytest.fixture
def own(tmp_path):
    """A dataset of the test's own, to change."""
    return write_dataset(tmp_path / "own")


def with_rois(folder, *rois):
    write_rois(folder / "rois.csv", rois)
    return open_dataset(folder)


def stems(dataset, *selects, **fields):
    made = resolve(ExportPlan.model_validate({"select": selects, **fields}), dataset)
    return [item.stem for item in made.items]


STEMS = [
    pytest.param({"kind": "fov", "ids": ["b", "a"]}, ["b", "a"], id="FOVs in the order asked for"),
    pytest.param({"kind": "fov", "ids": ["a", "a"]}, ["a"], id="a FOV asked for twice is written once"),
    pytest.param({"kind": "map", "all": True}, ["map_7", "map_8"], id="maps, but for the excluded one"),
    pytest.param({"kind": "fov-roi", "ids": ["core"]}, ["a_roi_core"], id="FOV ROI"),
    pytest.param({"kind": "map-roi", "ids": ["tri"]}, ["map_7_roi_tri"], id="map ROI"),
    pytest.param({"kind": "map-roi", "ids": ["Edge"]}, ["map_7_roi_Edge", "map_7_roi_Edge_2"], id="two of one name"),
    pytest.param({"kind": "map-roi", "ids": ["r2"]}, ["map_7_roi_Edge"], id="one of them by its id"),
    pytest.param({"kind": "map-roi", "tags": ["shape"]}, ["map_7_roi_tri"], id="by tag, on maps"),
    pytest.param({"kind": "fov-roi", "tags": ["shape"]}, ["a_roi_scratch"], id="by tag, on FOVs"),
    pytest.param({"kind": "cell", "ids": ["a:3", "b"]}, ["a_cell_3", "b_cell_1"], id="cells by label and by FOV"),
    pytest.param({"kind": "cell", "query": "area > 50"}, ["a_cell_2"], id="cells by query"),
    pytest.param({"kind": "cell", "query": "`cell type` == 'B'"}, ["a_cell_2", "b_cell_1"], id="a quoted column"),
]


@pytest.mark.parametrize(("select", "expected"), STEMS)
def test_stems(dataset, select, expected):
    assert stems(dataset, select) == expected


def test_item_ids_are_kind_and_stem_and_unique(dataset):
    made = resolve(
        ExportPlan.model_validate({"select": [{"kind": "map-roi", "ids": ["Edge"]}, {"kind": "fov", "ids": ["a"]}]}),
        dataset,
    )
    assert [item.item_id for item in made.items] == ["map-roi:map_7_roi_Edge", "map-roi:map_7_roi_Edge_2", "fov:a"]


NAMES = [
    pytest.param("tumour, left/right", "a_roi_tumour__left_right", id="blanks, commas, slashes"),
    pytest.param("../../etc/passwd", "a_roi_.._.._etc_passwd", id="a path upwards"),
    pytest.param("..", "a_roi__..", id="two dots"),
    pytest.param("CON", "a_roi__CON", id="a device"),
    pytest.param("Zellkörper µ", "a_roi_Zellk_rper__", id="other letters"),
    pytest.param("", "a_roi_x1", id="no name: its id"),
    pytest.param("x" * 300, None, id="too long"),
]


@pytest.mark.parametrize(("name", "stem"), NAMES)
def test_names_are_made_safe(own, plan, name, stem):
    dataset = with_rois(own, ("x1", name, "a", "", "rectangle", BOX, "", ""))
    (found,) = stems(dataset, {"kind": "fov-roi", "all": True})
    if stem is not None:
        assert found == stem
    (path,) = prepare(plan({"kind": "fov-roi", "all": True}), dataset).outputs
    assert path.resolve().parent == path.parent.resolve()
    assert len(path.name + ".provenance.json") < 256


def test_names_that_fall_together_on_some_file_system_stay_apart(own):
    dataset = with_rois(
        own,
        *((f"x{n}", name, "a", "", "rectangle", BOX, "", "") for n, name in enumerate(["A", "a", "a_2", "a/", "a:"])),
    )
    found = stems(dataset, {"kind": "fov-roi", "all": True})
    assert found == ["a_roi_A", "a_roi_a_3", "a_roi_a_2", "a_roi_a_", "a_roi_a__2"]
    assert len({stem.casefold() for stem in found}) == 5


def test_names_of_maps_are_made_safe(own):
    (own / "maps" / "7.json").write_text(json.dumps(descriptor("../slide 7", "07", {"a": (10.0, 8.0)})))
    dataset = with_rois(own, ("x1", "core", "", "../slide 7", "rectangle", BOX, "", ""))
    found = stems(dataset, {"kind": "map", "ids": ["../slide 7"]}, {"kind": "map-roi", "all": True})
    assert found == ["map_.._slide_7", "map_.._slide_7_roi_core"]


@pytest.mark.parametrize("fov", ["", "nan", "NaN"])
def test_an_roi_without_fov_goes_the_map_way(own, fov):
    dataset = with_rois(own, ("x1", "core", fov, "7", "rectangle", BOX, "", ""))
    (item,) = resolve(ExportPlan.model_validate({"select": [{"kind": "map-roi", "all": True}]}), dataset).items
    assert (item.stem, item.fov, item.map_id) == ("map_7_roi_core", "", "7")
    assert item.region == Region(1, 9, 2, 8)


def test_size_and_scale_of_items(dataset):
    made = resolve(
        ExportPlan.model_validate(
            {"select": [{"kind": k, "all": True} for k in ("fov", "map")], "downsample": 4, "include_excluded": True}
        ),
        dataset,
    )
    sizes = {item.stem: (item.pixel_size_um, item.output_pixel_size_um) for item in made.items}
    assert sizes["map_7"] == (0.5, 2.0)
    assert sizes["a"] == (0.5, 2.0)
    assert sizes["e"] == (None, None)


def test_a_target_pixel_size_becomes_a_downsampling(dataset):
    plan = {"select": [{"kind": "map", "ids": ["7"]}], "target_pixel_size_um": 1.5}
    (item,) = resolve(ExportPlan.model_validate(plan), dataset).items
    assert (item.downsample, item.output_pixel_size_um) == (3, 1.5)


CELLS = [
    pytest.param(10, 7.5, 8.0, (3, 13, 3, 13), id="even side"),
    pytest.param(9, 7.4, 8.0, (3, 12, 4, 13), id="odd side: the centroid's pixel is the middle one"),
    pytest.param(1, 7.4, 8.0, (7, 8, 8, 9), id="one pixel"),
]


@pytest.mark.parametrize(("size", "x", "y", "box"), CELLS)
def test_cell_crops(own, size, x, y, box):
    (own / "cells.csv").write_text(f"fov,label,X,Y\na,1,{x},{y}\n")
    plan = ExportPlan.model_validate({"select": [{"kind": "cell", "all": True, "size_px": size}]})
    (item,) = resolve(plan, open_dataset(own)).items
    assert item.region == Region(*box)
    assert item.label == 1


# --- what is refused ------------------------------------------------------------------------------------------
REFUSED = [
    pytest.param(
        {"kind": "fov", "ids": ["x", "a", "y"]}, ["unknown FOV 'x'", "unknown FOV 'y'"], id="every unknown FOV"
    ),
    pytest.param({"kind": "map", "ids": ["7.0"]}, [r"unknown map '7.0' \(there is 7, 8, 9\)"], id="unknown map"),
    pytest.param({"kind": "map-roi", "ids": ["x", "y"]}, ["unknown ROI 'x'", "unknown ROI 'y'"], id="unknown ROIs"),
    pytest.param({"kind": "map-roi", "ids": ["core"]}, ["ROI core is on fov a, so it is no map-roi"], id="other kind"),
    pytest.param(
        {"kind": "map-roi", "tags": ["x"]}, ["no map-roi fits the choice; the dataset has 7"], id="no such tag"
    ),
    pytest.param({"kind": "cell", "ids": ["x:1"]}, ["unknown FOV 'x'"], id="cell of no FOV"),
    pytest.param({"kind": "cell", "ids": ["a:9", "a:x"]}, ["no cell 9", "no cell x"], id="no such cells"),
    pytest.param({"kind": "cell", "query": "area > 1000"}, ["no cell fits the choice; the table has 4"], id="no cell"),
]


@pytest.mark.parametrize(("select", "messages"), REFUSED)
def test_refused_with_every_fault(dataset, select, messages):
    for message in messages:
        with pytest.raises(PlanError, match=message) as caught:
            stems(dataset, select)
    assert len(caught.value.faults) == len(messages)


def test_faults_of_all_choices_are_told_at_once(dataset):
    with pytest.raises(PlanError, match=r"unknown FOV 'x' .*; unknown map 'y'"):
        stems(dataset, {"kind": "fov", "ids": ["x"]}, {"kind": "map", "ids": ["y"]})


def test_an_roi_on_nothing_fails_by_name(own):
    dataset = with_rois(own, ("x1", "lost", "nan", "", "rectangle", BOX, "", ""))
    for kind in ("fov-roi", "map-roi"):
        with pytest.raises(PlanError, match=f"ROI lost names neither a FOV nor a map, so it is no {kind}"):
            stems(dataset, {"kind": kind, "ids": ["lost"]})


def test_an_roi_on_an_unknown_map_is_refused_before_anything_runs(own, plan):
    dataset = with_rois(own, ("x1", "core", "", "7.0", "rectangle", BOX, "", ""))
    with pytest.raises(PlanError, match=r"unknown map '7.0' \(there is 7, 8, 9\)"):
        prepare(plan({"kind": "map-roi", "all": True}), dataset)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        pytest.param(0.7, "map_7: 0.7 µm/px is no whole multiple of 0.5 µm/px; the nearest is 0.5", id="no multiple"),
        pytest.param(0.1, "map_7: 0.1 µm/px is no whole multiple", id="finer than the source"),
    ],
)
def test_a_target_size_that_cannot_be_made(dataset, target, message):
    with pytest.raises(PlanError, match=message):
        stems(dataset, {"kind": "map", "ids": ["7"]}, target_pixel_size_um=target)


def test_a_target_size_of_unknown_pixels(dataset):
    with pytest.raises(PlanError, match="e: its pixel size is unknown, so 1 µm/px cannot be made"):
        stems(dataset, {"kind": "fov", "ids": ["e"]}, target_pixel_size_um=1)


def test_no_cell_table(own):
    (own / "cells.csv").unlink()
    with pytest.raises(PlanError, match="dataset own has no cell table"):
        stems(open_dataset(own), {"kind": "cell", "all": True})


def test_cells_of_fovs_that_do_not_exist(own):
    (own / "cells.csv").write_text("fov,label,X,Y\nzz,1,3,4\n")
    with pytest.raises(PlanError, match="the cell table names FOVs that do not exist: zz"):
        stems(open_dataset(own), {"kind": "cell", "all": True})


# --- excluded slices ------------------------------------------------------------------------------------------
EXCLUDED = [
    pytest.param({"kind": "map", "ids": ["9", "7"]}, ["map_7"], id="a map"),
    pytest.param({"kind": "fov", "ids": ["d", "e"]}, ["e"], id="a FOV that lies on it"),
]


@pytest.mark.parametrize(("select", "expected"), EXCLUDED)
def test_excluded_slices_are_left_out_and_said(dataset, select, expected):
    plan = ExportPlan.model_validate({"select": [select]})
    made = resolve(plan, dataset)
    assert [item.stem for item in made.items] == expected
    assert len(made.left_out) == 1
    assert "slice 09 is excluded" in made.left_out[0]
    taken = resolve(plan.model_copy(update={"include_excluded": True}), dataset)
    assert len(taken.items) == len(expected) + 1
    assert taken.left_out == ()


def test_nothing_left_is_an_error_that_says_why(dataset, plan):
    with pytest.raises(PlanError, match="nothing to export: slice 09 is excluded"):
        prepare(plan({"kind": "map", "ids": ["9"]}), dataset)


# --- cell queries ---------------------------------------------------------------------------------------------
TABLE = pd.DataFrame(
    {
        "fov": ["a", "a", "b"],
        "label": [1, 2, 1],
        "x": [1.0, 2.0, 3.0],
        "y": [1.0, 2.0, 3.0],
        "area": [10.0, 60.0, float("nan")],
        "cell type": ["T", "B", "T`x`"],
        "class": ["u", "v", "u"],
    }
)
QUERIES = [
    pytest.param("area > 50", [False, True, False], id="a comparison; an empty cell holds for none"),
    pytest.param(" area > 50 ", [False, True, False], id="blanks around"),
    pytest.param("10 <= area < 60", [True, False, False], id="chained"),
    pytest.param("fov == 'a' and not area > 50", [True, False, False], id="and, not"),
    pytest.param("area > 50 | label == 1", [True, True, True], id="bars bind as `or` does"),
    pytest.param("area > 5 & label < 2", [True, False, False], id="ampersands bind as `and` does"),
    pytest.param("label in [2, 3]", [False, True, False], id="in a list"),
    pytest.param("fov not in ('a',)", [False, False, True], id="not in a tuple"),
    pytest.param("area / 2 + 1 == 6", [True, False, False], id="arithmetic"),
    pytest.param("`cell type` == 'B'", [False, True, False], id="a column in backticks"),
    pytest.param("`class` == 'v'", [False, True, False], id="a column that is a keyword"),
    pytest.param("`cell type` == 'T`x`'", [False, False, True], id="backticks within a text"),
    pytest.param("fov == 'x' or label == 2", [False, True, False], id="or"),
    pytest.param("x == y", [True, True, True], id="two columns"),
]


@pytest.mark.parametrize(("query", "expected"), QUERIES)
def test_queries(query, expected):
    assert query_cells(TABLE, query).tolist() == expected


HOSTILE = [
    pytest.param("__import__('os').system('touch {}')", id="import"),
    pytest.param("fov.str.len() > 0", id="a method"),
    pytest.param("area.__class__ == 1", id="an attribute"),
    pytest.param("@table.to_csv('{}') is None", id="a local variable"),
    pytest.param("fov == '`' or @table.to_csv('{}') or fov == '`'", id="code hidden between backticks in texts"),
    pytest.param('fov == "`" or @table.to_csv("{}") or fov == "`"', id="the same with double quotes"),
    pytest.param("fov == '`' or open('{}', 'w') or fov == '`'", id="a call hidden so"),
    pytest.param("`fov` == 'a' or `x.to_csv('{}')` > 1", id="code in backticks"),
    pytest.param("[c for c in 'abc']", id="a comprehension"),
    pytest.param("(lambda: 1)() == 1", id="a lambda"),
    pytest.param("area := 5", id="a walrus"),
    pytest.param("area = 5", id="an assignment"),
    pytest.param("area > 1; fov", id="two statements"),
    pytest.param("area > 1\nfov == 'a'", id="two lines"),
    pytest.param("area[0] > 1", id="an index"),
    pytest.param("f'{fov}' == 'a'", id="a formatted text"),
    pytest.param("9 ** 9 ** 9 ** 9 > area", id="a power that never ends"),
    pytest.param("area > " + "(" * 300 + "1" + ")" * 300, id="nested deeply"),
    pytest.param("not " * 5000 + "area > 1", id="nested too deeply to run"),
    pytest.param("-" * 100_000 + "area > 1", id="nested too deeply to parse"),
    pytest.param("area > 1" + " + 1" * 5000, id="long"),
    pytest.param("area > 1\0", id="a null byte"),
]


@pytest.mark.parametrize("query", HOSTILE)
def test_hostile_queries_are_refused_and_run_nothing(tmp_path, query):
    trace = tmp_path / "pwned"
    with pytest.raises(PlanError, match=r"(?s)query ") as caught:
        query_cells(TABLE, query.replace("{}", str(trace)))
    assert not trace.exists()
    assert len(str(caught.value)) < 1500


MISTAKEN = [
    pytest.param("area", "expected comparisons", id="a column is no condition"),
    pytest.param("5", "expected comparisons", id="a number is none"),
    pytest.param("'a'", "expected comparisons", id="a text is none"),
    pytest.param("", "expected comparisons", id="nothing"),
    pytest.param("area >", "expected comparisons", id="half a condition"),
    pytest.param("size > 3", r"name 'size' is not defined \(columns: fov, label, x, y, area", id="unknown column"),
    pytest.param("`cell size` > 3", r"no column cell size \(columns: fov, label", id="unknown column in backticks"),
    pytest.param("np > 3", "name 'np' is not defined", id="a name of the program"),
    pytest.param("fov > 3", "query 'fov > 3': ", id="text against number"),
    pytest.param("label in 3", "query 'label in 3': ", id="in a number"),
    pytest.param("area > [1, 2]", "query ", id="a list of another length"),
]


@pytest.mark.parametrize(("query", "message"), MISTAKEN)
def test_mistaken_queries_are_told(query, message):
    with pytest.raises(PlanError, match=message):
        query_cells(TABLE, query)


def test_the_rois_of_the_scene_are_what_the_tests_think(dataset):
    assert [roi.roi_id for roi in dataset.rois] == [roi[0] for roi in ROIS]
