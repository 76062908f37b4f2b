"""OME-Zarr images, reopened by ome-zarr, ome-zarr-models, zarr-python and our own reader."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from builders import pixels
from napari_slicemap.errors import PlanError, UnknownNameError
from napari_slicemap.images.image import ImagePlane
from napari_slicemap.images.ome_zarr import writer as ome_zarr_writer
from napari_slicemap.images.ome_zarr.writer import label_paths, write_ome_zarr
from napari_slicemap.images.opening import open_image
from napari_slicemap.images.plane import read_window
from napari_slicemap.images.region import Window
from napari_slicemap.images.source import ImageSource

VERSIONS = ["0.5", "0.4"]


@pytest.fixture
def small_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Levels down to 8 px, so that small images have several."""
    monkeypatch.setattr(ome_zarr_writer, "_COARSEST", 8)


def source_of(data: np.ndarray, **known: Any) -> ImageSource:
    return ImageSource.of(data, [f"ch{n}" for n in range(data.shape[1])], **known)


def attributes(path: Path, version: str) -> dict[str, Any]:
    """What stands in the file itself, as strict JSON."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    file = path / (".zattrs" if version == "0.4" else "zarr.json")
    said = json.loads(file.read_text("utf-8"), parse_constant=refuse)
    return said if version == "0.4" else said["attributes"]


def ome(path: Path, version: str) -> dict[str, Any]:
    said = attributes(path, version)
    return said if version == "0.4" else said["ome"]


def stored_levels(path: Path) -> list[np.ndarray]:
    """Every level by zarr-python."""
    levels = sorted(int(one.name) for one in path.iterdir() if one.name.isdigit())
    return [np.asarray(zarr.open_array(path / str(n), mode="r")[...]) for n in levels]


def by_us(path: Path) -> np.ndarray:
    """Full resolution by our own reader."""
    image = open_image(path)
    times, channels, depth, height, width = image.info.shape
    window = Window(0, width, 0, height)
    planes = [
        read_window(ImagePlane(image, c), t, z, window)
        for t in range(times)
        for c in range(channels)
        for z in range(depth)
    ]
    return np.array(planes).reshape(image.info.shape)


def obvious_mean(data: np.ndarray, step: int) -> np.ndarray:
    """Mean of each square of the px that exist, one by one."""
    *planes, height, width = data.shape
    made = np.empty((*planes, -(-height // step), -(-width // step)))
    for y in range(made.shape[-2]):
        for x in range(made.shape[-1]):
            square = data[..., y * step : (y + 1) * step, x * step : (x + 1) * step].astype(np.float64)
            there = ~np.isnan(square)
            total, count = np.where(there, square, 0).sum(axis=(-2, -1)), there.sum(axis=(-2, -1))
            made[..., y, x] = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return made


# --- pixels --------------------------------------------------------------------------------------------------
SHAPES = [
    pytest.param((1, 1, 1, 1, 1), id="one px"),
    pytest.param((1, 1, 1, 1, 37), id="one row"),
    pytest.param((1, 1, 1, 37, 1), id="one column"),
    pytest.param((1, 3, 1, 33, 31), id="odd sides"),
    pytest.param((2, 2, 3, 20, 64), id="all axes"),
    pytest.param((1, 1, 1, 65, 17), id="one more than a power of two"),
]


@pytest.mark.usefixtures("small_levels")
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_pixels_and_levels(tmp_path: Path, shape: tuple[int, ...], version: str) -> None:
    data = pixels(5, shape)
    path = tmp_path / "a.ome.zarr"
    write_ome_zarr(path, source_of(data), version=version, chunk=16)
    levels = stored_levels(path)
    np.testing.assert_array_equal(levels[0], data)
    np.testing.assert_array_equal(by_us(path), data)
    assert len(levels) == 1 + max(0, int(np.ceil(np.log2(max(shape[3:]) / 8))))
    for n, level in enumerate(levels[1:], 1):
        np.testing.assert_array_equal(level, np.rint(obvious_mean(data, 2**n)).astype(data.dtype))
        assert level.dtype == data.dtype


@pytest.mark.usefixtures("small_levels")
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", ">u2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", ">f4"])
def test_dtypes(tmp_path: Path, dtype: str, version: str) -> None:
    kind = np.dtype(dtype)
    data = pixels(6, (1, 2, 1, 21, 19), kind.newbyteorder("=")).astype(kind)
    if kind.kind == "i":
        data -= np.iinfo(kind).max // 2
    write_ome_zarr(tmp_path / "a.zarr", source_of(data), version=version, chunk=16)
    levels = stored_levels(tmp_path / "a.zarr")
    np.testing.assert_array_equal(levels[0], data)
    assert {level.dtype for level in levels} == {kind.newbyteorder("=")}
    for n, level in enumerate(levels[1:], 1):
        expected = obvious_mean(data, 2**n)
        near = {"f2": 1e-3, "f4": 1e-6, ">f4": 1e-6, "f8": 1e-12, "u8": 1e-12, "i8": 1e-9}.get(dtype, 0)
        np.testing.assert_allclose(level, expected if near else np.rint(expected), rtol=near)


@pytest.mark.usefixtures("small_levels")
@pytest.mark.parametrize("dtype", ["u1", "i1", "u4", "i4", "u8", "i8"])
@pytest.mark.parametrize("end", ["min", "max"])
def test_means_of_the_largest_whole_numbers(tmp_path: Path, dtype: str, end: str) -> None:
    value = int(getattr(np.iinfo(dtype), end))
    write_ome_zarr(tmp_path / "a.zarr", source_of(np.full((1, 1, 1, 40, 40), value, dtype)))
    for level in stored_levels(tmp_path / "a.zarr")[1:]:
        # of 64 bits no float holds the largest
        assert abs(int(level.min()) - value) <= (2**11 if dtype in ("u8", "i8") else 0)
        assert level.min() == level.max()


def test_truths_become_numbers(tmp_path: Path) -> None:
    data = pixels(7, (1, 1, 1, 20, 24)) % 2 == 0
    write_ome_zarr(tmp_path / "a.zarr", source_of(data))
    (level,) = stored_levels(tmp_path / "a.zarr")
    assert level.dtype == np.uint8
    np.testing.assert_array_equal(level, data)


@pytest.mark.usefixtures("small_levels")
def test_pixels_that_are_no_number_do_not_count(tmp_path: Path) -> None:
    data = pixels(8, (1, 1, 1, 33, 30), np.float32)
    data[..., :5, :9] = np.nan
    data[..., 20, 20], data[..., 30, 2], data[..., 31, 3] = np.inf, np.inf, -np.inf
    write_ome_zarr(tmp_path / "a.zarr", source_of(data))
    levels = stored_levels(tmp_path / "a.zarr")
    np.testing.assert_array_equal(levels[0], data)
    with np.errstate(invalid="ignore"):
        for n, level in enumerate(levels[1:], 1):
            np.testing.assert_allclose(level, obvious_mean(data, 2**n), rtol=1e-6)
    assert np.isnan(levels[1][0, 0, 0, 0, 0])
    assert np.isfinite(levels[2][0, 0, 0, 1, 0])
    window = ome(tmp_path / "a.zarr", "0.5")["omero"]["channels"][0]["window"]
    finite = data[np.isfinite(data)]
    assert (window["min"], window["max"]) == (finite.min(), finite.max())


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("compression", ["zstd", "lz4", "none"])
def test_compressions(tmp_path: Path, compression: str, version: str) -> None:
    data = pixels(9, (1, 2, 1, 60, 70)) // 1000
    write_ome_zarr(tmp_path / "a.zarr", source_of(data), version=version, compression=compression, chunk=32)
    np.testing.assert_array_equal(stored_levels(tmp_path / "a.zarr")[0], data)
    np.testing.assert_array_equal(by_us(tmp_path / "a.zarr"), data)
    nbytes = sum(file.stat().st_size for file in (tmp_path / "a.zarr" / "0").rglob("*") if file.is_file())
    assert (nbytes > data.nbytes) == (compression == "none")


@pytest.mark.parametrize(
    ("shape", "shard", "version", "shards"),
    [
        pytest.param((100, 100), "auto", "0.5", (16, 112), id="large"),
        pytest.param((64, 64), "auto", "0.5", None, id="16 chunks"),
        pytest.param((64, 65), "auto", "0.5", (16, 80), id="more than 16 chunks"),
        pytest.param((10, 300), True, "0.5", (10, 256), id="wide"),
        pytest.param((300, 20), "auto", "0.5", (64, 32), id="high"),
        pytest.param((9, 9), True, "0.5", (9, 9), id="small, asked for"),
        pytest.param((100, 100), False, "0.5", None, id="large, not wanted"),
        pytest.param((100, 100), "auto", "0.4", None, id="0.4 has none"),
    ],
)
def test_shards(
    tmp_path: Path, shape: tuple[int, int], shard: bool | str, version: str, shards: tuple[int, int] | None
) -> None:
    data = pixels(10, (1, 2, 1, *shape))
    write_ome_zarr(tmp_path / "a.zarr", source_of(data), chunk=16, shard=shard, version=version)
    array = zarr.open_array(tmp_path / "a.zarr" / "0", mode="r")
    assert array.shards == (None if shards is None else (1, 1, 1, *shards))
    assert array.chunks == (1, 1, 1, min(16, shape[0]), min(16, shape[1]))
    np.testing.assert_array_equal(array[...], data)
    np.testing.assert_array_equal(by_us(tmp_path / "a.zarr"), data)


@pytest.mark.usefixtures("small_levels")
@given(
    shape=st.tuples(*[st.integers(1, 2)] * 3, st.integers(1, 50), st.integers(1, 50)),
    chunk=st.integers(1, 40),
    shard=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_any_shape_in_any_chunks(
    tmp_path_factory: pytest.TempPathFactory, shape: tuple[int, ...], chunk: int, shard: bool, seed: int
) -> None:
    data = pixels(seed, shape, np.uint8)
    path = tmp_path_factory.mktemp("any") / "a.zarr"
    labels = {"m": lambda t, z, top, bottom: data[t, 0, z, top:bottom]}
    write_ome_zarr(path, source_of(data, labels=labels), chunk=max(chunk, max(shape[3:]) // 4), shard=shard)
    for n, level in enumerate(stored_levels(path)):
        np.testing.assert_array_equal(level, np.rint(obvious_mean(data, 2**n)))
    np.testing.assert_array_equal(stored_levels(path / "labels" / "m")[0], data[:, :1])


def test_a_large_image_is_never_held_whole(tmp_path: Path) -> None:
    shape, most = (1, 2, 1, 3000, 2500), 256

    def read(t: int, c: int, z: int, top: int, bottom: int) -> np.ndarray:
        assert bottom - top <= most, "more than a band was asked for"
        rows = np.arange(top, bottom, dtype=np.uint16)[:, None]
        return rows * np.uint16(7) + np.arange(shape[4], dtype=np.uint16)[None] * np.uint16(3) + np.uint16(c)

    source = ImageSource("large", shape, np.dtype("u2"), ("a", "b"), read)
    write_ome_zarr(tmp_path / "warm.zarr", source_of(pixels(1, (1, 1, 1, 9, 9))))  # what is imported counts no pixels
    tracemalloc.start()
    try:
        write_ome_zarr(tmp_path / "a.zarr", source, chunk=most)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # of 30 MB: a band of 1.3 MB, two others being written, the sums of its coarser levels, and what waits of those
    assert peak < source.nbytes / 2
    array = zarr.open_array(tmp_path / "a.zarr" / "0", mode="r")
    assert array.shards == (1, 1, 1, 256, 2560)
    np.testing.assert_array_equal(array[0, 1, 0, 2990:], read(0, 1, 0, 2990, 3000))
    np.testing.assert_array_equal(array[0, 0, 0, 500:530], read(0, 0, 0, 500, 530))
    level = zarr.open_array(tmp_path / "a.zarr" / "3", mode="r")
    assert level.shape == (1, 2, 1, 375, 313)
    np.testing.assert_array_equal(
        level[0, 1, 0, 60:64], np.rint(obvious_mean(read(0, 1, 0, 480, 512), 8)).astype(np.uint16)
    )


def test_the_same_image_is_the_same_bytes(tmp_path: Path) -> None:
    data = pixels(11, (2, 2, 1, 700, 600)) // 500
    labels = {"cell": lambda t, z, top, bottom: (data[t, 0, z, top:bottom] // 20).astype(np.int64)}
    source = source_of(data, labels=labels, times_s=(0.0, 1.0), provenance={"b": 1, "a": [2]})

    def hashes(name: str) -> dict[str, str]:
        write_ome_zarr(tmp_path / name, source, chunk=128)
        return {
            str(file.relative_to(tmp_path / name)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in (tmp_path / name).rglob("*")
            if file.is_file()
        }

    first = hashes("a.zarr")
    assert len(first) > 20
    assert hashes("b.zarr") == first
    with zarr.config.set({"async.concurrency": 1, "threading.max_workers": 1}):
        assert hashes("c.zarr") == first


# --- what is said --------------------------------------------------------------------------------------------
def known_source(**changes: Any) -> ImageSource:
    data = pixels(12, (3, 2, 2, 40, 31))
    labels = np.zeros((3, 2, 40, 31), np.int64)
    labels[:, :, 3:9, 4:20], labels[:, 1, 20:38, 5:30] = 7, 100_000
    known: dict[str, Any] = {
        "name": "Schnitt 7 µ",
        "pixel_size_um": 0.39,
        "z_step_um": 2.0,
        "times_s": (10.0, 10.5, 11.0),
        "position_um": (1000.0, -200.0),
        "labels": {"Zelle ß": lambda t, z, top, bottom: labels[t, z, top:bottom]},
        "settings": {
            "DAPI": {"color": "#4d7fff", "contrast_limits": (100, 3000), "gamma": 0.5, "visible": False},
            "CD3 α": {"color": "#00ff00", "contrast_limits": (0, 70000.5), "gamma": 1.0, "visible": True},
        },
        "provenance": {"software": {"napari-slicemap": "1"}, "worst": float("nan")},
        **changes,
    }
    return ImageSource.of(data, ["DAPI", "CD3 α"], **known)


@pytest.mark.usefixtures("small_levels")
@pytest.mark.parametrize("version", VERSIONS)
def test_what_an_image_says(tmp_path: Path, version: str) -> None:
    path = tmp_path / "a.ome.zarr"
    source = known_source()
    write_ome_zarr(path, source, version=version)
    said = ome(path, version)
    (multiscale,) = said["multiscales"]
    assert (said if version == "0.5" else multiscale)["version"] == version
    assert multiscale["name"] == "Schnitt 7 µ"
    assert multiscale["axes"] == [
        {"name": "t", "type": "time", "unit": "second"},
        {"name": "c", "type": "channel"},
        {"name": "z", "type": "space", "unit": "micrometer"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    assert [level["path"] for level in multiscale["datasets"]] == ["0", "1", "2", "3"]
    for n, level in enumerate(multiscale["datasets"]):
        scale, translation = level["coordinateTransformations"]
        assert scale == {"type": "scale", "scale": [0.5, 1.0, 2.0, 0.39 * 2**n, 0.39 * 2**n]}
        # the centre of the first px of a level is the mean of the centres of the px it stands for
        shift = np.mean(np.arange(2**n)) * 0.39
        assert translation["type"] == "translation"
        assert translation["translation"] == pytest.approx([10.0, 0, 0, -200 + shift, 1000 + shift])
    low, high = source.array()[:, 0].min(), source.array()[:, 0].max()
    assert said["omero"]["channels"][0] == {
        "label": "DAPI",
        "color": "4D7FFF",
        "window": {"start": 100, "end": 3000, "min": min(low, 100), "max": high},
        "active": False,
        "coefficient": 1,
        "family": "linear",
        "inverted": False,
    }
    assert said["omero"]["channels"][1]["window"]["max"] == 70000.5
    assert said["omero"]["rdefs"] == {"defaultT": 0, "defaultZ": 0, "model": "color"}
    assert attributes(path, version)["napari_slicemap"] == {
        "times_s": [10.0, 10.5, 11.0],
        "position_um": [1000.0, -200.0],
        "gamma": {"DAPI": 0.5, "CD3 α": 1.0},
        "provenance": {"software": {"napari-slicemap": "1"}, "worst": None},
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_our_reader_finds_size_and_names(tmp_path: Path, version: str) -> None:
    write_ome_zarr(tmp_path / "a.ome.zarr", known_source(), version=version)
    info = open_image(tmp_path / "a.ome.zarr").info
    assert (info.shape, info.axes) == ((3, 2, 2, 40, 31), "TCZYX")
    assert info.pixel_size_um == 0.39
    assert info.channel_names == ("DAPI", "CD3 α")


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_is_said_of_what_is_not_known(tmp_path: Path, version: str) -> None:
    write_ome_zarr(tmp_path / "a.zarr", source_of(np.full((1, 1, 1, 600, 9), 5, np.uint8)), version=version)
    said = ome(tmp_path / "a.zarr", version)
    (multiscale,) = said["multiscales"]
    assert all("unit" not in axis for axis in multiscale["axes"])
    first, second = (level["coordinateTransformations"] for level in multiscale["datasets"])
    assert first == [{"type": "scale", "scale": [1.0] * 5}]
    assert second == [
        {"type": "scale", "scale": [1.0, 1.0, 1.0, 2.0, 2.0]},
        {"type": "translation", "translation": [0.0, 0.0, 0.0, 0.5, 0.5]},
    ]
    (channel,) = said["omero"]["channels"]
    assert (channel["color"], channel["active"]) == ("FFFFFF", True)
    assert channel["window"] == {"start": 5, "end": 6, "min": 5, "max": 6}
    assert "napari_slicemap" not in attributes(tmp_path / "a.zarr", version)
    assert not (tmp_path / "a.zarr" / "labels").exists()
    assert open_image(tmp_path / "a.zarr").info.pixel_size_um is None


def test_a_position_without_a_pixel_size_stays_apart(tmp_path: Path) -> None:
    write_ome_zarr(tmp_path / "a.zarr", known_source(pixel_size_um=None, times_s=None))
    (level,) = ome(tmp_path / "a.zarr", "0.5")["multiscales"][0]["datasets"]
    assert level["coordinateTransformations"] == [{"type": "scale", "scale": [1.0, 1.0, 2.0, 1.0, 1.0]}]
    assert attributes(tmp_path / "a.zarr", "0.5")["napari_slicemap"]["position_um"] == [1000.0, -200.0]


@pytest.mark.parametrize(
    ("times", "kept"),
    [
        pytest.param((0.0, 1.0, 5.0), [0.0, 1.0, 5.0], id="unequal"),
        pytest.param((0.0, float("nan"), 2.0), [0.0, None, 2.0], id="one unknown"),
        pytest.param((3.0, 3.0, 3.0), [3.0, 3.0, 3.0], id="all the same"),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_times_without_a_step_stay_apart(
    tmp_path: Path, times: tuple[float, ...], kept: list[float | None], version: str
) -> None:
    write_ome_zarr(tmp_path / "a.zarr", known_source(times_s=times), version=version)
    (multiscale,) = ome(tmp_path / "a.zarr", version)["multiscales"]
    assert multiscale["axes"][0] == {"name": "t", "type": "time"}
    scale, translation = multiscale["datasets"][0]["coordinateTransformations"]
    assert (scale["scale"][0], translation["translation"][0]) == (1.0, 0.0)
    assert attributes(tmp_path / "a.zarr", version)["napari_slicemap"]["times_s"] == kept


# --- labels --------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("small_levels")
@pytest.mark.parametrize("version", VERSIONS)
def test_labels(tmp_path: Path, version: str) -> None:
    source = known_source()
    (read,) = source.labels.values()
    data = np.array([[read(t, z, 0, 40) for z in range(2)] for t in range(3)])[:, None]
    write_ome_zarr(tmp_path / "a.zarr", source, version=version, chunk=16)
    folder = tmp_path / "a.zarr" / "labels"
    assert ome(folder, version)["labels"] == ["Zelle__"]
    said = ome(folder / "Zelle__", version)
    assert said["image-label"]["source"] == {"image": "../../"}
    assert said["multiscales"][0]["name"] == "Zelle ß"
    image = ome(tmp_path / "a.zarr", version)["multiscales"][0]
    assert [said["multiscales"][0][key] for key in ("axes", "datasets")] == [image[key] for key in ("axes", "datasets")]
    levels = stored_levels(folder / "Zelle__")
    assert len(levels) == 4
    for n, level in enumerate(levels):
        middle = (2**n - 1) // 2
        rows, columns = (np.minimum(np.arange(-(-size // 2**n)) * 2**n + middle, size - 1) for size in (40, 31))
        np.testing.assert_array_equal(level, data[..., rows[:, None], columns])
        assert level.dtype == np.uint32
    np.testing.assert_array_equal(by_us(folder / "Zelle__"), data)


@pytest.mark.parametrize(
    ("masks", "paths"),
    [
        pytest.param(["cell", "nucleus"], ["cell", "nucleus"], id="as they are"),
        pytest.param(["a/b", "a b"], ["a_b", "a_b_2"], id="the same when made safe"),
        pytest.param(
            ["µµ", ".zgroup", "zarr.json", ""], ["mask__", "mask.zgroup", "maskzarr.json", "mask_"], id="Zarr's own"
        ),
    ],
)
def test_label_paths(masks: list[str], paths: list[str]) -> None:
    assert label_paths(masks) == paths


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        pytest.param(np.full((9, 8), 1.5), r"mask m, t 0, z 0: labels are float64, expected whole", id="floats"),
        pytest.param(np.full((9, 8), -1), r"mask m, t 0, z 0: labels go from -1 to -1, expected 0", id="negative"),
        pytest.param(np.full((9, 8), 2**32), r"labels go from 4294967296 to 4294967296", id="too large"),
        pytest.param(np.zeros((9, 7), int), r"9 rows of 8 px were asked for, .*\(9, 7\)", id="narrow"),
    ],
)
def test_bad_labels(tmp_path: Path, rows: np.ndarray, message: str) -> None:
    source = source_of(pixels(1, (1, 1, 1, 9, 8)), labels={"m": lambda t, z, top, bottom: rows})
    with pytest.raises(ValueError, match=message):
        write_ome_zarr(tmp_path / "a.zarr", source)


# --- independent readers -------------------------------------------------------------------------------------
@pytest.mark.usefixtures("small_levels")
@pytest.mark.parametrize("version", VERSIONS)
def test_ome_zarr_reads_it(tmp_path: Path, version: str) -> None:
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    source = known_source()
    write_ome_zarr(tmp_path / "a.ome.zarr", source, version=version, chunk=16)
    location = parse_url(tmp_path / "a.ome.zarr")
    assert location is not None
    image, labels, label = Reader(location)()
    assert [level.shape for level in image.data] == [(3, 2, 2, *size) for size in ((40, 31), (20, 16), (10, 8), (5, 4))]
    np.testing.assert_array_equal(image.data[0].compute(), source.array())
    assert image.metadata["channel_names"] == ["DAPI", "CD3 α"]
    assert image.metadata["contrast_limits"] == [[100, 3000], [0, 70000.5]]
    assert image.metadata["visible"] == [False, True]
    assert image.metadata["colormap"][1] == [[0, 0, 0], [0, 1, 0]]
    assert image.metadata["coordinateTransformations"][1][0]["scale"] == [0.5, 1, 2, 0.78, 0.78]
    assert labels.zarr.root_attrs["labels"] == ["Zelle__"]
    assert len(label.data) == len(image.data)
    assert label.data[0].max().compute() == 100_000


@pytest.mark.usefixtures("small_levels")
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "source",
    [
        pytest.param(known_source(), id="all known"),
        pytest.param(source_of(pixels(1, (1, 1, 1, 1, 1))), id="one px of which nothing is known"),
        pytest.param(known_source(times_s=(0.0, 1.0, 5.0), z_step_um=None), id="unequal times"),
    ],
)
def test_ome_zarr_models_finds_it_valid(tmp_path: Path, source: ImageSource, version: str) -> None:
    import ome_zarr_models.v04
    import ome_zarr_models.v05

    models: Any = ome_zarr_models.v05 if version == "0.5" else ome_zarr_models.v04
    write_ome_zarr(tmp_path / "a.ome.zarr", source, version=version, chunk=16)
    group = zarr.open_group(tmp_path / "a.ome.zarr", mode="r")
    image = models.Image.from_zarr(group)
    paths = (
        []
        if image.labels is None
        else (image.labels.attributes if version == "0.4" else image.labels.ome_attributes).labels
    )
    assert len(paths) == len(source.labels)
    for path in paths:
        label = models.ImageLabel.from_zarr(group["labels"][path])
        said = label.attributes if version == "0.4" else label.ome_attributes
        assert said.image_label.source.image == "../../"
    if version == "0.5":  # its model of the image leaves the channels unread
        from ome_zarr_models.common.omero import Omero

        omero = Omero.model_validate(group.attrs["ome"]["omero"])
    else:
        omero = image.attributes.omero
    assert len(omero.channels) == len(source.channels)


# --- refusals ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        pytest.param(
            {"version": "0.3"}, UnknownNameError, r"OME-Zarr version '0.3' \(there is 0.5, 0.4\)", id="version"
        ),
        pytest.param(
            {"compression": "gzip"}, UnknownNameError, r"compression 'gzip' \(there is zstd", id="compression"
        ),
        pytest.param({"chunk": 0}, ValueError, "chunk is 0, expected at least 1 px", id="chunk"),
        pytest.param({"shard": "yes"}, ValueError, "shard is 'yes', expected True, False or 'auto'", id="shard"),
        pytest.param({"shard": True, "version": "0.4"}, ValueError, "0.4 has no shards", id="shards in 0.4"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, options: dict[str, Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        write_ome_zarr(tmp_path / "a.zarr", source_of(pixels(1, (1, 1, 1, 9, 8))), **options)
    assert not (tmp_path / "a.zarr").exists()


@pytest.mark.parametrize("dtype", ["c8", "c16", "longdouble", "S3"])
def test_pixels_that_zarr_cannot_hold(tmp_path: Path, dtype: str) -> None:
    source = source_of(np.zeros((1, 1, 1, 4, 4), dtype), name="wave")
    with pytest.raises(PlanError, match=r"image wave: OME-Zarr holds no pixels of type .*at most 64 bits"):
        write_ome_zarr(tmp_path / "a.zarr", source)


@pytest.mark.parametrize(
    ("known", "message"),
    [
        pytest.param({"pixel_size_um": 0.0}, "the size of a px is 0.0 µm, expected above 0", id="no size"),
        pytest.param({"pixel_size_um": float("nan")}, "the size of a px is nan µm", id="size NaN"),
        pytest.param({"z_step_um": -1.0}, "the size of a step in z is -1.0 µm, expected above 0", id="negative step"),
        pytest.param({"position_um": (1.0, float("inf"))}, r"its position is \(1.0, inf\) µm, expected", id="position"),
        pytest.param(
            {"settings": {"ch0": {"color": "red"}}}, "channel ch0: its colour is 'red', expected #", id="colour"
        ),
    ],
)
def test_what_cannot_be_said(tmp_path: Path, known: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"image image.*{message}"):
        write_ome_zarr(tmp_path / "a.zarr", source_of(pixels(1, (1, 1, 1, 4, 4)), **known))
    assert not (tmp_path / "a.zarr").exists()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        pytest.param(np.zeros((1, 8), np.uint16), r"t 0, channel 0, z 0: 9 rows of 8 px .*\(1, 8\)", id="one row"),
        pytest.param(np.zeros((9, 8), np.uint8), r"pixels are uint8, stated was uint16", id="dtype"),
    ],
)
def test_a_source_that_does_not_keep_its_word(tmp_path: Path, rows: np.ndarray, message: str) -> None:
    source = ImageSource("liar", (1, 1, 1, 9, 8), np.dtype("u2"), ("a",), lambda t, c, z, top, bottom: rows)
    with pytest.raises(ValueError, match=f"image liar.*{message}"):
        write_ome_zarr(tmp_path / "a.zarr", source)


def test_an_empty_folder_is_filled_and_a_full_one_refused(tmp_path: Path) -> None:
    source = source_of(pixels(1, (1, 1, 1, 9, 8)))
    (tmp_path / "a.zarr").mkdir()
    write_ome_zarr(tmp_path / "a.zarr", source)
    np.testing.assert_array_equal(by_us(tmp_path / "a.zarr"), source.array())
    with pytest.raises(FileExistsError, match=r"a\.zarr is not empty"):
        write_ome_zarr(tmp_path / "a.zarr", source)


def test_what_goes_wrong_while_reading_comes_through(tmp_path: Path) -> None:
    def read(t: int, c: int, z: int, top: int, bottom: int) -> np.ndarray:
        if top:
            raise OSError("the disk is gone")
        return np.zeros((bottom - top, 2000), np.uint16)

    source = ImageSource("torn", (1, 1, 1, 2000, 2000), np.dtype("u2"), ("a",), read)
    with pytest.raises(OSError, match="the disk is gone"):
        write_ome_zarr(tmp_path / "a.zarr", source)


@pytest.mark.parametrize("strips", [1, 9], ids=["the only strip", "one of many"])
def test_what_goes_wrong_while_writing_comes_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strips: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(zarr.Array, "__setitem__", refuse)
    with pytest.raises(OSError, match="no space left"):
        write_ome_zarr(tmp_path / "a.zarr", source_of(pixels(1, (1, 1, 1, strips * 16, 128))), chunk=16)
    assert attributes(tmp_path / "a.zarr", "0.5") == {}  # what is not whole does not say that it is an image
