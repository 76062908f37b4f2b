"""Map descriptors: what they say, and each thing that is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from builders import descriptor_entry, write_descriptor
from napari_slicemap.errors import FileFormatError
from napari_slicemap.maps.descriptor import read_descriptors

CENTER = {"x": 10.0, "y": 20.0}


def one(folder: Path, entry: Any, **root: Any):  # type: ignore[no-untyped-def]
    return read_descriptors([write_descriptor(folder / "m.json", [entry], **root)])


def test_what_an_entry_says(tmp_path: Path) -> None:
    found = one(tmp_path, descriptor_entry("001", (10.5, -20.0)), exportDateTime="2024", slice_id="03")
    (position,) = found.positions
    assert found.problems == ()
    assert (position.fov, position.map_id, position.slice_id) == ("001", "S1", "03")
    assert (position.center_um, position.origin_px) == ((10.5, -20.0), None)
    assert (position.size_px, position.pixel_size_um) == ((24, 20), 0.5)
    assert position.source == f"{tmp_path / 'm.json'}, fovs[0] (001)"


@pytest.mark.parametrize(
    ("changes", "attribute", "value"),
    [
        pytest.param({"slideId": 7}, "map_id", "7", id="a number as id"),
        pytest.param({"slideId": 7.0}, "map_id", "7", id="7.0 is 7"),
        pytest.param({"slideId": "007"}, "map_id", "007", id="leading zeros"),
        pytest.param({"slideId": "NA"}, "map_id", "NA", id="NA"),
        pytest.param({"name": "nan"}, "fov", "nan", id="a FOV called nan"),
        pytest.param({"name": " a "}, "fov", "a", id="outer blanks"),
        pytest.param({"name": 1}, "fov", "1", id="a number as name"),
        pytest.param({"fovSizeMicrons": ...}, "pixel_size_um", None, id="size left to the image"),
        pytest.param({"fovSizeMicrons": None}, "pixel_size_um", None, id="size null"),
        pytest.param({"fovSizeMicrons": 9.36}, "pixel_size_um", pytest.approx(0.39), id="size over width"),
        pytest.param({"fovSizeMicrons": "9360 nm"}, "pixel_size_um", pytest.approx(0.39), id="size with a unit"),
        pytest.param({"centerPointMicrons": {"x": "1.2 mm", "y": 2}}, "center_um", (1200, 2), id="place with a unit"),
        pytest.param({"frameSizePixels": {"width": 24.0, "height": 10}}, "size_px", (24, 10), id="24.0 px"),
        pytest.param({"centerPointMicrons": {"x": 1, "y": 2, "z": 3}}, "center_um", (1.0, 2.0), id="z is left aside"),
        pytest.param({"centerPointPixels": {}}, "fov", "a", id="empty centerPointPixels"),
        pytest.param({"centerPointPixels": None}, "fov", "a", id="null centerPointPixels"),
        pytest.param({"rotation": 0}, "fov", "a", id="no rotation"),
        pytest.param({"transform": None, "affine": [], "matrix": {}}, "fov", "a", id="empty transforms"),
    ],
)
def test_what_is_understood(tmp_path: Path, changes: dict[str, Any], attribute: str, value: object) -> None:
    found = one(tmp_path, descriptor_entry("a", (0, 0), **changes))
    assert found.problems == ()
    assert getattr(found.positions[0], attribute) == value


REFUSED = [
    pytest.param({"name": ...}, "name is missing or empty", id="no name"),
    pytest.param({"name": ""}, "name is missing or empty", id="empty name"),
    pytest.param({"name": "  "}, "name is '  ', expected text", id="blank name"),
    pytest.param({"name": ["a"]}, r"name is \['a'\], expected text", id="a list as name"),
    pytest.param({"slideId": ...}, r"\(a\): slideId is missing or empty", id="no slide"),
    pytest.param({"slideId": None}, "slideId is missing or empty", id="null slide"),
    pytest.param({"slideId": 7.5}, r"slideId is 7\.5, expected text", id="half a slide"),
    pytest.param({"slideId": True}, "slideId is True, expected text", id="a truth as slide"),
    pytest.param({"centerPointMicrons": ...}, r"centerPointMicrons\.x is missing", id="no centre"),
    pytest.param({"centerPointMicrons": {"x": 1}}, r"centerPointMicrons\.y is missing", id="no y"),
    pytest.param({"centerPointMicrons": [1, 2]}, r"centerPointMicrons\.x is missing", id="centre as a list"),
    pytest.param({"centerPointMicrons": {"x": "left", "y": 2}}, "x: 'left' is not a length", id="text as x"),
    pytest.param({"centerPointMicrons": {"x": None, "y": 2}}, "x is None, expected a number", id="null x"),
    pytest.param({"centerPointMicrons": {"x": 10**400, "y": 2}}, "x is 1000.*, expected a number", id="x too large"),
    pytest.param({"frameSizePixels": ...}, r"frameSizePixels\.width is missing", id="no frame"),
    pytest.param({"frameSizePixels": {"width": 24}}, r"frameSizePixels\.height is missing", id="no height"),
    pytest.param({"frameSizePixels": {"width": 0, "height": 1}}, "width is 0, expected a whole number", id="width 0"),
    pytest.param({"frameSizePixels": {"width": -4, "height": 1}}, "width is -4, expected", id="width below 0"),
    pytest.param({"frameSizePixels": {"width": 2.5, "height": 1}}, "width is 2.5, expected", id="width 2.5"),
    pytest.param(
        {"frameSizePixels": {"width": True, "height": 1}}, "width is True, expected a number", id="width true"
    ),
    pytest.param({"fovSizeMicrons": 0}, "fovSizeMicrons is 0, expected a width above 0", id="size 0"),
    pytest.param({"fovSizeMicrons": -1}, "fovSizeMicrons is -1, expected a width above 0", id="size below 0"),
    pytest.param({"fovSizeMicrons": "12 px"}, "fovSizeMicrons: '12 px' is not a length", id="size in px"),
    pytest.param({"centerPointPixels": CENTER}, "centerPointPixels is set; positions are read in", id="pixel centre"),
    pytest.param({"rotation": 1.5}, "rotation is set, but tiles can only be shifted", id="rotation"),
    pytest.param({"transform": {"a": 1}}, "transform is set, but tiles can only", id="transform"),
    pytest.param({"affine": [1, 0]}, "affine is set, but tiles can only", id="affine"),
    pytest.param({"affineMatrix": [1, 0]}, "affineMatrix is set, but tiles can only", id="affine…"),
    pytest.param({"matrix": [[1]]}, "matrix is set, but tiles can only", id="matrix"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_a_bad_entry_is_reported_and_the_other_files_load(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    bad = write_descriptor(
        tmp_path / "a.json", [descriptor_entry("b", (0, 0)), descriptor_entry("a", (0, 0), **changes)]
    )
    good = write_descriptor(tmp_path / "b.json", [descriptor_entry("c", (0, 0), slideId="S2")])
    found = read_descriptors([bad, good])
    assert [position.fov for position in found.positions] == ["c"]
    (problem,) = found.problems
    assert problem.startswith(f"{bad}, fovs[1]")
    assert re.search(message, problem), problem
    assert problem.endswith("; left out")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "line 1, column 1", id="empty"),
        pytest.param("{", "no valid JSON", id="cut short"),
        pytest.param("[]", 'expected {"fovs": [...]}', id="a list"),
        pytest.param("{}", 'expected {"fovs": [...]}', id="no fovs"),
        pytest.param('{"fovs": {}}', 'expected {"fovs": [...]}', id="fovs an object"),
        pytest.param('{"fovs": ["a"]}', "fovs[0]: expected an object, found str", id="an entry is text"),
        pytest.param('{"fovs": [], "slice_id": []}', "slice_id is [], expected text", id="slice a list"),
        pytest.param('{"fovs": [], "fovs": []}', "key 'fovs' stands twice", id="a key twice"),
        pytest.param('{"fovs": [{"name": NaN}]}', "NaN is not valid JSON", id="NaN"),
        pytest.param('{"fovs": [' + "1" * 5000 + "]}", "a number in it is too long", id="5000 digits"),
    ],
)
def test_a_bad_file_is_reported_and_the_others_load(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.json").write_text(text)
    good = write_descriptor(tmp_path / "b.json", [descriptor_entry("c", (0, 0))])
    found = read_descriptors([tmp_path / "a.json", tmp_path / "gone.json", good])
    assert [position.fov for position in found.positions] == ["c"]
    assert len(found.problems) == 2
    assert "a.json" in found.problems[0]
    assert message in found.problems[0]
    assert "gone.json" in found.problems[1]


def test_two_files_that_name_one_slide(tmp_path: Path) -> None:
    paths = [
        write_descriptor(tmp_path / f"{name}.json", [descriptor_entry(name, (0, 0), slideId=slide)])
        for name, slide in (("a", "7"), ("b", 7))
    ]
    with pytest.raises(FileFormatError, match=r"slide 7 is named twice, in .*a\.json and in .*b\.json"):
        read_descriptors(paths)


def test_a_fov_twice_on_a_slide(tmp_path: Path) -> None:
    path = write_descriptor(tmp_path / "m.json", [descriptor_entry(name, (0, 0)) for name in ("a", "b", "a")])
    with pytest.raises(FileFormatError, match=r"FOV a is named twice, in .*fovs\[0\] \(a\) and in .*fovs\[2\] \(a\)"):
        read_descriptors([path])


def test_one_file_may_hold_two_slides_and_one_fov_lie_on_both(tmp_path: Path) -> None:
    entries = [descriptor_entry("a", (0, 0), slideId=slide) for slide in ("S1", "S2")]
    positions = read_descriptors([write_descriptor(tmp_path / "m.json", entries)]).positions
    assert [(p.map_id, p.fov) for p in positions] == [("S1", "a"), ("S2", "a")]


def test_order_is_the_files(tmp_path: Path) -> None:
    path = write_descriptor(tmp_path / "m.json", [descriptor_entry(name, (0, 0)) for name in "cab"])
    assert [p.fov for p in read_descriptors([path]).positions] == ["c", "a", "b"]


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps({"fovs": [descriptor_entry("a", (0, 0))]}), encoding="utf-8-sig")
    assert len(read_descriptors([tmp_path / "m.json"]).positions) == 1
