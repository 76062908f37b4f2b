"""A dataset's slice table decides which of its slices are used, whatever the maps are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import descriptor_entry, fov_folders, write_descriptor
from napari_slicemap import open_dataset
from napari_slicemap.dataset import Dataset
from napari_slicemap.errors import FileFormatError
from napari_slicemap.slices import slice_config

HEADER = "slice_id,use,auto_excluded,auto_exclude_reason,notes\n"
NOISY = "noisy cluster (3 consecutive)"


def acquisition(root: Path, table: str | None = None, project: str = "", **slices: str | None) -> Path:
    """FOVs ``f<n>`` on a map each: map id → the slice that its descriptor names, if any."""
    fov_folders(root, [f"f{n}" for n in range(len(slices))], maps=False, masks=False, cells=False)
    for n, (map_id, slice_id) in enumerate(slices.items()):
        entry = descriptor_entry(f"f{n}", (100.0, 50.0), slideId=map_id)
        root_keys = {} if slice_id is None else {"slice_id": slice_id}
        write_descriptor(root / "maps" / f"{map_id}.json", [entry], **root_keys)
    if table is not None:
        (root / "slice_config.csv").write_text(table)
    if project:
        (root / "slicemap.toml").write_text(f"version = 1\n{project}")
    return root


def slice_of(dataset: Dataset, map_id: str) -> str:
    return dataset.maps[map_id].slice_id


DECIDED = [
    pytest.param("true,,,", "", id="used, nothing else said"),
    pytest.param("true,false,,", "", id="used, not auto-excluded"),
    pytest.param("yes,0,,fine", "", id="used, in other words"),
    pytest.param("false,,,", "use is false", id="not used"),
    pytest.param("no,false,,folded", "use is false: folded", id="not used, with a note"),
    pytest.param("true,true,,", "auto_excluded", id="auto-excluded"),
    pytest.param(f"true,1,{NOISY},", f"auto_excluded: {NOISY}", id="auto-excluded, with a reason"),
    pytest.param(f"true,no,{NOISY},", "", id="a reason of an exclusion that was cleared"),
    pytest.param(f"false,true,{NOISY},torn", f"use is false: torn; auto_excluded: {NOISY}", id="both"),
]


@pytest.mark.parametrize(("cells", "why"), DECIDED)
def test_use_and_auto_excluded_decide(tmp_path: Path, cells: str, why: str) -> None:
    dataset = open_dataset(acquisition(tmp_path, f"{HEADER}03,{cells}\n", **{"03": None}))
    assert dataset.why_excluded("03") == why
    assert dataset.is_used("03") is (why == "")


TIED = [
    pytest.param("03", None, "", id="the map is called as the slice"),
    pytest.param("3", None, "", id="matched by number"),
    pytest.param("003", None, "", id="matched by number, padded more"),
    pytest.param("slide-7", "03", "", id="the descriptor names the slice"),
    pytest.param("slide-7", "3", "", id="the descriptor names it by number"),
    pytest.param("slide-7", None, '[map_slices]\n"slide-7" = "03"\n', id="the project names the slice"),
    pytest.param("slide-7", "01", '[map_slices]\n"slide-7" = "3"\n', id="the project goes before the descriptor"),
    pytest.param("01", None, '[map_slices]\n"01" = "03"\n', id="the project gives a map another slice's number"),
]


@pytest.mark.parametrize(("map_id", "slice_id", "project"), TIED)
def test_maps_are_tied_to_rows(tmp_path: Path, map_id: str, slice_id: str | None, project: str) -> None:
    table = "slice_id,use\n01,true\n03,false\n"
    dataset = open_dataset(acquisition(tmp_path, table, project, **{map_id: slice_id}))
    assert list(dataset.maps) == [map_id]
    assert dataset.why_excluded(slice_of(dataset, map_id)) == "use is false"
    assert dataset.slice_ids == ["01", "03"], "a map of a listed slice is no other slice"


UNTIED = [
    pytest.param("04", None, id="another number"),
    pytest.param("30", None, id="a number that begins alike"),
    pytest.param("slide-3", None, id="a name that holds the number"),
    pytest.param("03", "04", id="a map called as another slice"),
]


@pytest.mark.parametrize(("map_id", "slice_id"), UNTIED)
def test_a_slice_that_is_not_in_the_table_is_used(tmp_path: Path, map_id: str, slice_id: str | None) -> None:
    dataset = open_dataset(acquisition(tmp_path, "slice_id,use\n03,false\n", **{map_id: slice_id}))
    assert dataset.is_used(slice_of(dataset, map_id))
    assert dataset.why_excluded(slice_of(dataset, map_id)) == ""
    assert dataset.slice_ids == ["03", slice_id or map_id]


def test_without_a_table_all_are_used(tmp_path: Path) -> None:
    dataset = open_dataset(acquisition(tmp_path, **{"03": None, "04": None}))
    assert dataset.slices is None
    assert dataset.slice_ids == ["03", "04"]
    assert all(dataset.is_used(one) for one in dataset.slice_ids)


def test_the_project_names_the_table(tmp_path: Path) -> None:
    root = acquisition(tmp_path, "slice_id,use\n03,true\n", 'slice_config = "final.csv"\n', **{"03": None})
    (root / "final.csv").write_text("slice_id,use\n03,false\n")
    assert not open_dataset(root).is_used("03")


def test_a_table_is_read_anew_when_asked(tmp_path: Path) -> None:
    root = acquisition(tmp_path, "slice_id,use\n03,true\n", **{"3": None})
    dataset = open_dataset(root)
    slice_config.write(root / "slice_config.csv", {"03": {"use": False, "notes": "torn"}})
    assert dataset.is_used("3"), "read without being asked"
    dataset.reload_slices()
    assert dataset.why_excluded("3") == "use is false: torn"
    (root / "slice_config.csv").write_text("slice_id,use\n03,\n")
    with pytest.raises(FileFormatError, match=r"slice_config\.csv, line 2 \(slice 03\): use is empty"):
        dataset.reload_slices()
    assert dataset.why_excluded("3") == "use is false: torn", "a table that cannot be read decided"
    (root / "slice_config.csv").unlink()
    dataset.reload_slices()
    assert dataset.slices is None
    assert dataset.is_used("3")


def test_a_table_made_later_is_found(tmp_path: Path) -> None:
    root = acquisition(tmp_path, **{"03": None})
    dataset = open_dataset(root)
    slice_config.write(dataset.places.written("slice_config"), {"03": {"use": False}})
    dataset.reload_slices()
    assert not dataset.is_used("03")


def test_a_table_that_is_none_is_said_when_the_dataset_opens(tmp_path: Path) -> None:
    root = acquisition(tmp_path, "slice_id;use\n03;true\n", **{"03": None})
    with pytest.raises(FileFormatError, match=r"slice_config\.csv, line 1: no column slice_id"):
        open_dataset(root)
