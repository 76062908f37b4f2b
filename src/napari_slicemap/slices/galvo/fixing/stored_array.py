"""The files of a Zarr array, taken apart into their chunks and put together again, byte for byte.

zarr-python packs and unpacks each chunk, whatever its encoding; which chunks there are, and in which file and order
they lie, is kept as it is.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Lock, local
from typing import TYPE_CHECKING, Any

import numpy as np

from ....images.format_tools import named, read_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Place = tuple[int, ...]
    Part = tuple[Place, bytes]

KIND = "a Zarr array"
_NOWHERE = 2**64 - 1  # in the index of a shard: this chunk is not there
_NUMBER = re.compile(r"[0-9]+")
_SETTINGS = Lock()


class OneChunk:
    """An array of one chunk, in memory: what is stored in it is packed as the chunks of another array are.

    Parameters
    ----------
    said : dict
        The metadata of the other array, v2 or v3.
    shape : tuple of int
        Of its chunks.
    """

    def __init__(self, said: dict[str, Any], shape: Place) -> None:
        import zarr
        from zarr.buffer.cpu import Buffer
        from zarr.storage import MemoryStore

        self._bytes = Buffer.from_bytes
        version = said["zarr_format"]
        name, made = (".zarray", _one_v2(said, shape)) if version == 2 else ("zarr.json", _one_v3(said, shape))
        self._kept: dict[str, Any] = {name: self._bytes(json.dumps(made).encode())}
        # a chunk that holds nothing but the fill value is stored where it was stored before; an array takes this from
        # the settings of the process when it is opened, and threads would put back each other's
        with _SETTINGS, zarr.config.set({"array.write_empty_chunks": True}):
            self._array: Any = zarr.open_array(MemoryStore(self._kept), mode="r+", zarr_format=version)
        self._key = self._array.metadata.encode_chunk_key((0,) * len(shape))

    def unpack(self, raw: bytes) -> NDArray[Any]:
        """Decode the bytes of a chunk, what lies beyond the end of the array included."""
        self._kept[self._key] = self._bytes(raw)
        found: NDArray[Any] = np.asarray(self._array[...])
        del self._kept[self._key]
        return found if found.flags.writeable else found.copy()

    def pack(self, chunk: NDArray[Any]) -> bytes:
        """Encode a chunk."""
        self._array[...] = chunk
        made: bytes = self._kept.pop(self._key).to_bytes()
        return made


def _one_v2(said: dict[str, Any], shape: Place) -> dict[str, Any]:
    return {**said, "shape": shape, "chunks": shape, "dimension_separator": "."}


def _one_v3(said: dict[str, Any], shape: Place) -> dict[str, Any]:
    kept = {key: said[key] for key in ("zarr_format", "node_type", "data_type", "fill_value", "codecs")}
    grid = {"name": "regular", "configuration": {"chunk_shape": shape}}
    return {**kept, "shape": shape, "chunk_grid": grid, "chunk_key_encoding": {"name": "default"}, "attributes": {}}


class StoredArray:
    """A Zarr array, v2 or v3, in its folder.

    Parameters
    ----------
    folder : Path
        Of the array.

    Attributes
    ----------
    shape, chunks : tuple of int
        Of the array, and of each of its chunks; those at the ends are stored in full.
    dtype : numpy.dtype
        Of the pixels.
    fill : scalar
        What a chunk that is not there holds.

    Raises
    ------
    TileReadError
        Naming the folder, if there is no array, or it is stored in a way that cannot be written again.
    """

    def __init__(self, folder: Path) -> None:
        import zarr

        self.folder = folder
        with named(folder, KIND):
            opened = zarr.open_array(folder, mode="r")
            version = opened.metadata.zarr_format
            self._said = json.loads((folder / (".zarray" if version == 2 else "zarr.json")).read_bytes())
            self._name_of = opened.metadata.encode_chunk_key
            self.shape: Place = tuple(opened.shape)
            self.chunks: Place = tuple(opened.chunks)
            self.dtype: np.dtype[Any] = np.dtype(opened.dtype)
            self.fill: Any = 0 if opened.fill_value is None else opened.fill_value
            self._shard = None if opened.shards is None else _Shard(self._said, tuple(opened.shards), self.chunks)
        self._own = local()

    @property
    def state(self) -> str:
        """What tells this metadata from other: a hash."""
        return hashlib.sha256(json.dumps(self._said, sort_keys=True).encode()).hexdigest()

    @property
    def files(self) -> Place:
        """The shape of what lies in one file: a chunk, or several of them."""
        return self.chunks if self._shard is None else self._shard.shape

    def name_of(self, place: Place) -> str:
        """Name the file of a chunk or shard, within the folder."""
        return str(self._name_of(place))

    def place_of(self, name: str) -> Place | None:
        """Say which chunk or shard a file within the folder holds; ``None`` for any other file."""
        place = tuple(map(int, _NUMBER.findall(name)))
        # of a default key the numbers follow a letter, and of some keys there is nothing else
        counts = [math.ceil(size / one) for size, one in zip(self.shape, self.files, strict=True)]
        if len(place) != len(counts) or any(n >= count for n, count in zip(place, counts, strict=True)):
            return None
        return place if self.name_of(place) == name else None

    def kept(self, place: Place, axis: int) -> int:
        """Say how many entries of a chunk along an axis lie within the array."""
        return min(self.chunks[axis], self.shape[axis] - place[axis] * self.chunks[axis])

    @property
    def _codec(self) -> OneChunk:
        if not hasattr(self._own, "codec"):  # one for each thread: it holds the chunk it works on
            said = self._said if self._shard is None else self._shard.said
            self._own.codec = OneChunk(said, self.chunks)
        found: OneChunk = self._own.codec
        return found

    def unpack(self, raw: bytes, path: Path) -> NDArray[Any]:
        """Decode a chunk of a file.

        Raises
        ------
        TileReadError
            Naming the file.
        """
        with named(path, "a chunk of an image"):
            return self._codec.unpack(raw)

    def pack(self, chunk: NDArray[Any]) -> bytes:
        """Encode a chunk."""
        return self._codec.pack(chunk)

    def parts(self, path: Path, place: Place) -> Iterator[Part]:
        """Give the chunks of a file, packed, in the order in which they lie there.

        Raises
        ------
        TileReadError
            Naming the file.
        """
        if self._shard is None:
            with named(path, "a chunk of an image"):
                raw = path.read_bytes()
            yield place, raw
            return
        for inner, offset, count in self._shard.spans(path):
            at = tuple(n * many + m for n, many, m in zip(place, self._shard.within, inner, strict=True))
            yield at, self._shard.read_span(path, offset, count)

    def write(self, path: Path, place: Place, parts: Iterable[Part]) -> None:
        """Write a file of the chunks that are given, in their order."""
        if self._shard is None:
            ((_, raw),) = parts
            path.write_bytes(raw)
            return
        within = self._shard.within
        self._shard.write(
            path,
            ((tuple(m - n * count for n, count, m in zip(place, within, at, strict=True)), raw) for at, raw in parts),
        )

    def read(self, folder: Path, at: Place) -> NDArray[Any] | None:
        """Decode a chunk of this array as it lies in another folder; ``None`` if it is not there.

        Raises
        ------
        TileReadError
            Naming the file.
        """
        within = (1,) * len(at) if self._shard is None else self._shard.within
        place = tuple(n // count for n, count in zip(at, within, strict=True))
        path = folder / self.name_of(place)
        if not path.exists():
            return None
        if self._shard is None:
            raw: bytes | None = path.read_bytes()
        else:
            raw = self._shard.read(path, tuple(n % count for n, count in zip(at, within, strict=True)))
        return None if raw is None else self.unpack(raw, path)


class _Shard:
    """How the chunks of a shard lie in its file."""

    def __init__(self, said: dict[str, Any], shape: Place, chunks: Place) -> None:
        if len(said["codecs"]) != 1:
            raise ValueError("its shards are packed once more as a whole")
        how = said["codecs"][0]["configuration"]
        self.shape = shape
        self.within: Place = tuple(n // m for n, m in zip(shape, chunks, strict=True))
        self.said = {**said, "codecs": how["codecs"]}
        self._at_start = how.get("index_location") == "start"
        index = {**said, "data_type": "uint64", "fill_value": 0, "codecs": how["index_codecs"]}
        self._index_said, self._own = index, local()
        self._index_bytes = len(self._index.pack(self._none()))

    @property
    def _index(self) -> OneChunk:
        if not hasattr(self._own, "index"):
            self._own.index = OneChunk(self._index_said, (*self.within, 2))
        found: OneChunk = self._own.index
        return found

    def _none(self) -> NDArray[np.uint64]:
        return np.full((*self.within, 2), _NOWHERE, np.uint64)

    def _table(self, path: Path) -> NDArray[np.uint64]:
        """Read where each chunk lies: ``(…, (offset, bytes))``."""
        with named(path, "a shard of an image"), path.open("rb") as stream:
            start = 0 if self._at_start else path.stat().st_size - self._index_bytes
            if start < 0:
                raise ValueError("the file is cut short: the table of its chunks is not whole")
            return self._index.unpack(read_bytes(stream, start, self._index_bytes))

    def spans(self, path: Path) -> list[tuple[Place, int, int]]:
        """List the chunks that are there, with offset and bytes, in the order in which they lie in the file."""
        table = self._table(path)
        found = [(place, int(table[place][0]), int(table[place][1])) for place in np.ndindex(*self.within)]
        return sorted((one for one in found if one[1] != _NOWHERE), key=lambda one: one[1])

    def read(self, path: Path, inner: Place) -> bytes | None:
        """Read the bytes of a chunk; ``None`` if it is not there."""
        offset, count = map(int, self._table(path)[inner])
        return None if offset == _NOWHERE else self.read_span(path, offset, count)

    def read_span(self, path: Path, offset: int, count: int) -> bytes:
        """Read so many bytes."""
        with named(path, "a shard of an image"), path.open("rb") as stream:
            return read_bytes(stream, offset, count)

    def write(self, path: Path, parts: Iterable[Part]) -> None:
        """Write chunks one behind the other, and the table of them."""
        table, at = self._none(), self._index_bytes if self._at_start else 0
        with path.open("wb") as stream:
            stream.seek(at)
            for inner, raw in parts:
                table[inner] = at, len(raw)
                stream.write(raw)
                at += len(raw)
            stream.seek(0 if self._at_start else at)
            stream.write(self._index.pack(table))
