"""How far one tile is off its place beside another, by what both show where they overlap.

Both are freed of whatever changes slowly (shading, background), and compared at every whole shift within reach: at
a shift that leaves n shared px, their normalised cross-correlation r there tells by ``artanh(r) · √n`` how unlikely it
is by chance (Fisher 1921). The best shift is the most unlikely one. Its score is how many times as unlikely it is as
the best of all shifts that lie some px away from it: chance alone gives about 1, and so do patterns that repeat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...images.region import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_SCORE = 2.0
"""Score from which a shift is trusted."""

CHANCE = 1 / 80
"""Share of the pairs of real tiles that share nothing which reach it."""

FINEST_PX = 5.0
"""Sigma of the Gaussian whose blur is taken away from tiles, px."""

_APART_PX = 5
"""Shifts that are so near to the best one belong to the same peak."""
_LEAST_REACH_PX = 16
"""Chance is judged by all shifts up to so many px at least, even where fewer are allowed."""
_LEAST_SHARED_PX = 100
"""Fewer shared pixels correlate by chance."""
_CHANCE = 3.0
"""How unlikely the best of a thousand shifts is, though there be nothing to find."""
_MOST_FINE_PX = 0.75
"""The whole shift that fits best is no farther than this from the one that does."""
_SURE = 0.9999
"""Correlation beyond which a higher one says no more: equal pixels have it whatever they show."""


class Match(NamedTuple):
    """The best shift of one tile beside another.

    Parameters
    ----------
    shift : tuple of float
        ``(x, y)``, px.
    correlation : float
        −1 to 1.
    score : float
        See the module.
    """

    shift: tuple[float, float]
    correlation: float
    score: float


class Reach(NamedTuple):
    """What is to be read of two tiles so that all shifts can be compared.

    Parameters
    ----------
    first, second : Window
        Of either tile, FOV px.
    offset : tuple of int
        ``(x, y)`` from the corner of the first tile to that of the second, px: the shift is beside that.
    most : int
        The largest shift that is compared along either axis, px.
    """

    first: Window
    second: Window
    offset: tuple[int, int]
    most: int


def reach(first: tuple[int, int], second: tuple[int, int], offset: tuple[int, int], allowed: float) -> Reach:
    """Say what is to be read of two tiles.

    Parameters
    ----------
    first, second : tuple of int
        ``(width, height)``, px.
    offset : tuple of int
        ``(x, y)`` from corner to corner, px.
    allowed : float
        The largest shift that may be found along either axis, px.
    """
    most = max(int(np.ceil(allowed)), _LEAST_REACH_PX)
    own = Window(0, first[0], 0, first[1])
    other = Window(0, second[0], 0, second[1])
    return Reach(
        own & other.shifted(*offset).grown(most),
        other & own.shifted(-offset[0], -offset[1]).grown(most),
        offset,
        most,
    )


def match(first: NDArray[Any], second: NDArray[Any], where: Reach, allowed: float) -> Match:
    """Find the best shift of the second tile.

    Parameters
    ----------
    first, second : ndarray, (H, W)
        Pixels of the two windows of `where`.
    where : Reach
        What they are of their tiles.
    allowed : float
        The largest shift that may be found along either axis, px.

    Returns
    -------
    Match
        A score of 0 where nothing can be said: no detail, or no shared pixels.
    """
    a, b = _detail(first), _detail(second)
    correlations, shared = _correlations(a, b, where)
    unlikely = np.arctanh(np.clip(correlations, -_SURE, _SURE)) * np.sqrt(shared)
    steps = np.abs(np.arange(-where.most, where.most + 1)) <= allowed
    within = np.where(steps[:, None] & steps[None, :], unlikely, -np.inf)
    row, column = np.unravel_index(int(within.argmax()), within.shape)
    best = float(within[row, column])
    if best <= 0:
        return Match((0.0, 0.0), 0.0, 0.0)
    elsewhere = unlikely.copy()
    elsewhere[_around(int(row)), _around(int(column))] = 0.0
    x, y = int(column) - where.most, int(row) - where.most
    fine_x, fine_y = _fine(a, b, where, x, y)
    score = best / max(float(elsewhere.max()), _CHANCE)
    return Match((x + fine_x, y + fine_y), float(correlations[row, column]), score)


def _around(centre: int) -> slice:
    return slice(max(0, centre - _APART_PX), centre + _APART_PX + 1)


def _detail(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Take away what changes slowly; what is no number counts as none."""
    from scipy import ndimage

    values = np.nan_to_num(pixels.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    made: NDArray[np.float64] = values - ndimage.gaussian_filter(values, FINEST_PX)
    made -= made.mean()
    # products of the largest floats would be no numbers any more
    largest = float(np.abs(made).max(initial=0.0))
    return made / largest if largest > 0 else made


def _correlations(
    a: NDArray[np.float64], b: NDArray[np.float64], where: Reach
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Correlate at every shift; give the correlation and the number of shared px, both ``(2·most + 1,) * 2``.

    Where ``u`` is a px of `b`, the same ground at a shift is the px ``u + lag`` of `a`: one Fourier transform sums the
    products for all lags, and sums over the shared rectangles come from summed-area tables (Lewis 1995).
    """
    steps = np.arange(-where.most, where.most + 1)
    lag_x = steps + where.offset[0] + where.second.x0 - where.first.x0
    lag_y = steps + where.offset[1] + where.second.y0 - where.first.y0
    rows, columns = _Shared(lag_y, a.shape[0], b.shape[0]), _Shared(lag_x, a.shape[1], b.shape[1])
    n = rows.count[:, None] * columns.count[None, :]
    products = _products(a, b, lag_y, lag_x)
    in_a, in_b = (rows.in_a, columns.in_a), (rows.in_b, columns.in_b)
    sum_a, sum_b = _sums(a, *in_a), _sums(b, *in_b)
    enough = n >= _LEAST_SHARED_PX
    divisor = np.maximum(n, 1)
    spread_a = _sums(a * a, *in_a) - sum_a**2 / divisor
    spread_b = _sums(b * b, *in_b) - sum_b**2 / divisor
    # a flat overlap has no detail to compare, only the noise of these sums
    enough &= (spread_a > 1e-9 * np.sum(a * a)) & (spread_b > 1e-9 * np.sum(b * b))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (products - sum_a * sum_b / divisor) / np.sqrt(spread_a * spread_b)
    return np.where(enough, found, 0.0), n


class _Shared:
    """Of each lag along one axis, which part of `a` and of `b` lies on the other: ``[start, stop)``."""

    def __init__(self, lags: NDArray[np.int64], size_a: int, size_b: int) -> None:
        start = np.clip(lags, 0, size_a)
        stop = np.maximum(start, np.minimum(size_a, size_b + lags))
        self.count = (stop - start).astype(np.float64)
        self.in_a = (start, stop)
        self.in_b = tuple(np.clip(edge - lags, 0, size_b) for edge in (start, stop))


def _sums(values: NDArray[np.float64], rows: Any, columns: Any) -> NDArray[np.float64]:
    """Sum rectangles by the edges of their rows and columns."""
    table = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    np.cumsum(np.cumsum(values, 0), 1, out=table[1:, 1:])
    (top, bottom), (left, right) = rows, columns
    made: NDArray[np.float64] = (
        table[np.ix_(bottom, right)]
        - table[np.ix_(bottom, left)]
        - table[np.ix_(top, right)]
        + table[np.ix_(top, left)]
    )
    return made


def _products(
    a: NDArray[np.float64], b: NDArray[np.float64], lag_y: NDArray[np.int64], lag_x: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Sum ``a[u + lag] · b[u]`` over u at every lag."""
    from scipy import fft

    # a transform of this size mixes no lag that is asked for with another one that has products, too
    size = [
        fft.next_fast_len(max(in_a, in_b, in_a - int(lags[0]), in_b + int(lags[-1])), real=True)
        for in_a, in_b, lags in zip(a.shape, b.shape, (lag_y, lag_x), strict=True)
    ]
    spectrum = fft.rfft2(a, size) * np.conj(fft.rfft2(b, size))
    made: NDArray[np.float64] = fft.irfft2(spectrum, size)[np.ix_(lag_y % size[0], lag_x % size[1])]
    return made


def _fine(a: NDArray[np.float64], b: NDArray[np.float64], where: Reach, x: int, y: int) -> tuple[float, float]:
    """Give the fraction of a px that a whole shift still lacks; 0 where none fits."""
    from skimage.registration import phase_cross_correlation

    lag_x = x + where.offset[0] + where.second.x0 - where.first.x0
    lag_y = y + where.offset[1] + where.second.y0 - where.first.y0
    shared = Window(0, a.shape[1], 0, a.shape[0]) & Window(0, b.shape[1], 0, b.shape[0]).shifted(lag_x, lag_y)
    if min(shared.shape) < 3:
        return 0.0, 0.0
    one = a[shared.y0 : shared.y1, shared.x0 : shared.x1]
    other = b[shared.y0 - lag_y : shared.y1 - lag_y, shared.x0 - lag_x : shared.x1 - lag_x]
    shift, _, _ = phase_cross_correlation(one, other, upsample_factor=20, normalization=None)
    down, across = (float(value) for value in shift)
    return (across, down) if max(abs(across), abs(down)) <= _MOST_FINE_PX else (0.0, 0.0)
