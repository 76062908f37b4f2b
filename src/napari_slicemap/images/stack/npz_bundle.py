"""Stacks as NPZ bundles: NumPy's own files in a ZIP, readable with ``allow_pickle=False``."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...errors import FileFormatError, listing
from ...files import atomic_path
from .bundle import (
    BACKUPS,
    FRAMES,
    PROVENANCE,
    Layer,
    Written,
    bundle_path,
    check_layer,
    content_of,
    existing,
    reading,
    refuse_bomb,
    stack_from,
    unescaped,
)
from .safe_pickle import unpickled_objects
from .zip_writer import ZipWriter, npy_header, write_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .image_stack import ImageStack

_PROCESSED, _MASKS = "processed__", "masks__"
_NEEDED = ("data", "timestamps", "pixel_size_nm", "channel", FRAMES, PROVENANCE)
_PIECE_BYTES = 2**20
_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,  # a compression that zipfile does not know
    RuntimeError,  # encrypted
    ValueError,  # what NumPy makes of a header
)


class _Member(NamedTuple):
    """An array in the ZIP, as its header states it."""

    stream: IO[bytes]
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    size: int  # bytes behind the header


def save_npz_bundle(path: str | Path, stack: ImageStack, raw: bool = False, *, dtype: Written = "float32") -> Path:
    """Write a stack with its layers, masks and metadata as one NPZ file.

    Parameters
    ----------
    path : str or Path
        The file; ``.npz`` is put behind it unless it is there. Parent folders are made.
    stack : ImageStack
        What to write.
    raw : bool
        Whether to write it as it was before anything was done to it, alone.
    dtype : str
        ``"float32"``, or ``"source"`` to keep the type of each layer.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    TypeError
        If `path` is neither text nor a path.
    StackError
        If `raw` frames are asked for and were not kept, a number does not fit `dtype`, or metadata fit no JSON.
    """
    target = bundle_path(path, ".npz")
    content = content_of(stack, raw, dtype)
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary, temporary.open("wb") as stream:
        archive = ZipWriter(stream)
        _write_layer(archive, "data", content.data)
        for prefix, layers in ((_PROCESSED, content.processed), (_MASKS, content.masks)):
            for name, layer in layers.items():
                _write_layer(archive, prefix + name, layer)
        write_array(archive, "timestamps", content.timestamps)
        write_array(archive, "pixel_size_nm", np.array(content.pixel_size_nm))
        for key, text in {"channel": content.channel, **content.texts}.items():
            write_array(archive, key, np.array(text))
        archive.finish()
    return target


def _write_layer(archive: ZipWriter, key: str, layer: Layer) -> None:
    with archive.member(f"{key}.npy") as stream:
        stream.write(npy_header(layer.array.shape, layer.dtype))
        for frame in layer.frames():
            stream.write(frame.data.cast("B"))


def load_npz_bundle(path: str | Path) -> ImageStack:
    """Read a stack from an NPZ bundle, ours or playNano's.

    Text in pickled object arrays is read with nothing of the pickle executed.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    ImageStack
        With layers of the types that the file holds.

    Raises
    ------
    TypeError
        If `path` is neither text nor a path.
    DatasetNotFoundError
        If there is no such file.
    FileFormatError
        Naming file and key, if it is cut off, lacks a key, holds one of another type or shape, would unpack to out of
        all proportion, or holds a pickle of anything but text.
    """
    path = existing(path)
    with reading(path, "an NPZ bundle", *_FAULTS), zipfile.ZipFile(path) as archive:
        members = _members(path, archive)
        if missing := [key for key in _NEEDED if key not in members]:
            raise FileFormatError(f"{path}: no {listing(missing)} (there is {listing(sorted(members))})")
        refuse_bomb(path, sum(one.file_size for one in members.values()))
        bundle = _Bundle(path, archive, members)
        return stack_from(
            path,
            data=bundle.layer("data", "buif"),
            processed=bundle.layers(_PROCESSED, "buif"),
            masks=bundle.layers(_MASKS, "b"),
            timestamps=bundle.numbers("timestamps", 1),
            pixel_size_nm=float(bundle.numbers("pixel_size_nm", 0)),
            channel=bundle.text("channel"),
            texts={key: bundle.text(key) for key in (FRAMES, PROVENANCE, BACKUPS) if key in members},
        )


def _members(path: Path, archive: zipfile.ZipFile) -> Mapping[str, zipfile.ZipInfo]:
    """List the arrays that belong to a bundle by key."""
    members: dict[str, zipfile.ZipInfo] = {}
    for one in archive.infolist():
        key = one.filename.removesuffix(".npy")
        if key not in (*_NEEDED, BACKUPS) and not key.startswith((_PROCESSED, _MASKS)):
            continue
        if key in members:
            raise FileFormatError(f"{path}: {key} stands twice")
        members[key] = one
    return members


class _Bundle:
    """The arrays of an open bundle, each held against its header before it is read."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]) -> None:
        self._path, self._archive, self._members = path, archive, members

    def layers(self, prefix: str, kinds: str) -> dict[str, NDArray[Any]]:
        """Read the layers whose keys begin so, by name."""
        return {
            unescaped(key.removeprefix(prefix)): self.layer(key, kinds)
            for key in self._members
            if key.startswith(prefix)
        }

    def layer(self, key: str, kinds: str) -> NDArray[Any]:
        """Read frames ``(T, H, W)`` of certain kinds."""
        with self._member(key) as member:
            check_layer(self._path, key, member.shape, member.dtype, kinds)
            return self._array(key, member)

    def numbers(self, key: str, ndim: int) -> NDArray[np.float64]:
        """Read numbers of so many axes."""
        with self._member(key) as member:
            if member.dtype.kind not in "uif" or len(member.shape) != ndim:
                wanted = "a number" if ndim == 0 else "numbers (T,)"
                raise FileFormatError(f"{self._path}: {key} is {member.dtype} {member.shape}, expected {wanted}")
            return self._array(key, member).astype(np.float64)

    def text(self, key: str) -> str:
        """Read a text, pickled or not."""
        with self._member(key) as member:
            if math.prod(member.shape) != 1 or member.dtype.kind not in "USO":
                raise FileFormatError(f"{self._path}: {key} is {member.dtype} {member.shape}, expected one text")
            if member.dtype.kind == "O":
                (found,) = unpickled_objects(member.stream.read(), member.shape, f"{self._path}: {key}")
            else:
                found = self._array(key, member).item()
        if isinstance(found, bytes):
            found = found.decode("utf-8")
        if not isinstance(found, str):
            raise FileFormatError(f"{self._path}: {key} is {type(found).__name__}, expected text")
        return found

    @contextmanager
    def _member(self, key: str) -> Iterator[_Member]:
        """Open an array behind its header."""
        info = self._members[key]
        with reading(self._path, f"an NPZ bundle ({key})", *_FAULTS), self._archive.open(info) as stream:
            version = np.lib.format.read_magic(stream)
            if version not in ((1, 0), (2, 0)):
                raise FileFormatError(f"{self._path}: {key} is of version {version}, expected 1.0 or 2.0")
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(stream)
            yield _Member(stream, shape, fortran, dtype, info.file_size - stream.tell())

    def _array(self, key: str, member: _Member) -> NDArray[Any]:
        """Read an array whose size is what its header says."""
        shape, dtype = member.shape, member.dtype
        if member.size != math.prod(shape) * dtype.itemsize:
            raise FileFormatError(
                f"{self._path}: {key} has {member.size} bytes, expected {math.prod(shape) * dtype.itemsize} "
                f"for {dtype} {shape}"
            )
        content = np.empty(member.size, np.uint8)
        for start in range(0, member.size, _PIECE_BYTES):
            wanted = content[start : start + _PIECE_BYTES]
            if member.stream.readinto(wanted.data) != len(wanted):  # type: ignore[attr-defined]
                raise FileFormatError(f"{self._path}: {key} is cut off")
        if not member.size:
            return np.zeros(shape, dtype)  # text without a sign
        made = content.view(dtype).reshape(shape, order="F" if member.fortran else "C")
        return made.astype(dtype.newbyteorder("="), order="C", copy=False)
