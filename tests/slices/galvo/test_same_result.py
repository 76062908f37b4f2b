"""The same tiles give the same result, whatever they are stored as and whoever asks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_slicemap.slices.galvo import detect_galvo_for_slice, inspect_slice
from napari_slicemap.slices.galvo.decisions import GalvoSettings, detect_tiles, find_returns
from napari_slicemap.slices.galvo.detect import SliceDetection
from napari_slicemap.slices.galvo.run import detect_galvo_slices
from napari_slicemap.slices.galvo.tile_slices import find_tile_slices
from oct_slices import EXTRA, SHIFT, Tiles, make_tiles, write_mosaic, write_raw

SCENES = {
    "dark": make_tiles(),
    "bright, around the end": make_tiles(first=54, change=0.5),
    "faint": make_tiles(change=-0.04),
    "clean": make_tiles(first=None),
    "background among them": make_tiles(empty=[(0, 1), (1, 2)]),
    "any float": {place: tile * np.float32(1.0371) for place, tile in make_tiles().items()},
}


@pytest.fixture(scope="module", params=SCENES)
def tiles(request: pytest.FixtureRequest) -> Tiles:
    return SCENES[request.param]


@pytest.fixture(scope="module")
def stored(tiles: Tiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiles as a folder of raw tiles, and as mosaics of either axis and of other chunks along z."""
    folder = tmp_path_factory.mktemp("stored")
    write_raw(folder / "raw", tiles)
    write_raw(folder / "raw in groups", tiles, groups=True)
    for axis in "xy":
        write_mosaic(folder / f"mosaics {axis}" / "m_z03.ome.zarr", tiles, axis)
        plane = next(iter(tiles.values())).shape[1:]
        chunks = (1, *(plane[::-1] if axis == "x" else plane))
        write_mosaic(folder / f"planes {axis}" / "m_z03.ome.zarr", tiles, axis, chunks=chunks, version=2)
    return folder


KINDS = ["raw", "raw in groups", "mosaics x", "mosaics y", "planes x", "planes y"]


def assert_same(found: SliceDetection, expected: SliceDetection) -> None:
    """Sums are taken in the order that pixels lie in, so the last digits of what is no exact sum may differ."""
    assert (found.shift, found.found, found.background) == (expected.shift, expected.found, expected.background)
    assert [one.index for one in found.tiles] == [one.index for one in expected.tiles]
    for one, other in zip(found.tiles, expected.tiles, strict=True):
        numbers, others = ([*vars(tile.score).values(), tile.share, tile.confidence] for tile in (one, other))
        assert numbers == pytest.approx(others, abs=2e-6)
        assert one.score.shift == other.score.shift
        assert one.mean_intensity == pytest.approx(other.mean_intensity)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("samples", [2, 6])
def test_stored_tiles_are_as_arrays(tiles: Tiles, stored: Path, kind: str, samples: int) -> None:
    one = find_tile_slices(stored / kind)["03"]
    arrays = [tiles[tile.row, tile.column] for tile in one.tiles]
    expected = inspect_slice(arrays, EXTRA, n_samples=samples)
    assert_same(detect_tiles(one, GalvoSettings(n_samples=samples)), expected)
    assert detect_galvo_for_slice(arrays, EXTRA, n_samples=samples) == (expected.shift, expected.confidence)


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_and_the_record_say_the_same(tiles: Tiles, stored: Path, tmp_path: Path, kind: str) -> None:
    slices = find_tile_slices(stored / kind)
    expected = detect_tiles(slices["03"])
    (finding,) = find_returns(slices, {}, None)
    ran = detect_galvo_slices(slices, out=tmp_path / "t.csv")
    assert finding.detection == expected == ran.findings[0].detection
    assert finding.record == ran.findings[0].record
    assert (finding.record.shift, finding.record.confidence) == (expected.shift, expected.confidence)
    assert ran.rows["03"]["galvo_confidence"] == round(expected.confidence, 3)
    assert ran.rows["03"]["galvo_fix"] is (expected.found and expected.shift != 0)


def test_detecting_again_writes_the_same_bytes(stored: Path, tmp_path: Path) -> None:
    slices = find_tile_slices(stored / "raw")
    detect_galvo_slices(slices, out=tmp_path / "a" / "t.csv")
    detect_galvo_slices(slices, out=tmp_path / "b" / "t.csv")
    detect_galvo_slices(slices, tmp_path / "b" / "t.csv", in_place=True)
    for name in ("t.csv", "diagnostics/slice_03.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_tiles_that_are_not_looked_at_do_not_count(stored: Path, kind: str) -> None:
    one = find_tile_slices(stored / kind)["03"]
    found = detect_tiles(one, GalvoSettings(n_samples=2))
    seen = {*(tile.index for tile in found.tiles), *found.background}

    def refuse() -> Any:
        raise AssertionError("it was opened")

    closed = tuple(tile if n in seen else replace(tile, open=refuse) for n, tile in enumerate(one.tiles))
    assert detect_tiles(replace(one, tiles=closed), GalvoSettings(n_samples=2)) == found


def test_the_scenes_are_what_they_are_called() -> None:
    found = {
        name: inspect_slice([own[place] for place in sorted(own)], EXTRA, n_samples=6) for name, own in SCENES.items()
    }
    assert {name for name, one in found.items() if one.found} == {*SCENES} - {"faint", "clean"}
    assert found["dark"].shift == SHIFT
    assert found["bright, around the end"].shift == (SHIFT + 20 - 54) % 60
    assert 0 < found["faint"].confidence < 0.6
