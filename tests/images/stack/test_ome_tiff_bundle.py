"""Stacks written as OME-TIFF and read again, ours and those of other makers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from napari_slicemap.errors import DatasetNotFoundError, FileFormatError, PlanError, StackError, UnknownNameError
from napari_slicemap.images.stack.image_stack import ImageStack
from napari_slicemap.images.stack.ome_tiff_bundle import load_ome_tiff_stack, save_ome_tiff_stack

from ..ome_schema import valid_ome

STEP = "step_1_subtract/plane 50%"
PROVENANCE = {"processing": {"steps": [{"index": 1, "name": "plane", "output_key": STEP}]}, "who": "µ"}


def frames(count: int = 4, dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(3).normal(5, 2, (count, 21, 30)).astype(dtype)


def stack(times: tuple[float | None, ...] = (0.0, 3.275, 6.5, 10.0), **changes: Any) -> ImageStack:
    known: dict[str, Any] = {
        "data": frames(len(times)),
        "pixel_size_nm": 1.5,
        "channel": "height_trace",
        "frame_metadata": [{} if time is None else {"timestamp": time} for time in times],
    }
    return ImageStack(**{**known, **changes})


def processed() -> ImageStack:
    return stack(
        processed={"raw": frames() + 1, STEP: frames()},
        masks={"high": frames() > 5},
        provenance=PROVENANCE,
        state_backups={"frame_metadata_before_edit": [{"timestamp": float(t)} for t in range(4)]},
    )


# --- round trips ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "made",
    [
        pytest.param(stack(), id="unequal times"),
        pytest.param(stack((0.0, 0.5, 1.0)), id="equal times"),
        pytest.param(stack((2.5,)), id="one frame"),
        pytest.param(stack((0.0, math.nan, 2.0)), id="a time that is NaN"),
        pytest.param(stack((None, None, None)), id="no times"),
        pytest.param(stack(pixel_size_nm=0.005), id="0.005 nm"),
        pytest.param(stack(pixel_size_nm=np.float32(0.1)), id="a pixel size of 32 bits"),
        pytest.param(stack(channel='Höhe <&> "µ" 高さ'), id="any text as channel"),
        pytest.param(stack(channel=""), id="no channel"),
    ],
)
def test_round_trip(tmp_path, made):
    path = save_ome_tiff_stack(tmp_path / "run.ome.tif", made)
    found = load_ome_tiff_stack(path)
    assert found.data.dtype == np.float32
    np.testing.assert_array_equal(found.data, made.data)
    np.testing.assert_array_equal(found.times_s, made.times_s)
    assert found.pixel_size_nm == pytest.approx(float(made.pixel_size_nm), rel=1e-15)
    assert found.channel == made.channel
    assert (found.provenance, found.state_backups, dict(found.processed)) == ({}, {}, {})
    pixels = valid_ome(path).images[0].pixels
    assert pixels.physical_size_x == pytest.approx(float(made.pixel_size_nm) * 1e-3, rel=1e-12)
    assert (pixels.time_increment is not None) == (made.times_s.tolist() == [0.0, 0.5, 1.0])


@given(
    st.lists(st.one_of(st.none(), st.floats(-1e12, 1e12), st.just(math.nan)), min_size=1, max_size=5),
    st.floats(1e-6, 1e9),
    st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=5),
)
def test_any_stack_comes_back(tmp_path, times, size, channel, note):
    made = stack(tuple(times), pixel_size_nm=size, channel=channel, provenance={"note": note})
    found = load_ome_tiff_stack(save_ome_tiff_stack(tmp_path / "any", made))
    np.testing.assert_array_equal(found.data, made.data)
    np.testing.assert_array_equal(found.times_s, made.times_s)
    assert found.pixel_size_nm == pytest.approx(size, rel=1e-15)
    assert (found.channel, found.provenance) == (channel, {"note": note})


@pytest.mark.parametrize(
    ("dtype", "kind"), [("float64", "float64"), ("uint16", "uint16"), ("bool", "uint8"), ("float16", "float32")]
)
def test_source_keeps_the_type_that_there_is(tmp_path, dtype, kind):
    made = stack(data=frames(dtype=dtype))
    found = load_ome_tiff_stack(save_ome_tiff_stack(tmp_path / "run", made, dtype="source"))
    assert found.data.dtype == kind
    np.testing.assert_array_equal(found.data, made.data)


@pytest.mark.parametrize("compression", ["zstd", "deflate", "lzw", "none"])
def test_compressions_and_pillow(tmp_path, compression):
    path = save_ome_tiff_stack(tmp_path / "run", stack(), compression=compression)
    np.testing.assert_array_equal(tifffile.imread(path), stack().data)
    with Image.open(path) as opened:
        opened.seek(2)
        np.testing.assert_array_equal(np.asarray(opened), stack().data[2])


def test_processed_layers_go_by_name(tmp_path):
    path = save_ome_tiff_stack(tmp_path / "run", processed())
    with tifffile.TiffFile(path) as tif:
        tags = tif.pages[0].tags
        assert (tags[65000].dtype, tags[65001].dtype) == (7, 7)
        assert json.loads(tags[65000].value) == PROVENANCE
        assert json.loads(tags[65001].value) == ["raw", STEP]
    found = load_ome_tiff_stack(path)
    np.testing.assert_array_equal(found.data, processed().data)
    assert found.provenance == PROVENANCE
    assert found.state_backups == {"processed_layers": ["raw", STEP]}
    assert (dict(found.processed), dict(found.masks)) == ({}, {})
    with pytest.raises(StackError, match="was processed"):
        save_ome_tiff_stack(tmp_path / "again", found, raw=True)
    again = save_ome_tiff_stack(tmp_path / "again", found)
    assert load_ome_tiff_stack(again).state_backups == found.state_backups


def test_names_alone_tell_that_a_stack_was_processed(tmp_path):
    made = stack(processed={"raw": frames() + 1, STEP: frames()})
    found = load_ome_tiff_stack(save_ome_tiff_stack(tmp_path / "run", made))
    with pytest.raises(StackError, match="was processed"):
        save_ome_tiff_stack(tmp_path / "raw", found, raw=True)
    assert not (tmp_path / "raw.ome.tif").exists()


def test_raw(tmp_path):
    path = save_ome_tiff_stack(tmp_path / "run", processed(), raw=True)
    found = load_ome_tiff_stack(path)
    np.testing.assert_array_equal(found.data, processed().processed["raw"])
    assert found.times_s.tolist() == [0, 1, 2, 3]
    assert found.state_backups == {}
    with tifffile.TiffFile(path) as tif:
        assert tif.pages[0].tags[65001].value == b"[]"


def test_raw_of_what_was_never_processed(tmp_path):
    found = load_ome_tiff_stack(save_ome_tiff_stack(tmp_path / "run", stack(), raw=True))
    np.testing.assert_array_equal(found.data, stack().data)


# --- files -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("run", "run.ome.tif"),
        ("run_0.5nm.final", "run_0.5nm.final.ome.tif"),
        ("run.ome.tif", "run.ome.tif"),
        ("run.ome.tiff", "run.ome.tif"),
        ("run.TIF", "run.ome.tif"),
        ("Lauf µ 高.tiff", "Lauf µ 高.ome.tif"),
        ("a/b/run", "a/b/run.ome.tif"),
        (".tif", ".tif.ome.tif"),
    ],
)
@pytest.mark.parametrize("kind", [str, Path])
def test_names(tmp_path, given_name, name, kind):
    made = save_ome_tiff_stack(kind(tmp_path / given_name), stack())
    assert made == tmp_path / name
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [made]
    assert load_ome_tiff_stack(kind(made)).file_path == made


@pytest.mark.parametrize("wrong", [None, 3, b"run.ome.tif"])
def test_neither_text_nor_path(wrong):
    with pytest.raises(TypeError, match="expected str or Path"):
        save_ome_tiff_stack(wrong, stack())
    with pytest.raises(TypeError, match="expected str or Path"):
        load_ome_tiff_stack(wrong)


def test_same_stack_same_bytes(tmp_path):
    first, second = (save_ome_tiff_stack(tmp_path / name, processed()).read_bytes() for name in ("a", "b"))
    assert first == second


@pytest.mark.parametrize(
    ("made", "options", "error", "message"),
    [
        pytest.param(stack(), {"dtype": "float16"}, StackError, "dtype is 'float16'", id="dtype"),
        pytest.param(stack(), {"compression": "jpeg"}, UnknownNameError, "compression 'jpeg'", id="compression"),
        pytest.param(
            stack(data=frames(dtype="float64") * 1e300),
            {},
            StackError,
            "frame 0: a number is too large",
            id="too large",
        ),
        pytest.param(stack(provenance={"a": object()}), {}, StackError, "provenance cannot be written", id="no JSON"),
        pytest.param(
            stack(data=np.full((4, 2, 2), 2**60)), {"dtype": "source"}, PlanError, "not exact", id="not exact"
        ),
    ],
)
def test_what_cannot_be_written_leaves_the_old_file(tmp_path, made, options, error, message):
    path = save_ome_tiff_stack(tmp_path / "run", stack())
    before = path.read_bytes()
    with pytest.raises(error, match=message):
        save_ome_tiff_stack(path, made, **options)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


# --- files of others --------------------------------------------------------------------------------------------------
def others(path: Path, data: np.ndarray, tags: dict[int, bytes] | None = None, **metadata: Any) -> Path:
    """A file as tifffile makes it of metadata."""
    known = {"axes": "TCZYX", "PhysicalSizeX": 0.0015, "PhysicalSizeY": 0.0015}
    stated = {key: value for key, value in {**known, **metadata}.items() if value is not None}
    extra = [(code, 7, len(value), value, True) for code, value in (tags or {}).items()]
    tifffile.imwrite(path, data, ome=True, photometric="minisblack", metadata=stated, extratags=extra)
    return path


def test_planes_with_times_as_playnano_writes_them(tmp_path):
    data = frames(3)[:, None, None]
    path = others(
        tmp_path / "a.ome.tif",
        data,
        {65000: b'{"acquisition": {"gain": NaN}}', 65001: b'["raw", "step_1_x"]'},
        TimeIncrement=3.275,
        Plane=[{"DeltaT": time} for time in (0.0, 3.275, 7.0)],
        Channel=[{"Name": "Höhe µ"}],
    )
    found = load_ome_tiff_stack(path)
    np.testing.assert_array_equal(found.data, data[:, 0, 0])
    assert [one["timestamp"] for one in found.frame_metadata] == [0.0, 3.275, 7.0]
    assert (found.channel, found.pixel_size_nm) == ("Höhe µ", 1.5)
    assert math.isnan(found.provenance["acquisition"]["gain"])
    assert found.state_backups == {"processed_layers": ["raw", "step_1_x"]}


@pytest.mark.parametrize(
    ("metadata", "times"),
    [
        ({"TimeIncrement": 0.5}, [0.0, 0.5, 1.0]),
        ({"TimeIncrement": 500.0, "TimeIncrementUnit": "ms"}, [0.0, 0.5, 1.0]),
        ({"Plane": {"DeltaT": [1, 2, 4], "DeltaTUnit": ["min"] * 3}}, [60.0, 120.0, 240.0]),
        ({}, [math.nan] * 3),
    ],
)
def test_times_of_others(tmp_path, metadata, times):
    found = load_ome_tiff_stack(others(tmp_path / "a.ome.tif", frames(3)[:, None, None], **metadata))
    np.testing.assert_allclose(found.times_s, times)


@pytest.mark.parametrize(
    ("shape", "metadata", "tags", "message"),
    [
        pytest.param((2, 3, 1, 8, 9), {}, {}, "3 channels and 1 planes of z, expected TYX", id="channels"),
        pytest.param((2, 1, 3, 8, 9), {}, {}, "1 channels and 3 planes of z, expected TYX", id="planes of z"),
        pytest.param((2, 8, 9), {"axes": "ZYX"}, {}, "axes are ZYX", id="z instead of t"),
        pytest.param((2, 1, 1, 8, 9), {"PhysicalSizeX": None}, {}, "states no PhysicalSizeX", id="no pixel size"),
        pytest.param(
            (2, 1, 1, 8, 9), {"PhysicalSizeXUnit": "pixel"}, {}, "states no PhysicalSizeX", id="size without length"
        ),
        pytest.param((2, 1, 1, 8, 9), {"PhysicalSizeX": 0.003}, {}, "only square pixels", id="pixels not square"),
        pytest.param((2, 1, 1, 8, 9), {}, {65000: b"{"}, "tag 65000 is no valid JSON", id="no JSON"),
        pytest.param((2, 1, 1, 8, 9), {}, {65000: b"[]"}, "tag 65000 is not an object", id="no object"),
        pytest.param((2, 1, 1, 8, 9), {}, {65001: b"[1]"}, "tag 65001 is not a list of texts", id="no texts"),
        pytest.param((2, 1, 1, 8, 9), {}, {65001: b"{}"}, "tag 65001 is not a list of texts", id="no list"),
    ],
)
def test_what_is_no_stack(tmp_path, shape, metadata, tags, message):
    path = others(tmp_path / "a.ome.tif", np.zeros(shape, np.float32), tags, **metadata)
    with pytest.raises(FileFormatError, match=message) as caught:
        load_ome_tiff_stack(path)
    assert str(path) in str(caught.value)


def test_several_images(tmp_path):
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tif:
        for _ in range(2):
            tif.write(np.zeros((2, 8, 9), "u1"), photometric="minisblack", metadata={"axes": "TYX"})
    with pytest.raises(FileFormatError, match="holds 2 images, expected one"):
        load_ome_tiff_stack(path)


def test_no_ome_xml(tmp_path):
    tifffile.imwrite(tmp_path / "a.ome.tif", frames()[:1], ome=False)
    with pytest.raises(FileFormatError, match=r"a\.ome\.tif: it has no OME-XML"):
        load_ome_tiff_stack(tmp_path / "a.ome.tif")


@pytest.mark.parametrize("content", [b"", b"II*\0", b"no TIFF at all, but text"])
def test_no_tiff(tmp_path, content):
    path = tmp_path / "a.ome.tif"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"a\.ome\.tif"):
        load_ome_tiff_stack(path)


def test_no_file(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="there is no such file"):
        load_ome_tiff_stack(tmp_path / "a.ome.tif")


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_cut_short_anywhere(tmp_path, compression):
    whole = save_ome_tiff_stack(tmp_path / "run", processed(), compression=compression).read_bytes()
    path = tmp_path / "cut.ome.tif"
    for size in np.linspace(0, len(whole) - 2, 40).astype(int):
        path.write_bytes(whole[:size])
        with pytest.raises(FileFormatError, match=r"cut\.ome\.tif"):
            load_ome_tiff_stack(path)


def test_damaged_pixels(tmp_path):
    whole = bytearray(save_ome_tiff_stack(tmp_path / "run", stack()).read_bytes())
    with tifffile.TiffFile(tmp_path / "run.ome.tif") as tif:
        offset = tif.pages[2].dataoffsets[0]
    whole[offset : offset + 64] = b"\xff" * 64
    path = tmp_path / "damaged.ome.tif"
    path.write_bytes(whole)
    with pytest.raises(FileFormatError, match=r"damaged\.ome\.tif"):
        load_ome_tiff_stack(path)


def test_bomb(tmp_path, monkeypatch):
    path = save_ome_tiff_stack(tmp_path / "run", stack(data=np.zeros((4, 512, 512), np.float32)))
    monkeypatch.setattr("napari_slicemap.images.stack.bundle._SMALL_BYTES", 2**20)
    with pytest.raises(FileFormatError, match="it would unpack"):
        load_ome_tiff_stack(path)
