"""How the chunks of a Zarr array are stored and decoded.

Those in the usual encodings are read and decoded here, by imagecodecs, which takes an eighth of the time and lets
other threads run; all others go through zarr-python.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from io import FileIO
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..format_tools import Recent, own_buffer, read_bytes, shared_chunk
from ..image import file_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Place = tuple[int, ...]
    Step = Callable[[Any], Any]
    Into = Callable[[Any, NDArray[np.uint8]], None]

_CHUNK_NAME = re.compile(r"c|(c\.)?[0-9]+(\.[0-9]+)*")
"""What is in the folder of an array, where its chunks are: files, or folders of them."""
_NOWHERE = 2**64 - 1  # in the index of a shard: this chunk is not there


@dataclass(frozen=True)
class _Encoding:
    """How the bytes of a chunk become an array.

    Parameters
    ----------
    shape : tuple of int
        Of every chunk; those at the edges are stored in full.
    dtype : numpy.dtype
        In the byte order that is stored.
    order : "C" or "F"
        Which axis is the fastest.
    steps : tuple of callable
        Decompress and check, in this order.
    """

    shape: Place
    dtype: np.dtype[Any]
    order: Literal["C", "F"]
    steps: tuple[Step, ...]

    def decode(self, raw: bytes) -> NDArray[Any]:
        for step in self.steps:
            raw = step(raw)
        if len(raw) != math.prod(self.shape) * self.dtype.itemsize:
            raise ValueError(f"it holds {len(raw)} bytes of pixels, expected {self.shape} of {self.dtype}")
        return np.frombuffer(raw, self.dtype).reshape(self.shape, order=self.order)

    @cached_property
    def into(self) -> Into | None:
        """What decodes a chunk into the bytes of an array of its shape, ``None`` if that takes a copy."""
        if len(self.steps) != 1 or self.order != "C" or not self.dtype.isnative:
            return None
        (step,) = self.steps
        if not isinstance(step, partial):
            return None
        if step.func is _from_blosc:
            return _blosc_into()
        return _plain_into(step.func) if "out" in step.keywords else None


@dataclass(frozen=True)
class _Sharding:
    """Where the chunks of a shard lie in its file.

    Parameters
    ----------
    shape : tuple of int
        How many chunks there are in a shard, along each axis.
    at_start : bool
        Whether the table of them goes before them.
    encoding : _Encoding
        Of that table.
    stored : int
        Bytes of that table as it is stored.
    """

    shape: Place
    at_start: bool
    encoding: _Encoding
    stored: int

    def table(self, stream: Any) -> NDArray[np.uint64]:
        """Read the table ``(chunk, (offset, bytes))``."""
        start = 0 if self.at_start else os.fstat(stream.fileno()).st_size - self.stored
        if start < 0:
            raise ValueError("the file is cut short: the table of its chunks is not whole")
        table = self.encoding.decode(read_bytes(stream, start, self.stored))
        return table.reshape(-1, 2).astype(np.uint64)


@dataclass(frozen=True)
class ChunkFiles:
    """The chunks of an array in its folder.

    Parameters
    ----------
    folder : Path
        Of the array.
    name_of : callable
        File of a chunk (or shard) in it.
    encoding : _Encoding
        Of each chunk.
    sharding : _Sharding or None
        If several chunks share a file.
    fill : scalar
        What a chunk that is not there holds.
    shared : bool
        Whether a chunk holds parts of several planes; then it is kept for the next of them.
    """

    folder: Path
    name_of: Callable[[Place], str]
    encoding: _Encoding
    sharding: _Sharding | None
    fill: Any
    shared: bool

    def read_straight(self, places: Sequence[Place], made: Sequence[NDArray[Any]]) -> None:
        """Decode chunks into arrays of their full size.

        All that can be done before is done before: little Python is left between a file and the next, for which
        threads would have to take turns.
        """
        into = self.encoding.into
        assert into is not None, "others are not read straight"
        names = [self.name_of(place) for place in places]
        jobs = [
            (name, f"{self.folder}{os.sep}{name}", out.reshape(-1).view(np.uint8))
            for name, out in zip(names, made, strict=True)
        ]
        nbytes = made[0].nbytes
        raw = own_buffer(nbytes + 4096)
        for name, file, out in jobs:
            try:
                with FileIO(file) as stream:
                    count = stream.readinto(raw)
                    whole: Any = raw[:count] if count < len(raw) else bytes(raw) + stream.readall()
                into(whole, out)
            except FileNotFoundError:
                self._refuse_other_names()
                out.view(self.encoding.dtype)[...] = self.fill
            except Exception as error:
                raise ValueError(f"chunk {name}: {error}") from error

    def read(self, place: Place, *, keep: bool = True) -> NDArray[Any]:
        """Decode one chunk in its full size; one that holds several planes is kept for the next of them, if wanted."""
        inner = 0
        if self.sharding is not None:
            within = self.sharding.shape
            inner = int(np.ravel_multi_index([n % size for n, size in zip(place, within, strict=True)], within))
            place = tuple(n // size for n, size in zip(place, within, strict=True))
        name = self.name_of(place)
        file = f"{self.folder}{os.sep}{name}"
        try:
            if not (self.shared and keep):
                return self._decoded(file, inner)
            # what the metadata says may change, and the chunk stay
            said = self.encoding.shape, self.encoding.dtype.str, self.encoding.order
            return shared_chunk(
                self.folder, (name, file_state(Path(file)), inner, said), lambda: self._decoded(file, inner)
            )
        except Exception as error:
            raise ValueError(f"chunk {name}: {error}") from error

    def _decoded(self, file: str, inner: int) -> NDArray[Any]:
        raw = self._raw(file, inner)
        if raw is None:
            self._refuse_other_names()
            return np.full(self.encoding.shape, self.fill, self.encoding.dtype)
        return self.encoding.decode(raw)

    def _refuse_other_names(self) -> None:
        """Refuse to take chunks for never written where they are there under other names."""
        if self._called_otherwise:
            first = self.name_of((0,) * len(self.encoding.shape))
            raise ValueError(
                f"the array's metadata names its chunks as {first!r}, "
                f"of which none is there, but {self._called_otherwise!r} is"
            )

    @cached_property
    def _called_otherwise(self) -> str:
        """Name what looks like a chunk of another naming, if there is none of this one; else ``""``."""
        first = self.name_of((0,) * len(self.encoding.shape)).split("/")[0]
        expected = re.compile(re.sub("[0-9]+", "[0-9]+", re.escape(first)))
        found = ""
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if expected.fullmatch(entry.name):
                    return ""
                if _CHUNK_NAME.fullmatch(entry.name):
                    found = entry.name
        return found

    def _raw(self, file: str, inner: int) -> bytes | None:
        """Read the bytes of a chunk; ``None`` if it was never written."""
        try:
            with open(file, "rb", buffering=0) as stream:  # noqa: PTH123 - a path would cost as much as the reading
                if self.sharding is None:
                    return stream.readall()
                found = os.fstat(stream.fileno())
                state = file, found.st_size, found.st_mtime_ns, self.sharding.shape, self.sharding.at_start
                offset, count = map(int, _TABLES.get(state, partial(self.sharding.table, stream))[inner])
                return None if offset == count == _NOWHERE else read_bytes(stream, offset, count)
        except FileNotFoundError:
            return None


_TABLES: Recent[NDArray[np.uint64]] = Recent(256)


def chunks_of(array: Any, folder: Path, plane_px: int) -> ChunkFiles | None:
    """Say how the chunks are read here, ``None`` where they are left to zarr-python."""
    metadata = array.metadata
    said = metadata.to_dict()
    found = _encoding_v2(array, said) if said["zarr_format"] == 2 else _encoding_v3(array, said)
    if found is None:
        return None
    encoding, sharding = found
    fill = 0 if array.fill_value is None else array.fill_value
    shared = math.prod(encoding.shape) > plane_px
    return ChunkFiles(folder, metadata.encode_chunk_key, encoding, sharding, fill, shared)


def _encoding_v2(array: Any, said: Mapping[str, Any]) -> tuple[_Encoding, None] | None:
    compressor = said.get("compressor")
    size = math.prod(array.chunks) * array.dtype.itemsize
    steps = [] if compressor is None else [_step(compressor["id"], size)]
    if said.get("filters") or None in steps:
        return None
    return _Encoding(array.chunks, array.dtype, said["order"], tuple(step for step in steps if step)), None


def _encoding_v3(array: Any, said: Mapping[str, Any]) -> tuple[_Encoding, _Sharding | None] | None:
    codecs: Sequence[Mapping[str, Any]] = said["codecs"]
    if said["chunk_grid"]["name"] != "regular" or said.get("storage_transformers"):
        return None
    if codecs[0]["name"] != "sharding_indexed":
        encoding = _encoding(codecs, array.chunks, array.dtype)
        return None if encoding is None else (encoding, None)
    if len(codecs) > 1:
        return None
    shard = codecs[0]["configuration"]
    encoding = _encoding(shard["codecs"], array.chunks, array.dtype)
    within = tuple(n // m for n, m in zip(array.shards, array.chunks, strict=True))
    index = shard["index_codecs"]
    table = _encoding(index, (*within, 2), np.dtype(np.uint64))
    if encoding is None or table is None or not {codec["name"] for codec in index} <= {"bytes", "crc32c"}:
        return None
    stored = math.prod(table.shape) * 8 + 4 * len(table.steps)
    return encoding, _Sharding(within, shard.get("index_location") == "start", table, stored)


def _encoding(codecs: Sequence[Mapping[str, Any]], shape: Place, dtype: np.dtype[Any]) -> _Encoding | None:
    first, *others = codecs
    if first["name"] != "bytes":
        return None
    endian = (first.get("configuration") or {}).get("endian", "little")
    size: int | None = math.prod(shape) * dtype.itemsize
    steps: list[Step] = []
    for codec in others:
        step = _step(codec["name"], size)
        if step is None:
            return None
        steps.insert(0, step)
        size = size + 4 if codec["name"] == "crc32c" and size is not None else None
    stored = dtype.newbyteorder(">" if endian == "big" else "<")
    return _Encoding(tuple(shape), stored, "C", tuple(steps))


def _step(name: str, size: int | None) -> Step | None:
    """Give the function that undoes a codec and gives `size` bytes, ``None`` for one that is not known here."""
    import imagecodecs

    if name == "blosc":
        return partial(_from_blosc, size)
    if name == "lz4":
        return partial(_from_lz4, size)
    if name == "crc32c":
        return _crc32c()
    plain = {"zstd": imagecodecs.zstd_decode, "gzip": imagecodecs.gzip_decode, "zlib": imagecodecs.zlib_decode}
    if name not in plain:
        return None
    return partial(plain[name], out=size)


def _from_blosc(size: int | None, raw: Any) -> Any:
    import imagecodecs

    _check_blosc(raw, size)
    return imagecodecs.blosc_decode(raw, numthreads=1)


def _from_lz4(size: int | None, raw: Any) -> Any:
    import imagecodecs

    stated = int.from_bytes(raw[:4], "little")  # as much memory is taken, whatever follows
    if size is not None and stated != size:
        raise ValueError(f"it holds {stated} bytes of pixels, expected {size}")
    return imagecodecs.lz4_decode(raw, header=True)


def _blosc_into() -> Into:
    from imagecodecs import blosc_decode

    def into(raw: Any, out: NDArray[np.uint8]) -> None:
        _check_blosc(raw, out.nbytes)
        blosc_decode(raw, numthreads=1, out=out)  # type: ignore[arg-type]

    return into


def _plain_into(decode: Callable[..., Any]) -> Into:
    def into(raw: Any, out: NDArray[np.uint8]) -> None:
        if (filled := len(decode(raw, out=out))) != out.nbytes:
            raise ValueError(f"it holds {filled} bytes of pixels, expected {out.nbytes}")

    return into


_BLOSC = Struct("<4xI4xI")  # bytes of the pixels, and of the whole


def _check_blosc(raw: Any, nbytes: int | None = None) -> None:
    """Hold the header against what is there: the decoder trusts it, and would read and write on behind the end."""
    size, whole = _BLOSC.unpack_from(raw) if len(raw) >= _BLOSC.size else (0, math.inf)
    if len(raw) < whole:
        raise ValueError("it is cut short")
    if nbytes is not None and size != nbytes:
        raise ValueError(f"it holds {size} bytes of pixels, expected {nbytes}")


def _crc32c() -> Step | None:
    """Give the check of a sum at the end, if the library is there that zarr-python does it with."""
    try:
        from google_crc32c import value
    except ImportError:
        return None

    def checked(raw: bytes) -> bytes:
        if len(raw) < 4 or value(raw[:-4]) != int.from_bytes(raw[-4:], "little"):
            raise ValueError("its checksum is wrong")
        return raw[:-4]

    return checked
