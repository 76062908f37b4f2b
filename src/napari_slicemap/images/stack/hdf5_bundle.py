"""Stacks as HDF5 bundles; frames are packed by ISA-L and handed to HDF5 as they are to lie in the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ...errors import FileFormatError, StackError, listing
from ...files import atomic_path
from .bundle import (
    BACKUPS,
    FRAMES,
    PROVENANCE,
    Content,
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

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .image_stack import ImageStack

Compression = Literal["gzip"]

_PROCESSED, _MASKS = "processed", "masks"
_NEEDED = ("data", "timestamps", FRAMES, PROVENANCE)
_CHUNK_BYTES = 2**20
"""Of a chunk: what HDF5 keeps unpacked of a dataset."""
_LEVEL = 1
_FAULTS = (OSError, RuntimeError, TypeError, ValueError, KeyError)
"""What h5py makes of a file that is broken, or of types that it does not know."""


def save_h5_bundle(
    path: str | Path,
    stack: ImageStack,
    raw: bool = False,
    *,
    dtype: Written = "float32",
    compression: Compression | None = "gzip",
) -> Path:
    """Write a stack with its layers, masks and metadata as one HDF5 file.

    Parameters
    ----------
    path : str or Path
        The file; ``.h5`` is put behind it unless it is there. Parent folders are made.
    stack : ImageStack
        What to write.
    raw : bool
        Whether to write it as it was before anything was done to it, alone.
    dtype : str
        ``"float32"``, or ``"source"`` to keep the type of each layer.
    compression : str or None
        ``"gzip"``, or ``None`` to store frames as they are.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    TypeError
        If `path` is neither text nor a path.
    StackError
        If `raw` frames are asked for and were not kept, a number does not fit `dtype`, metadata fit no JSON, or
        `compression` is unknown.
    """
    import h5py  # type: ignore[import-untyped]

    target = bundle_path(path, ".h5")
    if compression not in ("gzip", None):
        raise StackError(f"{stack}: compression is {compression!r}, expected 'gzip' or None")
    content = content_of(stack, raw, dtype)
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary, h5py.File(temporary, "w") as file:
        _write(file, content, compression)
    return target


def _write(file: Any, content: Content, compression: Compression | None) -> None:
    import h5py

    _write_layer(file, "data", content.data, compression)
    for group, layers in ((_PROCESSED, content.processed), (_MASKS, content.masks)):
        made = file.create_group(group, track_order=True)
        for name, layer in layers.items():
            _write_layer(made, name, layer, compression)
    file.create_dataset("timestamps", data=content.timestamps.astype("<f8"), track_times=False)
    for key, text in content.texts.items():
        encoded = text.encode("utf-8")
        kind = h5py.string_dtype("utf-8", len(encoded))
        file.create_dataset(key, data=np.array(encoded, kind), dtype=kind, track_times=False)
    file.attrs["pixel_size_nm"] = np.float64(content.pixel_size_nm)
    file.attrs["channel"] = content.channel


def _write_layer(group: Any, name: str, layer: Layer, compression: Compression | None) -> None:
    frames, height, width = layer.array.shape
    size = layer.dtype.itemsize
    if compression is None:
        made = group.create_dataset(name, layer.array.shape, layer.dtype, track_times=False)
        for index, frame in enumerate(layer.frames()):
            made[index] = frame
        return
    rows = min(height, max(1, _CHUNK_BYTES // (width * size)))
    made = group.create_dataset(
        name,
        (frames, height, width),
        layer.dtype,
        chunks=(1, rows, width),
        compression="gzip",
        compression_opts=_LEVEL,
        shuffle=size > 1,
        track_times=False,
    )
    for index, frame in enumerate(layer.frames()):
        for top, chunk in _chunks(frame, rows):
            made.id.write_direct_chunk((index, top, 0), chunk)


def _chunks(frame: NDArray[Any], rows: int) -> Iterator[tuple[int, bytes]]:
    """Cut a frame into packed chunks, the last one filled up with zeros, with the row that each begins on."""
    from isal import isal_zlib

    for top in range(0, len(frame), rows):
        band = frame[top : top + rows]
        if len(band) < rows:
            band = np.concatenate((band, np.zeros((rows - len(band), band.shape[1]), band.dtype)))
        # first bytes of all numbers first, as HDF5's shuffle does it
        shuffled = np.ascontiguousarray(band.reshape(-1).view(np.uint8).reshape(-1, band.dtype.itemsize).T)
        yield top, isal_zlib.compress(shuffled.data, _LEVEL)


def load_h5_bundle(path: str | Path) -> ImageStack:
    """Read a stack from an HDF5 bundle, ours or playNano's.

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
        Naming file and key, if it is cut off, lacks a key, holds one of another type or shape, leads into other files,
        or would unpack to out of all proportion.
    """
    with _opened(path) as bundle:
        refuse_bomb(bundle.path, bundle.bytes_of(["data", "timestamps", *bundle.text_keys, *bundle.layer_keys]))
        return stack_from(
            bundle.path,
            data=bundle.layer("data", "buif"),
            processed=bundle.layers(_PROCESSED, "buif"),
            masks=bundle.layers(_MASKS, "b"),
            timestamps=bundle.timestamps(),
            pixel_size_nm=bundle.pixel_size_nm(),
            channel=bundle.channel(),
            texts={key: bundle.text(key) for key in bundle.text_keys},
        )


def read_h5_facts(path: str | Path) -> tuple[ImageStack, dict[str, tuple[str, NDArray[Any]]]]:
    """Read what an HDF5 bundle says of its frames, and none of them.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    stack : ImageStack
        Without layers and masks; its frames are zeros of the shape and type that the file holds, and take no memory.
    masks : dict of str to (str, ndarray of bool)
        Mask name → its key in the file, and such zeros.

    Raises
    ------
    TypeError, DatasetNotFoundError, FileFormatError
        As :func:`load_h5_bundle`.
    """
    with _opened(path) as bundle:
        refuse_bomb(bundle.path, bundle.bytes_of(["timestamps", *bundle.text_keys]))
        stack = stack_from(
            bundle.path,
            data=bundle.unread("data", "buif"),
            processed={},
            masks={},
            timestamps=bundle.timestamps(),
            pixel_size_nm=bundle.pixel_size_nm(),
            channel=bundle.channel(),
            texts={key: bundle.text(key) for key in bundle.text_keys},
        )
        keys = {unescaped(name): f"{_MASKS}/{name}" for name in bundle.names(_MASKS)}
        return stack, {name: (key, bundle.unread(key, "b")) for name, key in keys.items()}


@contextmanager
def _opened(path: str | Path) -> Iterator[_Bundle]:
    """Open a bundle that has all that one needs."""
    import h5py

    path = existing(path)
    with reading(path, "an HDF5 bundle", *_FAULTS), h5py.File(path, "r") as file:
        if missing := [key for key in _NEEDED if key not in file]:
            raise FileFormatError(f"{path}: no {listing(missing)} (there is {listing(file)})")
        if missing := [key for key in ("pixel_size_nm", "channel") if key not in file.attrs]:
            raise FileFormatError(f"{path}: no attribute {listing(missing)} (there is {listing(file.attrs)})")
        yield _Bundle(path, file)


_DEEPEST = 16
"""Groups within groups: a group may hold itself."""


class _Bundle:
    """The datasets of an open bundle, each held against what it should be before it is read."""

    def __init__(self, path: Path, file: Any) -> None:
        self.path, self._file = path, file
        self._names = {group: list(self._within(group)) for group in (_PROCESSED, _MASKS) if group in file}
        self.text_keys = [key for key in (FRAMES, PROVENANCE, BACKUPS) if key in file]
        self.layer_keys = [f"{group}/{name}" for group, names in self._names.items() for name in names]

    def bytes_of(self, keys: list[str]) -> int:
        """Count the bytes of datasets once they are read."""
        return sum(found.size * found.dtype.itemsize for found in map(self._dataset, keys))

    def layers(self, group: str, kinds: str) -> dict[str, NDArray[Any]]:
        """Read the layers of a group by name."""
        made: dict[str, NDArray[Any]] = {}
        for written in self._names.get(group, ()):
            name = unescaped(written)
            if name in made:
                raise FileFormatError(f"{self.path}: {group}/{name} stands twice")
            made[name] = self.layer(f"{group}/{written}", kinds)
        return made

    def names(self, group: str) -> list[str]:
        """List the layers of a group, as they are written."""
        return self._names.get(group, [])

    def unread(self, key: str, kinds: str) -> NDArray[Any]:
        """Give zeros of the shape and type of frames ``(T, H, W)`` of certain kinds, which take no memory."""
        found = self._dataset(key)
        check_layer(self.path, key, found.shape or (), found.dtype, kinds)
        return np.broadcast_to(np.zeros((), found.dtype), found.shape)

    def layer(self, key: str, kinds: str) -> NDArray[Any]:
        """Read frames ``(T, H, W)`` of certain kinds."""
        found = self._dataset(key)
        check_layer(self.path, key, found.shape or (), found.dtype, kinds)
        made = np.empty(found.shape, found.dtype.newbyteorder("="))
        with reading(self.path, f"an HDF5 bundle ({key})", *_FAULTS):
            found.read_direct(made)
        return made

    def timestamps(self) -> NDArray[np.float64]:
        """Read the times, s."""
        found = self._dataset("timestamps")
        if found.dtype.kind not in "uif" or len(found.shape or ()) != 1:
            raise FileFormatError(f"{self.path}: timestamps is {found.dtype} {found.shape}, expected numbers (T,)")
        made: NDArray[np.float64] = found[()].astype(np.float64)
        return made

    def text(self, key: str) -> bytes:
        """Read a text."""
        import h5py

        found = self._dataset(key)
        if found.shape != () or h5py.check_string_dtype(found.dtype) is None:
            raise FileFormatError(f"{self.path}: {key} is {found.dtype} {found.shape}, expected one text")
        return bytes(found[()])

    def pixel_size_nm(self) -> float:
        """Read the pixel size, nm."""
        value = np.asarray(self._file.attrs["pixel_size_nm"])
        if value.dtype.kind not in "uif" or value.size != 1:
            raise FileFormatError(f"{self.path}: attribute pixel_size_nm is {value!r}, expected a number")
        return float(value.item())

    def channel(self) -> str:
        """Read the channel's name."""
        value = self._file.attrs["channel"]
        if isinstance(value, bytes):
            value = value.decode("utf-8")
        if not isinstance(value, str):
            raise FileFormatError(f"{self.path}: attribute channel is {value!r}, expected text")
        return str(value)

    def _within(self, group: str, depth: int = 0) -> Iterator[str]:
        """Give the names of the datasets in a group; others leave the ``/`` of a name, which makes groups of it."""
        import h5py

        if depth > _DEEPEST:
            raise FileFormatError(f"{self.path}: {group[:80]} … leads back to itself, or is nested too deeply")
        for name in self._file[group]:
            # a link may lead back, out of the file, or nowhere
            if not isinstance(self._file.get(f"{group}/{name}", getlink=True), h5py.HardLink):
                raise FileFormatError(f"{self.path}: {group}/{name} is a link; expected the frames themselves")
            if isinstance(self._file[f"{group}/{name}"], h5py.Group):
                yield from (f"{name}/{inner}" for inner in self._within(f"{group}/{name}", depth + 1))
            else:
                yield name

    def _dataset(self, key: str) -> Any:
        import h5py

        linked = isinstance(self._file.get(key, getlink=True), h5py.HardLink)
        found = self._file[key] if linked else None
        if not isinstance(found, h5py.Dataset) or found.is_virtual or found.external:
            raise FileFormatError(f"{self.path}: {key} is no dataset of this file")
        return found
