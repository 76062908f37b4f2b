"""Bundles that are not what they say: an error names file and key, and nothing large is unpacked."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from napari_slicemap.errors import DatasetNotFoundError, FileFormatError
from napari_slicemap.images.stack.hdf5_bundle import load_h5_bundle, save_h5_bundle
from napari_slicemap.images.stack.npz_bundle import load_npz_bundle, save_npz_bundle

from .stacks import BEFORE, frames, plain_stack, processed_stack

LOADERS = [
    pytest.param(save_npz_bundle, load_npz_bundle, id="npz"),
    pytest.param(save_h5_bundle, load_h5_bundle, id="h5"),
]


def parts() -> dict[str, Any]:
    """What a small bundle holds, to be changed."""
    return {
        "data": np.ones((2, 3, 4), np.float32),
        "timestamps": np.arange(2.0),
        "pixel_size_nm": np.float64(1.5),
        "channel": "height",
        "frame_metadata_json": '[{"timestamp": 0}, {"timestamp": 1}]',
        "provenance_json": "{}",
    }


def make_npz(path: Path, changes: dict[str, Any]) -> Path:
    content = {key.replace("/", "__", 1): value for key, value in {**parts(), **changes}.items() if value is not None}
    path = path.with_suffix(".npz")
    np.savez(path, **content)
    return path


def make_h5(path: Path, changes: dict[str, Any]) -> Path:
    path = path.with_suffix(".h5")
    with h5py.File(path, "w") as file:
        for key, value in {**parts(), **changes}.items():
            if key in ("pixel_size_nm", "channel") and value is not None:
                file.attrs[key] = value
            elif value is not None:
                file[key] = value
    return path


MAKERS = [pytest.param(make_npz, load_npz_bundle, id="npz"), pytest.param(make_h5, load_h5_bundle, id="h5")]


@pytest.mark.parametrize(("make", "load"), MAKERS)
def test_the_parts_unchanged_are_a_bundle(tmp_path: Path, make: Callable[..., Path], load: Callable[..., Any]) -> None:
    stack = load(make(tmp_path / "a", {}))
    np.testing.assert_array_equal(stack.data, 1)
    assert (stack.channel, stack.pixel_size_nm) == ("height", 1.5)


@pytest.mark.parametrize(("make", "load"), MAKERS)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        *(pytest.param({key: None}, f"no (attribute )?{key} ", id=f"no {key}") for key in parts()),
        pytest.param({"data": np.ones((2, 3))}, r"data is float64 \(2, 3\), expected real numbers", id="two axes"),
        pytest.param({"data": np.ones((0, 3, 4))}, "data is .* at least one frame", id="no frames"),
        pytest.param({"data": np.ones((2, 3, 4), complex)}, "data is complex128", id="complex"),
        pytest.param({"data": np.full((2, 3, 4), b"a")}, "data is .S1", id="bytes"),
        pytest.param({"processed/a": np.ones(2)}, r"processed(__|/)a is float64 \(2,\)", id="layer of one axis"),
        pytest.param({"masks/m": np.ones((2, 3, 4))}, "masks(__|/)m is float64 .* expected bool", id="mask of floats"),
        pytest.param({"timestamps": np.arange(3.0)}, "timestamps is .* each of 2 frames", id="times too many"),
        pytest.param({"timestamps": np.ones((2, 1))}, "timestamps is .* expected numbers", id="times of two axes"),
        pytest.param({"timestamps": np.array([b"a", b"b"])}, "timestamps is .S1", id="times of text"),
        pytest.param({"pixel_size_nm": "1.5"}, "pixel_size_nm is .* expected a number", id="pixel size text"),
        pytest.param({"pixel_size_nm": np.ones(2)}, "pixel_size_nm is .* expected a number", id="pixel sizes"),
        pytest.param({"pixel_size_nm": -1.0}, "pixel size is -1.0 nm", id="pixel size below 0"),
        pytest.param({"channel": 3}, "channel is .* expected .*text", id="channel a number"),
        pytest.param({"frame_metadata_json": "[{}"}, "frame_metadata_json is no valid JSON", id="JSON cut off"),
        pytest.param({"provenance_json": "[" * 100_000}, "provenance_json is no valid JSON", id="JSON too deep"),
        pytest.param({"frame_metadata_json": "{}"}, "frame_metadata_json is no list of objects", id="no list"),
        pytest.param({"frame_metadata_json": "[1, 2]"}, "frame_metadata_json is no list of objects", id="no objects"),
        pytest.param({"frame_metadata_json": "[{}]"}, "1 frame metadata for 2 frames", id="metadata too few"),
        pytest.param({"provenance_json": "[]"}, "provenance_json is list, expected an object", id="no object"),
        pytest.param({"state_backups_json": "3"}, "state_backups_json is int", id="backups no object"),
        pytest.param({"provenance_json": 3}, "provenance_json is int64", id="JSON a number"),
        pytest.param({"provenance_json": np.array([b"{}", b"{}"])}, "provenance_json is .S2", id="two texts"),
    ],
)
def test_error_names_file_and_key(
    tmp_path: Path, make: Callable[..., Path], load: Callable[..., Any], changes: dict[str, Any], message: str
) -> None:
    path = make(tmp_path / "a", changes)
    with pytest.raises(FileFormatError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(("save", "load"), LOADERS)
def test_no_such_file(tmp_path: Path, save: Callable[..., Path], load: Callable[..., Any]) -> None:
    with pytest.raises(DatasetNotFoundError, match="no such file"):
        load(tmp_path / "a.npz")
    with pytest.raises(DatasetNotFoundError):
        load(tmp_path)


@pytest.mark.parametrize(("save", "load"), LOADERS)
def test_truncated_anywhere(tmp_path: Path, save: Callable[..., Path], load: Callable[..., Any]) -> None:
    path = save(tmp_path / "a", processed_stack())
    whole = path.read_bytes()
    for length in [0, 1, 100, *np.linspace(200, len(whole) - 1, 20, dtype=int)]:
        path.write_bytes(whole[:length])
        with pytest.raises(FileFormatError, match="cannot be read"):
            load(path)


def test_every_flipped_byte_of_an_npz_is_found_or_harmless(tmp_path: Path) -> None:
    path = save_npz_bundle(tmp_path / "a", plain_stack(data=frames(4, (2, 2))))
    whole, refused = path.read_bytes(), 0
    for place in range(0, len(whole), 7):
        changed = bytearray(whole)
        changed[place] ^= 0x55
        path.write_bytes(changed)
        try:
            made = load_npz_bundle(path)
        except FileFormatError:
            refused += 1
        else:
            np.testing.assert_array_equal(made.data, frames(4, (2, 2)).astype(np.float32))
    assert refused > 100


@pytest.mark.parametrize("content", [b"", b"PK", b"\x89HDF\r\n\x1a\n", b"text", bytes(range(256)) * 20])
@pytest.mark.parametrize("load", [load_npz_bundle, load_h5_bundle])
def test_other_content(tmp_path: Path, load: Callable[..., Any], content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(FileFormatError, match=r"/a: it cannot be read as an (NPZ|HDF5) bundle"):
        load(tmp_path / "a")


# --- what others write ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(("make", "load"), MAKERS)
def test_times_fill_in_for_metadata_without_any(
    tmp_path: Path, make: Callable[..., Path], load: Callable[..., Any]
) -> None:
    times = np.array([0.5, np.nan, 4, 5])
    metadata = '[{}, {}, {"timestamp": null}, {"timestamp": NaN}]'
    path = make(tmp_path / "a", {"data": frames(), "timestamps": times, "frame_metadata_json": metadata})
    np.testing.assert_array_equal(load(path).times_s, [0.5, np.nan, np.nan, np.nan])


@pytest.mark.parametrize(("make", "load"), MAKERS)
def test_raw_frames_beside_the_metadata_of_fewer(
    tmp_path: Path, make: Callable[..., Path], load: Callable[..., Any]
) -> None:

    backups = json.dumps({"frame_metadata_before_edit": BEFORE})
    times = np.array([one["timestamp"] for one in BEFORE])
    stack = load(make(tmp_path / "a", {"data": frames(5), "timestamps": times, "state_backups_json": backups}))
    assert list(stack.frame_metadata) == BEFORE


def test_slash_in_a_name_that_made_groups(tmp_path: Path) -> None:
    layers = {"processed/a/b": frames(2), "processed/a/c/d": frames(2), "processed/e": frames(2)}
    assert list(load_h5_bundle(make_h5(tmp_path / "a", layers)).processed) == ["a/b", "a/c/d", "e"]
    twice = {"processed/a/b": frames(2), "processed/a%2Fb": frames(2)}
    with pytest.raises(FileFormatError, match="processed/a/b stands twice"):
        load_h5_bundle(make_h5(tmp_path / "a", twice))


@pytest.mark.parametrize(
    "link", [h5py.SoftLink("/data"), h5py.ExternalLink("other.h5", "/data"), h5py.SoftLink("/nowhere")]
)
@pytest.mark.parametrize("key", ["data", "processed/a"])
def test_links_are_not_followed(tmp_path: Path, key: str, link: Any) -> None:
    make_h5(tmp_path / "other", {})
    path = make_h5(tmp_path / "a", {"processed/b": frames(2)})
    with h5py.File(path, "a") as file:
        if key == "data":
            file.move("data", "elsewhere")
        file[key] = link
    with pytest.raises(FileFormatError, match=rf"no {key}|{key} is (no dataset of this file|a link)"):
        load_h5_bundle(path)


def test_frames_in_another_file_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(96))
    path = make_h5(tmp_path / "a", {"data": None})
    with h5py.File(path, "a") as file:
        file.create_dataset("data", (2, 3, 4), "f4", external=str(tmp_path / "secret"))
    with pytest.raises(FileFormatError, match="data is no dataset of this file"):
        load_h5_bundle(path)


# --- bombs ---------------------------------------------------------------------------------------------------
def peak_bytes(load: Callable[[Path], Any], path: Path, message: str) -> int:
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError, match=message):
            load(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_npz_whose_sizes_claim_too_much(tmp_path: Path) -> None:
    path = make_npz(tmp_path / "a", {"data": None})
    header = io.BytesIO()
    shape = (2**12, 2**10, 2**10)
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("data.npy", header.getvalue())
    assert peak_bytes(load_npz_bundle, path, "data has 0 bytes, expected 17179869184") < 2**20
    # a directory that claims what the header does
    content = bytearray(path.read_bytes())
    size = len(header.getvalue())
    entry = content.rfind(b"data.npy") - 46
    assert int.from_bytes(content[entry + 24 : entry + 28], "little") == size
    content[entry + 24 : entry + 28] = (2**32 - 2).to_bytes(4, "little")
    path.write_bytes(content)
    assert peak_bytes(load_npz_bundle, path, "would unpack from .* more than 250 times") < 2**20


def test_npz_of_zeros_past_all_proportion(tmp_path: Path) -> None:
    zeros = np.broadcast_to(np.float32(0), (300, 1024, 1024))
    path = save_npz_bundle(tmp_path / "a", plain_stack(data=zeros, frame_metadata=[{}] * 300))
    assert path.stat().st_size < 2**24
    assert peak_bytes(load_npz_bundle, path, "would unpack from") < 2**20


def test_npz_member_longer_than_its_header_says(tmp_path: Path) -> None:
    path = make_npz(tmp_path / "a", {"timestamps": None})
    made = io.BytesIO()
    np.save(made, np.arange(2.0))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("timestamps.npy", made.getvalue() + bytes(2**24))
    assert peak_bytes(load_npz_bundle, path, r"timestamps has 16777232 bytes, expected 16 for float64 \(2,\)") < 2**20


def test_npz_key_that_stands_twice(tmp_path: Path) -> None:
    path = make_npz(tmp_path / "a", {})
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("data.npy", b"")
    with pytest.raises(FileFormatError, match="data stands twice"):
        load_npz_bundle(path)


def test_h5_of_chunks_that_were_never_written(tmp_path: Path) -> None:
    path = make_h5(tmp_path / "a", {"data": None})
    with h5py.File(path, "a") as file:
        file.create_dataset("data", (2**20, 2**10, 2**10), "f4", chunks=(1, 2**10, 2**10), compression="gzip")
    assert peak_bytes(load_h5_bundle, path, "would unpack from") < 2**20


@pytest.mark.slow
def test_npz_past_four_gigabytes(tmp_path: Path) -> None:
    """Sizes of more than 32 bits, found by zipfile; the checksum of every member is tested."""
    frame = np.zeros((2048, 2048), np.float32)
    frame[5, 7] = 3
    long = np.broadcast_to(frame, (300, 2048, 2048))
    stack = plain_stack(data=long, frame_metadata=[{}] * 300, masks={"m": long[:2] > 0})
    path = save_npz_bundle(tmp_path / "a", stack)
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("data.npy").file_size > 2**32
        assert archive.testzip() is None
        with archive.open("masks__m.npy") as stream:
            assert np.lib.format.read_array(stream).sum() == 2
