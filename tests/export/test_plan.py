"""The plan: one model for TOML, JSON, Python and the shell."""

import json
import shlex
import tomllib

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap import ExportPlan
from napari_slicemap.errors import FileFormatError
from napari_slicemap.export.plan import Select
from napari_slicemap.export.shell import shell_command

DOCUMENTED = """
version = 1
profile = "tissue"
format = "png"
output_folder = "exports/figure 2"
downsample = 1
overwrite = "refuse"
on_missing = "raise"
t = 0
z = 0
[[select]]
kind = "map-roi"
ids = ["ROI_001"]
clip = "box"
[scale_bar]
enabled = true
fraction = 0.1
position = "lower-right"
label = true
color = "#ffffff"
[overlays]
masks = ["cell"]
annotations = []
rois = false
[options]
compression = "zstd"
"""

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names = st.lists(text.filter(bool), min_size=1, max_size=3)
selects = st.one_of(
    st.fixed_dictionaries({"kind": st.sampled_from(["fov", "map", "fov-roi", "map-roi", "cell"]), "ids": names}),
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["fov-roi", "map-roi"]), "tags": names, "clip": st.sampled_from(["box", "polygon"])}
    ),
    st.fixed_dictionaries({"kind": st.just("cell"), "query": text.filter(bool), "size_px": st.integers(1, 512)}),
    st.fixed_dictionaries({"kind": st.sampled_from(["fov", "map"]), "all": st.just(True)}),
    st.fixed_dictionaries(
        {"kind": st.just("stack"), "ids": names, "along": st.sampled_from(["time", "slices"]), "roi": text}
    ),
)
plans = st.fixed_dictionaries(
    {"select": st.lists(selects, min_size=1, max_size=3)},
    optional={
        "profile": text,
        "format": st.sampled_from(["png", "tif", "TIFF", "ome-zarr", "gif"]),
        "output_folder": text.filter(lambda folder: "\0" not in folder),
        "downsample": st.integers(1, 64),
        "overwrite": st.sampled_from(["refuse", "overwrite", "rename"]),
        "on_missing": st.sampled_from(["raise", "mark"]),
        "include_excluded": st.booleans(),
        "t": st.integers(0, 9),
        "z": st.one_of(st.integers(0, 9), st.sampled_from(["max", "mean", "all"])),
        "background": st.sampled_from(["white", "#123456"]),
        "scale_bar": st.fixed_dictionaries(
            {"enabled": st.booleans(), "fraction": st.floats(0.01, 0.5), "color": st.just("red")}
        ),
        "channel_files": st.sampled_from(["merged", "separate", "both"]),
        "name_template": st.sampled_from(["{stem}", "{number}_{fov}", "{{x}}"]),
        "caption": st.fixed_dictionaries({"title": st.sampled_from(["", "{roi}"]), "legend": st.booleans()}),
        "contact_sheet": st.fixed_dictionaries({"enabled": st.booleans(), "columns": st.integers(0, 9)}),
        "overlays": st.fixed_dictionaries({"masks": names, "rois": st.booleans()}),
        "options": st.dictionaries(text, st.one_of(st.integers(-9, 9), text, st.booleans()), max_size=3),
    },
)


@pytest.mark.parametrize("suffix", [".toml", ".json"])
@given(data=plans)
def test_round_trip(tmp_path, suffix, data):
    plan = ExportPlan.model_validate(data)
    path = tmp_path / f"plan{suffix}"
    plan.write(path)
    assert ExportPlan.read(path) == plan
    raw = tomllib.loads(path.read_text("utf-8")) if suffix == ".toml" else json.loads(path.read_text("utf-8"))
    assert raw["version"] == 1


def test_the_documented_plan_reads(tmp_path):
    (tmp_path / "plan.toml").write_text(DOCUMENTED)
    plan = ExportPlan.read(tmp_path / "plan.toml")
    assert plan.select == (Select(kind="map-roi", ids=("ROI_001",)),)
    assert plan.scale_bar.enabled
    assert plan.overlays.masks == ("cell",)
    assert plan.options == {"compression": "zstd"}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        pytest.param("tiff", "tif", id="tiff is tif"),
        pytest.param("PNG", "png", id="upper case"),
    ],
)
def test_formats_have_one_name(written, read):
    assert ExportPlan.model_validate({"format": written, "select": [{"kind": "fov", "all": True}]}).format == read


def test_lengths_may_have_units():
    plan = ExportPlan.model_validate(
        {
            "target_pixel_size_um": "1300 nm",
            "scale_bar": {"length_um": "0.05 mm"},
            "select": [{"kind": "fov", "all": True}],
        }
    )
    assert plan.target_pixel_size_um == pytest.approx(1.3)
    assert plan.scale_bar.length_um == pytest.approx(50)


FOV = {"kind": "fov", "ids": ["a"]}
REFUSED = [
    pytest.param({"colour": 1}, "colour: unknown key .known: version, profile, format", id="unknown key"),
    pytest.param({"scale_bar": {"colour": "red"}}, "scale_bar.colour: unknown key", id="unknown key of the scale bar"),
    pytest.param({"overlays": {"mask": ["a"]}}, "overlays.mask: unknown key", id="unknown key of the overlays"),
    pytest.param({"select": [{**FOV, "id": "a"}]}, "select.0.id: unknown key", id="unknown key of a choice"),
    pytest.param({"select": []}, "select: ", id="no choice"),
    pytest.param({"select": [{"kind": "fov"}]}, "say which, by ids, tags, query or all", id="choice of nothing"),
    pytest.param({"select": [{"kind": "tile", "all": True}]}, "select.0.kind", id="unknown kind"),
    pytest.param({"select": [{"kind": "fov", "tags": ["a"]}]}, "tags choose ROIs", id="tags of FOVs"),
    pytest.param({"select": [{"kind": "map", "query": "a > 1"}]}, "query chooses cells", id="query of maps"),
    pytest.param({"select": [{"kind": "cell", "all": True, "size_px": 0}]}, "size_px", id="crop of 0 px"),
    pytest.param({"select": [{"kind": "cell", "all": True, "size_px": 10**9}]}, "size_px", id="crop too large"),
    pytest.param({"downsample": 0}, "downsample", id="downsample 0"),
    pytest.param({"downsample": 1.5}, "downsample", id="downsample no whole number"),
    pytest.param({"downsample": 2, "target_pixel_size_um": 1}, "not both", id="two scales"),
    pytest.param({"target_pixel_size_um": 0}, "target_pixel_size_um", id="no size"),
    pytest.param({"overwrite": "yes"}, "overwrite", id="overwrite"),
    pytest.param({"on_missing": "ignore"}, "on_missing", id="on_missing"),
    pytest.param({"background": "nope"}, "is no colour", id="background"),
    pytest.param({"version": 2}, "version", id="version"),
    pytest.param({"t": -1}, "t: ", id="t"),
    pytest.param({"z": "median"}, "z", id="z"),
]


@pytest.mark.parametrize(("fields", "message"), REFUSED)
def test_refused_naming_file_and_key(tmp_path, fields, message):
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({"select": [FOV], **fields}))
    with pytest.raises(FileFormatError, match=message) as caught:
        ExportPlan.read(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


BROKEN = [
    pytest.param("plan.toml", "= 3", "plan.toml: .*no valid TOML", id="TOML"),
    pytest.param("plan.json", "{", "plan.json: line 1, column 2: .*no valid JSON", id="JSON"),
    pytest.param("plan.json", "[]", "plan.json: ", id="a list"),
    pytest.param("plan.yaml", "a: 1", r"plan.yaml: a plan is a .toml or .json file", id="another suffix"),
]


@pytest.mark.parametrize(("name", "content", "message"), BROKEN)
def test_broken_files_are_told(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(FileFormatError, match=message):
        ExportPlan.read(tmp_path / name)


def test_a_plan_is_not_written_under_a_name_that_it_could_not_be_read_from(tmp_path):
    with pytest.raises(FileFormatError, match=r"plan.yaml: a plan is a .toml or .json file"):
        ExportPlan.model_validate({"select": [FOV]}).write(tmp_path / "plan.yaml")
    assert not list(tmp_path.iterdir())


def test_a_plan_is_frozen():
    plan = ExportPlan.model_validate({"select": [FOV]})
    with pytest.raises(ValueError, match="frozen"):
        plan.downsample = 2


# --- as a shell command ---------------------------------------------------------------------------------------
def plan_of_command(command, dataset):
    from napari_slicemap.cli import export as shell
    from napari_slicemap.cli.app import app
    from napari_slicemap.cli.plan_options import build_plans

    words = shlex.split(command)
    assert words[:2] == ["slicemap", "export"]
    parser = typer.main.get_command(app).commands["export"]
    context = parser.make_context("export", words[2:])
    given = {name: value for name, value in context.params.items() if shell._was_given(context, name)}
    [plan] = build_plans(given, context.params["plan"], dataset)
    return plan


COMMANDS = [
    pytest.param(
        {
            "select": [{"kind": "stack", "ids": ["a", "b"], "roi": "r"}],
            "format": "gif",
            "options": {"fps": "5"},
            "z": "max",
        },
        id="time series",
    ),
    pytest.param(
        {"select": [{"kind": "stack", "along": "slices", "all": True}], "format": "ome-zarr", "t": 3},
        id="run of slices",
    ),
    pytest.param(
        {
            "select": [{"kind": "cell", "all": True, "size_px": 64}],
            "contact_sheet": {"enabled": True, "columns": 12},
            "caption": {"title": "{profile}, all cells", "legend": True},
            "background": "#ffffff",
            "channel_files": "both",
            "name_template": "{number}_{stem}",
        },
        id="contact sheet",
    ),
    pytest.param({"select": [{"kind": "fov", "ids": ["a", "b"]}]}, id="FOVs"),
    pytest.param({"select": [{"kind": "map", "all": True}], "downsample": 4}, id="all maps"),
    pytest.param({"select": [{"kind": "cell", "ids": ["a:1"], "size_px": 64}], "format": "tif"}, id="a cell"),
    pytest.param({"select": [{"kind": "cell", "query": "area > 5 and fov == 'a'"}]}, id="a query"),
    pytest.param({"select": [{"kind": "map-roi", "ids": ["r4"], "clip": "polygon"}]}, id="a clipped ROI"),
    pytest.param({"select": [{"kind": "fov", "ids": ["a, b", 'say "x"']}]}, id="names with commas and quotes"),
    pytest.param(
        {
            "select": [{"kind": "fov", "all": True}],
            "profile": "my profile",
            "output_folder": "figure 2/it's",
            "overwrite": "rename",
            "on_missing": "mark",
            "include_excluded": True,
            "scale_bar": {"enabled": True, "length_um": 12.5},
            "overlays": {"masks": ["cell"], "rois": True},
            "options": {"compression": "lzw"},
        },
        id="everything",
    ),
    pytest.param(
        {"select": [{"kind": "fov", "all": True}], "target_pixel_size_um": 1.5, "scale_bar": {"enabled": True}},
        id="a target size",
    ),
]


@pytest.mark.parametrize("fields", COMMANDS)
def test_the_shell_command_of_a_plan_makes_the_same_plan(dataset, fields):
    plan = ExportPlan.model_validate(fields)
    assert plan_of_command(shell_command(plan, dataset.path), dataset) == plan
