"""The numbers behind the decisions: a file for each slice, a part for each stage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap.errors import FileFormatError
from napari_slicemap.slices.diagnostics import diagnostics_path, read_diagnostics, write_diagnostics

# as many processes as parts, all of one slice
CROWD = """
import os, sys
from napari_slicemap.slices.diagnostics import write_diagnostics
import filelock

children = []
for number in range(int(sys.argv[2])):
    child = os.fork()
    if not child:
        for again in range(5):
            write_diagnostics(sys.argv[1], "03", f"part {number}", {"number": number, "again": again})
        os._exit(0)
    children.append(child)
print(sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


def test_a_file_holds_the_parts_of_its_slice(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "diagnostics"
    path = write_diagnostics(folder, "03", "quality", {"ssim": 0.5, "planes": [1, 2]})
    assert path == diagnostics_path(folder, "03") == folder / "slice_03.json"
    write_diagnostics(folder, "03", "galvo", {"shift": -4})
    write_diagnostics(folder, "04", "galvo", {"shift": 0})
    assert json.loads(path.read_text()) == {
        "version": 1,
        "slice_id": "03",
        "galvo": {"shift": -4},
        "quality": {"ssim": 0.5, "planes": [1, 2]},
    }
    assert read_diagnostics(folder, "03") == {"galvo": {"shift": -4}, "quality": {"ssim": 0.5, "planes": [1, 2]}}


def test_a_part_is_replaced_whole(tmp_path: Path) -> None:
    write_diagnostics(tmp_path, "03", "galvo", {"shift": 4, "applied": True})
    write_diagnostics(tmp_path, "03", "galvo", {"shift": 5})
    assert read_diagnostics(tmp_path, "03") == {"galvo": {"shift": 5}}


def test_the_bytes_do_not_depend_on_the_order_of_stages(tmp_path: Path) -> None:
    parts = {"quality": {"ssim": 0.5}, "galvo": {"shift": 1}, "rehoming": {}}
    for folder, names in (("a", list(parts)), ("b", list(reversed(parts)))):
        for name in names:
            write_diagnostics(tmp_path / folder, "03", name, parts[name])
    made = [diagnostics_path(tmp_path / folder, "03").read_bytes() for folder in "ab"]
    assert made[0] == made[1]


def test_a_slice_without_a_file_has_nothing(tmp_path: Path) -> None:
    assert read_diagnostics(tmp_path, "03") == {}
    assert read_diagnostics(tmp_path / "gone", "03") == {}
    assert list(tmp_path.iterdir()) == [], "reading made something"


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    numbers = {
        "score": np.float32(0.5),
        "shift": np.int64(3),
        "applied": np.True_,
        "profile": np.arange(3),
        "no": np.nan,
    }
    write_diagnostics(tmp_path, "03", "galvo", numbers)
    expected = {"score": 0.5, "shift": 3, "applied": True, "profile": [0, 1, 2], "no": None}
    assert read_diagnostics(tmp_path, "03") == {"galvo": expected}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
numbers = st.dictionaries(st.text(max_size=5), values, max_size=3)
names = st.text("abcdefghijklmnopqrstuvwxyz ", min_size=1, max_size=8).filter(lambda name: name != "version")


@given(parts=st.dictionaries(names, numbers, min_size=1, max_size=3))
def test_parts_survive(parts: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("round")
    for part, one in parts.items():
        write_diagnostics(folder, "03", part, one)
    assert read_diagnostics(folder, "03") == parts


WRONG = [
    pytest.param("[]", r"slice_03\.json: expected an object with version 1", id="a list"),
    pytest.param("{}", "expected an object with version 1", id="no version"),
    pytest.param('{"version": 2}', "expected an object with version 1", id="a later version"),
    pytest.param('{"version": 1, "galvo": {', r"slice_03\.json: line 1, column 26", id="cut short"),
    pytest.param('{"version": 1, "galvo": {"shift": NaN}}', "NaN is not valid JSON", id="NaN"),
    pytest.param("", r"slice_03\.json", id="empty"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_a_file_that_is_none_of_these_is_refused_and_stays(tmp_path: Path, text: str, message: str) -> None:
    path = diagnostics_path(tmp_path, "03")
    path.write_text(text)
    with pytest.raises(FileFormatError, match=message):
        read_diagnostics(tmp_path, "03")
    with pytest.raises(FileFormatError, match=message):
        write_diagnostics(tmp_path, "03", "galvo", {"shift": 1})
    assert path.read_text() == text


@pytest.mark.parametrize("part", ["version", "slice_id"])
def test_a_part_is_not_called_as_what_the_file_says_of_itself(tmp_path: Path, part: str) -> None:
    with pytest.raises(ValueError, match=f"a part cannot be called '{part}'"):
        write_diagnostics(tmp_path, "03", part, {"shift": 1})
    assert list(tmp_path.iterdir()) == []


def test_what_json_cannot_hold_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = write_diagnostics(tmp_path, "03", "galvo", {"shift": 1})
    before = path.read_bytes()
    with pytest.raises(TypeError, match="cannot write object as JSON"):
        write_diagnostics(tmp_path, "03", "quality", {"ssim": object()})
    assert path.read_bytes() == before
    write_diagnostics(tmp_path, "03", "quality", {"ssim": 1})
    assert set(read_diagnostics(tmp_path, "03")) == {"galvo", "quality"}, "a failure kept the lock"


@pytest.mark.skipif(os.name != "posix", reason="forks")
def test_parts_that_are_written_at_once_are_all_there(tmp_path: Path) -> None:
    count = 8
    made = subprocess.run([sys.executable, "-c", CROWD, tmp_path, str(count)], capture_output=True, text=True)
    assert (made.stdout, made.stderr) == ("0\n", "")
    wanted = {f"part {number}": {"number": number, "again": 4} for number in range(count)}
    assert read_diagnostics(tmp_path, "03") == wanted
