"""``slicemap view`` without a dataset: what was open last, or why there is none."""

from __future__ import annotations

import pytest

pytest.importorskip("napari", reason="looking at data needs napari and a Qt binding")


@pytest.fixture(autouse=True)
def _state(tmp_path, monkeypatch):
    monkeypatch.setenv("SLICEMAP_STATE", str(tmp_path / "state"))


def keep(folder):
    from napari_slicemap.viewer.remembered import Remembered, remember

    remember(
        Remembered(path=str(folder), name="own", center=(0, 0), zoom=1, display="channels", profile="starter"),
    )


def test_where_nothing_was_open_it_says_what_to_do(slicemap):
    code, out, err = slicemap("view")
    assert (code, out) == (2, "")
    assert "No acquisition has been open before" in err
    assert "slicemap view FOLDER" in err


def test_a_folder_that_is_gone_is_named(slicemap, tmp_path):
    keep(tmp_path / "gone")
    code, _, err = slicemap("view")
    assert code == 2
    assert f"{tmp_path / 'gone'} was open last, and is not there now" in " ".join(err.split("\n"))


def test_a_map_goes_with_a_path(slicemap):
    code, _, err = slicemap("view", "--map", "03")
    assert code == 2
    assert "options go with PATH" in err


def test_without_a_path_it_opens_what_was_open_last(slicemap, own, monkeypatch):
    from napari_slicemap.viewer import launch

    begun = []
    monkeypatch.setattr(launch, "launch_again", lambda: begun.append("again"))
    monkeypatch.setattr(launch, "launch", lambda dataset, map_id: begun.append((dataset.path, map_id)))
    assert slicemap("view")[0] == 0
    assert slicemap("view", own, "--map", "7")[0] == 0
    assert begun == ["again", (own, "7")]
