"""How one plane has moved to become another: an affine motion, by enhanced correlation (ECC).

ECC (Evangelidis & Psarakis 2008) maximises the correlation of two planes, whatever their brightness and contrast, here
from coarse to fine. It is given the square roots of the planes, which lets dim tissue count, and is done twice: for a
rigid motion R, and from there for an affine one A. Anatomy that changes from section to section looks like scaling
and shear to an affine motion, and then all of it is stretched that should not be. So what A adds to R is trusted by as
much as it explains: with NCC of the planes after each,

    s = 1 − (1 − NCC(A)) / (1 − NCC(R)), 0 where A is no better than R
    T = R · (R⁻¹ A)^(s²)

A motion that is affine indeed is found whole (s → 1), and a rigid one is not bent (s → 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import PlanError
from ...images.region import Window
from .affine import move, power
from .planes import ncc

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COARSEST = 32
"""Px along the longer side of the coarsest level, at least."""
_BLUR = 0.6
"""Sigma of the blur before an image is made coarser, px of the coarser one."""
_ITERATIONS = 200
_PRECISION = 1e-6
_SMOOTHING = 5
"""Width of ECC's own Gaussian, px of each level."""
_COVERED = 0.999
"""Share of a px that a plane must cover to be compared there."""


class RegistrationError(Exception):
    """No motion was found."""


@dataclass(frozen=True)
class Registration:
    """How one plane has moved to become another.

    Parameters
    ----------
    motion : ndarray, (3, 3) float64
        T, from points of the plane before to points of the plane after, px.
    rigid, affine : ndarray, (3, 3) float64
        R and A, of which it is made.
    share : float
        s, 0 to 1.
    ncc : float
        Of the plane before, moved by T, with the plane after, over what both cover.
    """

    motion: NDArray[np.float64]
    rigid: NDArray[np.float64]
    affine: NDArray[np.float64]
    share: float
    ncc: float


def register(before: NDArray[np.float32], after: NDArray[np.float32]) -> Registration:
    """Find how a plane has moved to become another.

    Parameters
    ----------
    before, after : ndarray, (H, W) float32
        The planes, of one shape; px that are not finite count as dark.

    Returns
    -------
    Registration

    Raises
    ------
    RegistrationError
        If the two do not converge.
    PlanError
        If OpenCV is not installed.
    """
    cv2 = opencv()
    pairs = _pyramid(cv2, _rooted(before), _rooted(after))
    rigid = _ecc(cv2, pairs, np.eye(3), cv2.MOTION_EUCLIDEAN)
    # the coarsest level says too little for six numbers
    affine = _ecc(cv2, pairs[1:] or pairs, rigid, cv2.MOTION_AFFINE)
    share = _share(moved_ncc(before, after, rigid), moved_ncc(before, after, affine))
    motion = affine if np.linalg.det(affine) <= 0 else _between(rigid, affine, share**2)
    return Registration(motion, rigid, affine, share, moved_ncc(before, after, motion))


def opencv() -> Any:
    """Import OpenCV.

    Raises
    ------
    PlanError
        If it is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise PlanError(['zmorph needs the package OpenCV: pip install "napari-slicemap[register]"']) from error
    return cv2


def moved_ncc(before: NDArray[np.float32], after: NDArray[np.float32], motion: NDArray[np.float64]) -> float:
    """Give the NCC of a plane, once moved, with another, over the px that both cover wholly."""

    def read(window: Window) -> NDArray[np.float32]:
        return before[window.y0 : window.y1, window.x0 : window.x1]

    height, width = before.shape
    moved, cover = move(read, (height, width), motion, 0, height)
    return ncc(moved, after, cover >= _COVERED)


def _share(rigid: float, affine: float) -> float:
    """Give the share of what the rigid motion leaves unexplained that the affine one explains."""
    return max(0.0, 1 - (1 - affine) / (1 - rigid)) if rigid < 1 else 0.0


def _between(rigid: NDArray[np.float64], affine: NDArray[np.float64], trust: float) -> NDArray[np.float64]:
    try:
        return np.asarray(rigid @ power(np.linalg.inv(rigid) @ affine, trust), np.float64)
    except ValueError as error:
        raise RegistrationError(str(error)) from None


# --- enhanced correlation ------------------------------------------------------------------------------------------
def _rooted(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring a plane to 0 … 1, and take square roots."""
    finite = plane[np.isfinite(plane)]
    low, high = np.percentile(finite, (0.1, 99.9)) if finite.size else (0.0, 1.0)
    scaled = (np.nan_to_num(plane, nan=low) - low) / max(high - low, np.finfo(np.float32).tiny)
    return np.asarray(np.sqrt(np.clip(scaled, 0, 1)), np.float32)


def _pyramid(
    cv2: Any, before: NDArray[np.float32], after: NDArray[np.float32]
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Make both planes coarser and coarser; the coarsest pair first."""
    longer = max(before.shape)
    steps = [1]
    while longer // (2 * steps[-1]) >= _COARSEST and min(before.shape) // (2 * steps[-1]) >= _SMOOTHING:
        steps.append(2 * steps[-1])
    return [(_coarser(cv2, before, step), _coarser(cv2, after, step)) for step in reversed(steps)]


def _coarser(cv2: Any, plane: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    if step == 1:
        return plane
    height, width = plane.shape
    blurred = cv2.GaussianBlur(plane, (0, 0), _BLUR * step)
    made: NDArray[np.float32] = cv2.resize(blurred, (width // step, height // step), interpolation=cv2.INTER_AREA)
    return made


def _ecc(
    cv2: Any,
    pairs: list[tuple[NDArray[np.float32], NDArray[np.float32]]],
    start: NDArray[np.float64],
    model: int,
) -> NDArray[np.float64]:
    """Climb to the motion of highest correlation, level by level, from a motion in px of the finest one."""
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ITERATIONS, _PRECISION)
    motion = start
    for before, after in pairs:
        grid = _grid(pairs[-1][0].shape, before.shape)
        coarse = (np.linalg.inv(grid) @ motion @ grid)[:2].astype(np.float32)
        try:
            _, found = cv2.findTransformECC(before, after, coarse, model, criteria, None, _SMOOTHING)
        except cv2.error as error:
            raise RegistrationError(f"ECC found no motion: {error.err}") from error
        motion = np.asarray(grid @ np.vstack([found, [0, 0, 1]]) @ np.linalg.inv(grid), np.float64)
    if not np.isfinite(motion).all():
        raise RegistrationError("ECC found no finite motion")
    return motion


def _grid(fine: tuple[int, ...], coarse: tuple[int, ...]) -> NDArray[np.float64]:
    """Give what takes a point of a coarser plane to the same of the finest, px, centres at whole numbers."""
    (y, x) = (fine[axis] / coarse[axis] for axis in (0, 1))
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])
