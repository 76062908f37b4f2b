"""Images of Asylum Research instruments: ``.ibw``, Igor's binary waves of version 5, in either byte order."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ....errors import FileFormatError
from .scan import BinaryFrames, Scan, ScanChannel, checked_shape, square_nm, told_apart

_VERSION = 5
_DATA = 384
"""Where the numbers begin, bytes."""
_SIZES, _SIZES_AT = "i4x4i4i", 12  # of the note, the units of the axes, and the labels along each axis
_FORMULA_AT, _DATA_UNITS_AT = 8, 16
_TYPE_AT, _DIMS_AT, _STEPS_AT, _UNITS_AT = 80, 132, 148, 216
_LABEL_BYTES = 32
_TYPES = {2: "f4", 4: "f8", 8: "i1", 0x10: "i2", 0x20: "i4", 0x48: "u1", 0x50: "u2", 0x60: "u4"}
_LENGTHS = ("Height", "ZSensor", "Deflection", "Amplitude")
"""How the names of channels begin whose numbers are metres; the file states one unit for all of them."""


def open_ibw(path: Path) -> Scan:
    """Read the header of an ``.ibw`` image.

    Channels are called by their labels, such as ``HeightTrace``; heights, deflections and amplitudes are in nm, what
    others are in is not known. Rows run from the top.

    Raises
    ------
    FileFormatError
        Naming the file, if it is a wave of another version or type, no image, or has no pixel size in m.
    """
    with path.open("rb") as stream:
        header = stream.read(_DATA)
        order = next((one for one in "<>" if header[:2] == struct.pack(f"{one}h", _VERSION)), "")
        if not order or len(header) < _DATA:
            raise FileFormatError(f"{path}: it is no Igor binary wave of version {_VERSION}")
        (kind,) = struct.unpack_from(f"{order}h", header, _TYPE_AT)
        if kind not in _TYPES:
            raise FileFormatError(f"{path}: its numbers are of type {kind:#x}, expected real ones")
        dtype = np.dtype(order + _TYPES[kind])
        width, height, layers, more = struct.unpack_from(f"{order}4i", header, _DIMS_AT)
        if more > 1:
            raise FileFormatError(f"{path}: its images have {more} planes each, expected one")
        count = max(layers, 1)
        checked_shape(path, count, height, width, dtype.itemsize)
        plane = height * width * dtype.itemsize
        names = _labels(path, stream, order, header, _DATA + count * plane, count)
    across, down = struct.unpack_from(f"{order}2d", header, _STEPS_AT)
    units = [header[_UNITS_AT + 4 * axis : _UNITS_AT + 4 * axis + 4].rstrip(b"\0") for axis in (0, 1)]
    if units != [b"m", b"m"]:
        raise FileFormatError(f"{path}: its axes are in {units[0]!r} and {units[1]!r}, expected m")
    channels = []
    for number, name in enumerate(names):
        factor, unit = (1e9, "nm") if name.startswith(_LENGTHS) else (1.0, "")
        frame = BinaryFrames(
            path, _DATA + number * plane, 0, (height, width), dtype.str, factor, 0.0, lowest_first=True
        )
        channels.append(ScanChannel(name, unit, frame))
    apart = told_apart(channels)
    default = next((one.name for one in apart if one.unit), apart[0].name)
    return Scan(path, apart, default, (1, height, width), square_nm(path, abs(across) * 1e9, abs(down) * 1e9))


def _labels(path: Path, stream: BinaryIO, order: str, header: bytes, end: int, count: int) -> list[str]:
    """Read the names of the layers, which stand behind the numbers, formula, note and units."""
    (formula,) = struct.unpack_from(f"{order}i", header, _FORMULA_AT)
    note, *sizes = struct.unpack_from(f"{order}{_SIZES}", header, _SIZES_AT)
    (data_units,) = struct.unpack_from(f"{order}i", header, _DATA_UNITS_AT)
    of_axes, labels = sizes[:4], sizes[4:]
    before = [formula, note, data_units, *of_axes, *labels[:2]]
    if min(before) < 0:
        raise FileFormatError(f"{path}: its header states sizes below 0")
    if labels[2] < _LABEL_BYTES * (count + 1):  # the first label is that of the axis
        return [f"channel {number}" for number in range(count)]
    stream.seek(end + sum(before) + _LABEL_BYTES)
    found = stream.read(_LABEL_BYTES * count)
    if len(found) < _LABEL_BYTES * count:
        raise FileFormatError(f"{path}: it ends within the names of its channels")
    texts = [found[_LABEL_BYTES * n : _LABEL_BYTES * (n + 1)].split(b"\0")[0].decode("latin-1") for n in range(count)]
    return [text or f"channel {number}" for number, text in enumerate(texts)]
