"""``slicemap slices align``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from builders import pixels, write_ome_zarr
from napari_slicemap.slices.volumes import find_volumes

from .conftest import Shell

TABLE = "slice_id,use,auto_excluded,auto_exclude_reason,notes\n00,false,,,calibration_slice\n01,true,,,\n02,true,,,\n"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Three mosaics, each 2 px right of and 3 px below the one before, and their shifts."""
    scene = pixels(1, (2, 60, 60))
    for n in range(3):
        data = scene[:, 3 * n : 3 * n + 20, 2 * n : 2 * n + 30]
        write_ome_zarr(tmp_path / "mosaics" / f"mosaic_z0{n}.ome.zarr", data, axes="zyx", pixel_size=(10.0, 10.0))
    header = "fixed_id,moving_id,x_shift,y_shift,x_shift_mm,y_shift_mm"
    (tmp_path / "shifts_xy.csv").write_text(f"{header}\n0,1,2,3,0.02,0.03\n1,2,2,3,0.02,0.03\n")
    (tmp_path / "table.csv").write_text(TABLE)
    return tmp_path


def test_align(slicemap: Shell, run: Path) -> None:
    code, out, err = slicemap("slices", "align", run / "mosaics", run / "shifts_xy.csv", run / "out")
    assert (code, err) == (0, f"written: {run / 'out'}, 3 slices and alignment.json\n")
    assert out == (
        "used: 3 of 3 slices (00–02)\n"
        "canvas: 34 × 26 px\n"
    )  # fmt: skip
    first, _, last = (volume.read() for volume in find_volumes(run / "out").values())
    both = (first > 0) & (last > 0)
    assert both.sum() > 2 * 12 * 24
    np.testing.assert_array_equal(first[both], last[both])


def test_which_slices_are_in_and_out(slicemap: Shell, run: Path) -> None:
    words = ["slices", "align", run / "mosaics", run / "shifts_xy.csv", run / "out", "--config", run / "table.csv"]
    code, out, _ = slicemap(*words)
    assert code == 0
    assert out.splitlines()[:2] == ["used: 2 of 3 slices (01–02)", "excluded: 00 (use is false: calibration_slice)"]
    assert list(find_volumes(run / "out")) == ["01", "02"]
    code, out, err = slicemap(*words)
    assert (code, out) == (2, "")
    assert "holds something already" in err
    code, out, _ = slicemap(*words, "--force", "--json")
    record = json.loads(out)
    assert code == 0
    assert record == json.loads((run / "out" / "alignment.json").read_text("utf-8"))
    assert record["left_out"] == {"00": "use is false: calibration_slice"}


def test_strict(slicemap: Shell, run: Path) -> None:
    (run / "some.csv").write_text("fixed_id,moving_id,x_shift,y_shift\n0,1,2,3\n")
    words = ["slices", "align", run / "mosaics", run / "some.csv", run / "out"]
    code, out, err = slicemap(*words, "--strict")
    assert (code, out) == (2, "")
    assert err.startswith("slicemap: ")
    assert "unknown slice '02'" in err
    code, out, err = slicemap(*words)
    assert code == 0
    assert err.splitlines()[0] == f"slice 02 is left out: {run / 'some.csv'}: slice 02 is not in it"
    assert out.splitlines()[:2] == [
        "used: 2 of 3 slices (00–01)",
        f"excluded: 02 ({run / 'some.csv'}: slice 02 is not in it)",
    ]


def test_a_slice_that_cannot_be_read(slicemap: Shell, run: Path) -> None:
    (run / "mosaics" / "mosaic_z01.ome.zarr" / "0" / "c" / "0" / "0" / "0").write_bytes(b"torn")
    words = ["slices", "align", run / "mosaics", run / "shifts_xy.csv", run / "out"]
    code, _, err = slicemap(*words, "--workers", 1)
    assert code == 1
    written, failed, *_ = err.splitlines()
    assert written == f"written: {run / 'out'}, 2 slices and alignment.json"
    assert failed.startswith("failed 01: ")
    assert "mosaic_z01.ome.zarr" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["nowhere", "shifts_xy.csv", "out"], "nowhere: there is no such folder", id="no mosaics"),
        pytest.param(["mosaics", "none.csv", "out"], "none.csv", id="no shifts"),
        pytest.param(
            ["mosaics", "shifts_xy.csv", "out", "--resolution", "4"], "states 10 µm/px, but 4", id="resolution"
        ),
        pytest.param(
            ["mosaics", "shifts_xy.csv", "out", "--config", "shifts_xy.csv"], "no column slice_id", id="table"
        ),
    ],
)
def test_requests_that_are_wrong(
    slicemap: Shell, run: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(run)
    code, out, err = slicemap("slices", "align", *words)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert not (run / "out").exists()
