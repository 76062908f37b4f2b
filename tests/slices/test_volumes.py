"""The image of each slice: found by name, read plane by plane."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from builders import pixels, write_ome_zarr, write_tiff, write_zarr
from napari_slicemap.errors import DatasetNotFoundError, FileFormatError, TileReadError, UnknownNameError
from napari_slicemap.images.ome_zarr.listing import slice_number
from napari_slicemap.images.region import Window
from napari_slicemap.slices.volumes import SliceVolume, find_volumes, of_slices

VOLUME = pixels(1, (5, 20, 24))


def mosaics(folder: Path, *names: str) -> Path:
    """Folders of these names; finding them opens none."""
    for name in names:
        (folder / name).mkdir(parents=True)
    return folder


def found(folder: Path) -> dict[str, str]:
    return {slice_id: volume.path.name for slice_id, volume in find_volumes(folder).items()}


# --- names -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "slice_id"),
    [
        ("mosaic_grid_3d_z00.ome.zarr", "00"),
        ("mosaic_grid_3d_z7.ome.zarr", "07"),
        ("z3_run_z07.ome.zarr", "07"),
        ("slice_z100_pair", "100"),
        ("slice_z007_pairwise", "007"),
        ("Z12", "12"),
        ("z1z2", "02"),
        ("mosaic_z03_x04", "03"),
        ("mosaic_3d", None),
        ("z_03", None),
        ("", None),
    ],
)
def test_the_number_of_a_name(name: str, slice_id: str | None) -> None:
    assert slice_number(name) == slice_id


def test_mosaics_are_listed_by_number(tmp_path: Path) -> None:
    names = ["z3_run_z07.ome.zarr", "a_z100.zarr", "mosaic_grid_3d_z00.ome.zarr", "b_z20.OME.ZARR", "c_z003.zarr"]
    assert list(found(mosaics(tmp_path, *names)).items()) == [
        ("00", "mosaic_grid_3d_z00.ome.zarr"),
        ("003", "c_z003.zarr"),
        ("07", "z3_run_z07.ome.zarr"),
        ("20", "b_z20.OME.ZARR"),
        ("100", "a_z100.zarr"),
    ]


def test_other_things_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    mosaics(tmp_path, "m_z01.ome.zarr", ".m_z02.ome.zarr", "m_z03", "overview.zarr", ".slicemap-0f1.zarr")
    for name in ("m_z04.ome.zarr", "m_z05.tif", "slice_config.csv"):
        (tmp_path / name).touch()
    assert found(tmp_path) == {"01": "m_z01.ome.zarr"}


def test_section_images_where_there_are_no_mosaics(tmp_path: Path) -> None:
    for name in ("sec_012.tif", "b1_z3.ome.tif", "2024-05-14_9.TIFF", "cover.tif", ".sec_013.tif", "sec_014.png"):
        (tmp_path / name).touch()
    mosaics(tmp_path, "overview.zarr", "sec_015.tif")
    assert found(tmp_path) == {"03": "b1_z3.ome.tif", "09": "2024-05-14_9.TIFF", "012": "sec_012.tif"}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        pytest.param(["a_z03.ome.zarr", "b_z03.ome.zarr"], r"b_z03\.ome\.zarr: it is of slice 03, as a_z03", id="same"),
        pytest.param(["a_z03.zarr", "a_z3.ome.zarr"], r"a_z3\.ome\.zarr: .* as a_z03\.zarr is; keep one", id="padding"),
        pytest.param(["z0.zarr", "z00.zarr"], r"z00\.zarr: it is of slice 00, as z0\.zarr", id="number 0"),
    ],
)
def test_two_images_of_one_slice_are_refused(tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        find_volumes(mosaics(tmp_path, *names))


def test_two_section_images_of_one_slice_are_refused(tmp_path: Path) -> None:
    for name in ("a_3.tif", "a_3.tiff"):
        (tmp_path / name).touch()
    with pytest.raises(FileFormatError, match=r"a_3\.tiff: it is of slice 03, as a_3\.tif is"):
        find_volumes(tmp_path)


NOTHING = [
    pytest.param(lambda folder: folder / "gone", "gone: there is no such folder", id="no folder"),
    pytest.param(lambda folder: write_tiff(folder / "z01.tif", VOLUME), "z01.tif: it is a file, exp", id="a file"),
    pytest.param(lambda folder: folder, r"neither mosaics \(\*z<NN>\*\.ome\.zarr\) nor numbered .*", id="empty"),
    pytest.param(lambda folder: mosaics(folder, "overview.zarr"), "there is overview.zarr", id="no number"),
    pytest.param(lambda folder: linked(folder), "b_z02.zarr: what it links to, disk/b, is not there", id="lost link"),
]


def linked(folder: Path) -> Path:
    """Make a mosaic, a link to one on a disk that is not there, and a link that is nobody's slice."""
    (folder / "b_z02.zarr").symlink_to("disk/b")
    (folder / "notes").symlink_to("gone.txt")
    return mosaics(folder, "a_z01.zarr")


@pytest.mark.parametrize(("make", "message"), NOTHING)
def test_nothing_found_is_said(tmp_path: Path, make: Callable[[Path], Path], message: str) -> None:
    with pytest.raises(DatasetNotFoundError, match=message):
        find_volumes(make(tmp_path))


def test_volumes_are_chosen_by_number(tmp_path: Path) -> None:
    volumes = find_volumes(mosaics(tmp_path, "z00.zarr", "z03.zarr", "z007.zarr"))
    assert list(of_slices(volumes, ["7", "03"])) == ["007", "03"]
    assert list(of_slices(volumes, ["0"])) == ["00"]
    assert of_slices(volumes, ["3"])["03"] is volumes["03"]
    assert of_slices(volumes, []) == {}
    with pytest.raises(UnknownNameError, match=r"mosaics: unknown slice '04' \(there is 00, 03, 007\)"):
        of_slices(volumes, ["3", "04"])


# --- pixels ------------------------------------------------------------------------------------------------
def bare(path: Path, data: np.ndarray, **options: Any) -> Path:
    return write_zarr(path.with_suffix(".zarr"), data, **options)


def image(path: Path, data: np.ndarray, axes: str, **options: Any) -> Path:
    return write_ome_zarr(path.with_suffix(".ome.zarr"), data, axes=axes, **options)


def section(path: Path, data: np.ndarray, **options: Any) -> Path:
    return write_tiff(path.with_suffix(".tif"), data, **options)


ONE_VOLUME: dict[str, Callable[[Path, np.ndarray], Path]] = {
    "bare array": lambda path, data: bare(path, data),
    "bare array, Zarr v2": lambda path, data: bare(path, data, zarr_format=2),
    "bare array, chunks of several planes": lambda path, data: bare(path, data, chunks=(2, 7, 9)),
    "ZYX": lambda path, data: image(path, data, "zyx", pixel_size=(2.0, 2.0)),
    "ZYX, Zarr v2": lambda path, data: image(path, data, "zyx", version=2),
    "TCZYX": lambda path, data: image(path, data[None, None], "tczyx"),
    "CZYX": lambda path, data: image(path, data[None], "czyx"),
    "ImageJ stack": lambda path, data: section(path, data, imagej=True, metadata={"axes": "ZYX"}),
}


@pytest.mark.parametrize("name", ONE_VOLUME)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_volume_is_read_whole_and_in_parts(tmp_path: Path, name: str, dtype: Any) -> None:
    data = pixels(1, VOLUME.shape, dtype)
    volume = SliceVolume("01", ONE_VOLUME[name](tmp_path / "m_z01", data))
    assert (volume.shape, volume.dtype) == (data.shape, data.dtype)
    np.testing.assert_array_equal(volume.read(), data)
    np.testing.assert_array_equal(volume.planes([4, 0, 4]), data[[4, 0, 4]])
    np.testing.assert_array_equal(volume.planes([1, 2], Window(3, 20, 5, 17)), data[1:3, 5:17, 3:20])
    assert volume.planes([]).shape == (0, 20, 24)


def test_a_section_image_is_a_volume_of_one_plane(tmp_path: Path) -> None:
    write_tiff(tmp_path / "sec_3.tif", VOLUME[0])
    volume = find_volumes(tmp_path)["03"]
    assert volume.shape == (1, 20, 24)
    np.testing.assert_array_equal(volume.read(), VOLUME[:1])


def test_sizes_are_what_the_file_states(tmp_path: Path) -> None:
    path = tmp_path / "m_z01.ome.zarr"
    write_ome_zarr(path, VOLUME, axes="zyx")
    group = zarr.open_group(path)
    ome = dict(group.attrs["ome"])
    ome["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"] = [3.5, 10.0, 10.0]
    group.attrs["ome"] = ome
    volume = SliceVolume("01", path)
    assert (volume.pixel_size_um, volume.z_step_um) == (10.0, 3.5)
    unstated = SliceVolume("01", write_zarr(tmp_path / "n_z01.zarr", VOLUME))
    assert (unstated.pixel_size_um, unstated.z_step_um) == (None, None)
    tifffile.imwrite(
        tmp_path / "z01.ome.tif",
        VOLUME,
        ome=True,
        metadata={"axes": "ZYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2.0},
    )
    stated = SliceVolume("01", tmp_path / "z01.ome.tif")
    assert (stated.pixel_size_um, stated.z_step_um) == (0.5, 2.0)


SEVERAL: dict[str, tuple[Callable[[Path], Path], str]] = {
    "channels": (lambda path: image(path, np.stack([VOLUME] * 2)[None], "tczyx"), r"\(1, 2, 5, 20, 24\)"),
    "time points": (lambda path: image(path, np.stack([VOLUME] * 3)[:, None], "tczyx"), r"\(3, 1, 5, 20, 24\)"),
    "CYX": (lambda path: image(path, VOLUME, "cyx"), r"\(1, 5, 1, 20, 24\)"),
    "a bare array of four dimensions": (lambda path: bare(path, np.stack([VOLUME] * 2)), r"\(.*\b5, .*20, 24\)"),
    "RGB": (
        lambda path: section(path, np.zeros((20, 24, 3), np.uint8), photometric="rgb"),
        r"\(1, 3, 1, 20, 24\)",
    ),
}


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda volume: volume.shape, id="shape"),
        pytest.param(lambda volume: volume.planes([0]), id="planes"),
        pytest.param(lambda volume: volume.read(), id="read"),
    ],
)
def test_several_channels_or_time_points_are_refused(
    tmp_path: Path, name: str, ask: Callable[[SliceVolume], object]
) -> None:
    make, shape = SEVERAL[name]
    path = make(tmp_path / "m_z01")
    message = rf"{path.name}: its \(T, C, Z, Y, X\) is {shape}, expected one time point and one channel"
    with pytest.raises(TileReadError, match=message):
        ask(SliceVolume("01", path))


@pytest.mark.parametrize("z", [5, -1, 99])
def test_a_plane_that_is_not_there_is_named(tmp_path: Path, z: int) -> None:
    volume = SliceVolume("01", write_zarr(tmp_path / "m_z01.zarr", VOLUME))
    with pytest.raises(TileReadError, match=rf"m_z01\.zarr: there is no plane {z}; it has 5, counted from 0"):
        volume.planes([0, z])


@pytest.mark.parametrize("name", ["m_z01.zarr", "m_z01.tif"])
def test_what_is_no_image_is_named_when_it_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if path.suffix == ".zarr":
        path.mkdir()
    else:
        path.write_text("not an image")
    (volume,) = find_volumes(tmp_path).values()
    with pytest.raises(TileReadError, match=name.replace(".", r"\.")):
        volume.shape  # noqa: B018
    with pytest.raises(TileReadError, match=name.replace(".", r"\.")):
        volume.read()
