"""Descriptors written: what is read back is what was written, and what cannot be written is refused."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import descriptor_entry
from builders import write_descriptor as write_by_hand
from napari_slicemap.errors import PlacementError
from napari_slicemap.images.acquisition import TilePosition
from napari_slicemap.maps.descriptor import read_descriptors, write_descriptor
from napari_slicemap.maps.placement import place

IN_UM = TilePosition("m", "a", "", center_um=(10.25, -20.5), size_px=(24, 20), pixel_size_um=0.5, slice_id="03")
IN_PX = TilePosition("m", "a", "", origin_px=(-3.125, 7.0), size_px=(24, 20))

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).map(str.strip).filter(bool)
numbers = st.floats(-1e9, 1e9)
points = st.tuples(numbers, numbers)
sizes = st.tuples(st.integers(1, 100_000), st.integers(1, 100_000))


@st.composite
def maps(draw: st.DrawFn) -> list[TilePosition]:
    """Positions of one map, all in stage µm or all in map px."""
    kind = draw(st.sampled_from(["center_um", "origin_px"]))
    map_id, slice_id = draw(names), draw(st.just("") | names)
    return [
        TilePosition(
            map_id,
            fov,
            "",
            size_px=draw(sizes),
            pixel_size_um=draw(st.none() | st.floats(1e-6, 1e3)),
            slice_id=slice_id,
            **{kind: draw(points)},
        )
        for fov in draw(st.lists(names, min_size=1, max_size=4, unique=True))
    ]


@given(maps())
def test_what_is_written_is_read(tmp_path: Path, positions: list[TilePosition]) -> None:
    write_descriptor(tmp_path / "m.json", positions, registration={"rms_px": 0.1})
    found = read_descriptors([tmp_path / "m.json"])
    assert found.problems == ()
    for one, wanted in zip(found.positions, positions, strict=True):
        size = wanted.pixel_size_um
        # a width in µm, divided by the width in px again, may differ in its last digit
        assert one.pixel_size_um == (None if size is None else pytest.approx(size, rel=1e-15))
        assert replace(one, source="", pixel_size_um=size) == wanted


def test_what_a_file_says(tmp_path: Path) -> None:
    write_descriptor(tmp_path / "deep" / "m.json", [IN_UM], registration={"channel": "DAPI"})
    assert json.loads((tmp_path / "deep" / "m.json").read_text("utf-8")) == {
        "registration": {"channel": "DAPI"},
        "slice_id": "03",
        "fovs": [
            {
                "name": "a",
                "slideId": "m",
                "centerPointMicrons": {"x": 10.25, "y": -20.5},
                "frameSizePixels": {"width": 24, "height": 20},
                "fovSizeMicrons": 12.0,
            }
        ],
    }
    write_descriptor(tmp_path / "m.json", [IN_PX])
    entry = {"name": "a", "slideId": "m", "originPixels": {"x": -3.125, "y": 7.0}}
    assert json.loads((tmp_path / "m.json").read_text("utf-8")) == {
        "fovs": [{**entry, "frameSizePixels": {"width": 24, "height": 20}}]
    }


@pytest.mark.parametrize("stage_y", ["down", "up"])
def test_corners_in_px_have_y_downwards_whatever_the_stage_does(tmp_path: Path, stage_y: Any) -> None:
    write_descriptor(tmp_path / "m.json", [IN_PX, replace(IN_PX, fov="b", origin_px=(16.875, 17.25))])
    placed = place("m", read_descriptors([tmp_path / "m.json"]).positions, {}, stage_y=stage_y)
    assert [tuple(tile.window) for tile in placed.tiles] == [(0, 24, 0, 20), (20, 44, 10, 30)]


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        pytest.param([], "at least one FOV", id="none"),
        pytest.param([IN_UM, IN_UM], "map m: FOV a is placed twice", id="a FOV twice"),
        pytest.param([IN_UM, replace(IN_UM, fov="b", map_id="n")], "map n: FOV b is not of map m", id="two maps"),
        pytest.param(
            [IN_UM, replace(IN_UM, fov="b", slice_id="")], "FOV b is not of map m, slice '03'", id="two slices"
        ),
        pytest.param([replace(IN_UM, fov="")], "the name '' is empty", id="no name"),
        pytest.param([replace(IN_UM, fov=" a")], "the name ' a' is empty or has blanks around it", id="a blank"),
        pytest.param([replace(IN_UM, size_px=None)], "FOV a: its size is None", id="no size"),
        pytest.param([replace(IN_UM, size_px=(24, 0))], "its size is .24, 0., expected", id="no height"),
        pytest.param([replace(IN_UM, center_um=None)], "expected either a centre", id="no place"),
        pytest.param([replace(IN_UM, origin_px=(0, 0))], "expected either a centre", id="two places"),
        pytest.param([replace(IN_UM, center_um=(float("nan"), 0))], "its position is .nan, 0.", id="no number"),
        pytest.param([replace(IN_PX, origin_px=(0, float("inf")))], "its position is .0, inf.", id="endless"),
        pytest.param([replace(IN_UM, pixel_size_um=0.0)], "its pixel size is 0 µm", id="pixels of no size"),
        pytest.param([replace(IN_UM, pixel_size_um=1e308)], "its pixel size is 1e.308 µm", id="pixels too large"),
    ],
)
def test_what_no_descriptor_can_hold_is_refused_and_the_file_there_stays(
    tmp_path: Path, positions: list[TilePosition], message: str
) -> None:
    (tmp_path / "m.json").write_text("before")
    with pytest.raises(PlacementError, match=message):
        write_descriptor(tmp_path / "m.json", positions)
    assert (tmp_path / "m.json").read_text() == "before"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"originPixels": {"x": 1, "y": 2}}, "both centerPointMicrons and originPixels are set", id="both"),
        pytest.param(
            {"centerPointMicrons": ..., "originPixels": {"x": 1}}, r"originPixels\.y is missing", id="half a corner"
        ),
        pytest.param(
            {"centerPointMicrons": ..., "originPixels": {"x": "1", "y": 2}},
            r"originPixels\.x is '1', expected a number",
            id="text as corner",
        ),
    ],
)
def test_a_corner_that_cannot_be_right_is_reported(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    entry = descriptor_entry("a", (0, 0), **changes)
    (problem,) = read_descriptors([write_by_hand(tmp_path / "m.json", [entry])]).problems
    assert re.search(message, problem), problem
