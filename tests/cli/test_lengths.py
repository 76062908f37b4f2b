"""Lengths on the command line: plain numbers are in the option's unit, and any other unit may stand behind one."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from napari_slicemap.cli.app import app
from napari_slicemap.cli.lengths import length_in


@pytest.mark.parametrize(
    ("unit", "written", "expected"),
    [
        pytest.param("µm", "6.5", 6.5, id="µm"),
        pytest.param("µm", "390nm", 0.39, id="nm to µm"),
        pytest.param("µm", "0.2 mm", 200.0, id="mm to µm"),
        pytest.param("µm", "-3 um", -3.0, id="negative, which the command itself refuses"),
        pytest.param("mm", "0.875", 0.875, id="mm"),
        pytest.param("mm", ".5", 0.5, id="no leading digit"),
        pytest.param("mm", "5.", 5.0, id="no digit behind the point"),
        pytest.param("mm", "875 µm", 0.875, id="µm to mm"),
        pytest.param("mm", 0.5, 0.5, id="the default"),
        pytest.param("nm", "100", 100.0, id="nm"),
        pytest.param("nm", "0.02 µm", 20.0, id="µm to nm"),
        pytest.param("nm", "3 Å", 0.3, id="Å to nm"),
    ],
)
def test_length(unit: str, written: Any, expected: float) -> None:
    assert length_in(unit)(written) == expected


BAD = ["5,5 um", "390 furlongs²", "3 s", "nan", "inf", "", "µm", "1_0"]


@pytest.mark.parametrize("written", BAD)
def test_what_is_no_length(written: str) -> None:
    with pytest.raises(typer.BadParameter, match=rf"{re.escape(repr(written))} is not a length; write a number in mm"):
        length_in("mm")(written)


@pytest.mark.parametrize(
    ("command", "option", "target", "name", "expected"),
    [
        pytest.param(
            ["slices", "stack", "s", "o.ome.zarr"],
            "--slice-thickness-um",
            "napari_slicemap.slices.stacking.stack.stack_slices",
            "slice_thickness_um",
            200.0,
            id="stack thickness",
        ),
        pytest.param(
            ["slices", "stack", "s", "o.ome.zarr"],
            "--z-step-um",
            "napari_slicemap.slices.stacking.stack.stack_slices",
            "z_step_um",
            200.0,
            id="stack z step",
        ),
        pytest.param(
            ["slices", "stack", "s", "o.ome.zarr"],
            "--resolution",
            "napari_slicemap.slices.stacking.stack.stack_slices",
            "resolution_um",
            200.0,
            id="stack resolution",
        ),
        pytest.param(
            ["slices", "rehoming", "shifts.csv", "o.csv"],
            "--tile-fov-mm",
            "napari_slicemap.slices.shifts.rehoming.detect_rehoming",
            "tile_fov_mm",
            0.2,
            id="rehoming tile",
        ),
        pytest.param(
            ["slices", "rehoming", "shifts.csv", "o.csv"],
            "--max-shift-mm",
            "napari_slicemap.slices.shifts.rehoming.detect_rehoming",
            "max_shift_mm",
            0.2,
            id="rehoming shift",
        ),
    ],
)
def test_options_take_any_unit_and_name_themselves_where_that_fails(
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    option: str,
    target: str,
    name: str,
    expected: float,
) -> None:
    given: dict[str, Any] = {}

    def stand_in(*_: object, **options: Any) -> None:
        given.update(options)
        raise typer.Exit(7)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("napari_slicemap.slices.volumes.find_volumes", lambda path: {})
    monkeypatch.setattr(target, stand_in)
    (tmp_path / "shifts.csv").touch()
    assert CliRunner().invoke(app, [*command, option, "200 um"]).exit_code == 7
    assert given[name] == expected
    wrong = CliRunner().invoke(app, [*command, option, "5,5 um"])
    assert wrong.exit_code == 2
    assert option in wrong.output
    assert "is not a length" in " ".join(re.sub("[│╭╰─╮╯]", " ", wrong.output).split())
