"""FOVs: lazily read pixels, regions, projections, labels."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from builders import pixels, write_csv, write_tiff
from napari_slicemap.errors import FileFormatError, RegionError, TileReadError, UnknownNameError
from napari_slicemap.images.area import area_mean
from napari_slicemap.images.fov import Annotation, Fov
from napari_slicemap.images.image import ImagePlane
from napari_slicemap.images.ome_zarr.zarr_image import ZarrImage
from napari_slicemap.images.region import Grid, Region, Window
from napari_slicemap.images.tiff.tiff_image import TiffImage

STACK = pixels(5, (2, 3, 4, 20, 24))  # T, C, Z, Y, X


def stack_fov(folder: Path, **changes: Any) -> Fov:
    path = folder / "stack.tif"
    if not path.exists():
        write_tiff(path, STACK, ome=True, metadata={"axes": "TCZYX"})
    planes = {name: ImagePlane(TiffImage(path), n, 3) for n, name in enumerate(("DAPI", "Beta-tubulin", "CD3"))}
    return Fov("a1", planes, **changes)


def plane_fov(folder: Path, *arrays: np.ndarray, **changes: Any) -> Fov:
    files = [write_tiff(folder / f"c{n}.tif", array) for n, array in enumerate(arrays)]
    return Fov("a1", {file.stem: ImagePlane(TiffImage(file)) for file in files}, **changes)


def test_what_a_fov_says_of_itself(tmp_path: Path) -> None:
    fov = stack_fov(tmp_path)
    assert fov.shape == STACK.shape
    assert fov.channels == ("DAPI", "Beta-tubulin", "CD3")
    assert fov.dtype == np.uint16
    assert fov.size_px == (24, 20)
    assert fov.bounds == Window(0, 24, 0, 20)
    assert fov.pixel_size_um is None
    assert fov.sources() == [tmp_path / "stack.tif"]


@pytest.mark.parametrize(
    ("t", "z", "expected"),
    [
        pytest.param(0, 0, STACK[0, :, 0], id="first"),
        pytest.param(1, 3, STACK[1, :, 3], id="last"),
        pytest.param(np.int64(1), np.int64(2), STACK[1, :, 2], id="numpy numbers"),
        pytest.param(1, "max", STACK[1].max(axis=1), id="max"),
        pytest.param(0, "mean", STACK[0].mean(axis=1).astype(np.float32), id="mean"),
    ],
)
def test_times_planes_and_projections(tmp_path: Path, t: int, z: Any, expected: np.ndarray) -> None:
    made = stack_fov(tmp_path).read(t=t, z=z)
    np.testing.assert_array_equal(made, expected)
    assert made.dtype == expected.dtype


@pytest.mark.parametrize(
    ("t", "z", "message"),
    [
        pytest.param(2, 0, r"FOV a1: t = 2 does not exist \(0 to 1 do\)", id="t too large"),
        pytest.param(-1, 0, "t = -1 does not exist", id="t from behind"),
        pytest.param(0, 4, r"z = 4 does not exist \(0 to 3 do\)", id="z too large"),
        pytest.param(0, -1, "z = -1 does not exist", id="z from behind"),
        pytest.param(0, "median", "'max' or 'mean', must be a whole number, not 'median'", id="no such projection"),
        pytest.param(0, 1.0, "must be a whole number, not 1.0", id="z a float"),
        pytest.param("max", 0, "t must be a whole number, not 'max'", id="t a projection"),
    ],
)
def test_times_and_planes_that_do_not_exist(tmp_path: Path, t: Any, z: Any, message: str) -> None:
    with pytest.raises(RegionError, match=message):
        stack_fov(tmp_path).read(t=t, z=z)


def test_channels_come_in_the_order_asked_for(tmp_path: Path) -> None:
    made = stack_fov(tmp_path).read(["CD3", "DAPI", "CD3"])
    np.testing.assert_array_equal(made, STACK[0, [2, 0, 2], 0])


@pytest.mark.parametrize("name", ["tubulin", "beta-tubulin", "Beta", "Beta-tubulin ", ""])
def test_a_channel_name_matches_exactly(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnknownNameError, match=r"FOV a1: unknown channel .*there is DAPI, Beta-tubulin, CD3"):
        stack_fov(tmp_path).read([name])


@given(st.floats(-5, 30), st.floats(0.01, 40), st.floats(-5, 25), st.floats(0.01, 40), st.integers(1, 9))
def test_a_region_is_a_crop_of_the_whole(
    tmp_path: Path, x: float, width: float, y: float, height: float, step: int
) -> None:
    fov = stack_fov(tmp_path)
    region = Region(x, x + width, y, y + height)
    window = region.window() & fov.bounds
    if window.empty:
        with pytest.raises(RegionError, match=r"FOV a1: the region .* lies wholly outside"):
            fov.read(region=region)
        return
    whole = STACK[0, :, 0] if step == 1 else area_mean(STACK[0, :, 0], fov.bounds, Grid(step))[0]
    rows, columns = Grid(step).cells(window).slices_in(Window(0, 0, 0, 0))
    made = fov.read(region=region, downsample=step)
    np.testing.assert_array_equal(made, whole[:, rows, columns])
    assert made.dtype == (np.uint16 if step == 1 else np.float32)


# --- lazy, and held to what was said -------------------------------------------------------------------------
def test_nothing_is_opened_to_know_what_is_stated(tmp_path: Path) -> None:
    fov = Fov("a", {"c": ImagePlane(TiffImage(tmp_path / "gone.tif"))}, stated_pixel_size_um=0.5, size_hint=(24, 20))
    assert (fov.pixel_size_um, fov.size_px, fov.bounds) == (0.5, (24, 20), Window(0, 24, 0, 20))
    with pytest.raises(TileReadError, match=r"^FOV a: .*gone\.tif: there is no such file"):
        fov.read()


@pytest.mark.parametrize(
    ("stated", "image", "fallback", "expected"),
    [
        pytest.param(0.5, "0.39", 0.7, 0.5, id="a table goes first"),
        pytest.param(None, "0.39", 0.7, 0.39, id="then the image"),
        pytest.param(None, "", 0.7, 0.7, id="then the project file"),
        pytest.param(None, "", None, None, id="unknown stays unknown"),
    ],
)
def test_where_the_pixel_size_comes_from(
    tmp_path: Path, stated: float | None, image: str, fallback: float | None, expected: float | None
) -> None:
    said = {"axes": "YX", **({"PhysicalSizeX": float(image)} if image else {})}
    path = write_tiff(tmp_path / "a.tif", pixels(0), ome=True, metadata=said)
    fov = Fov("a", {"c": ImagePlane(TiffImage(path))}, stated_pixel_size_um=stated, fallback_pixel_size_um=fallback)
    assert fov.pixel_size_um == (None if expected is None else pytest.approx(expected))


def test_a_size_other_than_stated_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TileReadError, match=r"FOV a1: .*c0\.tif is 24 × 20 px, but the FOV is stated as 20 × 24 px"):
        plane_fov(tmp_path, pixels(0), size_hint=(20, 24)).read()


def test_a_size_that_no_memory_holds_is_held_against_the_file_first(tmp_path: Path) -> None:
    fov = stack_fov(tmp_path, size_hint=(2**31, 2**31))
    with pytest.raises(TileReadError, match="24 × 20 px, but the FOV is stated as 2147483648 × 2147483648 px"):
        fov.read()


def test_pixels_that_no_memory_holds_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "huge.zarr"
    zarr.create_array(path, shape=(2**31, 2**31), chunks=(64, 64), dtype="u1")
    fov = Fov("a1", {"C0": ImagePlane(ZarrImage(path))})
    with pytest.raises(RegionError, match="FOV a1: 1 × 2147483648 × 2147483648 px are more than the memory holds"):
        fov.read()
    assert fov.read(region=Region(2**30, 2**30 + 2, 0, 1)).tolist() == [[[0, 0]]]


def test_a_channel_of_another_size_is_refused(tmp_path: Path) -> None:
    fov = plane_fov(tmp_path, pixels(0), pixels(1, (20, 23)))
    np.testing.assert_array_equal(fov.read(["c0"])[0], pixels(0))
    with pytest.raises(TileReadError, match=r"FOV a1: .*c1\.tif is 23 × 20 px, the FOV 24 × 20 px"):
        fov.read()


def test_a_fov_is_named_once(tmp_path: Path) -> None:
    fov = plane_fov(tmp_path, pixels(0), pixels(1))
    (tmp_path / "c0.tif").unlink()
    with pytest.raises(TileReadError, match=r"^FOV a1: (?!FOV).*c0\.tif: there is no such file"):
        fov.read_window(["c1"], Window(0, 24, 0, 20))


def test_a_pixel_size_taken_from_another_tile_is_held_against_the_own(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", pixels(0), ome=True, metadata={"axes": "YX", "PhysicalSizeX": 0.5})
    plane = ImagePlane(TiffImage(path))
    Fov("a", {"c": plane}, stated_pixel_size_um=0.5 * (1 + 1e-7), like="t1.tif").read()
    Fov("a", {"c": plane}, stated_pixel_size_um=0.4).read()  # a table may know better than the image
    with pytest.raises(
        TileReadError, match=r"FOV a: .*a\.tif states 0\.5 µm/px, but 0\.4 µm/px was taken from t1\.tif"
    ):
        Fov("a", {"c": plane}, stated_pixel_size_um=0.4, like="t1.tif").read()
    with pytest.raises(TileReadError, match=r"FOV a: .*a\.tif states 0\.5 µm/px, but none was taken from t1\.tif"):
        Fov("a", {"c": plane}, like="t1.tif").read()


@pytest.mark.parametrize(
    ("shape", "expected", "message"),
    [
        pytest.param((20, 24, 3), 1, r"it holds 3 channels \(R, G, B\), expected 1", id="RGB where one is wanted"),
        pytest.param((20, 24), 2, r"it holds 1 channels \(C0\), expected 2", id="one too few"),
        pytest.param(
            (20, 24, 3), ("B", "G", "R"), r"it holds 3 channels \(R, G, B\), expected 3 \(B, G, R\)", id="another order"
        ),
    ],
)
def test_channels_that_would_be_lost_or_mixed_up(
    tmp_path: Path, shape: tuple[int, ...], expected: Any, message: str
) -> None:
    path = write_tiff(tmp_path / "a.tif", pixels(0, shape), photometric="rgb" if len(shape) == 3 else None)
    with pytest.raises(TileReadError, match=rf"FOV a: .*a\.tif: {message}"):
        Fov("a", {"c": ImagePlane(TiffImage(path), 0, expected)}).read()


def test_a_fov_needs_a_channel() -> None:
    with pytest.raises(ValueError, match="FOV a: an FOV needs at least one channel"):
        Fov("a", {})


def test_channels_of_other_dtypes_are_read_together(tmp_path: Path) -> None:
    fov = plane_fov(tmp_path, pixels(0), pixels(1, dtype=np.float32))
    assert fov.dtype == fov.read().dtype == np.float32
    assert fov.read(["c0"]).dtype == np.uint16


def test_a_fov_survives_pickling(tmp_path: Path) -> None:
    fov = stack_fov(tmp_path)
    before = fov.read()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fov)).read(), before)


# --- labels --------------------------------------------------------------------------------------------------
def labelled(folder: Path, labels: np.ndarray) -> Fov:
    mask = ImagePlane(TiffImage(write_tiff(folder / "m" / "a1_cell.tif", labels)))
    return plane_fov(folder, pixels(0), masks={"cell": mask}, annotations={"zone": Annotation(mask)})


def test_labels_of_a_window(tmp_path: Path) -> None:
    labels = pixels(9)
    fov = labelled(tmp_path, labels)
    for kind, name in (("mask", "cell"), ("annotation", "zone")):
        np.testing.assert_array_equal(fov.read_labels(kind, name, Window(3, 9, 2, 20)), labels[2:20, 3:9])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        pytest.param(pixels(0, dtype=np.float32), "a mask holds whole numbers, not float32", id="floats"),
        pytest.param(pixels(0, (20, 25)), "is 25 × 20 px, the FOV 24 × 20 px", id="another size"),
        pytest.param(pixels(0, (20, 24, 3), np.uint8), r"holds 3 channels \(R, G, B\), expected 1", id="a picture"),
    ],
)
def test_bad_labels(tmp_path: Path, labels: np.ndarray, message: str) -> None:
    photometric = {"photometric": "rgb"} if labels.ndim == 3 else {}
    mask = ImagePlane(TiffImage(write_tiff(tmp_path / "m.tif", labels, **photometric)))
    with pytest.raises(TileReadError, match=rf"FOV a1: .*m\.tif.*{message}"):
        plane_fov(tmp_path, pixels(0), masks={"m": mask}).read_labels("mask", "m", Window(0, 24, 0, 20))


@pytest.mark.parametrize("kind", ["mask", "annotation"])
def test_labels_that_do_not_exist(tmp_path: Path, kind: Any) -> None:
    with pytest.raises(UnknownNameError, match=rf"FOV a1: unknown {kind} 'nucleus' \(there is (cell|zone)\)"):
        labelled(tmp_path, pixels(0)).read_labels(kind, "nucleus", Window(0, 24, 0, 20))


def test_annotation_colours(tmp_path: Path) -> None:
    plane = ImagePlane(TiffImage(tmp_path / "a1_zone.tif"))
    table = write_csv(tmp_path / "a1_zone.csv", ("label", "name", "color"), [(1, "T", "#ff0000"), (2, "B", "blue")])
    assert Annotation(plane, table).colors() == {1: "#ff0000", 2: "blue"}
    assert Annotation(plane).colors() == {}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        pytest.param([("x", "n", "red")], "line 2: label is 'x', expected a number", id="text"),
        pytest.param([("1.5", "n", "red")], "line 2: label is '1.5', expected a whole number", id="a fraction"),
        pytest.param([("", "n", "red")], "line 2: label is empty", id="empty"),
        pytest.param([(1, "n", "red"), (1, "m", "blue")], "line 3: label 1 stands twice", id="twice"),
    ],
)
def test_bad_annotation_tables(tmp_path: Path, rows: list[Any], message: str) -> None:
    table = write_csv(tmp_path / "z.csv", ("label", "name", "color"), rows)
    with pytest.raises(FileFormatError, match=rf"z\.csv, {message}"):
        Annotation(ImagePlane(TiffImage(tmp_path / "z.tif")), table).colors()
