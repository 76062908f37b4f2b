"""Telling bundles from other files, and reading those that hold images.

Such are what :mod:`~napari_slicemap.images.source_bundles` writes; stacks have readers of their own.

Pixels of HDF5 are read when they are asked for; NPZ is packed as a whole, and read as a whole.
"""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import FileFormatError, listing
from .stack.bundle import FRAMES, PROVENANCE, existing, parsed, reading, refuse_bomb, unescaped
from .tiff.ome_tiff import LAYERS_TAG

if TYPE_CHECKING:
    from numpy.typing import NDArray

BundleKind = Literal["stack", "image"]
"""Frames with processed layers and masks, or an image with channels and labels."""

NPZ_SUFFIXES = (".npz",)
HDF5_SUFFIXES = (".h5", ".hdf5")
TIFF_SUFFIXES = (".tif", ".tiff")
_LABELS = "labels__"
_SMALL = ("axes", "channels", "timestamps", "pixel_size_nm", "z_step_um", "position_um", PROVENANCE)
_AXES = ("TYX", "TCZYX")
_FIRST_MEMBER = b"data.npy"
_NPZ_FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)
_HDF5_FAULTS = (OSError, RuntimeError, TypeError, ValueError, KeyError)


@dataclass(frozen=True)
class LazyFrames:
    """A part of a dataset of an HDF5 file, read when it is asked for.

    The file is opened for each part: one that stays open cannot be replaced on every system.

    Parameters
    ----------
    path : Path
        The file.
    key : str
        The dataset.
    stored : tuple of int
        Its shape.
    dtype : numpy dtype
        Of its pixels.
    fixed : tuple of int or None
        For each of its axes the one place that is wanted, or ``None`` for all.
    """

    path: Path
    key: str
    stored: tuple[int, ...]
    dtype: np.dtype[Any]
    fixed: tuple[int | None, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the axes that are not fixed."""
        return tuple(size for size, at in zip(self.stored, self.fixed, strict=True) if at is None)

    @property
    def ndim(self) -> int:
        """How many axes are not fixed."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many px."""
        return math.prod(self.shape)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """Read what an index of numbers, slices and ``...`` stands for.

        Raises
        ------
        FileFormatError
            Naming the file, if it is gone, broken, or another one by now.
        """
        import h5py  # type: ignore[import-untyped]

        asked = iter(_for_each_axis(index, self.ndim))
        at = tuple(next(asked) if one is None else one for one in self.fixed)
        with reading(self.path, "an HDF5 bundle", *_HDF5_FAULTS), h5py.File(self.path, "r") as file:
            found = file[self.key]
            if found.shape != self.stored or found.dtype != self.dtype:
                raise FileFormatError(f"{self.path}: {self.key} is another one since the file was opened; open it anew")
            return np.asarray(found[at])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read all of it."""
        return np.asarray(self[...], dtype)


def _for_each_axis(index: Any, ndim: int) -> list[Any]:
    """Write an index out, one entry for each axis."""
    entries = list(index) if isinstance(index, tuple) else [index]
    dots = next((number for number, one in enumerate(entries) if one is Ellipsis), len(entries))
    left = ndim - len(entries) + (1 if dots < len(entries) else 0)
    return [*entries[:dots], *[slice(None)] * left, *entries[dots + 1 :]]


@dataclass(frozen=True)
class ImageBundle:
    """An image as it lies in a bundle.

    Parameters
    ----------
    path : Path
        The file.
    axes : "TYX" or "TCZYX"
        Of `data`.
    data : ndarray or LazyFrames
        The pixels.
    labels : mapping of str to ndarray of uint32, (Y, X) or (Z, Y, X)
        Masks by name; 0 is background.
    channels : tuple of str
        Names.
    times_s : ndarray of float64, (T,)
        Of each time point, s; NaN where unknown.
    pixel_size_um, z_step_um : float or None
        Of a px, and from plane to plane, µm.
    position_um : tuple of float or None
        ``(x, y)`` of the centre of the first px, stage µm.
    provenance : mapping
        How it was made.
    """

    path: Path
    axes: str
    data: NDArray[Any] | LazyFrames
    labels: Mapping[str, NDArray[Any]]
    channels: tuple[str, ...]
    times_s: NDArray[np.float64]
    pixel_size_um: float | None
    z_step_um: float | None
    position_um: tuple[float, float] | None
    provenance: Mapping[str, Any]

    @property
    def frame_axes(self) -> str:
        """What :meth:`frames` gives: ``YX``, with ``Z`` and ``T`` before it where there are several."""
        sizes = {axis: self.data.shape[number] for number, axis in enumerate(self.axes)}
        return "".join(axis for axis in "TZYX" if axis in "YX" or sizes.get(axis, 1) > 1)

    def frames(self, channel: int) -> NDArray[Any] | LazyFrames:
        """Give the pixels of one channel, axes :attr:`frame_axes`."""
        fixed = tuple(None if axis in self.frame_axes else (channel if axis == "C" else 0) for axis in self.axes)
        if isinstance(self.data, LazyFrames):
            return LazyFrames(self.data.path, self.data.key, self.data.stored, self.data.dtype, fixed)
        made: NDArray[Any] = self.data[tuple(slice(None) if one is None else one for one in fixed)]
        return made


def bundle_kind(path: str | Path) -> BundleKind | None:
    """Say what kind of bundle a file is, by its names alone; ``None`` if it is none of ours or playNano's.

    An NPZ or HDF5 file that is so broken that nobody could read it is taken for a stack: reading it says what is wrong.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in NPZ_SUFFIXES and path.is_file():
        return _npz_kind(path)
    if suffix in HDF5_SUFFIXES and path.is_file():
        return _hdf5_kind(path)
    if suffix in TIFF_SUFFIXES and path.is_file():
        return _tiff_kind(path)
    return None


def _npz_kind(path: Path) -> BundleKind | None:
    try:
        with zipfile.ZipFile(path) as archive:
            return _kind({name.removesuffix(".npy") for name in archive.namelist()})
    except _NPZ_FAULTS:
        with path.open("rb") as stream:
            start = stream.read(64)
        return "stack" if start.startswith(b"PK") and _FIRST_MEMBER in start else None


def _hdf5_kind(path: Path) -> BundleKind | None:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return _kind({*file, *file.attrs})
    except _HDF5_FAULTS:
        return "stack" if h5py.is_hdf5(path) else None


def _tiff_kind(path: Path) -> BundleKind | None:
    """Tell a stack from any other TIFF: it names its processed layers, even where it has none."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            return "stack" if file.pages.first.tags.get(LAYERS_TAG) is not None else None
    except (tifffile.TiffFileError, OSError, ValueError, IndexError, struct.error):
        return None


def _kind(names: set[str]) -> BundleKind | None:
    if not {"data", FRAMES, PROVENANCE} <= names:
        return None
    return "image" if {"axes", "channels"} <= names else "stack"


def read_image_bundle(path: str | Path) -> ImageBundle:
    """Read an image from an NPZ or HDF5 file.

    Parameters
    ----------
    path : str or Path
        The file, of which :func:`bundle_kind` says that it holds an image.

    Returns
    -------
    ImageBundle
        Data of an HDF5 file are read when they are asked for.

    Raises
    ------
    DatasetNotFoundError
        If there is no such file.
    FileFormatError
        Naming file and key, if it is broken, lacks a key, or its parts do not agree.
    """
    path = existing(path)
    if path.suffix.lower() in NPZ_SUFFIXES:
        return _read_npz(path)
    return _read_hdf5(path)


def _read_npz(path: Path) -> ImageBundle:
    with reading(path, "an NPZ bundle", *_NPZ_FAULTS), np.load(path, allow_pickle=False) as file:
        refuse_bomb(path, sum(one.file_size for one in file.zip.infolist()))
        for info in file.zip.infolist():
            _refuse_false_size(path, file.zip, info)
        _refuse_missing(path, ("data", *_SMALL), file.files)
        labels = {unescaped(key.removeprefix(_LABELS)): file[key] for key in file.files if key.startswith(_LABELS)}
        return _made(path, file["data"], labels, {key: file[key] for key in _SMALL})


def _refuse_false_size(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    """Hold what the header of an array claims against its bytes: memory is taken by what it claims."""
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
        size = math.prod(shape) * dtype.itemsize
        if stream.tell() + size != info.file_size:
            raise FileFormatError(f"{path}: {info.filename} has not the {size} bytes that {dtype} {shape} takes")


def _read_hdf5(path: Path) -> ImageBundle:
    import h5py

    with reading(path, "an HDF5 bundle", *_HDF5_FAULTS), h5py.File(path, "r") as file:
        _refuse_missing(path, ("data", *_SMALL), [*file, *file.attrs])
        data = _own(path, file, "data")
        masks = {f"labels/{name}": name for name in file.get("labels", ())}
        found = {unescaped(name): _own(path, file, key) for key, name in masks.items()}
        refuse_bomb(path, sum(one.size * one.dtype.itemsize for one in found.values()))
        small = {key: np.asarray(file.attrs[key] if key in file.attrs else _own(path, file, key)[()]) for key in _SMALL}
        lazy = LazyFrames(path, "data", data.shape, data.dtype, (None,) * len(data.shape))
        return _made(path, lazy, {name: one[()] for name, one in found.items()}, small)


def _own(path: Path, file: Any, key: str) -> Any:
    """Give a dataset that lies in this file: a link or virtual one may lead anywhere."""
    import h5py

    linked = isinstance(file.get(key, getlink=True), h5py.HardLink)
    found = file[key] if linked else None
    if not isinstance(found, h5py.Dataset) or found.is_virtual or found.external or found.shape is None:
        raise FileFormatError(f"{path}: {key} is no dataset of this file")
    return found


def _refuse_missing(path: Path, needed: tuple[str, ...], there: list[str]) -> None:
    if missing := [key for key in needed if key not in there]:
        raise FileFormatError(f"{path}: no {listing(missing)} (there is {listing(there)})")


def _made(
    path: Path,
    data: NDArray[Any] | LazyFrames,
    labels: Mapping[str, NDArray[Any]],
    small: Mapping[str, NDArray[Any]],
) -> ImageBundle:
    """Hold the parts of a bundle against each other."""
    axes = _text(small["axes"])
    if axes not in _AXES or data.ndim != len(axes) or data.dtype.kind not in "buif" or 0 in data.shape:
        raise FileFormatError(
            f"{path}: data is {data.dtype} {data.shape} with axes {axes!r}, expected real numbers TYX or TCZYX"
        )
    channels = tuple(_text(one) for one in small["channels"].ravel())
    count = data.shape[1] if axes == "TCZYX" else 1
    if len(channels) != count:
        raise FileFormatError(f"{path}: channels names {len(channels)} channels, data has {count}")
    for name, mask in labels.items():
        if mask.dtype.kind not in "ui" or mask.ndim not in (2, 3) or mask.shape[-2:] != data.shape[-2:]:
            raise FileFormatError(
                f"{path}: mask {name} is {mask.dtype} {mask.shape}, expected labels of {data.shape[-2:]}"
            )
    times = _numbers(path, "timestamps", small["timestamps"], data.shape[0])
    size, step = (_known(_numbers(path, key, small[key], 1)[0]) for key in ("pixel_size_nm", "z_step_um"))
    x, y = map(_known, _numbers(path, "position_um", small["position_um"], 2))
    provenance = parsed(path, PROVENANCE, _text(small[PROVENANCE]))
    if not isinstance(provenance, dict):
        raise FileFormatError(f"{path}: {PROVENANCE} is {type(provenance).__name__}, expected an object")
    return ImageBundle(
        path=path,
        axes=axes,
        data=data,
        labels=labels,
        channels=channels,
        times_s=times,
        pixel_size_um=None if size is None else size / 1000,
        z_step_um=step,
        position_um=None if x is None or y is None else (x, y),
        provenance=provenance,
    )


def _text(value: Any) -> str:
    found = value.item() if hasattr(value, "item") else value
    return found.decode("utf-8") if isinstance(found, bytes) else str(found)


def _numbers(path: Path, key: str, array: NDArray[Any], count: int) -> NDArray[np.float64]:
    if array.dtype.kind not in "uif" or array.size != count:
        raise FileFormatError(f"{path}: {key} is {array.dtype} {array.shape}, expected {count} number(s)")
    return array.astype(np.float64).reshape(count)


def _known(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None
