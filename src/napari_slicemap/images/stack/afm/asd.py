"""Videos of high-speed AFMs: ``.asd``, a binary header and frames of 16-bit numbers, little-endian."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from ....errors import FileFormatError, listing
from .scan import BinaryFrames, Scan, ScanChannel, checked_shape, square_nm

_Fields = tuple[tuple[str, str], ...]

# what the header holds, in order: name and struct code; `x` is skipped, `*` is text as long as another field says
_VERSION_0: _Fields = (
    ("kind_1", "h"),
    ("kind_2", "h"),
    ("header_bytes", "i"),
    ("frame_header_bytes", "i"),
    ("name_bytes", "i"),
    ("", "4x"),  # of the comment
    ("comment_bytes", "i"),
    ("width", "i"),
    ("height", "i"),
    ("width_nm", "i"),
    ("height_nm", "i"),
    ("frame_ms", "f"),
    ("z_nm_per_v", "f"),
    ("z_gain", "f"),
    ("range_code", "i"),
    ("bits", "i"),
    ("", "9x"),  # averaging
    ("", "7x"),  # date and time
    ("", "24x"),  # rounding of the scan signal, largest scan, reserved
    ("", "4x"),  # frames recorded at first
    ("frames", "i"),
    ("", "8x"),  # numbers of machine and file
    ("", "*"),
    ("sensor_nm_per_v", "f"),
    ("phase_deg_per_v", "f"),
)
_VERSION_1: _Fields = (
    ("header_bytes", "i"),
    ("frame_header_bytes", "i"),
    ("", "4x"),  # encoding of texts
    ("name_bytes", "i"),
    ("comment_bytes", "i"),
    ("kind_1", "i"),
    ("kind_2", "i"),
    ("", "4x"),  # frames recorded at first
    ("frames", "i"),
    ("", "8x"),  # scan direction, number of the file
    ("width", "i"),
    ("height", "i"),
    ("width_nm", "i"),
    ("height_nm", "i"),
    ("", "5x"),  # averaging
    ("", "24x"),  # date and time
    ("", "8x"),  # rounding of the scan signal
    ("frame_ms", "f"),
    ("sensor_nm_per_v", "f"),
    ("phase_deg_per_v", "f"),
    ("", "20x"),  # offset, reserved, number of the machine
    ("range_code", "i"),
    ("bits", "i"),
    ("", "16x"),  # largest scan, x and y piezo
    ("z_nm_per_v", "f"),
    ("z_gain", "f"),
)
# version 2 goes on behind this with how the video was shown
_HEADERS = {0: _VERSION_0, 1: _VERSION_1, 2: _VERSION_1}

_UNIPOLAR_V = {1: 1.0, 2: 2.5, 3: 9.99, 4: 5.0}
_BIPOLAR_V = {0x10000: 1.0, 0x20000: 2.5, 0x40000: 5.0}
"""Largest voltage by the code that the header states."""

_KINDS = {0x5054: "TP", 0x5245: "ER", 0x4850: "PH"}
_PIXEL = "<i2"


def open_asd(path: Path) -> Scan:
    """Read the header of an ``.asd`` video.

    Channels are called as in the file: ``TP`` is the topography, nm, ``ER`` the error, nm, ``PH`` the phase, deg.

    Raises
    ------
    FileFormatError
        Naming the file, if it is of a version, range or kind of data that nobody knows, or is too short.
    """
    with path.open("rb") as stream:
        header = _header(path, stream)
    kinds = [int(header[key]) for key in ("kind_1", "kind_2") if header[key]]
    if not kinds or any(kind not in _KINDS for kind in kinds):
        raise FileFormatError(f"{path}: its data are of kind {kinds}, expected {listing(_KINDS.values())}")
    width, height = int(header["width"]), int(header["height"])
    shape = checked_shape(path, int(header["frames"]), height, width, 2 * len(kinds))
    before, offset = int(header["frame_header_bytes"]), int(header["header_bytes"])
    if min(before, offset) < 0:
        raise FileFormatError(f"{path}: its headers are of {offset} and {before} bytes")
    stride = before + 2 * height * width
    factor, base = _volts(path, header)
    channels = []
    for number, kind in enumerate(kinds):
        scale, unit = _scale(header, _KINDS[kind])
        if scale == 0 or not math.isfinite(scale):
            raise FileFormatError(
                f"{path}: {_KINDS[kind]} is scaled by {scale:g} {unit}/V, expected a number other than 0"
            )
        start = offset + before + number * shape[0] * stride
        frames = BinaryFrames(path, start, stride, (height, width), _PIXEL, factor * scale, base * scale)
        channels.append(ScanChannel(_KINDS[kind], unit, frames))
    frame_s = header["frame_ms"] / 1000
    known = 0 < frame_s < math.inf
    return Scan(
        path=path,
        channels=tuple(channels),
        default=channels[0].name,
        shape=shape,
        pixel_size_nm=square_nm(path, header["width_nm"] / width, header["height_nm"] / height),
        times_s=tuple(t * frame_s for t in range(shape[0])) if known else None,
        frame_s=frame_s if known else None,
    )


def _header(path: Path, stream: BinaryIO) -> Mapping[str, float]:
    version = int(_unpacked(path, stream, "i")[0])
    if version not in _HEADERS:
        raise FileFormatError(f"{path}: it is of version {version} of .asd, expected 0, 1 or 2")
    header: dict[str, float] = {}
    for name, code in _HEADERS[version]:
        if code == "*":
            stream.seek(max(0, int(header["name_bytes"])), 1)
        else:
            for one in _unpacked(path, stream, code):
                header[name] = one
    return header


def _unpacked(path: Path, stream: BinaryIO, code: str) -> tuple[float, ...]:
    size = struct.calcsize(f"<{code}")
    found = stream.read(size)
    if len(found) < size:
        raise FileFormatError(f"{path}: it ends within its header")
    return struct.unpack(f"<{code}", found)


def _volts(path: Path, header: Mapping[str, float]) -> tuple[float, float]:
    """Give factor and base from stored numbers to V: the converter counts from its largest voltage down."""
    code, bits = int(header["range_code"]), int(header["bits"])
    if not 1 <= bits <= 16:
        raise FileFormatError(f"{path}: its numbers are of {bits} bits, expected 1 to 16")
    if code in _UNIPOLAR_V:
        return -_UNIPOLAR_V[code] / 2**bits, 0.0
    if code in _BIPOLAR_V:
        return -2 * _BIPOLAR_V[code] / 2**bits, _BIPOLAR_V[code]
    known = listing(hex(one) for one in (*_UNIPOLAR_V, *_BIPOLAR_V))
    raise FileFormatError(f"{path}: the range of its converter is {code:#x}, expected one of {known}")


def _scale(header: Mapping[str, float], kind: str) -> tuple[float, str]:
    """Give the factor from V to the unit of a kind of data, and that unit."""
    if kind == "TP":
        return header["z_nm_per_v"] * header["z_gain"], "nm"
    return (-header["sensor_nm_per_v"], "nm") if kind == "ER" else (-header["phase_deg_per_v"], "deg")
