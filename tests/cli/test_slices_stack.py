"""``slicemap slices stack``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import zarr

from builders import pixels, write_ome_zarr

from .conftest import Shell


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Slices 00, 01 and 03 of two planes, an interpolated 02, and a table."""
    for name in ("aligned/m_z00", "aligned/m_z01", "aligned/m_z03", "made/slice_z02_interpolated"):
        data = pixels(len(name) + int(name[-1:], 36), (2, 12, 18)) | 1
        write_ome_zarr(tmp_path / f"{name}.ome.zarr", data, axes="zyx", pixel_size=(10.0, 10.0))
    (tmp_path / "table.csv").write_text(
        "slice_id,use,auto_excluded,interpolated,notes\n"
        "00,true,,,\n01,false,,,blurred\n02,false,,true,missing\n03,true,false,,\n"
    )
    return tmp_path


def stored(path: Path) -> np.ndarray:
    return np.asarray(zarr.open_array(path / "0", mode="r")[0, 0])


def test_stack(slicemap: Shell, run: Path) -> None:
    out = run / "stack.ome.zarr"
    code, said, err = slicemap("slices", "stack", run / "aligned", out)
    assert (code, err) == (0, f"written: {out}, 8 planes of 18 × 12 px\n")
    assert said.splitlines() == [
        "used: 3 of 3 slices (00–01, 03)",
        "gaps: 02 (2 planes each are 0)",
    ]
    assert [bool(plane.any()) for plane in stored(out)] == [True] * 4 + [False] * 2 + [True] * 2


def test_only_slices_to_use(slicemap: Shell, run: Path) -> None:
    out = run / "stack.ome.zarr"
    code, said, _ = slicemap("slices", "stack", run / "aligned", out, "--config", run / "table.csv")
    assert code == 0
    assert said.splitlines()[:3] == [
        "used: 2 of 4 slices (00, 03)",
        "excluded: 01 (use is false: blurred)",
        "excluded: 02 (use is false: missing; it is interpolated, but no folder of interpolated images was given)",
    ]
    assert [bool(plane.any()) for plane in stored(out)] == [True] * 2 + [False] * 4 + [True] * 2


def test_interpolated(slicemap: Shell, run: Path) -> None:
    out = run / "stack.ome.zarr"
    words = ["slices", "stack", run / "aligned", out, "-c", run / "table.csv", "--interpolated", run / "made", "--json"]
    code, said, _ = slicemap(*words)
    record = json.loads(said)
    assert code == 0
    assert [(one["slice_id"], one["interpolated"]) for one in record["slices"]] == [
        ("00", False),
        ("02", True),
        ("03", False),
    ]
    made = zarr.open_array(run / "made" / "slice_z02_interpolated.ome.zarr" / "0", mode="r")
    np.testing.assert_array_equal(stored(out)[4:6], made[...])


def test_options_with_underscores(slicemap: Shell, run: Path) -> None:
    out = run / "stack.ome.zarr"
    words = ["--slice_thickness_um", 6, "--z_step_um", 1, "--first", "1", "--last", "4"]
    code, said, _ = slicemap("slices", "stack", run / "aligned", out, *words)
    assert code == 0
    assert "excluded: 00 (it lies before slice 01, where the stack begins)" in said
    assert len(stored(out)) == 4 * 6


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["nowhere", "a.ome.zarr"], "nowhere: there is no such folder", id="no slices"),
        pytest.param(["aligned", "stack.tif"], "stack.tif: a stack is an OME-Zarr image", id="no OME-Zarr"),
        pytest.param(["aligned", "a.ome.zarr", "--first", "x"], "'x'", id="no id"),
        pytest.param(["aligned", "a.ome.zarr", "--interpolated", "made"], "only a slice table says", id="no table"),
        pytest.param(
            ["aligned", "aligned/m_z00.ome.zarr", "--force"], "an image of a slice; name another", id="over a slice"
        ),
    ],
)
def test_requests_that_are_wrong(
    slicemap: Shell, run: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(run)
    before = sorted(run.rglob("*"))
    code, out, err = slicemap("slices", "stack", *words)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert sorted(run.rglob("*")) == before
