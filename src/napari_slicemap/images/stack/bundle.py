"""What the bundles of a stack share: their names and texts, the types they are written in, what a file must stand."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ...errors import DatasetNotFoundError, FileFormatError, StackError
from ...files import to_json
from .image_stack import BEFORE_EDIT, ImageStack

if TYPE_CHECKING:
    from numpy.typing import NDArray

Written = Literal["float32", "source"]
"""What pixels are written as: 32-bit floats, or the type they have."""

FRAMES, PROVENANCE, BACKUPS = "frame_metadata_json", "provenance_json", "state_backups_json"
"""The texts of a bundle: strict JSON."""

_ESCAPES = {"%": "%25", "/": "%2F", "\\": "%5C", "\0": "%00"}
_UNESCAPES = {escape: sign for sign, escape in _ESCAPES.items()} | {"%2E": "."}
_SMALL_BYTES = 2**30
"""Unpacked, a bundle of this size harms nobody, however small its file."""
_MOST_TIMES = 250
"""Real frames never pack so well; deflate packs zeros a thousand times."""


@dataclass(frozen=True)
class Layer:
    """Frames on their way into a bundle.

    Parameters
    ----------
    stack : str
        Whose frames they are, for messages.
    name : str
        ``data``, or the name of a processed layer or mask.
    array : ndarray, (T, H, W)
        The frames.
    dtype : numpy dtype
        What they are written as, little-endian.
    """

    stack: str
    name: str
    array: NDArray[Any]
    dtype: np.dtype[Any]

    def frames(self) -> Iterator[NDArray[Any]]:
        """Give each frame ``(H, W)`` in `dtype`, rows one after the other in memory.

        Raises
        ------
        StackError
            If a number is too large for `dtype`.
        """
        for index, frame in enumerate(self.array):
            try:
                with np.errstate(over="raise"):
                    made = np.ascontiguousarray(frame, self.dtype)
            except FloatingPointError:
                raise StackError(
                    f"{self.stack}: {self.name}, frame {index}: a number is too large for {self.dtype}; "
                    "dtype='source' keeps it"
                ) from None
            yield made


@dataclass(frozen=True)
class Content:
    """All that a bundle holds, as it is to be written.

    Parameters
    ----------
    data : Layer
        The frames.
    processed, masks : mapping of str to Layer
        By escaped name.
    timestamps : ndarray of float64, (T,)
        Time of each frame, s; NaN where it is unknown.
    pixel_size_nm : float
        Of a px, nm.
    channel : str
        Its name.
    texts : mapping of str to str
        Key → JSON.
    """

    data: Layer
    processed: Mapping[str, Layer]
    masks: Mapping[str, Layer]
    timestamps: NDArray[np.float64]
    pixel_size_nm: float
    channel: str
    texts: Mapping[str, str]


def content_of(stack: ImageStack, raw: bool, dtype: Written) -> Content:
    """Say what a bundle of a stack holds.

    Parameters
    ----------
    stack : ImageStack
        What to write.
    raw : bool
        Whether to write it as it was before anything was done to it.
    dtype : str
        ``"float32"``, or ``"source"`` to keep the type of each layer.

    Raises
    ------
    StackError
        If `raw` frames are asked for and were not kept, `dtype` is unknown, or the metadata cannot be written as JSON.
    """
    if dtype not in ("float32", "source"):
        raise StackError(f"{stack}: dtype is {dtype!r}, expected 'float32' or 'source'")
    if raw:
        stack = stack.raw()
    of = str(stack)

    def layer(name: str, array: NDArray[Any]) -> Layer:
        kind = array.dtype if dtype == "source" or array.dtype == np.bool_ else np.dtype(np.float32)
        return Layer(of, name, array, kind.newbyteorder("<"))

    texts = {FRAMES: list(stack.frame_metadata), PROVENANCE: stack.provenance}
    if stack.state_backups:
        texts[BACKUPS] = stack.state_backups
    return Content(
        data=layer("data", _pixels(stack.data, dtype)),
        processed={escaped(name): layer(name, _pixels(one, dtype)) for name, one in stack.processed.items()},
        masks={escaped(name): layer(name, one) for name, one in stack.masks.items()},
        timestamps=stack.times_s,
        pixel_size_nm=float(stack.pixel_size_nm),
        channel=stack.channel,
        texts={key: _json(of, key, value) for key, value in texts.items()},
    )


def _pixels(array: NDArray[Any], dtype: Written) -> NDArray[Any]:
    """Let frames of bools become numbers where those are asked for: only masks stay bools."""
    return array.view(np.uint8) if array.dtype == np.bool_ and dtype == "float32" else array


def _json(of: str, key: str, value: object) -> str:
    try:
        text = to_json(value, indent=None)
        text.encode("utf-8")
    except (TypeError, UnicodeEncodeError) as error:
        raise StackError(f"{of}: {key}: {error}") from None
    return text


def escaped(name: str) -> str:
    """Write the name of a layer so that it can be a name in a ZIP or HDF5 file; :func:`unescaped` gives it back."""
    return "%2E" if name == "." else re.sub(r"[%/\\\0]", lambda found: _ESCAPES[found[0]], name)


def unescaped(name: str) -> str:
    """Give the name that :func:`escaped` wrote; signs that it does not write stay as they are."""
    return re.sub(r"%(?:25|2F|5C|00|2E)", lambda found: _UNESCAPES[found[0]], name)


def bundle_path(path: str | Path, suffix: str) -> Path:
    """Give the file to write: `path` with `suffix` behind it unless it is there; dots in the stem are kept.

    Raises
    ------
    TypeError
        If `path` is neither text nor a path.
    StackError
        If it names no file.
    """
    target = as_path(path)
    if not target.name:
        raise StackError(f"{str(path)!r} names no file to write")
    return target if target.name.lower().endswith(suffix) else target.with_name(target.name + suffix)


def as_path(path: str | Path) -> Path:
    """Give text or a path as a path; anything else is a ``TypeError``."""
    if not isinstance(path, str | Path):
        raise TypeError(f"{path!r} is {type(path).__name__}, expected str or Path")
    return Path(path)


def existing(path: str | Path) -> Path:
    """Give a file that is there.

    Raises
    ------
    TypeError
        If `path` is neither text nor a path.
    DatasetNotFoundError
        If there is no such file.
    """
    found = as_path(path)
    if not found.is_file():
        raise DatasetNotFoundError(f"{found}: there is no such file")
    return found


@contextmanager
def reading(path: Path, kind: str, *known: type[Exception]) -> Iterator[None]:
    """Name the file in what a library raises while it reads it, if it is one of the errors `known` for that.

    Raises
    ------
    FileFormatError
        Instead of them.
    """
    try:
        yield
    except FileFormatError:
        raise
    except known as error:
        raise FileFormatError(f"{path}: it cannot be read as {kind}: {str(error) or type(error).__name__}") from error


def refuse_bomb(path: Path, unpacked: int) -> None:
    """Hold the bytes that a file claims to unpack to against its own size, before anything is unpacked.

    Raises
    ------
    FileFormatError
        If they are out of all proportion.
    """
    stored = path.stat().st_size
    if unpacked > max(_SMALL_BYTES, _MOST_TIMES * stored):
        raise FileFormatError(
            f"{path}: it would unpack from {stored} to {unpacked} bytes, more than {_MOST_TIMES} times as much; "
            "no frames of an instrument pack like that, so it is not opened"
        )


def check_layer(path: Path, key: str, shape: Sequence[int], dtype: np.dtype[Any], kinds: str) -> None:
    """Hold what a file says of frames against what frames are, before they are read.

    Raises
    ------
    FileFormatError
        Naming file and key.
    """
    wanted = "bool" if kinds == "b" else "real numbers"
    if len(shape) != 3 or dtype.kind not in kinds or 0 in shape:
        raise FileFormatError(
            f"{path}: {key} is {dtype} {tuple(shape)}, expected {wanted} (T, H, W), at least one frame"
        )


def parsed(path: Path, key: str, text: str | bytes) -> Any:
    """Read the JSON of a key; others' files may hold NaN, which is taken as such.

    Raises
    ------
    FileFormatError
        Naming file and key.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{path}: {key} is no valid JSON: {error}") from None


def stack_from(
    path: Path,
    *,
    data: NDArray[Any],
    processed: Mapping[str, NDArray[Any]],
    masks: Mapping[str, NDArray[Any]],
    timestamps: NDArray[Any],
    pixel_size_nm: float,
    channel: str,
    texts: Mapping[str, str | bytes],
) -> ImageStack:
    """Put together what was read from a bundle.

    Parameters
    ----------
    path : Path
        The file.
    data, processed, masks, pixel_size_nm, channel
        As in :class:`~napari_slicemap.images.stack.image_stack.ImageStack`.
    timestamps : ndarray of float64, (T,)
        Time of each frame, s; used for frames whose metadata have no ``timestamp``.
    texts : mapping of str to str or bytes
        Key → JSON.

    Raises
    ------
    FileFormatError
        Naming file and key, if they do not agree.
    """
    frames = parsed(path, FRAMES, texts[FRAMES])
    provenance = parsed(path, PROVENANCE, texts[PROVENANCE])
    backups = parsed(path, BACKUPS, texts[BACKUPS]) if BACKUPS in texts else {}
    if not isinstance(frames, list) or not all(isinstance(one, dict) for one in frames):
        raise FileFormatError(f"{path}: {FRAMES} is no list of objects, one for each frame")
    for key, value in ((PROVENANCE, provenance), (BACKUPS, backups)):
        if not isinstance(value, dict):
            raise FileFormatError(f"{path}: {key} is {type(value).__name__}, expected an object")
    before = backups.get(BEFORE_EDIT)
    # playNano writes raw frames beside the metadata of those that were left after the edit
    if len(frames) != len(data) and isinstance(before, list) and len(before) == len(data):
        frames = before
    if timestamps.shape != (len(data),):
        raise FileFormatError(f"{path}: timestamps is {timestamps.shape}, expected one for each of {len(data)} frames")
    times = timestamps.tolist()
    if len(frames) == len(data):
        frames = [one if "timestamp" in one else _timed(one, time) for one, time in zip(frames, times, strict=True)]
    try:
        return ImageStack(data, pixel_size_nm, channel, frames, processed, masks, backups, provenance, path)
    except StackError as error:
        raise FileFormatError(f"{path}: {error}") from None


def _timed(metadata: dict[str, Any], time: float) -> dict[str, Any]:
    return {**metadata, "timestamp": time} if math.isfinite(time) else metadata
