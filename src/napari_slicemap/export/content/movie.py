"""One item to frames: what the formats that move take."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...dataset import Dataset
from ...render.picture import opaque
from ...render.profile import Profile
from ..choosing.items import ExportItem
from ..movies.frame_marks import TimeText, place_times, time_labels
from ..movies.frames import Frames
from ..movies.timing import delays_ms
from ..plan import ExportPlan
from .figure import Figure, render_item

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Movie:
    """Frames that are painted as they are asked for, in any order and from any thread.

    Parameters
    ----------
    name : str
        What it is called.
    count : int
        Number of frames.
    figure : callable
        ``figure(number)`` gives a frame as a figure; all are of one size.
    labels : tuple of str
        What a frame shows beside its pixels, such as a slice id; empty texts where there is nothing to say.
    times_s : tuple of float or None
        Of each frame, s; NaN where one is unknown; ``None`` where frames are not apart in time.
    pixel_size_um : float or None
        Of a px, µm.
    background : str
        Colour behind transparent pixels: ``#rrggbb``.
    provenance : mapping
        How it was made: what a writer embeds.
    """

    name: str
    count: int
    figure: Callable[[int], Figure]
    labels: tuple[str, ...]
    times_s: tuple[float, ...] | None
    pixel_size_um: float | None
    background: str
    provenance: Mapping[str, Any] = field(default_factory=dict)
    _told: dict[int, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int, /) -> NDArray[np.uint8]:
        figure = self.figure(number)
        image = figure.picture.array()
        with self._lock:
            self._told[number] = (figure.missing, figure.warnings)
        return opaque(image, self.background)

    @property
    def level(self) -> int:
        """Downsampling of the stored level that the frames are made from; 1 where the tiles themselves are read."""
        return self.figure(0).picture.level

    @cached_property
    def shape(self) -> tuple[int, int, int, int]:
        """``(T, H, W, 3)``."""
        height, width, _ = self.figure(0).picture.shape
        return self.count, height, width, 3

    def delays_ms(self, fps: float | None, speed: float) -> list[float]:
        """Find out how long each frame is to be shown; see :func:`~.timing.delays_ms`. One alone needs no time."""
        known = (0.0,) if self.count == 1 else self.times_s or (math.nan,) * self.count
        return delays_ms(known, self.name, fps, speed)

    def frames(self, labelled: bool) -> Frames:
        """Give the frames for an encoder, with the time or the slice of each written into it or not."""
        labels = time_labels(self.times_s) if self.times_s else [label and f"slice {label}" for label in self.labels]
        if not labelled or not any(labels):
            return self
        _, height, width, _ = self.shape
        placed, warning = place_times((height, width), labels)
        self.tell(warning)
        return self if placed is None else _Labelled(self, placed)

    def tell(self, warning: str) -> None:
        """Note what was asked for and cannot be drawn or shown."""
        if warning:
            self._told[-1] = ((), (*self._told.get(-1, ((), ()))[1], warning))

    @property
    def missing(self) -> tuple[str, ...]:
        """Tiles that could not be read and are hatched; complete once all frames were painted."""
        return tuple(dict.fromkeys(one for _, (missing, _) in sorted(self._told.items()) for one in missing))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the reader of the movie should know; complete once all frames were painted."""
        said = (
            f"slice {self.labels[number]}: {one}" if number >= 0 and self.labels[number] else one
            for number, (_, warnings) in sorted(self._told.items())
            for one in warnings
        )
        return tuple(dict.fromkeys(said))


@dataclass(frozen=True)
class _Labelled:
    """Frames with a line of text in each."""

    movie: Movie
    text: TimeText

    def __len__(self) -> int:
        return len(self.movie)

    def __getitem__(self, number: int, /) -> NDArray[np.uint8]:
        frame = self.movie[number].copy()
        self.text.mark(number).draw(frame)
        return frame


def film_item(item: ExportItem, plan: ExportPlan, profile: Profile, dataset: Dataset) -> Movie:
    """Give one item of a plan as a movie: a time series, a run of slices, or a single frame.

    Raises
    ------
    SlicemapError
        Naming what could not be read or found.
    """
    if item.members:
        members = [member.model_copy(update={"channels": item.channels}) for member in item.members]
        maps = [dataset.maps[member.map_id] for member in members]
        return _movie(
            len(members),
            lambda number: render_item(members[number], plan, profile, dataset),
            [one.slice_id for one in maps],
            None,
            item,
            plan,
        )
    frame = item if item.kind != "stack" else item.model_copy(update={"kind": "fov-roi" if item.region else "fov"})
    fov = dataset.fovs.get(item.fov)
    if item.kind != "stack" or fov is None:
        return _movie(1, lambda _: render_item(frame, plan, profile, dataset), [""], None, item, plan)
    count = fov.shape[0]
    return _movie(
        count,
        lambda number: render_item(frame, plan.model_copy(update={"t": number}), profile, dataset),
        [""] * count,
        fov.times_s,
        item,
        plan,
    )


def _movie(
    count: int,
    figure: Callable[[int], Figure],
    labels: Sequence[str],
    times_s: tuple[float, ...] | None,
    item: ExportItem,
    plan: ExportPlan,
) -> Movie:
    return Movie(
        name=item.stem,
        count=count,
        figure=figure,
        labels=tuple(labels),
        times_s=times_s,
        pixel_size_um=item.output_pixel_size_um,
        background=plan.background,
    )
