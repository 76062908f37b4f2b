"""The file of what was open: who comes first, what is not understood, what is gone."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap.errors import DatasetNotFoundError, SlicemapError
from napari_slicemap.viewer import remembered
from napari_slicemap.viewer.remembered import (
    MOST,
    NothingRememberedError,
    Remembered,
    last_remembered,
    open_remembered,
    read_remembered,
    remember,
)
from napari_slicemap.viewer.remembering import _write


def seen(path: str = "/data/run", **changed) -> Remembered:
    known = {"name": "block 12", "map_id": "03", "slice_id": "03", "center": (10.5, -3.25), "zoom": 2.0}
    return Remembered(**{"path": path, "display": "composite", "profile": "tissue", **known, **changed})


words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
numbers = st.floats(allow_nan=False, allow_infinity=False)
opened = st.builds(
    Remembered,
    path=words.map(lambda text: f"/data/{text}"),
    name=words,
    map_id=words,
    slice_id=words,
    fov=words,
    center=st.tuples(numbers, numbers),
    zoom=st.floats(min_value=1e-9, max_value=1e9),
    display=st.sampled_from(["channels", "composite"]),
    profile=words,
    docks=st.lists(words, max_size=4).map(tuple),
    front=words,
)


@given(st.lists(opened, min_size=1, max_size=12))
def test_each_dataset_is_kept_once_the_last_one_first(tmp_path_factory, given_ones):
    file = tmp_path_factory.mktemp("kept") / "state" / "opened.json"
    for one in given_ones:
        remember(one, file)
    newest = {one.path: one for one in given_ones}
    order = list(dict.fromkeys(one.path for one in reversed(given_ones)))
    assert read_remembered(file) == tuple(newest[path] for path in order[:MOST])


def test_many_at_once_lose_none(tmp_path):
    file = tmp_path / "opened.json"
    with ThreadPoolExecutor(MOST) as pool:
        list(pool.map(lambda number: remember(seen(f"/data/{number}"), file), range(MOST)))
    assert {one.path for one in read_remembered(file)} == {f"/data/{number}" for number in range(MOST)}


def test_the_same_again_is_not_written_again(state):
    remember(seen())
    before = state.stat()
    remember(seen())
    assert (state.stat().st_ino, state.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"version": 2, "opened": []}', id="newer"),
        pytest.param('{"version": 1, "opened": [], "colour": "red"}', id="unknown key"),
        pytest.param('{"version": 1, "opened": [{"path": "/data"}]}', id="half of it"),
        pytest.param('{"version": 1, "opened": [', id="cut short"),
        pytest.param("[]", id="a list"),
        pytest.param("", id="empty"),
        pytest.param("\x00\ufffe", id="no text"),
    ],
)
def test_what_is_not_understood_is_ignored_logged_and_put_aside(state, caplog, text):
    state.parent.mkdir()
    state.write_text(text, encoding="utf-8")
    with caplog.at_level(logging.WARNING, "napari_slicemap"):
        assert read_remembered() == ()
    assert str(state) in caplog.text
    with pytest.raises(NothingRememberedError, match="No acquisition has been open before"):
        last_remembered()
    remember(seen())
    assert last_remembered() == seen()
    assert state.with_name("opened.json.bak").read_text(encoding="utf-8") == text


def test_a_folder_in_place_of_the_file_is_no_error_to_read(state, caplog):
    state.mkdir(parents=True)
    assert read_remembered() == ()
    assert str(state) in caplog.text


def test_what_cannot_be_written_is_no_more_than_a_line_in_the_log(state, caplog):
    state.parent.write_text("a file where the folder should be")
    _write(seen(), state)
    assert "what is open is not kept for the next time" in caplog.text


def test_the_file_lies_in_the_users_folder_unless_told_otherwise(monkeypatch, tmp_path):
    monkeypatch.delenv("SLICEMAP_STATE")
    monkeypatch.setattr("platformdirs.user_state_path", lambda name: tmp_path / name)
    remember(seen())
    assert json.loads((tmp_path / "napari-slicemap" / "opened.json").read_text())["version"] == 1


@pytest.mark.parametrize(
    ("one", "title"),
    [
        pytest.param(seen(), "block 12, slice 03", id="slice"),
        pytest.param(seen(map_id="", slice_id="", fov="s01"), "block 12, FOV s01", id="FOV"),
        pytest.param(seen(map_id="", slice_id=""), "block 12", id="neither"),
    ],
)
def test_the_title_says_what_was_shown(one, title):
    assert one.title == title


def test_a_folder_that_is_gone_is_named_and_stays_on_the_list(tmp_path):
    remember(seen("/data/other"))
    remember(seen(str(tmp_path / "gone")))
    with pytest.raises(DatasetNotFoundError, match=r"gone was open last, and is not there now"):
        open_remembered(last_remembered())
    assert [one.path for one in read_remembered()] == [str(tmp_path / "gone"), "/data/other"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(PermissionError(13, "Permission denied"), "cannot be read now: Permission denied", id="locked"),
        pytest.param(SlicemapError("tiles.csv: empty"), "cannot be opened now: tiles.csv: empty", id="spoilt"),
    ],
)
def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch, error, said):
    def refuse(_path: Path) -> None:
        raise error

    monkeypatch.setattr(remembered, "open_dataset", refuse)
    with pytest.raises(DatasetNotFoundError) as caught:
        open_remembered(seen(str(tmp_path)))
    assert str(caught.value) == f"{tmp_path} was open last, and {said}"
