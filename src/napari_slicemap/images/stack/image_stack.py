"""``ImageStack``: frames of one field over time, such as a video of an atomic force microscope."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import StackError
from ..source import ImageSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

RAW = "raw"
"""The processed layer that holds the frames as they were before the first step."""
LAYER_NAMES = "processed_layers"
"""The state backup that lists the processed layers which a stack had when it was written, and has no more."""
BEFORE_EDIT = "frame_metadata_before_edit"
"""The state backup that holds the frame metadata as they were before frames were removed or changed."""
_DONE = ("processing", "analysis")
"""What the provenance records of steps, which raw frames have not been through."""


@dataclass(frozen=True, eq=False)
class ImageStack:
    """Frames of one field of view in one channel.

    Parameters
    ----------
    data : ndarray, (T, H, W)
        Real numbers, at least one frame.
    pixel_size_nm : float
        Of a px, nm, above 0.
    channel : str
        Such as ``"height_trace"``; no NUL in it.
    frame_metadata : sequence of mapping
        One for each frame; ``timestamp`` is its time in s, and may be missing or NaN.
    processed : mapping of str to ndarray, (T', H', W')
        Layers by name: ``raw`` and ``step_<n>_<name>``, n from 1. Each is what there was after its step, so it may have
        more frames than `data` where a later step removed some, and another size where one aligned or cropped them.
    masks : mapping of str to ndarray of bool, (T', H', W')
        Masks by name, each of the frames that there were when it was made.
    state_backups : mapping
        What was replaced by an edit, such as ``frame_metadata_before_edit``.
    provenance : mapping
        What was done: ``processing`` holds ``steps``.
    file_path : path-like, optional
        What it was read from.

    Raises
    ------
    StackError
        If there is no frame, a name or number is not what it should be, or counts do not agree.
    """

    data: NDArray[Any]
    pixel_size_nm: float
    channel: str
    frame_metadata: Sequence[Mapping[str, Any]]
    processed: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    masks: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    state_backups: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    file_path: str | Path | None = None

    def __post_init__(self) -> None:
        if not _is_text(self.channel) or "\0" in self.channel:
            raise StackError(f"a stack's channel is {self.channel!r}, expected text that can be written")
        object.__setattr__(self, "data", self._checked("data", self.data, "buif"))
        for field_name, kind, kinds in (("processed", "processed layer", "buif"), ("masks", "mask", "b")):
            layers = getattr(self, field_name)
            made = {name: self._checked(f"{kind} {name!r}", layer, kinds) for name, layer in layers.items()}
            object.__setattr__(self, field_name, made)
            if bad := [name for name in made if not name or not _is_text(name)]:
                raise StackError(f"{self}: {kind} {bad[0]!r}: this is no name that can be written")
        size = self.pixel_size_nm
        if (
            isinstance(size, bool)
            or not isinstance(size, int | float | np.number)
            or not math.isfinite(size)
            or size <= 0
        ):
            raise StackError(f"{self}: the pixel size is {size!r} nm, expected a number above 0")
        if len(self.frame_metadata) != len(self.data):
            raise StackError(f"{self}: {len(self.frame_metadata)} frame metadata for {len(self.data)} frames")
        for index, one in enumerate(self.frame_metadata):
            if not isinstance(one, Mapping):
                raise StackError(f"{self}: frame {index} has the metadata {one!r}, expected a mapping")

    def _checked(self, what: str, frames: object, kinds: str) -> NDArray[Any]:
        """Give frames as an array, if they are some."""
        array = np.asarray(frames)
        if array.ndim != 3 or array.dtype.kind not in kinds:
            wanted = "bool" if kinds == "b" else "real numbers"
            raise StackError(f"{self}: {what} is {array.dtype} {array.shape}, expected {wanted} (T, H, W)")
        if 0 in array.shape:
            raise StackError(f"{self}: no frames: {what} is {array.shape}, expected at least one frame with pixels")
        return array

    def __str__(self) -> str:
        return f"stack {self.name}"

    @property
    def name(self) -> str:
        """The stem of its file (dots in it are kept, ``.ome`` is not), or its channel."""
        return Path(self.file_path).stem.removesuffix(".ome") if self.file_path else (self.channel or "stack")

    @property
    def times_s(self) -> NDArray[np.float64]:
        """Time of each frame, s ``(T,)``; NaN where it is unknown."""
        return np.array([_seconds(one.get("timestamp")) for one in self.frame_metadata], np.float64)

    @property
    def layer_names(self) -> list[str]:
        """Names of the processed layers; of those it had when it was written, where the file kept names alone."""
        kept = self.state_backups.get(LAYER_NAMES, ())
        return list(self.processed) or (list(kept) if isinstance(kept, list | tuple) else [])

    @property
    def is_processed(self) -> bool:
        """Whether layers besides ``raw`` exist, or did when it was written."""
        return any(name != RAW for name in self.layer_names)

    @property
    def steps(self) -> Sequence[Any]:
        """The processing steps that the provenance records."""
        processing = self.provenance.get("processing")
        found = processing.get("steps") if isinstance(processing, Mapping) else None
        return found if isinstance(found, Sequence) and not isinstance(found, str) else ()

    def raw(self) -> ImageStack:
        """Give the stack as it was before anything was done to it: no layers, no masks, no record of steps.

        Raises
        ------
        StackError
            If it was processed and no ``raw`` layer was kept: processed data never go under the name of raw. Or if no
            metadata were kept for the raw frames.
        """
        if RAW in self.processed:
            data = self.processed[RAW]
        elif self.is_processed or self.steps:
            raise StackError(f"{self} was processed, and its raw frames were not kept; export it without raw")
        else:
            data = self.data
        before = self.state_backups.get(BEFORE_EDIT)
        # frames may have been removed since: then the metadata before that belong to the raw frames
        metadata = before if isinstance(before, Sequence) and len(before) == len(data) else self.frame_metadata
        if len(metadata) != len(data):
            raise StackError(
                f"{self}: there are {len(data)} raw frames and metadata of {len(metadata)}; "
                f"state backup {BEFORE_EDIT!r} should have one for each"
            )
        untouched = {key: value for key, value in self.provenance.items() if key not in _DONE}
        return ImageStack(
            data, self.pixel_size_nm, self.channel, metadata, provenance=untouched, file_path=self.file_path
        )

    def source(self, dtype: np.dtype[Any] | None = None) -> ImageSource:
        """Give its frames as an image ``(T, 1, 1, Y, X)``, cast to `dtype` if given."""
        frames, height, width = self.data.shape
        kind = self.data.dtype if dtype is None else np.dtype(dtype)
        times = self.times_s
        return ImageSource(
            name=self.name,
            shape=(frames, 1, 1, height, width),
            dtype=kind,
            channels=(self.channel,),
            read=lambda t, c, z, top, bottom: self.data[t, top:bottom].astype(kind, copy=False),  # noqa: ARG005
            pixel_size_um=float(self.pixel_size_nm) / 1000,
            times_s=None if np.isnan(times).all() else tuple(times.tolist()),
        )


def _is_text(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _seconds(value: object) -> float:
    if isinstance(value, bool) or value is None:
        return math.nan
    try:
        seconds = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan
    return seconds if math.isfinite(seconds) else math.nan
