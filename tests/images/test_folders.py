"""Listing the files and folders of a folder."""

from pathlib import Path

import pytest

from napari_slicemap.images.folders import files_in, folders_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.tif", "A.TIFF", ".hidden.tif", "c.png", "tif", "d.tif.txt"):
        (tmp_path / name).touch()
    for name in ("z.tif", "folder", ".cache"):
        (tmp_path / name).mkdir()
    (tmp_path / "linked.tif").symlink_to(tmp_path / "b.tif")
    (tmp_path / "linked").symlink_to(tmp_path / "folder")
    (tmp_path / "lost.tif").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop.tif").symlink_to(tmp_path / "loop.tif")
    return tmp_path


def test_files_are_told_by_their_ending_in_either_case(folder: Path):
    assert files_in(folder, (".tif", ".tiff")) == [folder / "A.TIFF", folder / "b.tif", folder / "linked.tif"]


def test_folders_are_those_that_are_not_hidden(folder: Path):
    assert folders_in(folder) == [folder / "folder", folder / "linked", folder / "z.tif"]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path):
    for listed in (lambda: files_in(tmp_path / "none", (".tif",)), lambda: folders_in(tmp_path / "none")):
        with pytest.raises(OSError, match="none"):
            listed()
