"""Images whose writing is stopped: it goes on, the files come out the same, and nothing is read again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import pixels
from napari_slicemap.images.ome_zarr import checkpoints as ome_zarr_checkpoints
from napari_slicemap.images.ome_zarr import writer as ome_zarr_writer
from napari_slicemap.images.ome_zarr.checkpoints import Checkpoints, has_checkpoints
from napari_slicemap.images.ome_zarr.writer import write_ome_zarr
from napari_slicemap.images.source import ImageSource

SHAPE = (1, 2, 2, 40, 21)


@pytest.fixture(autouse=True)
def checkpoint_after_each_band(monkeypatch: pytest.MonkeyPatch) -> None:
    """Levels down to 8 px, a checkpoint after each band, and a disk that is not waited for."""
    monkeypatch.setattr(ome_zarr_writer, "_COARSEST", 8)
    monkeypatch.setattr(ome_zarr_checkpoints, "INTERVAL_BYTES", 1)
    monkeypatch.setattr(ome_zarr_checkpoints, "_SHARE", 0)
    monkeypatch.setattr(os, "fsync", lambda _: None)


class Stopped(BaseException):
    """As a killed process: nothing that handles errors sees it."""


class Reads:
    """An image that counts what is read of it, and stops its reader once."""

    def __init__(self, stop_at: int, dtype: Any = np.uint16) -> None:
        data = pixels(1, SHAPE, dtype)
        data[:, :, :, :10] = 0  # rows of chunks that are not stored
        if data.dtype.kind == "f":
            data[0, 0, 0, 20:30, ::3] = np.nan
        self.data, self.labels = data, pixels(2, SHAPE, np.uint16)[:, 0] % 5
        self.stop_at, self.asked = stop_at, list[tuple[Any, ...]]()

    def _note(self, *asked: Any) -> None:
        if len(self.asked) == self.stop_at:
            self.stop_at = -1
            raise Stopped
        self.asked.append(asked)

    def _read(self, t: int, c: int, z: int, top: int, bottom: int) -> Any:
        self._note("", t, c, z, top)
        return self.data[t, c, z, top:bottom]

    def _mask(self, t: int, z: int, top: int, bottom: int) -> Any:
        self._note("cell", t, 0, z, top)
        return self.labels[t, z, top:bottom]

    @property
    def source(self) -> ImageSource:
        return ImageSource("a", SHAPE, self.data.dtype, ("A", "B"), self._read, 0.5, labels={"cell": self._mask})


def files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}


def checkpoints(folder: Path, key: str = "key") -> Checkpoints:
    return Checkpoints(folder / "checkpoint.npz", key, dict)


def spoil(folder: Path, version: str) -> None:
    """Leave behind what a machine that lost its power may: files without content, some under names of their own."""
    (folder / "0" / "zarr.1f.partial").write_bytes(b"{")
    (folder / "zarr.2a.partial").write_bytes(b"")
    row = folder / "0" / ("0/1/1/4" if version == "0.4" else "c/0/1/1/4")  # of the last plane
    row.mkdir(parents=True, exist_ok=True)
    (row / "0").write_bytes(b"")


@pytest.mark.parametrize("stop_at", [2, 11, 23])
@pytest.mark.parametrize(
    ("dtype", "options"),
    [
        pytest.param(np.float32, {"version": "0.5", "shard": True, "chunk": 4}, id="shards"),
        pytest.param(np.uint16, {"version": "0.4", "chunk": 5}, id="0.4"),
        pytest.param(np.uint16, {"chunk": 4, "runs": [range(2)]}, id="runs"),
    ],
)
def test_the_files_are_the_same_and_nothing_is_read_again(
    tmp_path: Path, whole: dict[str, dict[str, bytes]], stop_at: int, dtype: Any, options: dict[str, Any]
) -> None:
    reads = Reads(stop_at, dtype)
    with pytest.raises(Stopped):
        write_ome_zarr(tmp_path / "a.zarr", reads.source, checkpoints=checkpoints(tmp_path), **options)
    if stop_at < 15:
        spoil(tmp_path / "a.zarr", options.get("version", "0.5"))
    write_ome_zarr(tmp_path / "a.zarr", reads.source, checkpoints=checkpoints(tmp_path), **options)
    if str(options) not in whole:
        one = Reads(-1, dtype)
        write_ome_zarr(tmp_path / "whole.zarr", one.source, **options)
        whole[str(options)] = files(tmp_path / "whole.zarr")
        assert len(one.asked) == 30
    assert files(tmp_path / "a.zarr") == whole[str(options)]
    again = 1 if "runs" in options else 0  # of planes that are read side by side, those before the one
    assert len(reads.asked) - len(set(reads.asked)) <= again


@pytest.fixture(scope="module")
def whole() -> dict[str, dict[str, bytes]]:
    """Files that were written without a stop."""
    return {}


def test_what_a_checkpoint_says_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image, durable, seen = tmp_path / "a.zarr", set[int](), []
    write = Checkpoints.write

    def fsync(handle: int) -> None:
        durable.add(os.fstat(handle).st_ino)

    def written(self: Checkpoints, *args: Any) -> None:
        there = [image, *image.rglob("*")]
        seen.append(len(there))
        assert [path for path in there if path.stat().st_ino not in durable and (path.is_file() or posix)] == []
        write(self, *args)

    posix = os.name == "posix"
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Checkpoints, "write", written)
    write_ome_zarr(image, Reads(-1).source, chunk=4, checkpoints=checkpoints(tmp_path))
    assert seen[0] < seen[-1]
    assert len(seen) == 30


@pytest.mark.parametrize("what", ["key", "bytes", "nothing"])
def test_no_checkpoint(tmp_path: Path, what: str) -> None:
    reads = Reads(9)
    with pytest.raises(Stopped):
        write_ome_zarr(tmp_path / "a.zarr", reads.source, chunk=4, checkpoints=checkpoints(tmp_path))
    path = tmp_path / "checkpoint.npz"
    assert checkpoints(tmp_path).read() is not None
    if what == "bytes":
        content = bytearray(path.read_bytes())
        content[content.index(b"bottom")] ^= 1
        path.write_bytes(content)
    elif what == "nothing":
        path.write_bytes(b"")
    again = checkpoints(tmp_path, "other" if what == "key" else "key")
    assert again.read() is None
    with pytest.raises(FileExistsError, match="is not empty"):
        write_ome_zarr(tmp_path / "a.zarr", reads.source, chunk=4, checkpoints=again)


def test_checkpoints_cost_little_beside_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ome_zarr_checkpoints, "INTERVAL_BYTES", 5000)
    monkeypatch.setattr(ome_zarr_checkpoints, "_SHARE", 16)
    one = checkpoints(tmp_path)
    assert [one.due(since, 0) for since in (4999, 5000)] == [False, True]
    assert [one.due(since, 1000) for since in (15_999, 16_000)] == [False, True]
    one.write(0, 0, 0, [None] * 1000, [])
    text = path_size(tmp_path)
    assert text > 4000
    assert [one.due(since, 0) for since in (16 * 4000, 16 * text)] == [False, True]
    source = Reads(-1).source
    for limit, long in ((source.nbytes, True), (source.nbytes + 4 * source.nbytes // 4, False)):
        monkeypatch.setattr(ome_zarr_checkpoints, "INTERVAL_BYTES", limit)
        assert has_checkpoints(source) == long


def path_size(folder: Path) -> int:
    return (folder / "checkpoint.npz").stat().st_size


def test_rows_that_wait_are_those_of_their_level(tmp_path: Path) -> None:
    reads = Reads(4)
    with pytest.raises(Stopped):
        write_ome_zarr(tmp_path / "a.zarr", reads.source, chunk=5, checkpoints=checkpoints(tmp_path))
    found = checkpoints(tmp_path).read()
    assert found is not None
    assert (found.part, found.group, found.bottom) == (0, 0, 32)
    (levels,) = found.waiting
    assert [(top + len(rows)) * 2**n for n, (top, rows) in enumerate(levels)] == [32] * 4
    assert [top for top, _ in levels] == [30, 10, 0, 0]  # the strips of all but the first have 10 rows, or all
    top, rows = levels[0]
    np.testing.assert_array_equal(rows, reads.data[0, 0, 0, top:32])
