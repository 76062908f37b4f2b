"""Stacks, contact sheets, files by channel and names, from a plan to items."""

import pytest

from napari_slicemap import ExportPlan, Region, open_dataset
from napari_slicemap.errors import PlanError
from napari_slicemap.export.choosing.resolve import resolve
from scenes import write_dataset, write_rois

ROTATED = '{"type": "rotated-rectangle", "closed": true, "points": [[10, 4], [20, 9], [15, 19], [5, 14]]}'


def items(dataset, *selects, **fields):
    return resolve(ExportPlan.model_validate({"select": selects, **fields}), dataset).items


def faults(dataset, *selects, **fields):
    with pytest.raises(PlanError) as caught:
        items(dataset, *selects, **fields)
    return caught.value.faults


# --- stacks ---------------------------------------------------------------------------------------------------
def test_a_time_series_is_one_item_a_fov(dataset):
    found = items(dataset, {"kind": "stack", "ids": ["b", "a"]}, downsample=2)
    assert [(item.item_id, item.fov, item.region) for item in found] == [
        ("stack:b", "b", None),
        ("stack:a", "a", None),
    ]
    assert found[0].output_pixel_size_um == 1.0


def test_a_time_series_is_cut_to_a_fov_roi(dataset):
    (item,) = items(dataset, {"kind": "stack", "ids": ["a"], "roi": "core"})
    assert (item.stem, item.region) == ("a_roi_core", Region(4, 20, 6, 16))


def test_slices_lie_on_one_canvas_by_stage_position(dataset):
    # map 7 spans x 0–38 µm, map 8 x 0–50 µm (with the FOV that is gone), both y 0–16 µm; 0.5 µm/px
    (item,) = items(dataset, {"kind": "stack", "along": "slices", "ids": ["8", "7"]})
    assert (item.item_id, item.fov, item.map_id) == ("stack:slices", "", "")
    assert [member.map_id for member in item.members] == ["8", "7"]
    assert {member.region for member in item.members} == {Region(0, 100, 0, 32)}
    assert item.pixel_size_um == 0.5


def test_slices_are_cut_to_the_stage_rectangle_of_a_map_roi(dataset):
    (item,) = items(dataset, {"kind": "stack", "along": "slices", "all": True, "roi": "r1", "name": "core"})
    assert item.stem == "core_roi_Edge"
    assert [member.map_id for member in item.members] == ["7", "8"]  # 9 is excluded
    assert {member.region for member in item.members} == {Region(30, 60, 5, 25)}


@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_frames_of_slices_are_of_one_size_at_any_downsampling(dataset, step):
    (item,) = items(dataset, {"kind": "stack", "along": "slices", "all": True}, downsample=step)
    assert len({(member.region.width, member.region.height) for member in item.members}) == 1
    assert all(member.region.x_min % step == member.region.y_min % step == 0 for member in item.members)


def test_an_excluded_slice_is_left_out_of_a_run_and_told(dataset):
    plan = ExportPlan.model_validate({"select": [{"kind": "stack", "along": "slices", "all": True}]})
    assert resolve(plan, dataset).left_out == ("slice 09 is excluded (use is false: folded)",)
    taken = resolve(plan.model_copy(update={"include_excluded": True}), dataset)
    assert [member.map_id for member in taken.items[0].members] == ["7", "8", "9"]


WRONG = [
    pytest.param({"ids": ["nope"]}, "unknown FOV 'nope' (there is a, b, c, d, e)", id="unknown FOV"),
    pytest.param({"along": "slices", "ids": ["x"]}, "unknown map 'x' (there is 7, 8, 9)", id="unknown map"),
    pytest.param({"ids": ["a"], "roi": "tri"}, "ROI tri is not on a FOV", id="a map ROI for a time series"),
    pytest.param(
        {"along": "slices", "all": True, "roi": "core"}, "ROI core is not on a map", id="a FOV ROI for slices"
    ),
    pytest.param({"ids": ["a"], "roi": "Edge"}, "2 ROIs are called Edge", id="two ROIs of one name"),
    pytest.param({"ids": ["a"], "roi": "none"}, "unknown ROI 'none'", id="unknown ROI"),
]


@pytest.mark.parametrize(("select", "message"), WRONG)
def test_wrong_stacks_are_told(dataset, select, message):
    (fault,) = faults(dataset, {"kind": "stack", **select})
    assert message in fault


def test_maps_of_different_pixel_size_make_no_stack(tmp_path):
    folder = write_dataset(tmp_path / "set")
    text = (folder / "maps" / "8.json").read_text()
    (folder / "maps" / "8.json").write_text(text.replace('"fovSizeMicrons": 20.0', '"fovSizeMicrons": 40.0'))
    (fault,) = faults(open_dataset(folder), {"kind": "stack", "along": "slices", "ids": ["7", "8"]})
    assert fault == "the maps of stack slices differ in pixel size (0.5, 1 µm), so they make no stack"


def test_a_slice_that_lies_elsewhere_is_told(tmp_path):
    folder = write_dataset(tmp_path / "set")
    text = (folder / "maps" / "8.json").read_text()
    (folder / "maps" / "8.json").write_text(text.replace('"x": 10.0', '"x": 910.0').replace('"x": 40.0', '"x": 940.0'))
    found = faults(open_dataset(folder), {"kind": "stack", "along": "slices", "ids": ["7", "8"], "roi": "r1"})
    assert found == ["map 8 lies wholly outside what the stack slices_roi_Edge shows"]


# --- contact sheets -------------------------------------------------------------------------------------------
def test_a_contact_sheet_is_one_item(dataset):
    found = items(dataset, {"kind": "cell", "all": True, "size_px": 8}, contact_sheet={"enabled": True})
    assert [(item.item_id, len(item.members)) for item in found] == [("sheet:contact_sheet", 4)]
    assert [member.item_id for member in found[0].members] == [
        "cell:a_cell_1",
        "cell:a_cell_2",
        "cell:a_cell_3",
        "cell:b_cell_1",
    ]


def test_many_items_go_on_several_sheets(dataset):
    found = items(
        dataset,
        {"kind": "cell", "all": True, "size_px": 8},
        contact_sheet={"enabled": True, "columns": 1, "rows": 3},
    )
    assert [(item.stem, len(item.members)) for item in found] == [("contact_sheet_1", 3), ("contact_sheet_2", 1)]


def test_a_contact_sheet_has_one_scale(dataset):
    (fault,) = faults(dataset, {"kind": "fov", "ids": ["a", "e"]}, contact_sheet={"enabled": True})
    assert fault.startswith("e would have another pixel size than a")


def test_a_stack_goes_on_no_contact_sheet(dataset):
    (fault,) = faults(dataset, {"kind": "stack", "ids": ["a"]}, contact_sheet={"enabled": True})
    assert fault == "a: a stack is no picture for a contact sheet"


# --- channels and names ---------------------------------------------------------------------------------------
CHANNELS = [
    pytest.param("merged", ["a"], [()], id="merged"),
    pytest.param("separate", ["a_DAPI", "a_CD3"], [("DAPI",), ("CD3",)], id="separate"),
    pytest.param("both", ["a", "a_DAPI", "a_CD3"], [(), ("DAPI",), ("CD3",)], id="both"),
]


@pytest.mark.parametrize(("choice", "stems", "channels"), CHANNELS)
def test_files_by_channel(dataset, choice, stems, channels):
    found = items(dataset, {"kind": "fov", "ids": ["a"]}, channel_files=choice)
    assert [item.stem for item in found] == stems
    assert [item.channels for item in found] == channels


NAMES = [
    pytest.param("{stem}_{profile}", ["a_tissue", "b_tissue"], id="profile"),
    pytest.param("{number}_{fov}", ["1_a", "2_b"], id="number"),
    pytest.param("figure", ["figure", "figure_2"], id="no field: numbered"),
    pytest.param("{{x}}/{kind}", ["_x__fov", "_x__fov_2"], id="made safe"),
]


@pytest.mark.parametrize(("template", "stems"), NAMES)
def test_names_follow_the_template(dataset, template, stems):
    assert [item.stem for item in items(dataset, {"kind": "fov", "ids": ["a", "b"]}, name_template=template)] == stems


def test_titles_are_filled_in(dataset):
    select = {"kind": "map-roi", "ids": ["tri"]}
    (item,) = items(dataset, select, caption={"title": "{roi} on map {map}, {profile}"})
    assert item.title == "tri on map 7, tissue"


@pytest.mark.parametrize("template", ["{stem", "{nope}", "{stem.__class__}", "{stem:>9}", "{stem!r}", "{}", "{0}"])
@pytest.mark.parametrize("where", ["name_template", "title"])
def test_templates_are_checked(template, where):
    data = {"name_template": template} if where == "name_template" else {"caption": {"title": template}}
    with pytest.raises(ValueError, match="template"):
        ExportPlan.model_validate({"select": [{"kind": "fov", "all": True}], **data})


# --- upright --------------------------------------------------------------------------------------------------
def test_a_rotated_box_is_turned_upright(tmp_path):
    folder = write_dataset(tmp_path / "set")
    write_rois(
        folder / "rois.csv",
        [
            ("r1", "box", "", "7", "rectangle", (1, 9, 2, 8), "", ""),
            ("r2", "askew", "", "7", "rotated-rectangle", (5, 20, 4, 19), ROTATED, ""),
            ("r3", "tri", "", "7", "polygon", (5, 20, 4, 19), ROTATED.replace("rotated-rectangle", "polygon"), ""),
        ],
    )
    dataset = open_dataset(folder)
    box, askew = items(dataset, {"kind": "map-roi", "ids": ["box", "askew"], "clip": "upright"})
    assert (box.upright, box.shape) == (False, ())  # it stands upright already
    assert askew.upright
    assert askew.shape == ((10, 4), (20, 9), (15, 19), (5, 14))
    (fault,) = faults(dataset, {"kind": "map-roi", "ids": ["tri"], "clip": "upright"})
    assert fault == "ROI tri is a polygon; only boxes can be turned upright, choose clip box or polygon"


@pytest.mark.parametrize("key", ["along", "roi", "name"])
def test_what_goes_with_stacks_is_refused_elsewhere(key):
    value = "slices" if key == "along" else "x"
    with pytest.raises(ValueError, match=f"{key} goes with kind stack, not fov"):
        ExportPlan.model_validate({"select": [{"kind": "fov", "all": True, key: value}]})
