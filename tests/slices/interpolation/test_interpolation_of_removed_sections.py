"""Sections of a mouse brain that a table leaves out: made again through the shell, or left with the reason."""

from __future__ import annotations

import csv
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from napari_slicemap.cli import main
from napari_slicemap.slices.slice_values import INTERPOLATION_FALLBACK_REASONS

REMOVED = [f"{n:04d}" for n in np.linspace(15, 255, 20).round().astype(int)]


def slicemap(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", ["slicemap", "slices", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code


def ncc(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_removed_sections(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def section(n: int) -> np.ndarray:
        return tifffile.imread(real_data / "brain_sections" / f"image_{n:04d}.tif").astype(float)

    (tmp_path / "sections").mkdir()
    for n in {int(one) + step for one in REMOVED for step in (-1, 0, 1)}:
        name = f"image_{n:04d}.tif"
        shutil.copyfile(real_data / "brain_sections" / name, tmp_path / "sections" / name)
    monkeypatch.chdir(tmp_path)
    slicemap(monkeypatch, "generate", "sections", "all.csv", "--exclude-first", 0)
    slicemap(monkeypatch, "exclude", ",".join(REMOVED), "t.csv", "--config", "all.csv")
    slicemap(monkeypatch, "interpolate", "sections", "made", "--config", "t.csv", "--workers", 2)
    slicemap(monkeypatch, "finalise", "made", "final.csv", "--config", "t.csv", "--expect", ",".join(REMOVED))
    with Path("final.csv").open(newline="", encoding="utf-8") as stream:
        rows = {row["slice_id"]: row for row in csv.DictReader(stream)}
    gains = {}
    for one in REMOVED:
        image, row = Path(f"made/slice_z{one}_interpolated.ome.zarr"), rows[one]
        if row["interpolated"] == "true":
            n = int(one)
            made, true = zarr.open_array(image / "0", mode="r")[0, 0, 0].astype(float), section(n)
            gains[one] = ncc(made, true) - ncc((section(n - 1) + section(n + 1)) / 2, true)
            decided = ("false", "zmorph", "")
        else:
            assert not image.exists()
            assert row["interpolation_fallback_reason"] in INTERPOLATION_FALLBACK_REASONS
            decided = ("true", "", row["interpolation_fallback_reason"])
        columns = ("interpolation_failed", "interpolation_method_used", "interpolation_fallback_reason")
        assert tuple(row[column] for column in columns) == decided
    assert len(gains) >= 12
    assert min(gains.values()) > -0.005, gains
    assert [one for one, row in rows.items() if row["interpolated"]] == REMOVED
