"""How a run is scored: each plane is read once, and every pair of neighbours compared once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..reports.thumbnails import thumbnail_png
from .arrays import Arrays
from .plane import Moments, Plane, edge_agreement, finite, plane_of, ssim
from .score import Comparison, QualityResult, combine, compared, pooled_variance
from .tissue import tissue_depth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..volumes import SliceVolume

_KEPT_BYTES = 2**29
"""For the statistics of windows of the planes at hand; those of larger planes are worked out for each comparison."""
_AHEAD_BYTES = 2**28
"""For planes read ahead; one slice is, whatever it takes."""
_AT_HAND = 3
"""Slices whose planes are held at a time: two that are compared, and the one that is made ready."""


@dataclass(frozen=True)
class SliceQuality:
    """What was found of one slice.

    Parameters
    ----------
    result : QualityResult
        Score and parts; all 0 for a calibration slice.
    shape : tuple of int
        ``(Z, Y, X)``.
    planes : tuple of int
        The z planes sampled; none of a calibration slice.
    means, variances : tuple of float
        Of the pixels of each of them.
    variance : float
        Of all of them together.
    edge : float
        Agreement of edges with the neighbours, from -1 to 1.
    comparisons : mapping of str to Comparison
        Neighbour's id → comparison with it.
    not_finite : int
        Px of the sampled planes that are not finite.
    tissue_depth : float
        In planes; see :func:`tissue_depth`.
    z_step_um : float or None
        From plane to plane, µm.
    calibration : bool
        Whether it is a calibration slice: scored 0, and no neighbour of others.
    thumbnail : bytes
        The middle plane as a small PNG; empty if none was asked for.
    """

    result: QualityResult
    shape: tuple[int, int, int]
    planes: tuple[int, ...] = ()
    means: tuple[float, ...] = ()
    variances: tuple[float, ...] = ()
    variance: float = 0.0
    edge: float = 0.0
    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    not_finite: int = 0
    tissue_depth: float = 0.0
    z_step_um: float | None = None
    calibration: bool = False
    thumbnail: bytes = b""


@dataclass
class _Found:
    """What is kept of a slice when its planes are gone."""

    moments: Mapping[int, Moments]
    filled: Mapping[int, int]
    thumbnail: Future[bytes]
    with_next: Mapping[int, Future[float]] = field(default_factory=dict)
    edge: Future[float] = field(default_factory=Future)


@dataclass(frozen=True)
class Pipeline:
    """Reads ahead, makes planes ready, and compares each slice with the one before it.

    Parameters
    ----------
    volumes : mapping of str to SliceVolume
        Slice id → image.
    shapes : mapping of str to tuple of int
        Slice id → ``(Z, Y, X)``.
    ids : sequence of str
        The slices to score, in order, at least two; each is a neighbour of the next.
    samples : mapping of str to tuple of int
        Slice id → planes to compare.
    arrays : Arrays
        Where to work.
    pool : ThreadPoolExecutor
        Does all that takes time.
    ahead : int
        Slices to read ahead, at most.
    thumbnails : bool
        Make small pictures, too.
    """

    volumes: Mapping[str, SliceVolume]
    shapes: Mapping[str, tuple[int, int, int]]
    ids: Sequence[str]
    samples: Mapping[str, tuple[int, ...]]
    arrays: Arrays
    pool: ThreadPoolExecutor
    ahead: int
    thumbnails: bool = False

    def run(self) -> Iterator[tuple[str, SliceQuality]]:
        """Score slice by slice; what waits is bounded, for one is done when three more have been made ready.

        While a slice is made ready, the two before it are compared: so no thread waits for another.
        """
        found: list[_Found] = []
        planes: dict[int, Mapping[int, Plane]] = {}
        middles: dict[int, Any] = {}
        for n, raw in enumerate(self._read_ahead()):
            making = self._make_ready(n, raw)
            if n > 1:
                self._compare(n - 1, found, planes, middles)
            planes[n] = {z: one.result() for z, one in making.items()}
            middles[n] = self._middle_of(n, planes[n], raw)
            found.append(_found(planes[n], self._thumbnail(raw[self._middle(n)])))
            if n > 2:
                yield self._finished(n - 3, found)
        last = len(found) - 1
        self._compare(last, found, planes, middles)
        found[last].edge = self._edge(last, middles)
        for n in range(max(last - 2, 0), last + 1):
            yield self._finished(n, found)

    def _compare(
        self, n: int, found: Sequence[_Found], planes: dict[int, Mapping[int, Plane]], middles: dict[int, Any]
    ) -> None:
        """Compare a slice with the one before it, and let go of what was needed for that one alone."""
        before, own = planes.pop(n - 1), planes[n]
        found[n - 1].with_next = {z: self.pool.submit(ssim, before[z], own[z], self.arrays) for z in self._shared(n)}
        found[n - 1].edge = self._edge(n - 1, middles)
        middles.pop(n - 2, None)

    def _edge(self, n: int, middles: Mapping[int, Any]) -> Future[float]:
        neighbours = [middles[other] for other in (n - 1, n + 1) if other in middles]
        return self.pool.submit(edge_agreement, middles[n], neighbours, self.arrays)

    def _thumbnail(self, plane: NDArray[Any]) -> Future[bytes]:
        """Make a small picture, or none."""
        return self.pool.submit(thumbnail_png if self.thumbnails else lambda _: b"", plane)

    # --- which planes ------------------------------------------------------------------------------------------
    def _middle(self, n: int) -> int:
        return self.shapes[self.ids[n]][0] // 2

    def _compared(self, n: int) -> list[int]:
        """List the planes of a slice that are compared: those of its own sample, and of its neighbours'."""
        depth = self.shapes[self.ids[n]][0]
        return sorted({z for one in self.ids[max(n - 1, 0) : n + 2] for z in self.samples[one] if z < depth})

    def _shared(self, n: int) -> list[int]:
        """List the planes in which a slice and the one before it are compared: sampled of either, and in both."""
        pair = self.ids[n - 1 : n + 1]
        depth = min(self.shapes[one][0] for one in pair)
        return sorted({z for one in pair for z in self.samples[one] if z < depth})

    # --- reading, and making ready -----------------------------------------------------------------------------
    def _read_ahead(self) -> Iterator[dict[int, NDArray[Any]]]:
        reads: deque[Future[dict[int, NDArray[Any]]]] = deque()
        largest = max(self._read_bytes(n) for n in range(len(self.ids)))
        ahead = max(1, min(self.ahead, _AHEAD_BYTES // largest))
        for n in range(len(self.ids)):
            while len(reads) <= ahead and n + len(reads) < len(self.ids):
                reads.append(self.pool.submit(self._read, n + len(reads)))
            yield reads.popleft().result()

    def _needed(self, n: int) -> list[int]:
        """List what is compared of a slice, and its middle plane."""
        return sorted({*self._compared(n), self._middle(n)})

    def _read_bytes(self, n: int) -> int:
        _, height, width = self.shapes[self.ids[n]]
        return len(self._needed(n)) * height * width * self.volumes[self.ids[n]].dtype.itemsize

    def _read(self, n: int) -> dict[int, NDArray[Any]]:
        slice_id, needed = self.ids[n], self._needed(n)
        return dict(zip(needed, self.volumes[slice_id].planes(needed), strict=True))

    def _make_ready(self, n: int, raw: Mapping[int, NDArray[Any]]) -> dict[int, Future[Plane]]:
        """Take the statistics of the planes that are compared."""
        _, height, width = self.shapes[self.ids[n]]
        chosen = self._compared(n)
        keep = 16 * height * width * len(chosen) * _AT_HAND <= _KEPT_BYTES
        return {z: self.pool.submit(plane_of, raw[z], self.arrays, keep) for z in chosen}

    def _middle_of(self, n: int, planes: Mapping[int, Plane], raw: Mapping[int, NDArray[Any]]) -> Any:
        """Give the middle plane, finite, where it is worked on."""
        middle = self._middle(n)
        return planes[middle].pixels if middle in planes else finite(self.arrays.put(raw[middle]), self.arrays)[0]

    # --- what was found ----------------------------------------------------------------------------------------
    def _finished(self, n: int, found: Sequence[_Found]) -> tuple[str, SliceQuality]:
        """Put together the score of a slice, once its comparisons are done."""
        slice_id, own = self.ids[n], found[n]
        planes = self.samples[slice_id]
        comparisons = {}
        for other, pair in ((n - 1, n - 1), (n + 1, n)):
            if 0 <= other < len(self.ids):
                similar = {z: one.result() for z, one in found[pair].with_next.items()}
                shared = [z for z in planes if z in similar]
                comparisons[self.ids[other]] = compared(shared, similar, found[other].moments)
        moments = [own.moments[z] for z in planes]
        variance, edge = pooled_variance(moments), own.edge.result()
        variances = tuple(spread for _, spread in moments)
        return slice_id, SliceQuality(
            result=combine(variance, list(comparisons.values()), edge),
            shape=self.shapes[slice_id],
            planes=planes,
            means=tuple(mean for mean, _ in moments),
            variances=variances,
            variance=variance,
            edge=edge,
            comparisons=comparisons,
            not_finite=sum(own.filled[z] for z in planes),
            tissue_depth=tissue_depth(planes, variances),
            z_step_um=self.volumes[slice_id].z_step_um,
            thumbnail=own.thumbnail.result(),
        )


def _found(planes: Mapping[int, Plane], thumbnail: Future[bytes]) -> _Found:
    return _Found(
        {z: plane.moments for z, plane in planes.items()},
        {z: plane.filled for z, plane in planes.items()},
        thumbnail,
    )
