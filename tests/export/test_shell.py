"""The shell command that equals a plan, or a word that there is none."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from napari_slicemap import ExportPlan
from napari_slicemap.errors import PlanError
from napari_slicemap.export.shell import join, shell_command, split

CHOICE = {"kind": "map", "ids": ["01"]}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param({}, [], id="nothing more"),
        pytest.param({"scale_bar": {"enabled": True}}, ["--scale-bar"], id="scale bar"),
        pytest.param({"scale_bar": {"enabled": True, "length_um": 20}}, ["--scale-bar-um", "20"], id="its length"),
        pytest.param(
            {"downsample": 4, "overwrite": "rename"}, ["--downsample", "4", "--overwrite", "rename"], id="two"
        ),
        pytest.param({"options": {"compress_level": 9}}, ["--option", "compress_level=9"], id="of the format"),
    ],
)
def test_what_a_plan_says_becomes_options(said, expected):
    words = shlex.split(shell_command(ExportPlan(select=[CHOICE], **said), Path("my run")))
    assert words == ["slicemap", "export", "my run", "--maps", "01", "--format", "png", *expected]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        pytest.param({"scale_bar": {"enabled": True, "color": "black"}}, "no option for scale_bar of", id="bar"),
        pytest.param(
            {"select": [{"kind": "map-roi", "all": True}, {"kind": "fov-roi", "all": True, "clip": "polygon"}]},
            "no option for clip",
            id="two clips",
        ),
    ],
)
def test_what_the_shell_cannot_say_is_refused(said, message):
    with pytest.raises(PlanError, match=message):
        shell_command(ExportPlan(**{"select": [CHOICE], **said}), Path("my_run"))


def test_names_with_commas_come_back():
    assert split(join(["a,b", "c", 'd"e'])) == ["a,b", "c", 'd"e']
