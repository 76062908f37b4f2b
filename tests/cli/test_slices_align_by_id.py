"""Mosaics go where the shifts of their own ids put them, whichever slices are used."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import zarr

from builders import pixels, write_ome_zarr

from .conftest import Shell

STEPS = [(10, 5), (8, 3), (12, 7), (5, 2), (9, 4)]
PLACES = [(0, 0), (10, 5), (18, 8), (30, 15), (35, 17), (44, 21)]
HEIGHT, WIDTH = 30, 36
SCENE = pixels(1, (2, HEIGHT + 21, WIDTH + 44))


def write_run(folder: Path, ids: Sequence[int], used: Sequence[int], *, px_only: bool) -> Path:
    """A mosaic of each slice, cut from one scene, the steps between them, and a table that uses some."""
    for slice_id, (x, y) in zip(ids, PLACES, strict=True):
        path = folder / "mosaics" / f"mosaic_grid_3d_z{slice_id:02d}.ome.zarr"
        data = SCENE[:, y : y + HEIGHT, x : x + WIDTH]
        write_ome_zarr(path, data, axes="zyx", pixel_size=(10.0, 10.0), chunks=(2, 16, 16))
    lines = ["fixed_id,moving_id,x_shift,y_shift" + ("" if px_only else ",x_shift_mm,y_shift_mm")]
    for fixed, moving, (x, y) in zip(ids, ids[1:], STEPS, strict=False):
        lines.append(f"{fixed}.0,{moving}.0,{x},{y}" + ("" if px_only else f",{x / 100},{y / 100}"))
    (folder / "shifts_xy.csv").write_text("\n".join(lines) + "\n")
    rows = "".join(f"{one:02d},{'true' if one in used else 'false'}\n" for one in ids)
    (folder / "slice_config.csv").write_text(f"slice_id,use\n{rows}")
    return folder


@pytest.mark.parametrize("px_only", [False, True], ids=["px and mm", "px only"])
@pytest.mark.parametrize(
    ("ids", "used", "expected"),
    [
        pytest.param(range(6), (0, 2, 4), [(0, 0), (18, 8), (35, 17)], id="every other"),
        pytest.param(range(6), (2, 4), [(18, 8), (35, 17)], id="the first left out"),
        pytest.param(range(6), (3,), [(30, 15)], id="one alone"),
        pytest.param((1, 3, 4, 9, 10, 112), (1, 4, 112), [(0, 0), (18, 8), (44, 21)], id="ids with gaps"),
        pytest.param((1, 3, 4, 9, 10, 112), (3, 10), [(10, 5), (35, 17)], id="ids with gaps, the first left out"),
    ],
)
def test_where_slices_lie(
    slicemap: Shell,
    tmp_path: Path,
    ids: Sequence[int],
    used: Sequence[int],
    expected: list[tuple[int, int]],
    px_only: bool,
) -> None:
    run = write_run(tmp_path, ids, used, px_only=px_only)
    words = (run / "mosaics", run / "shifts_xy.csv", run / "aligned", "--config", run / "slice_config.csv")
    code, _, err = slicemap("slices", "align", *words)
    assert code == 0, err
    record = json.loads((run / "aligned" / "alignment.json").read_text("utf-8"))
    found = {one["slice_id"]: tuple(one["shift_px"]) for one in record["slices"]}
    assert found == {f"{one:02d}": place for one, place in zip(used, expected, strict=True)}
    left, top = (min(place[axis] for place in expected) for axis in (0, 1))
    right, bottom = (max(place[axis] for place in expected) for axis in (0, 1))
    for (x, y), one in zip(expected, used, strict=True):
        canvas = np.zeros((2, bottom - top + HEIGHT, right - left + WIDTH), SCENE.dtype)
        seen = SCENE[:, y : y + HEIGHT, x : x + WIDTH]
        canvas[:, y - top : y - top + HEIGHT, x - left : x - left + WIDTH] = seen
        path = run / "aligned" / f"mosaic_grid_3d_z{one:02d}.ome.zarr"
        np.testing.assert_array_equal(zarr.open_array(path / "0", mode="r")[0, 0], canvas)
