"""Images that we write say where they lie also where stage y points up."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import pixels
from napari_slicemap.images.acquisition import Acquisition
from napari_slicemap.images.ome_zarr.writer import write_ome_zarr
from napari_slicemap.images.readers import find_reader
from napari_slicemap.images.source import ImageSource
from napari_slicemap.images.tiff.ome_tiff import write_ome_tiff

from .ome_schema import valid_ome
from .reader_contract import options

SIZE_UM = 0.5
HEIGHTS = {"a": 20, "b": 11}
FIRST_PX = {"a": (100.0, 50.0), "b": (140.0, 70.0)}

Write = Callable[[Path, ImageSource], object]


def as_tiff(folder: Path, source: ImageSource) -> None:
    write_ome_tiff(folder / f"{source.name}.ome.tif", source)
    assert valid_ome(folder / f"{source.name}.ome.tif").images[0].name == source.name


def as_zarr(folder: Path, source: ImageSource) -> None:
    write_ome_zarr(folder / f"{source.name}.ome.zarr", source)


def written(folder: Path, write: Write, up: dict[str, bool]) -> Acquisition:
    folder.mkdir()
    for name, stage_up in up.items():
        data = pixels(1, (1, 1, 1, HEIGHTS[name], 24), np.uint8)
        known: dict[str, Any] = {"pixel_size_um": SIZE_UM, "position_um": FIRST_PX[name], "stage_up": stage_up}
        write(folder, ImageSource.of(data, ["DAPI"], name=name, **known))
    return find_reader(folder)[0].read(folder, options(folder))


def center(name: str, up: bool) -> tuple[float, float]:
    (x, y), down = FIRST_PX[name], (HEIGHTS[name] - 1) / 2 * SIZE_UM
    return x + 23 / 2 * SIZE_UM, y - down if up else y + down


@pytest.mark.parametrize("write", [as_tiff, as_zarr])
@pytest.mark.parametrize("up", [True, False])
def test_centres_lie_where_rows_go(tmp_path: Path, write: Write, up: bool) -> None:
    made = written(tmp_path / "run", write, {"a": up, "b": up})
    assert {one.fov: one.center_um for one in made.positions} == {name: center(name, up) for name in "ab"}
    assert made.stage_y == ("up" if up else "down")
    assert made.stage_y_stated or not up


@pytest.mark.parametrize("write", [as_tiff, as_zarr])
def test_an_image_of_another_stage_has_no_place_among_the_others(tmp_path: Path, write: Write) -> None:
    made = written(tmp_path / "run", write, {"a": True, "b": False})
    assert {one.fov: one.center_um for one in made.positions} == {"b": center("b", False)}
    assert (made.stage_y, set(made.fovs)) == ("down", {"a", "b"})
    assert re.search("stage y of a points up|1 image states no stage position that could be used.*a", made.problems[0])
