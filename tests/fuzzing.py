"""Damaged files: what is done to them, what a user would then ask of them, and what may come of it."""

from __future__ import annotations

import copy
import json
import math
import os
import re
import resource
import signal
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
from hypothesis import strategies as st

from napari_slicemap import open_dataset
from napari_slicemap.cli.info import describe
from napari_slicemap.errors import SlicemapError
from napari_slicemap.files import to_json
from napari_slicemap.images.region import Window

SECONDS = 10
"""Of computing time, after which a case counts as hung."""
MOST_BYTES = 2**30
"""That a case may take."""
_WINDOW_PX = 256
_BLOCK_PX = 16
_MAP_PX = 2**53


# --- what is damaged ------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Subject:
    """One file of a dataset, to be damaged.

    Parameters
    ----------
    name : str
        Of the case.
    build : callable
        ``build(real data, folder)`` makes the dataset and gives what is to be opened.
    file : str
        The file, relative to the folder.
    pixels : str or None
        File or folder of the pixels that it changes, the file itself by default; ``""`` where nothing that the file
        says can change a pixel. What is changed by nothing shows what it showed, as long as it has its name and size.
    """

    name: str
    build: Callable[[Path, Path], Path]
    file: str
    pixels: str | None = None


@dataclass
class Bench:
    """A dataset with a file that is damaged again and again."""

    subject: Subject
    folder: Path
    path: Path
    file: Path
    raw: bytes
    before: Look
    _time: int = field(default=10**18)

    @classmethod
    def of(cls, subject: Subject, real_data: Path, folder: Path) -> Bench:
        """Build a dataset, and look at it while it is whole."""
        path = subject.build(real_data, folder)
        file = folder / subject.file
        before = look(path)
        assert before.fovs, f"{subject.name}: nothing is to be seen before the damage"
        assert not any(isinstance(one, str) for fov in before.fovs.values() for one in fov.pixels.values())
        return cls(subject, folder, path, file, file.read_bytes(), before)

    def changes(self, sources: list[Path]) -> bool:
        """Say whether the damage may change pixels that come of some files."""
        at = self.subject.file if self.subject.pixels is None else self.subject.pixels
        if not at:
            return False
        place = self.folder / at
        return any(place == one or place in one.parents or one in place.parents for one in sources)

    def fault(self, damaged: bytes) -> str:
        """Say what is wrong with what comes of a damaged file, or ``""``."""
        self._time += 10**9
        self.outcome = "opened"
        self.file.write_bytes(damaged)
        os.utime(self.file, ns=(self._time, self._time))  # in two cases within a tick of the clock, files look alike
        try:
            with limits():
                after = look(self.path)
        except SlicemapError as error:
            self.outcome = "refused"
            return _fault_of(error, self.file, self.path)
        except Exhausted as error:
            return f"{type(error).__name__}: {error}"
        except Exception as error:
            return _where(error)
        finally:
            self.file.write_bytes(self.raw)
        with np.errstate(invalid="ignore"):  # of damaged floats, which may signal
            return _difference(self, after)


# --- what is asked of it --------------------------------------------------------------------------------------------
@dataclass
class FovLook:
    """What was seen of an FOV: its size and scale, and of each channel a window or why it could not be read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None
    pixel_size_um: float | None
    pixels: dict[str, np.ndarray | SlicemapError]
    sources: list[Path]


@dataclass
class Look:
    """What was seen of a dataset."""

    fovs: dict[str, FovLook]
    numbers: list[float]
    counts: tuple[int, int]
    told: tuple[object, ...]


def look(path: Path) -> Look:
    """Open a dataset, ask all that ``slicemap info`` asks, and read of the first and the last FOV."""
    dataset = open_dataset(path)
    to_json(describe(dataset))
    assert dataset.missing is not None
    names = list(dataset.fovs)
    found = {name: _look_at(dataset.fovs[name]) for name in dict.fromkeys(names[:1] + names[-1:])}
    numbers = [
        float(number)
        for tiles in dataset.positions.values()
        for tile in tiles
        for number in (*(tile.center_um or ()), *(tile.origin_px or ()))
    ]
    for one in dataset.maps.values():
        numbers += [*(one.placement.bounds_um or ()), *map(float, one.shape)]
    counts = len(names), sum(map(len, dataset.positions.values()))
    return Look(found, numbers, counts, (*dataset.problems, *dataset.missing))


def _look_at(fov: Any) -> FovLook:
    pixels: dict[str, np.ndarray | SlicemapError] = {}
    shape, dtype, size = (), None, None
    try:
        shape, dtype, size = fov.shape, fov.dtype, fov.pixel_size_um
    except SlicemapError as error:
        return FovLook((), None, None, {"": error}, fov.sources())
    width, height = fov.size_px
    window = Window(0, min(width, _WINDOW_PX), 0, min(height, _WINDOW_PX))
    for channel in fov.channels:
        try:
            pixels[channel] = np.array(fov.read_window([channel], window)[0])
        except SlicemapError as error:
            pixels[channel] = error
    for mask in fov.masks:
        try:
            fov.read_labels("mask", mask, window)
        except SlicemapError as error:
            pixels[f"mask {mask}"] = error
    return FovLook(shape, dtype, size, pixels, fov.sources())


# --- what may come of it --------------------------------------------------------------------------------------------
class Exhausted(BaseException):
    """Too much was taken; no ``except Exception`` of what is tested stops it."""


@contextmanager
def limits() -> Iterator[None]:
    """Bound computing time and memory; where a system cannot bound memory, only time is."""

    def stop(*_: object) -> None:
        raise Exhausted(f"it computes for more than {SECONDS} s")

    before = signal.signal(signal.SIGPROF, stop)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    statm = Path("/proc/self/statm")
    if statm.exists():
        taken = int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + MOST_BYTES, hard))
    # computing time, which a busy machine does not change, and pytest-timeout has the timer of the clock
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _where(error: BaseException) -> str:
    frames = []
    trace = error.__traceback__
    while trace is not None:
        frames.append(f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(error).__name__} escapes: {str(error)[:200]} ({' '.join(frames[-6:])})"


def _fault_of(error: SlicemapError, file: Path, path: Path) -> str:
    """Say what is wrong with an error that is ours: it names the file or a folder of it, and hides no exhaustion."""
    said = str(error)
    if "" in (said, file.name) or not any(name in said for name in (file.name, str(file.parent), str(path))):
        return f"the error does not name the file: {type(error).__name__}: {said[:300]}"
    cause: BaseException | None = error
    while cause is not None:
        # what is nested too deeply may be found out by trying, where it is said so
        if isinstance(cause, MemoryError) or (isinstance(cause, RecursionError) and "too deep" not in said):
            return f"{type(cause).__name__} within: {said[:300]}"
        cause = cause.__cause__ or cause.__context__
    return ""


def _difference(bench: Bench, after: Look) -> str:
    if not all(map(math.isfinite, after.numbers)) or any(abs(number) > _MAP_PX for number in after.numbers):
        return f"positions are not finite: {[n for n in after.numbers if not abs(n) <= _MAP_PX][:4]}"
    if after.told == bench.before.told and any(now < was for now, was in zip(after.counts, bench.before.counts, strict=True)):
        return f"there were {bench.before.counts} FOVs and positions, and now {after.counts}, without a word"
    for name, fov in after.fovs.items():
        for channel, pixels in fov.pixels.items():
            if isinstance(pixels, SlicemapError):
                if fault := _fault_of(pixels, bench.file, bench.path):
                    return f"FOV {name}, {channel}: {fault}"
            elif fault := _pixel_fault(bench, name, fov, channel, pixels):
                return f"FOV {name}, {channel}: {fault}"
    return ""


def _pixel_fault(bench: Bench, name: str, fov: FovLook, channel: str, pixels: np.ndarray) -> str:
    if fov.pixel_size_um is not None and not 0 < fov.pixel_size_um < math.inf:
        return f"pixel size {fov.pixel_size_um}"
    wanted = tuple(min(side, _WINDOW_PX) for side in fov.shape[3:])
    if pixels.shape != wanted or np.result_type(pixels.dtype, fov.dtype) != fov.dtype:
        return f"{pixels.shape} of {pixels.dtype}, where {wanted} of {fov.dtype} is stated"
    was = bench.before.fovs.get(name)
    old = None if was is None else was.pixels.get(channel)
    if was is None or not isinstance(old, np.ndarray):
        return ""
    if pixels.shape == old.shape:
        if fov.sources == was.sources and not bench.changes(fov.sources):
            return "" if np.array_equal(pixels, old, equal_nan=pixels.dtype.kind == "f") else "other pixels"
        return f"zeros in block {place}" if (place := _zeroed(old, pixels)) else ""
    return "zeros all over" if not pixels.any() and old[: pixels.shape[0], : pixels.shape[1]].any() else ""


def _zeroed(old: np.ndarray, new: np.ndarray) -> tuple[int, int] | None:
    """Give the first block that holds nothing but zeros, and mostly did not."""
    for y in range(0, old.shape[0], _BLOCK_PX):
        for x in range(0, old.shape[1], _BLOCK_PX):
            part = slice(y, y + _BLOCK_PX), slice(x, x + _BLOCK_PX)
            if not new[part].any() and np.count_nonzero(old[part]) > _BLOCK_PX**2 // 2:
                return y, x
    return None


# --- damage to bytes ------------------------------------------------------------------------------------------------
def damaged(raw: bytes, name: str, number: int) -> bytes:
    """Damage bytes in one to three places; the same name and number give the same damage."""
    rng = np.random.default_rng([zlib.crc32(name.encode()), number])
    made = bytearray(raw)
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        kind = _KINDS[int(rng.integers(len(_KINDS)))]
        kind(made, _place(rng, made), rng)
    return bytes(made)


def _place(rng: np.random.Generator, raw: bytearray) -> int:
    """Choose a place: more often where headers and tables lie than among pixels."""
    size = max(1, len(raw))
    table = int.from_bytes(raw[4:8], "little" if raw[:2] == b"II" else "big") if raw[:2] in (b"II", b"MM") else 0
    starts = [(0, 512), (0, 8192), (size - 1024, 1024), (table, 512), (0, size)]
    start, length = starts[int(rng.choice(len(starts), p=[0.25, 0.2, 0.1, 0.2, 0.25]))]
    return min(size - 1, max(0, start) + int(rng.integers(length)))


def _flip(raw: bytearray, at: int, rng: np.random.Generator) -> None:
    for place in range(at, min(len(raw), at + int(rng.integers(1, 4)))):
        raw[place] ^= 1 << int(rng.integers(8))


def _scramble(raw: bytearray, at: int, rng: np.random.Generator) -> None:
    raw[at : at + 8] = rng.bytes(len(raw[at : at + int(rng.integers(1, 9))]))


def _blank(raw: bytearray, at: int, rng: np.random.Generator) -> None:
    part = raw[at : at + int(rng.choice([1, 2, 4, 8, 64]))]
    raw[at : at + len(part)] = bytes([int(rng.choice([0, 0xFF, 0x20]))]) * len(part)


def _cut(raw: bytearray, at: int, rng: np.random.Generator) -> None:
    del raw[at if rng.integers(4) else int(rng.integers(len(raw) + 1)) :]


def _insert(raw: bytearray, at: int, rng: np.random.Generator) -> None:
    raw[at:at] = rng.bytes(int(rng.integers(1, 33)))


def _remove(raw: bytearray, at: int, rng: np.random.Generator) -> None:
    del raw[at : at + int(rng.integers(1, 65))]


def _repeat(raw: bytearray, at: int, rng: np.random.Generator) -> None:
    part = raw[at : at + int(rng.integers(1, 257))]
    raw[at:at] = part * int(rng.integers(1, 4))


def _swap(raw: bytearray, at: int, rng: np.random.Generator) -> None:
    size, other = int(rng.choice([1, 2, 4, 12])), _place(rng, raw)
    low, high = sorted((at, other))
    if low + size <= high and high + size <= len(raw):
        raw[low : low + size], raw[high : high + size] = raw[high : high + size], raw[low : low + size]


_KINDS = (_flip, _flip, _flip, _scramble, _blank, _cut, _insert, _remove, _repeat, _swap)


# --- damage to what is said -----------------------------------------------------------------------------------------
WORDS = (
    "", " ", "0", "-0", "1", "-1", "2", "7", "NaN", "nan", "inf", "-Infinity", "1e308", "-1e308", "1e-320", "1e400",
    "0.5", "65536", "2147483648", "4294967297", "18446744073709551616", "-2147483649", "9" * 400, "1,5", "true", "None",
    "x", "../../x", "/", ".", "a/b", "µm", "pixel", "furlong", "9**9**9**9 um", "é中", "\x00", "\x7f", "{}", "[]", "%s",
    "\u2028", "'", '"', "a" * 5000, "1" * 5000, "-" * 50, "(0, 0)", "1 2 3",
)  # fmt: skip
"""What a number or a name is replaced by."""

VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, 2, -1, 0.5, 1e308, -1e308, 1e-320, 2**31, 2**53 + 1, 2**64, -(2**63), 10**400, float("nan"),
    float("inf"), "", "0", "x", "../x", "/", "\x00", "a" * 5000, "µm", "\ud800", [], {}, [None], [[]], {"": 0}, {"x": {}},
    [0] * 7, ["x", "x"], list(range(1000)),
)  # fmt: skip
"""What a part of a JSON tree is replaced by."""

_DEEP = "@deep@"


@st.composite
def json_damage(draw: st.DrawFn, raw: bytes) -> bytes:
    """Change one or two nodes of a JSON file: replaced, left out, doubled, renamed, or nested too deeply."""
    tree = json.loads(raw)
    for _ in range(draw(st.integers(1, 2))):
        nodes = list(_nodes(tree))
        if not nodes:
            break
        parent, key = nodes[draw(st.integers(0, len(nodes) - 1))]
        how = draw(st.sampled_from(["value", "value", "value", "delete", "double", "rename", "deep", "wrap", "far"]))
        if how == "value":
            parent[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        elif how == "delete":
            del parent[key]
        elif how == "double" and isinstance(parent, list):
            parent.insert(key, copy.deepcopy(parent[key]))
        elif how == "rename" and isinstance(parent, dict):
            parent[draw(st.sampled_from(["", "x", key + "s", key.upper()]))] = parent.pop(key)
        elif how == "wrap":
            parent[key] = [parent[key]]
        elif how == "far" and isinstance(parent[key], int | float) and not isinstance(parent[key], bool):
            parent[key] = parent[key] * draw(st.sampled_from([-1, 1.5, 10, 2**20, 2**40, 1e300]))
        else:
            parent[key] = _DEEP
    text = json.dumps(tree)
    if draw(st.integers(0, 9)) == 0 and text.startswith("{") and len(text) > 2:
        text = text[0] + text[1:-1] + "," + text[1:]  # every key twice
    depth = draw(st.sampled_from([50, 2000, 100_000]))
    return text.replace(f'"{_DEEP}"', "[" * depth + "]" * depth).encode()


def _nodes(tree: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
        yield tree, key
        yield from _nodes(tree[key])


_BOMB = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "aaaaaaaaaa">%s]>' % b"".join(
    b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10)
)


@st.composite
def xml_damage(draw: st.DrawFn, raw: bytes) -> bytes:
    """Change one or two attributes, texts or elements of XML."""
    root = ET.fromstring(raw)
    for _ in range(draw(st.integers(1, 2))):
        elements = list(root.iter())
        one = elements[draw(st.integers(0, len(elements) - 1))]
        how = draw(st.sampled_from(["value", "value", "value", "drop", "text", "children", "double", "tag", "deep"]))
        if (one.text or "").lstrip().startswith("<") and how != "text":  # XML in XML
            one.text = draw(xml_damage((one.text or "").encode())).decode()
            continue
        word = draw(st.sampled_from(WORDS)).replace("\x00", "�")
        key = draw(st.sampled_from(sorted(one.attrib))) if one.attrib else ""
        if how == "value" and key:
            one.set(key, word)
        elif how == "drop" and key:
            del one.attrib[key]
        elif how == "children":
            one[:] = []
        elif how == "double":
            one.extend(copy.deepcopy(list(one)))
        elif how == "tag":
            one.tag = "x"
        elif how == "deep":
            one.text = _DEEP
        else:
            one.text = word
    text = ET.tostring(root)
    depth = draw(st.sampled_from([50, 5000]))
    text = text.replace(_DEEP.encode(), b"<a>" * depth + b"</a>" * depth)
    if draw(st.integers(0, 14)) == 0:  # a small file that would fill the memory
        text = _BOMB + text.replace(b">", b">&a9;", 1)
    return text


_FIELDS = re.compile(r"[^,;:=\t()\n\"|]+")


@st.composite
def line_damage(draw: st.DrawFn, raw: bytes) -> bytes:
    """Change one to three fields or lines of a text file: CSV, INI, ``key: value``."""
    lines = raw.decode("utf-8", "surrogateescape").split("\n")
    for _ in range(draw(st.integers(1, 3))):
        at = min(draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1)))  # headers come first
        how = draw(st.sampled_from(["field", "field", "field", "field", "drop", "double", "less", "more", "swap"]))
        fields = list(_FIELDS.finditer(lines[at]))
        if how == "drop":
            del lines[at : at + 1]
            lines = lines or [""]
        elif how == "double":
            lines.insert(at, lines[at])
        elif how == "swap":
            lines[at], lines[0] = lines[0], lines[at]
        elif how == "more" or not fields:
            lines[at] += draw(st.sampled_from([",", ",0", '"', " = 1", ": 2", ";", "\t", "," * 1000]))
        else:
            found = fields[draw(st.integers(0, len(fields) - 1))]
            word = "" if how == "less" else draw(st.sampled_from(WORDS))
            lines[at] = lines[at][: found.start()] + word + lines[at][found.end() :]
    return "\n".join(lines).encode("utf-8", "surrogateescape")
