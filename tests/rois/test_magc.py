"""``.magc`` files of wafers: sections and regions as ROIs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap.errors import FileFormatError
from napari_slicemap.rois.frames import Frame, Frames
from napari_slicemap.rois.magc import read_magc

ONE = Frames((Frame(map_id="w"),))
GOOD = """[sections]
number = 2

[sections.0000]
polygon = 1,2,5,2,5,4.5
center = 3,3
angle = 99.862

[sections.0001]
polygon = 11,2,15,2,15,4,11,4

[rois.0000]
template = 0
polygon = 2,2.5,3,2.5,3,3
angle = -9

[focus.0000]
polygon = 1,1,2,2,3,3

[landmarks.0000]
location = 1,2

[landmarks.0001]
location = 3,4

[serialorder]
serialorder = []

[tsporder]
tsporder = 1,0
"""


def write(folder: Path, text: str, name: str = "w.magc") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_sections_and_rois_are_polygons(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    found = read_magc(path, ONE)
    assert [(roi.name, roi.tags, roi.comment) for roi in found.rois] == [
        ("section 0000", ("section",), "angle 99.862°; number 2 in the order of the stage"),
        ("section 0001", ("section",), "number 1 in the order of the stage"),
        ("roi 0000", ("roi",), "angle -9°; number 2 in the order of the stage"),
    ]
    assert found.rois[0].points == ((1, 2), (5, 2), (5, 4.5))
    assert {(roi.kind, roi.map_id, roi.fov, roi.created_at) for roi in found.rois} == {("polygon", "w", "", "")}
    assert found.problems == (f"{path}: focus areas (1), landmarks (2) have no counterpart here and are left out",)
    assert read_magc(path, ONE) == found
    assert len({roi.roi_id for roi in found.rois}) == 3


def test_which_map_it_is(tmp_path: Path) -> None:
    two = (Frame(map_id="a"), Frame(map_id="w"))
    path = write(tmp_path, GOOD)
    assert read_magc(path, Frames(two)).rois[0].map_id == "w"
    other = write(tmp_path, GOOD, "x.magc")
    assert read_magc(other, Frames(two, Frame(fov="f"))).rois[0].fov == "f"
    assert read_magc(other, ONE).rois[0].map_id == "w"
    with pytest.raises(FileFormatError, match=r"x\.magc: there is no map x; name the one that shows this wafer"):
        read_magc(other, Frames(two))


def test_a_folder_of_wafers(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write(tmp_path, GOOD, f"{name}.magc")
    write(tmp_path, "hidden", ".c.magc")
    found = read_magc(tmp_path, Frames((Frame(map_id="a"), Frame(map_id="b"))))
    assert [roi.map_id for roi in found.rois] == ["a"] * 3 + ["b"] * 3
    assert len({roi.roi_id for roi in found.rois}) == 6
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileFormatError, match=r"there is no \.magc file"):
        read_magc(tmp_path / "empty", ONE)


PARTS = [
    pytest.param("polygon = 1,2,3", r"its polygon has 3 numbers, expected x and y", id="odd"),
    pytest.param("polygon = 1,2,3,x", r"its polygon is '1,2,3,x', expected numbers", id="text"),
    pytest.param("polygon = 1,2,3,4", r"expected at least 3", id="two points"),
    pytest.param("polygon = 1,1,1,2,1,nan", r"finite|box is empty", id="nan"),
    pytest.param("polygon = 1,1,1,2,1e300,3", r"expected one within", id="huge"),
    pytest.param("angle = 1", "it has no polygon", id="none"),
]


@pytest.mark.parametrize(("line", "message"), PARTS)
def test_a_polygon_that_is_none_is_told_and_the_others_come(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path, f"[sections.0000]\n{line}\n[sections.0001]\npolygon = 1,2,5,2,5,4\n")
    found = read_magc(path, ONE)
    assert [roi.name for roi in found.rois] == ["section 0001"]
    (problem,) = found.problems
    assert problem.startswith(f"{path}: [sections.0000]: ")
    assert re.search(message, problem)


FILES = [
    pytest.param("", "it has no section such as", id="empty"),
    pytest.param("polygon = 1,2", "no section headers", id="no sections"),
    pytest.param("[sections.0000]\npolygon = 1\n[sections.0000]\n", "already exists", id="twice"),
    pytest.param("[DEFAULT]\npolygon = 1,2,5,2,5,4\n", "it has no section such as", id="default"),
    pytest.param("[sections.0000\n", "no section headers", id="bracket"),
]


@pytest.mark.parametrize(("text", "message"), FILES)
def test_another_file_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FileFormatError, match=rf"w\.magc: .*{message}"):
        read_magc(write(tmp_path, text), ONE)


@given(where=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255))
def test_a_broken_byte_gives_a_right_answer_or_a_named_error(tmp_path: Path, where: int, byte: int) -> None:
    raw = bytearray(GOOD.encode())
    raw[where] = byte
    path = tmp_path / "w.magc"
    path.write_bytes(raw)
    said: list[str] = []
    try:
        said += read_magc(path, ONE).problems
    except FileFormatError as error:
        said.append(str(error))
    assert all(one.startswith(str(path)) for one in said)


@pytest.mark.slow
def test_broken_bytes_of_the_real_wafer(real_data: Path, tmp_path: Path) -> None:
    whole = (real_data / "wafer" / "wafer_example1.magc").read_bytes()
    good = whole[: whole.index(b"[sections.0020]")]  # what follows is more of the same
    random, path = np.random.default_rng(8), tmp_path / "w.magc"
    for _ in range(500):
        raw = np.frombuffer(good, np.uint8).copy()
        # of digits, letters and brackets: other bytes are no UTF-8, and the file is refused as a whole
        raw[random.integers(0, raw.size, 3)] = random.integers(32, 127, 3)
        path.write_bytes(raw.tobytes())
        try:
            found = read_magc(path, ONE)
        except FileFormatError as error:
            assert str(path) in str(error)  # noqa: PT017
            continue
        told = [one for one in found.problems if "no counterpart" not in one]
        assert len(found.rois) + len(told) >= 17


def test_the_real_wafer(real_data: Path) -> None:
    found = read_magc(real_data / "wafer" / "wafer_example1.magc", Frames((Frame(map_id="wafer_example1"),)))
    stated = json.loads((real_data / "wafer" / "wafer_example1.mass.json").read_text())["sections"]
    tagged = {tag: [roi for roi in found.rois if roi.tags == (tag,)] for tag in ("section", "roi")}
    assert [len(rois) for rois in tagged.values()] == [433, 433]
    for number, section in stated.items():
        for roi, polygon in (
            (tagged["section"][int(number)], section["sample"]["polygon"]),
            (tagged["roi"][int(number)], section["rois"]["0"]["polygon"]),
        ):
            assert roi.name.endswith(f"{int(number):04d}")
            np.testing.assert_array_equal(roi.points, polygon)
    (left_out,) = found.problems
    assert left_out.endswith(
        "focus areas (433), magnets (433), landmarks (4) have no counterpart here and are left out"
    )
