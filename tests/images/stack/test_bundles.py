"""NPZ and HDF5 bundles: what is written is what NumPy and h5py find in them, and what is read back."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_slicemap.errors import StackError
from napari_slicemap.images.stack.hdf5_bundle import load_h5_bundle, save_h5_bundle
from napari_slicemap.images.stack.image_stack import ImageStack
from napari_slicemap.images.stack.npz_bundle import load_npz_bundle, save_npz_bundle

from .stacks import BEFORE, MASK, STEP, frames, plain_stack, processed_stack


class Format(NamedTuple):
    suffix: str
    save: Callable[..., Path]
    load: Callable[..., ImageStack]


FORMATS = [
    pytest.param(Format(".npz", save_npz_bundle, load_npz_bundle), id="npz"),
    pytest.param(Format(".h5", save_h5_bundle, load_h5_bundle), id="h5"),
]
JSON_KEYS = ("frame_metadata_json", "provenance_json", "state_backups_json")


def in_npz(path: Path) -> dict[str, Any]:
    """Everything NumPy finds in a bundle, names of layers as ``group/name``."""
    found: dict[str, Any] = {}
    with np.load(path, allow_pickle=False) as archive:
        for key in archive.files:
            array = archive[key]
            found[key.replace("__", "/", 1)] = array if array.ndim else array.item()
    return found


def in_h5(path: Path) -> dict[str, Any]:
    """The same with h5py."""
    found: dict[str, Any] = {}

    def visit(name: str, one: Any) -> None:
        if isinstance(one, h5py.Dataset):
            found[name] = one[()].decode("utf-8") if name.endswith("_json") else one[()]

    with h5py.File(path) as file:
        file.visititems(visit)
        found |= dict(file.attrs)
    return found


def written(path: Path) -> dict[str, Any]:
    return in_npz(path) if path.suffix == ".npz" else in_h5(path)


def assert_same(made: ImageStack, stack: ImageStack, dtype: type | None = np.float32) -> None:
    def same(one: np.ndarray, other: np.ndarray) -> None:
        kind = other.dtype if dtype is None else np.dtype(dtype)
        np.testing.assert_array_equal(one, other.astype(kind))
        assert one.dtype == kind.newbyteorder("=")

    same(made.data, stack.data)
    assert list(made.processed) == list(stack.processed)
    assert list(made.masks) == list(stack.masks)
    for name, layer in stack.processed.items():
        same(made.processed[name], layer)
    for name, mask in stack.masks.items():
        np.testing.assert_array_equal(made.masks[name], mask)
        assert made.masks[name].dtype == np.bool_
    np.testing.assert_array_equal(made.times_s, stack.times_s)
    assert (made.pixel_size_nm, made.channel) == (stack.pixel_size_nm, stack.channel)


# --- what is in the file -------------------------------------------------------------------------------------
@pytest.mark.parametrize("one", FORMATS)
def test_what_independent_readers_find(tmp_path: Path, one: Format) -> None:
    stack = processed_stack()
    found = written(one.save(tmp_path / "a", stack))
    layers = {
        "data": stack.data,
        "processed/raw": stack.processed["raw"],
        "processed/step_1_subtract%2Fplane 50%25": stack.processed[STEP],
        "processed/step_3_crop": stack.processed["step_3_crop"],
    }
    for key, layer in layers.items():
        np.testing.assert_array_equal(found[key], layer.astype(np.float32))
        assert found[key].dtype == np.float32
    np.testing.assert_array_equal(found[f"masks/{MASK}"], stack.masks[MASK])
    assert found[f"masks/{MASK}"].dtype == np.bool_
    np.testing.assert_array_equal(found["timestamps"], [0, 1.5, 2, 7.25])
    assert found["timestamps"].dtype == np.float64
    assert (found["pixel_size_nm"], found["channel"]) == (1.5, "Höhe_trace")
    stated = [list(stack.frame_metadata), stack.provenance, stack.state_backups]
    assert [json.loads(found[key]) for key in JSON_KEYS] == stated
    assert set(found) == {*layers, f"masks/{MASK}", "timestamps", "pixel_size_nm", "channel", *JSON_KEYS}


@pytest.mark.parametrize("one", FORMATS)
def test_raw_is_alone_in_the_file(tmp_path: Path, one: Format) -> None:
    stack = processed_stack()
    found = written(one.save(tmp_path / "a", stack, raw=True))
    np.testing.assert_array_equal(found["data"], stack.processed["raw"].astype(np.float32))
    assert json.loads(found["frame_metadata_json"]) == BEFORE
    np.testing.assert_array_equal(found["timestamps"], [0, 1.5, 2, 7.25, 8])
    assert set(found) == {"data", "timestamps", "pixel_size_nm", "channel", *JSON_KEYS[:2]}
    assert_same(one.load(tmp_path / f"a{one.suffix}"), stack.raw())


@pytest.mark.parametrize("one", FORMATS)
@pytest.mark.parametrize(
    ("stack", "raw"),
    [
        pytest.param(plain_stack(), plain_stack(), id="nothing done"),
        pytest.param(
            processed_stack(processed={"raw": frames(seed=9), "step_1_a": frames()}, state_backups={}),
            plain_stack(data=frames(seed=9), channel="Höhe_trace"),
            id="no frame taken away",
        ),
    ],
)
def test_raw_in_its_other_cases(tmp_path: Path, one: Format, stack: ImageStack, raw: ImageStack) -> None:
    assert_same(one.load(one.save(tmp_path / "a", stack, True)), raw)


@pytest.mark.parametrize("one", FORMATS)
def test_processed_frames_never_go_as_raw(tmp_path: Path, one: Format) -> None:
    with pytest.raises(StackError, match="its raw frames were not kept"):
        one.save(tmp_path / "new" / "a", processed_stack(processed={"step_1_a": frames()}), raw=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("one", FORMATS)
def test_source_type_is_kept(tmp_path: Path, one: Format) -> None:
    stack = processed_stack(
        data=frames() / 3,
        processed={
            "raw": (frames() * 100).astype(">i2"),
            "step_1_f": np.asfortranarray(frames()),
            "step_2_threshold": frames() > 3,
            "step_3_half": frames().astype(np.float16),
        },
    )
    assert_same(one.load(one.save(tmp_path / "a", stack, dtype="source")), stack, None)
    assert_same(one.load(one.save(tmp_path / "b", stack)), stack)


@pytest.mark.parametrize("one", FORMATS)
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"data": frames(1), "frame_metadata": [{"timestamp": 3.0}]}, id="one frame"),
        pytest.param({"frame_metadata": [{}, {"timestamp": 1.0}, {}, {}]}, id="times missing"),
        pytest.param({"frame_metadata": [{"timestamp": t} for t in (0, np.nan, None, np.inf)]}, id="times NaN"),
        pytest.param({"pixel_size_nm": 0.005}, id="small pixels"),
        pytest.param({"pixel_size_nm": np.float32(0.1)}, id="pixel size of NumPy"),
        pytest.param({"channel": ""}, id="channel without name"),
        pytest.param({"channel": "高さ 🔬"}, id="channel in unicode"),
        pytest.param({"processed": {".": frames(), "..": frames(), "%2E": frames(), "a/../b": frames()}}, id="dots"),
        pytest.param(
            {"processed": {"a\\b": frames(), "c\0d": frames(), "é": frames(), "e\u0301": frames()}}, id="signs"
        ),
        pytest.param({"processed": {f"step_{n}_x": frames(seed=n) for n in range(1, 12)}}, id="order of eleven"),
        pytest.param({"masks": {"none": np.zeros((4, 6, 5), bool), "all": np.ones((2, 3, 1), bool)}}, id="masks"),
        pytest.param({"data": np.full((4, 3, 2), np.nan)}, id="NaN pixels"),
        pytest.param({"data": np.moveaxis(frames(5, (4, 6)), 1, 0)[:, ::-1, ::2]}, id="strides"),
        pytest.param({"data": frames(4, (1100, 301))}, id="rows in more than one chunk"),
        pytest.param({"data": frames(4, (2, 300_000))}, id="rows larger than a chunk"),
    ],
)
def test_round_trip(tmp_path: Path, one: Format, changes: dict[str, Any]) -> None:
    stack = plain_stack(**changes)
    for dtype, kind in (("float32", np.float32), ("source", None)):
        assert_same(one.load(one.save(tmp_path / "a", stack, dtype=dtype)), stack, kind)


@pytest.mark.parametrize("one", FORMATS)
def test_metadata_come_back(tmp_path: Path, one: Format) -> None:
    odd = {"path": Path("a/b"), "count": np.int64(3), "tags": {"b", "a"}, "bad": np.nan, "text": "µ\0\n"}
    stack = processed_stack(frame_metadata=[*BEFORE[:3], odd], provenance=odd)
    made = one.load(one.save(tmp_path / "a", stack))
    plain = {"path": "a/b", "count": 3, "tags": ["a", "b"], "bad": None, "text": "µ\0\n"}
    assert list(made.frame_metadata) == [*BEFORE[:3], plain]
    assert made.provenance == plain
    assert made.state_backups == stack.state_backups
    assert made.file_path == tmp_path / f"a{one.suffix}"


names = st.text(min_size=1, max_size=8)
layers = hnp.arrays(
    st.sampled_from([np.float32, np.float64, np.int16, np.uint8]),
    hnp.array_shapes(min_dims=3, max_dims=3, max_side=4),
)
times = st.one_of(st.none(), st.floats(allow_infinity=False, width=64))


@pytest.mark.parametrize("one", FORMATS)
@given(data=st.data())
def test_any_stack_comes_back(tmp_path: Path, one: Format, data: st.DataObject) -> None:
    array = data.draw(layers)
    stack = ImageStack(
        data=array,
        pixel_size_nm=data.draw(st.floats(1e-6, 1e9)),
        channel=data.draw(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)),
        frame_metadata=[{"timestamp": data.draw(times)} for _ in array],
        processed=data.draw(st.dictionaries(names, layers, max_size=3)),
        masks=data.draw(st.dictionaries(names, hnp.arrays(bool, (2, 3, 2)), max_size=2)),
    )
    assert_same(one.load(one.save(tmp_path / "a", stack, dtype="source")), stack, None)


# --- how it is written ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("one", FORMATS)
@pytest.mark.parametrize("raw", [False, True])
def test_same_stack_same_bytes(tmp_path: Path, one: Format, raw: bool) -> None:
    stack = processed_stack()
    first = one.save(tmp_path / "a", stack, raw)
    again = one.save(tmp_path / "elsewhere" / "b", replace(stack, data=np.asfortranarray(stack.data)), raw)
    assert first.read_bytes() == again.read_bytes()


@pytest.mark.parametrize("one", FORMATS)
@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        pytest.param("a", "a{}", id="plain"),
        pytest.param("run_0.5nm.final", "run_0.5nm.final{}", id="dots"),
        pytest.param("new/folder/Höhe 高さ", "new/folder/Höhe 高さ{}", id="folders and unicode"),
    ],
)
@pytest.mark.parametrize("kind", [str, Path])
def test_path(tmp_path: Path, one: Format, given_name: str, name: str, kind: type) -> None:
    expected = tmp_path / name.format(one.suffix)
    assert one.save(kind(tmp_path / given_name), plain_stack()) == expected
    assert one.save(expected, plain_stack()) == expected  # the suffix is not doubled
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [expected]
    assert one.load(kind(expected)).name == expected.name.removesuffix(one.suffix)


@pytest.mark.parametrize("one", FORMATS)
@pytest.mark.parametrize("path", [None, 3, b"a", io.BytesIO()])
def test_path_of_another_type(one: Format, path: Any) -> None:
    for call in (lambda: one.save(path, plain_stack()), lambda: one.load(path)):
        with pytest.raises(TypeError, match="expected str or Path"):
            call()


@pytest.mark.parametrize("one", FORMATS)
@pytest.mark.parametrize(
    ("stack", "options", "message"),
    [
        pytest.param(plain_stack(), {"dtype": "float16"}, "dtype is 'float16', expected 'float32'", id="type"),
        pytest.param(plain_stack(data=frames() * 1e60), {}, "data, frame 0: a number is too large", id="too large"),
        pytest.param(plain_stack(provenance={"a": object()}), {}, "provenance_json: cannot write object", id="object"),
        pytest.param(plain_stack(provenance={"a": "\ud800"}), {}, "provenance_json: .*surrogates", id="no UTF-8"),
    ],
)
def test_refused_and_the_old_file_left_whole(
    tmp_path: Path, one: Format, stack: ImageStack, options: dict[str, Any], message: str
) -> None:
    before = one.save(tmp_path / "a", processed_stack()).read_bytes()
    with pytest.raises(StackError, match=message):
        one.save(tmp_path / "a", stack, **options)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [before]


@pytest.mark.parametrize("one", FORMATS)
def test_no_file_named(one: Format) -> None:
    with pytest.raises(StackError, match="names no file"):
        one.save("", plain_stack())


def test_h5_compression(tmp_path: Path) -> None:
    stack = plain_stack(data=np.tile(np.arange(64.0), (4, 64, 1)))
    packed = save_h5_bundle(tmp_path / "a", stack)
    plain = save_h5_bundle(tmp_path / "b", stack, compression=None)
    with h5py.File(packed) as one, h5py.File(plain) as other:
        assert (one["data"].compression, other["data"].compression) == ("gzip", None)
        np.testing.assert_array_equal(one["data"][()], other["data"][()])
        np.testing.assert_array_equal(one["data"][1, 3:40, 7:], stack.data[1, 3:40, 7:])
    assert packed.stat().st_size < plain.stat().st_size / 2
    with pytest.raises(StackError, match="compression is 'lzf', expected 'gzip' or None"):
        save_h5_bundle(tmp_path / "a", stack, compression="lzf")  # type: ignore[arg-type]
