"""Damaged files: what a user would ask of them, and what may come of it."""

from __future__ import annotations

import math
import os
import resource
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

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
    lossy : bool
        Whether each block of pixels is stored as its difference to the one before, without a checksum, as JPEG has it:
        one bit may turn the rest of the picture black, and nobody can know.
    lists : bool
        Whether it alone says which FOVs there are: a line less is an FOV less.
    """

    name: str
    build: Callable[[Path, Path], Path]
    file: str
    pixels: str | None = None
    lossy: bool = False
    lists: bool = False


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
            return _fault_of(error, [self.file, self.file.parent, self.path])
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
    facts = describe(dataset)
    to_json(facts)
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
    return Look(found, numbers, counts, (facts["problems"], facts["missing"], facts["fovs_without_map"]))


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


def _fault_of(error: SlicemapError, culprits: Iterable[Path]) -> str:
    """Say what is wrong with an error that is ours: it names one of some files or folders, and hides no exhaustion."""
    said = str(error)
    if not any(str(one) in said for one in culprits):
        return f"the error does not name the file: {type(error).__name__}: {said[:300]}"
    cause: BaseException | None = error
    while cause is not None:
        # what is nested too deeply may be found out by trying, where it is said so
        if isinstance(cause, MemoryError) or (isinstance(cause, RecursionError) and "too deep" not in said):
            return f"{type(cause).__name__} within: {said[:300]}"
        cause = cause.__cause__ or cause.__context__
    return ""


def _difference(bench: Bench, after: Look) -> str:
    if not all(map(math.isfinite, after.numbers)):
        return f"positions are not finite: {after.numbers[:9]}"
    fewer = any(now < was for now, was in zip(after.counts, bench.before.counts, strict=True))
    if fewer and after.told == bench.before.told and not bench.subject.lists:
        return f"there were {bench.before.counts} FOVs and positions, and now {after.counts}, without a word"
    for name, fov in after.fovs.items():
        for channel, pixels in fov.pixels.items():
            if isinstance(pixels, SlicemapError):
                if fault := _fault_of(pixels, [bench.file, bench.path, *fov.sources]) or _others_fault(bench, fov):
                    return f"FOV {name}, {channel}: {fault}"
            elif fault := _pixel_fault(bench, name, fov, channel, pixels):
                return f"FOV {name}, {channel}: {fault}"
    return ""


def _others_fault(bench: Bench, fov: FovLook) -> str:
    """Say that an image fails though it is another that is damaged."""
    whole = bench.subject.pixels != "" and not bench.changes(fov.sources)
    return "it cannot be read, though another image is damaged" if whole else ""


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
        place = None if bench.subject.lossy else _filled(old, pixels)
        return "" if place is None else f"block {place} is all {pixels[place]}"
    height, width = np.minimum(pixels.shape, old.shape)
    same = _is_one_value(pixels) and not _is_one_value(old[:height, :width])
    return f"{pixels.shape} px are all {pixels[0, 0]}" if same else ""


def _filled(old: np.ndarray, new: np.ndarray) -> tuple[int, int] | None:
    """Give the first block that holds a single value, such as 0, and held many: it was never read."""
    for y in range(0, old.shape[0] - _BLOCK_PX + 1, _BLOCK_PX):
        for x in range(0, old.shape[1] - _BLOCK_PX + 1, _BLOCK_PX):
            part = slice(y, y + _BLOCK_PX), slice(x, x + _BLOCK_PX)
            if _is_one_value(new[part]) and np.unique(old[part]).size > _BLOCK_PX:
                return y, x
    return None


def _is_one_value(pixels: np.ndarray) -> bool:
    return bool((pixels == pixels.flat[0]).all() or (pixels != pixels).all())
