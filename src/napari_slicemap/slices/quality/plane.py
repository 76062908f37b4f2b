"""One plane against another: structural similarity, and the agreement of edges.

Statistics of a plane's windows are worked out once, however many planes it is compared with; a comparison needs the
window means of the product only. Planes are worked on in bands of rows that fit the processor's cache.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .arrays import Arrays

WINDOW = 7
"""Px along the side of the windows of SSIM."""

_RIM = WINDOW - 1
_PIXELS = WINDOW * WINDOW
_SAMPLE = _PIXELS / (_PIXELS - 1)  # scikit-image takes the sample (co)variance of a window
_C1, _C2 = 0.01**2, 0.03**2  # of Wang et al. 2004, at a range of 1
_FLAT = 1e-12
"""Edges whose deviation is below this share of their mean are all alike: what differs is rounding."""


Moments = tuple[float, float]
"""Mean and variance of pixels."""


@dataclass(frozen=True)
class Plane:
    """One z plane, ready to be compared.

    Parameters
    ----------
    pixels : array, (H, W)
        Finite numbers of any dtype, where the numbers are worked out.
    low, span : float
        The smallest pixel, and how far the largest lies above it.
    mean, variance : float
        Of the pixels.
    filled : int
        Px that were not finite, and count as the smallest.
    windows : tuple of array, or None
        Means and variances of the windows of the normalised plane, each ``(H - 6, W)`` float64, of which the last six
        columns say nothing; ``None`` to work them out again for each comparison, where memory is short.
    """

    pixels: Any
    low: float
    span: float
    mean: float
    variance: float
    filled: int = 0
    windows: tuple[Any, Any] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """``(H, W)``."""
        height, width = self.pixels.shape
        return height, width

    @property
    def moments(self) -> Moments:
        """Mean and variance of the pixels."""
        return self.mean, self.variance


def plane_of(pixels: Any, arrays: Arrays, keep: bool = True) -> Plane:
    """Take the statistics of a plane.

    Parameters
    ----------
    pixels : ndarray, (H, W)
        Real numbers of any dtype. What is not finite counts as the smallest px that is; 0 where none is.
    arrays : Arrays
        Where to work.
    keep : bool
        Keep the statistics of the windows: 16 bytes for each px.

    Returns
    -------
    Plane
    """
    filled, count = finite(arrays.put(pixels), arrays)
    return _measured(filled, count, arrays, keep)


def finite(pixels: Any, arrays: Arrays) -> tuple[Any, int]:
    """Give pixels with the smallest finite one in the place of each that is not finite, and how many those were."""
    if pixels.dtype.kind != "f":
        return pixels, 0
    xp = arrays.module
    good = xp.isfinite(pixels)
    count = int(pixels.size - int(good.sum()))
    if not count:
        return pixels, 0
    low = float(pixels[good].min()) if count < pixels.size else 0.0
    return xp.where(good, pixels, xp.asarray(low, pixels.dtype)), count


def _measured(pixels: Any, filled: int, arrays: Arrays, keep: bool) -> Plane:
    low = float(pixels.min())
    span = float(pixels.max()) - low
    height, width = pixels.shape
    bare = Plane(pixels, low, span, low, 0.0, filled)
    windows = _empty_windows(arrays, height, width) if keep and min(height, width) >= WINDOW else None
    products = []
    for top, bottom in arrays.bands(height, width):
        band = _normalised(bare, top, bottom + _RIM, arrays)
        products.append(_products(band[: bottom - top]))
        if windows is not None and len(band) >= WINDOW:
            mean, variance = windows
            _put_window_statistics(band, mean[top:bottom], variance[top:bottom], arrays)
    (average,), ((spread,),) = _moments(products)
    return Plane(pixels, low, span, low + span * average, span * span * spread, filled, windows)


def _empty_windows(arrays: Arrays, height: int, width: int) -> tuple[Any, Any]:
    shape = height - _RIM, width
    return arrays.module.empty(shape, "f8"), arrays.module.empty(shape, "f8")


def _normalised(plane: Plane, top: int, bottom: int, arrays: Arrays) -> Any:
    """Give rows of a plane, as many as there are, stretched to 0–1; all 0 where it is constant."""
    band = arrays.module.subtract(plane.pixels[top:bottom], plane.low, dtype="f8")
    if plane.span:
        band /= plane.span
    return band


# --- structural similarity -----------------------------------------------------------------------------------
def ssim(a: Plane, b: Plane, arrays: Arrays) -> float:
    """Compare two planes as ``skimage.metrics.structural_similarity`` does with its defaults and ``data_range=1``.

    Parameters
    ----------
    a, b : Plane
        Each is stretched to 0–1 alone. Where their shapes differ, the rows and columns that both have are compared,
        counted from the first, and stretched by themselves.
    arrays : Arrays
        Where to work.

    Returns
    -------
    float
        The mean over all windows that lie within the planes, from -1 to 1; exactly 1 for equal planes.

    Raises
    ------
    ValueError
        If less than 7 × 7 px are common to both.
    """
    height, width = (min(sizes) for sizes in zip(a.shape, b.shape, strict=True))
    if min(height, width) < WINDOW:
        raise ValueError(f"{height} × {width} px are common to both, and SSIM needs {WINDOW} × {WINDOW}")
    a, b = (_cropped(plane, height, width, arrays) for plane in (a, b))
    total = 0.0
    for top, bottom in arrays.bands(height - _RIM, width):
        total += _ssim_sum(a, b, top, bottom, arrays)
    return total / ((height - _RIM) * (width - _RIM))


def _cropped(plane: Plane, height: int, width: int, arrays: Arrays) -> Plane:
    if plane.shape == (height, width):
        return plane
    return _measured(plane.pixels[:height, :width], 0, arrays, keep=False)


def _ssim_sum(a: Plane, b: Plane, top: int, bottom: int, arrays: Arrays) -> float:
    """Add up the similarity of the windows that begin in the rows from `top` to `bottom`."""
    x, y = (_normalised(plane, top, bottom + _RIM, arrays) for plane in (a, b))
    (mean_x, var_x), (mean_y, var_y) = (
        _window_statistics(band, arrays)
        if plane.windows is None
        else (plane.windows[0][top:bottom], plane.windows[1][top:bottom])
        for plane, band in ((a, x), (b, y))
    )
    x *= y
    product = arrays.module.empty_like(mean_x)
    _put_window_means(x, product, arrays)
    means = mean_x * mean_y
    product -= means
    product *= 2 * _SAMPLE
    product += _C2
    means *= 2
    means += _C1
    product *= means
    below = mean_x * mean_x
    below += mean_y * mean_y
    below += _C1
    spread = var_x + var_y
    spread += _C2
    below *= spread
    product /= below
    return float(product[:, :-_RIM].sum())


def _window_statistics(band: Any, arrays: Arrays) -> tuple[Any, Any]:
    mean, variance = _empty_windows(arrays, *band.shape)
    _put_window_statistics(band, mean, variance, arrays)
    return mean, variance


def _put_window_statistics(band: Any, mean: Any, variance: Any, arrays: Arrays) -> None:
    """Put means and sample variances of windows where they belong."""
    _put_window_means(band, mean, arrays)
    _put_window_means(band * band, variance, arrays)
    variance -= mean * mean
    variance *= _SAMPLE


def _put_window_means(band: Any, means: Any, arrays: Arrays) -> None:
    """Average 7 × 7 px at each place where all of them exist: ``(H, W)`` to ``(H - 6, W)``.

    Rows are taken end to end, which is fast; so the last six of each row, whose windows go on in the next row, say
    nothing, but are finite.
    """
    width = band.shape[1]
    row, size = band.reshape(-1), means.size
    twos = row[:-width] + row[width:]
    sevens = twos[:size] + twos[2 * width : 2 * width + size]
    sevens += twos[4 * width : 4 * width + size]
    sevens += row[6 * width :]
    flat, size = means.reshape(-1), size - _RIM
    twos = sevens[:-1] + sevens[1:]
    arrays.module.add(twos[:size], twos[2 : 2 + size], out=flat[:size])
    flat[:size] += twos[4 : 4 + size]
    flat[:size] += sevens[6:]
    flat[size:] = 0
    flat *= 1 / _PIXELS


# --- edges -----------------------------------------------------------------------------------------------------
def edge_agreement(own: Any, neighbours: Sequence[Any], arrays: Arrays) -> float:
    """Correlate the edges of a plane with those of the mean of its neighbours' planes.

    Parameters
    ----------
    own : array, (H, W)
        Finite pixels of any dtype.
    neighbours : sequence of array, (H, W)
        One or more; where shapes differ, the rows and columns that all have are compared.
    arrays : Arrays
        Where to work.

    Returns
    -------
    float
        Pearson's correlation of the magnitudes of Sobel's filters (as ``scipy.ndimage.sobel``), from -1 to 1; exactly
        1 for equal planes, 0 where the edges of one are all alike. To divide magnitudes by their largest would not
        change it.
    """
    height, width = (min(sizes) for sizes in zip(own.shape, *(plane.shape for plane in neighbours), strict=True))
    products = []
    for top, bottom in arrays.bands(height, width):
        bands = [_with_rim(plane, top, bottom, height, width, arrays) for plane in (own, *neighbours)]
        mean = bands[1]
        for other in bands[2:]:
            mean = mean + other
        products.append(_products(_sobel(bands[0], arrays), _sobel(mean / len(neighbours), arrays)))
    return _correlation(*_moments(products))


def _with_rim(plane: Any, top: int, bottom: int, height: int, width: int, arrays: Arrays) -> Any:
    """Give rows as float64 with one px more on each side, repeated where there is none."""
    above, below = top > 0, bottom < height
    rows = plane[top - above : bottom + below, :width].astype("f8")
    return arrays.module.pad(rows, ((int(not above), int(not below)), (1, 1)), mode="edge")


def _sobel(band: Any, arrays: Arrays) -> Any:
    """Give the magnitude of Sobel's filters, one px less on each side."""
    down = band[:-2] + band[2:]
    down += 2 * band[1:-1]
    across = band[:, :-2] + band[:, 2:]
    across += 2 * band[:, 1:-1]
    x = down[:, 2:] - down[:, :-2]
    y = across[2:] - across[:-2]
    x *= x
    y *= y
    x += y
    return arrays.module.sqrt(x)


# --- moments, put together from bands without loss of digits ---------------------------------------------------
_Products = tuple[int, list[float], list[list[float]]]


def _products(*images: Any) -> _Products:
    """Give size, means, and sums of products of deviations from them, of images of one shape."""
    means = [float(image.mean()) for image in images]
    away = [image - mean for image, mean in zip(images, means, strict=True)]
    sums = [[0.0] * len(images) for _ in images]
    for n, one in enumerate(away):
        for m in range(n, len(away)):
            sums[n][m] = sums[m][n] = float((one * away[m]).sum())
    return images[0].size, means, sums


def _moments(bands: Sequence[_Products]) -> tuple[list[float], list[list[float]]]:
    """Give means and covariances of whole images from those of their bands."""
    total = sum(size for size, _, _ in bands)
    each = range(len(bands[0][1]))
    means = [sum(size * mean[n] for size, mean, _ in bands) / total for n in each]
    return means, [
        [
            sum(sums[n][m] + size * (mean[n] - means[n]) * (mean[m] - means[m]) for size, mean, sums in bands) / total
            for m in each
        ]
        for n in each
    ]


def _correlation(means: Sequence[float], covariances: Sequence[Sequence[float]]) -> float:
    """Give Pearson's correlation; 0 where one of the two does not vary."""
    (own, both), (_, other) = covariances
    if any(math.sqrt(spread) <= _FLAT * mean for spread, mean in zip((own, other), means, strict=True)):
        return 0.0
    # the ratios are exactly 1 for equal images, and lose no small numbers
    return max(-1.0, min(1.0, both / own / math.sqrt(other / own)))
