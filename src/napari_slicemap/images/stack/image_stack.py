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
BEFORE_EDIT = "frame_metadata_before_edit"
"""The state backup that holds the frame metadata as they were before frames were removed or changed."""


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
        Such as ``"height"``.
    frame_metadata : sequence of mapping
        One for each frame; ``timestamp`` is its time in s, and may be missing or NaN.
    processed : mapping of str to ndarray, (T, H, W)
        Layers by name: ``raw`` and ``step_<n>_<name>``, n from 1.
    masks : mapping of str to ndarray of bool, (T, H, W)
        Masks by name.
    state_backups : mapping
        What was replaced by an edit, such as ``frame_metadata_before_edit``.
    provenance : mapping
        What was done: ``processing`` holds ``steps``.
    file_path : path-like, optional
        What it was read from.

    Raises
    ------
    StackError
        If there is no frame, or shapes, types or counts do not agree.
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
        data = np.asarray(self.data)
        object.__setattr__(self, "data", data)
        if data.ndim != 3 or data.dtype.kind not in "buif":
            raise StackError(f"{self}: the data are {data.dtype} {data.shape}, expected real numbers (T, H, W)")
        if 0 in data.shape:
            raise StackError(f"{self}: no frames: the data are {data.shape}, expected at least one frame with pixels")
        size = self.pixel_size_nm
        if (
            isinstance(size, bool)
            or not isinstance(size, int | float | np.number)
            or not math.isfinite(size)
            or size <= 0
        ):
            raise StackError(f"{self}: the pixel size is {size!r} nm, expected a number above 0")
        if len(self.frame_metadata) != len(data):
            raise StackError(f"{self}: {len(self.frame_metadata)} frame metadata for {len(data)} frames")
        for kind, layers in (("processed layer", self.processed), ("mask", self.masks)):
            for name, layer in layers.items():
                if np.shape(layer) != data.shape:
                    raise StackError(f"{self}: {kind} {name} is {np.shape(layer)}, the data are {data.shape}")
                if kind == "mask" and np.asarray(layer).dtype != np.bool_:
                    raise StackError(f"{self}: mask {name} is {np.asarray(layer).dtype}, expected bool")

    def __str__(self) -> str:
        return f"stack {self.name}"

    @property
    def name(self) -> str:
        """The stem of its file (dots in it are kept), or its channel."""
        return Path(self.file_path).stem if self.file_path else (self.channel or "stack")

    @property
    def times_s(self) -> NDArray[np.float64]:
        """Time of each frame, s ``(T,)``; NaN where it is unknown."""
        return np.array([_seconds(one.get("timestamp")) for one in self.frame_metadata], np.float64)

    @property
    def is_processed(self) -> bool:
        """Whether layers besides ``raw`` exist."""
        return any(name != RAW for name in self.processed)

    @property
    def steps(self) -> Sequence[Any]:
        """The processing steps that the provenance records."""
        processing = self.provenance.get("processing")
        found = processing.get("steps") if isinstance(processing, Mapping) else None
        return found if isinstance(found, Sequence) and not isinstance(found, str) else ()

    def raw(self) -> ImageStack:
        """Give the stack as it was before anything was done to it: no layers, no masks.

        Raises
        ------
        StackError
            If it was processed and no ``raw`` layer was kept: processed data never go under the name of raw.
        """
        if RAW in self.processed:
            data = np.asarray(self.processed[RAW])
        elif self.is_processed or self.steps:
            raise StackError(f"{self} was processed, and its raw frames were not kept; export it without raw")
        else:
            data = self.data
        before = self.state_backups.get(BEFORE_EDIT)
        # frames may have been removed since: then the metadata before that belong to the raw frames
        metadata = before if isinstance(before, Sequence) and len(before) == len(data) else self.frame_metadata
        return ImageStack(data, self.pixel_size_nm, self.channel, metadata, file_path=self.file_path)

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


def _seconds(value: object) -> float:
    if isinstance(value, bool) or value is None:
        return math.nan
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan
