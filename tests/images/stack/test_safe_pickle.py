"""Pickled text is read, and nothing else of a pickle has any effect."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_slicemap.errors import FileFormatError
from napari_slicemap.images.stack.npz_bundle import load_npz_bundle, save_npz_bundle
from napari_slicemap.images.stack.safe_pickle import unpickled_objects

from .stacks import plain_stack


def payload(value: object, protocol: int = 4) -> bytes:
    array = np.empty((), object)
    array[()] = value
    return pickle.dumps(array, protocol)


class Calls:
    """Unpickles by calling a function."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self._made = function, arguments

    def __reduce__(self) -> Any:
        return self._made


@pytest.mark.parametrize("protocol", [3, 4])  # those that NumPy writes
@pytest.mark.parametrize("value", ["text", "µ 高", "", "x" * 70_000, None, 3.5, {"a": [1, (2,)]}])
def test_plain_objects(value: object, protocol: int) -> None:
    assert unpickled_objects(payload(value, protocol), (), "a.npz: key") == [value]


@pytest.mark.parametrize("module", [b"numpy._core.multiarray", b"numpy.core.multiarray"])
def test_either_of_numpys_modules(module: bytes) -> None:
    made = payload("text", 3).replace(b"numpy._core.multiarray", module)
    assert module in made
    assert unpickled_objects(made, (), "a") == ["text"]


def test_several_objects_keep_their_order() -> None:
    array = np.array([["a", b"b"], ["c", "d"]], object)
    assert unpickled_objects(pickle.dumps(array, 4), (2, 2), "a") == ["a", b"b", "c", "d"]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        pytest.param(payload(Calls(os.system, "true")), "posix.system|nt.system", id="shell"),
        pytest.param(payload(Calls(eval, "1")), "builtins.eval", id="eval"),
        pytest.param(payload(Calls(getattr, "a", "b")), "builtins.getattr", id="getattr"),
        pytest.param(payload(Calls(np.load, "a.npy")), r"asks for numpy\S*.load,", id="another function of numpy"),
        pytest.param(payload(np.float64(1)), "multiarray.scalar", id="scalar of numpy"),
        pytest.param(payload(Path("a")), "pathlib", id="path"),
        pytest.param(b"cos\nsystem\n(S'true'\ntR.", "os.system", id="oldest protocol"),
        pytest.param(b"P0\n.", "persistent", id="persistent id"),
        pytest.param(b"\x82\x01.", "extension", id="extension registry"),
        pytest.param(payload("text")[:-9], "refused", id="cut off"),
        pytest.param(b"", "refused", id="empty"),
        pytest.param(b"\x80\x04r\xff\xff\xff\x7f.", "place", id="memo of two billion places"),
        pytest.param(b"\x80\x04Nr\xff\xff\xff\x7f.", "place 2147483647", id="object at place two billion"),
        pytest.param(b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f.", "refused", id="bytes without end"),
        pytest.param(b"\x80\x04" + b"(" * 5 + b".", "refused", id="marks"),
        pytest.param(pickle.dumps("text"), "no array of objects", id="no array"),
        pytest.param(pickle.dumps(np.zeros(1), 4), "no array of objects", id="array of numbers"),
        pytest.param(pickle.dumps(np.dtype("f4"), 4), "no array of objects", id="type"),
        pytest.param(b"cnumpy\nndarray\n.", "no array of objects", id="class"),
        pytest.param(b"cnumpy\nndarray\n}(S'a'\nI1\nub.", "refused", id="state for a class"),
        pytest.param(pickle.dumps(np.array(["a", "b"], object), 4), "2 objects", id="of another shape"),
    ],
)
def test_refused(made: bytes, message: str) -> None:
    with pytest.raises(FileFormatError, match=message) as caught:
        unpickled_objects(made, (), "a.npz: channel")
    assert str(caught.value).startswith("a.npz: channel: its pickle")


# --- in a bundle ---------------------------------------------------------------------------------------------
def with_objects(path: Path, **values: object) -> Path:
    """A bundle in which some keys are pickled object arrays."""
    whole = save_npz_bundle(path, plain_stack())
    with zipfile.ZipFile(whole) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for key, value in values.items():
        array = np.empty((), object)
        array[()] = value
        made = io.BytesIO()
        np.lib.format.write_array(made, array, allow_pickle=True)
        members[f"{key}.npy"] = made.getvalue()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return whole


def test_bundle_with_pickled_text(tmp_path: Path) -> None:
    path = with_objects(
        tmp_path / "a", channel="Höhe", provenance_json=b'{"a": 1}', frame_metadata_json="[{},{},{},{}]"
    )
    with pytest.raises(ValueError, match="allow_pickle"), np.load(path) as archive:
        archive["channel"]  # it is what this test is about
    made = load_npz_bundle(path)
    assert (made.channel, made.provenance) == ("Höhe", {"a": 1})


@pytest.mark.parametrize("key", ["channel", "frame_metadata_json", "provenance_json", "state_backups_json"])
def test_malicious_bundle_executes_nothing(tmp_path: Path, key: str) -> None:
    sentinel = tmp_path / "executed"
    path = with_objects(tmp_path / "a", **{key: Calls(os.mkdir, str(sentinel))})
    with pytest.raises(FileFormatError, match=rf"a\.npz: {key}: its pickle is refused: it asks for \w+\.mkdir"):
        load_npz_bundle(path)
    assert not sentinel.exists()
    with np.load(path, allow_pickle=True) as archive:
        archive[key]
    assert sentinel.exists()  # the pickle does work


@pytest.mark.parametrize("key", ["data", "timestamps", "pixel_size_nm", "processed__raw", "masks__m"])
def test_numbers_are_never_unpickled(tmp_path: Path, key: str) -> None:
    sentinel = tmp_path / "executed"
    with pytest.raises(FileFormatError, match=f"{key} is object"):
        load_npz_bundle(with_objects(tmp_path / "a", **{key: Calls(os.mkdir, str(sentinel))}))
    assert not sentinel.exists()


def test_text_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="channel is int, expected text"):
        load_npz_bundle(with_objects(tmp_path / "a", channel=3))
