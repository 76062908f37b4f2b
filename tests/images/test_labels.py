"""Label images beside the FOVs find their FOV by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import write_csv, write_tiff
from napari_slicemap.errors import FileFormatError
from napari_slicemap.images.acquisition import ReadOptions, image_files
from napari_slicemap.images.labels import masks_and_annotations, owner_of

LABELS = np.ones((4, 5), np.uint16)


@pytest.mark.parametrize(
    ("stem", "owner"),
    [
        pytest.param("a_cell", ("a", "cell"), id="plain"),
        pytest.param("a_b_cell", ("a_b", "cell"), id="the longest name that fits"),
        pytest.param("a_x_cell", ("a", "x_cell"), id="an underscore in the mask"),
        pytest.param("001_cell", ("001", "cell"), id="a name like a number"),
        pytest.param("NA_cell", ("NA", "cell"), id="NA"),
        pytest.param("A_cell", ("", ""), id="another case"),
        pytest.param("ab_cell", ("", ""), id="a longer name"),
        pytest.param("a", ("", ""), id="no mask"),
        pytest.param("a_", ("", ""), id="empty mask"),
        pytest.param("_cell", ("", ""), id="empty FOV"),
    ],
)
def test_owner_of(stem: str, owner: tuple[str, str]) -> None:
    assert owner_of(stem, ["a", "a_b", "001", "NA", "nan"]) == owner


@given(st.sets(st.text("ab_", min_size=1), min_size=1), st.text("ab_", min_size=1))
def test_an_owner_is_one_of_the_fovs(names: set[str], mask: str) -> None:
    for name in names:
        fov, rest = owner_of(f"{name}_{mask}", names)
        assert fov in names
        assert f"{fov}_{rest}" == f"{name}_{mask}"
        assert len(fov) >= len(name)


def options(root: Path) -> ReadOptions:
    return ReadOptions(root / "masks", root / "annotations", root / "cells.csv")


def test_masks_and_annotations(tmp_path: Path) -> None:
    for name in ("a_cell.tif", "a_nucleus.TIFF", "b_cell.tif", ".a_hidden.tif", "stray.tif", "notes.txt"):
        write_tiff(tmp_path / "masks" / name, LABELS)
    write_tiff(tmp_path / "annotations" / "a_zone.tif", LABELS)
    write_csv(tmp_path / "annotations" / "a_zone.csv", ("label", "name", "color"), [(1, "T", "red")])
    write_tiff(tmp_path / "annotations" / "b_zone.tif", LABELS)
    problems: list[str] = []
    masks, annotations = masks_and_annotations(options(tmp_path), {"a", "b", "c"}, problems)
    assert {fov: set(masks[fov]) for fov in "abc"} == {"a": {"cell", "nucleus"}, "b": {"cell"}, "c": set()}
    assert annotations["a"]["zone"].colors() == {1: "red"}
    assert annotations["b"]["zone"].table is None
    assert annotations["c"] == {}
    assert len(problems) == 1
    assert "stray.tif: belongs to no FOV (expected <FOV>_<name>.tif); left out" in problems[0]


def test_the_folders_need_not_exist(tmp_path: Path) -> None:
    problems: list[str] = []
    masks, annotations = masks_and_annotations(options(tmp_path), {"a"}, problems)
    assert (masks["a"], annotations["a"], problems) == ({}, {}, [])
    assert image_files(tmp_path / "masks") == []


def test_a_mask_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    for name in ("a_cell.tif", "a_cell.tiff"):
        write_tiff(tmp_path / "masks" / name, LABELS)
    with pytest.raises(FileFormatError, match=r"a_cell\.tiff: cell of FOV a stands twice, first in a_cell\.tif"):
        masks_and_annotations(options(tmp_path), {"a"}, [])
