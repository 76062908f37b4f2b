"""Planes that are written side by side: the same files, read in another order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from builders import pixels
from napari_slicemap.images.ome_zarr import writer as ome_zarr_writer
from napari_slicemap.images.ome_zarr.writer import write_ome_zarr
from napari_slicemap.images.source import ImageSource


@pytest.fixture(autouse=True)
def small_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Levels down to 8 px, so that small images have several."""
    monkeypatch.setattr(ome_zarr_writer, "_COARSEST", 8)


def files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param([range(7)], id="all together"),
        pytest.param([range(3), range(3, 7)], id="two runs"),
        pytest.param([range(6, 7), range(6)], id="in another order"),
    ],
)
@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_runs_write_the_same_files(tmp_path: Path, runs: list[range], version: str) -> None:
    source = ImageSource.of(pixels(3, (1, 2, 7, 75, 53)), ["a", "b"], pixel_size_um=0.5)
    options: dict[str, Any] = {"version": version, "chunk": 24}
    write_ome_zarr(tmp_path / "alone.zarr", source, **options)
    write_ome_zarr(tmp_path / "runs.zarr", source, runs=runs, **options)
    alone = files(tmp_path / "alone.zarr")
    assert len(alone) > 30
    assert files(tmp_path / "runs.zarr") == alone


def test_a_run_is_read_band_by_band(tmp_path: Path) -> None:
    data, asked = pixels(4, (1, 1, 4, 64, 30)), []

    def read(t: int, c: int, z: int, top: int, bottom: int) -> np.ndarray:
        asked.append((top, z))
        return data[t, c, z, top:bottom]

    source = ImageSource("a", (1, 1, 4, 64, 30), data.dtype, ("a",), read)
    write_ome_zarr(tmp_path / "a.zarr", source, chunk=4, runs=[range(2), range(2, 4)])
    tops = sorted({top for top, _ in asked})
    assert len(tops) > 2
    assert asked == [(top, z) for run in ((0, 1), (2, 3)) for top in tops for z in run]


def test_planes_in_no_run_stay_empty(tmp_path: Path) -> None:
    data = pixels(5, (1, 1, 5, 30, 20)) | 1
    write_ome_zarr(tmp_path / "a.zarr", ImageSource.of(data, ["a"]), chunk=16, runs=[range(1, 3), range(4, 5)])
    for level in ("0", "1"):
        found = np.asarray(zarr.open_array(tmp_path / "a.zarr" / level, mode="r")[0, 0])
        assert [bool(plane.any()) for plane in found] == [False, True, True, False, True]
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "a.zarr" / "0", mode="r")[0, 0, 4], data[0, 0, 4])
