"""Files of Gwyddion: ``.gwy``, objects within objects, little-endian."""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....errors import FileFormatError
from .scan import BinaryFrames, Scan, ScanChannel, checked_shape, square_nm, told_apart

_MAGIC = b"GWYP"
_IMAGE = re.compile(r"/([0-9]{1,9})/data")
_PLAIN = {"b": "<B", "c": "<b", "i": "<i", "q": "<q", "d": "<d"}
"""Kinds of single numbers, by the letter that stands before one; its capital stands before several."""
_ITEM_BYTES = {letter.upper(): struct.calcsize(code) for letter, code in _PLAIN.items()}
_DEEPEST = 16


@dataclass(frozen=True)
class _Numbers:
    """Where numbers lie in a file that were not read: at which byte, and how many."""

    offset: int
    count: int


def open_gwy(path: Path) -> Scan:
    """Read what a ``.gwy`` file says of its images.

    Channels are called by their titles, or by their numbers where they have none; those of another size than the
    default one, which is the first whose numbers are lengths, are left out. Lengths are in nm.

    Raises
    ------
    FileFormatError
        Naming the file and key, if it holds no image, or is broken.
    """
    with path.open("rb") as stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            raise FileFormatError(f"{path}: it does not begin with {_MAGIC.decode()}, as files of Gwyddion do")
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            _, found, _ = _Reader(path, content).an_object(len(_MAGIC), len(content), 0)
    images = {key: value for key, value in found.items() if _IMAGE.fullmatch(key) and isinstance(value, dict)}
    if not images:
        raise FileFormatError(f"{path}: it holds no image (/0/data)")
    read = [_channel(path, key, image, found.get(f"{key}/title")) for key, image in images.items()]
    default = next((one for one in read if one[0].unit == "nm"), read[0])
    channels = told_apart([one[0] for one in read if one[1:] == default[1:]])
    chosen = next(one for one in channels if one.frame == default[0].frame)
    (height, width), pixel_size_nm = default[1], default[2]
    return Scan(path, channels, chosen.name, (1, height, width), pixel_size_nm)


def _channel(
    path: Path, key: str, image: Mapping[str, Any], title: object
) -> tuple[ScanChannel, tuple[int, int], float]:
    """Give a channel, its ``(H, W)`` and its pixel size, nm."""
    width, height = (int(_stated(path, key, image, axis, int)) for axis in ("xres", "yres"))
    checked_shape(path, 1, height, width, 8)
    data = _stated(path, key, image, "data", _Numbers)
    if data.count != width * height:
        raise FileFormatError(f"{path}: {key} has {data.count} numbers, expected {width} × {height}")
    if (across := _unit(image, "si_unit_xy")) != "m":
        raise FileFormatError(f"{path}: {key} is measured in {across or 'px'}, expected m")
    sizes = (_stated(path, key, image, axis, float) * 1e9 for axis in ("xreal", "yreal"))
    wide, high = sizes
    unit = _unit(image, "si_unit_z")
    factor, unit = (1e9, "nm") if unit == "m" else (1.0, unit)
    frame = BinaryFrames(path, data.offset, 0, (height, width), "<f8", factor, 0.0)
    name = title if isinstance(title, str) and title else f"channel {key.split('/')[1]}"
    return ScanChannel(name, unit, frame), (height, width), square_nm(path, wide / width, high / height)


def _stated(path: Path, key: str, image: Mapping[str, Any], name: str, kind: type) -> Any:
    value = image.get(name)
    if not isinstance(value, kind):
        raise FileFormatError(f"{path}: {key}: {name} is {value!r}, expected {kind.__name__.strip('_').lower()}")
    return value


def _unit(image: Mapping[str, Any], name: str) -> str:
    found = image.get(name)
    text = found.get("unitstr") if isinstance(found, dict) else None
    return text if isinstance(text, str) else ""


class _Reader:
    """Reads objects; arrays of numbers are passed over."""

    def __init__(self, path: Path, content: mmap.mmap) -> None:
        self._path, self._content = path, content

    def an_object(self, start: int, end: int, depth: int) -> tuple[str, dict[str, Any], int]:
        """Read an object between two places: its kind, its components by name, and where it ends."""
        if depth > _DEEPEST:
            raise FileFormatError(f"{self._path}: objects within objects, more than {_DEEPEST} deep")
        kind, start = self._text(start, end)
        size, start = self._number("<I", start, end)
        stop = start + size
        if stop > end:
            raise self._cut(end)
        return kind, dict(self._components(start, stop, depth)), stop

    def _components(self, start: int, stop: int, depth: int) -> Iterator[tuple[str, Any]]:
        while start < stop:
            name, start = self._text(start, stop)
            letter, start = chr(self._content[start]) if start < stop else "", start + 1
            value, start = self._value(letter, name, start, stop, depth)
            yield name, value

    def _value(self, letter: str, name: str, start: int, stop: int, depth: int) -> tuple[Any, int]:
        if letter in _PLAIN:
            return self._number(_PLAIN[letter], start, stop)
        if letter == "s":
            return self._text(start, stop)
        if letter == "o":
            _, found, start = self.an_object(start, stop, depth + 1)
            return found, start
        if letter not in (*_ITEM_BYTES, "S", "O"):
            raise FileFormatError(f"{self._path}: {name[:80]!r} is of kind {letter!r}, which Gwyddion does not write")
        count, start = self._number("<I", start, stop)
        if letter in _ITEM_BYTES:
            after = start + count * _ITEM_BYTES[letter]
            if after > stop:
                raise self._cut(stop)
            return _Numbers(start, count), after
        for _ in range(count):  # each takes a byte at least, so a wrong count soon ends
            start = self._text(start, stop)[1] if letter == "S" else self.an_object(start, stop, depth + 1)[2]
        return None, start

    def _number(self, code: str, start: int, stop: int) -> tuple[Any, int]:
        after = start + struct.calcsize(code)
        if after > stop:
            raise self._cut(stop)
        return struct.unpack_from(code, self._content, start)[0], after

    def _text(self, start: int, stop: int) -> tuple[str, int]:
        end = self._content.find(b"\0", start, stop)
        if end < 0:
            raise self._cut(stop)
        return self._content[start:end].decode("utf-8", "replace"), end + 1

    def _cut(self, place: int) -> FileFormatError:
        return FileFormatError(f"{self._path}: an object is cut off at byte {place}")
