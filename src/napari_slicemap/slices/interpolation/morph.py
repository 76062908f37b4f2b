"""``zmorph``: the motion between the neighbours of a missing slice, and whether it may be trusted.

Gates, in this order; the first that fails gives the reason, and no data is made then:

====================  =========================================================  ===================================
gate                  passes if                                                  reason
====================  =========================================================  ===================================
foreground            each slice has a candidate plane with ≥ 0.1 of foreground  ``no_foreground_planes``
overlap               NCC of the best pair as it lies ≥ 0.3                      ``low_overlap_ncc``
registration          a motion is found, and has real powers                     ``registration_exception``
determinant           its determinant is > 0                                     ``affine_determinant_non_positive``
not worse             NCC is no lower after registration than before             ``reg_did_not_improve``
improvement           NCC rose by ≥ 0.05, or was ≥ 0.85 before                   ``reg_did_not_improve``
====================  =========================================================  ===================================
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .affine import power, rescaled
from .planes import MIN_FOREGROUND, SEARCHED, Candidates, PlanePair, best_pair, candidates, step_of
from .registration import Registration, RegistrationError, register

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..volumes import SliceVolume

MIN_OVERLAP_NCC = 0.3
MIN_IMPROVEMENT = 0.05
ALIGNED_NCC = 0.85
"""From here on, neighbours are so well aligned that registration need not improve them."""
_ROUNDING = 1e-6
"""Of an NCC: planes that are one and the same stay so only up to this."""
_DIGITS = 6


@dataclass(frozen=True)
class Gate:
    """One condition on the way to a motion that is used.

    Parameters
    ----------
    name : str
        Which one; see the module.
    passed : bool
        Whether it holds.
    value : float or None
        What was found, where it is a number.
    needed : str
        What it must be, in words.
    """

    name: str
    passed: bool
    value: float | None
    needed: str

    def record(self) -> dict[str, Any]:
        """Give it for strict JSON."""
        value = None if self.value is None else round(self.value, _DIGITS)
        return {"gate": self.name, "passed": self.passed, "value": value, "needed": self.needed}


@dataclass(frozen=True)
class Morph:
    """What came of registering the neighbours of a missing slice.

    Parameters
    ----------
    reason : str
        Why nothing is to be made of them, one of ``INTERPOLATION_FALLBACK_REASONS``; ``""`` where all gates passed.
    gates : tuple of Gate
        Those that were asked, in order.
    step : int
        Side of the squares of px that planes were compared in.
    pair : PlanePair or None
        The planes that were registered.
    registration : Registration or None
        Their motion, in squares of px.
    message : str
        What went wrong, in words, where there is more to say than the reason.
    """

    reason: str
    gates: tuple[Gate, ...]
    step: int
    pair: PlanePair | None = None
    registration: Registration | None = None
    message: str = ""

    @property
    def motion(self) -> NDArray[np.float64]:
        """The motion ``(3, 3)`` from points of the slice before to points of the slice after, px of the slices."""
        if self.registration is None:
            raise ValueError(f"there is no motion: {self.reason}")
        return rescaled(self.registration.motion, self.step)

    def record(self) -> dict[str, Any]:
        """Give it for strict JSON, numbers of planes and motions rounded to what they mean."""
        pair, found = self.pair, self.registration
        return {
            "plane_before": pair and pair.z_before,
            "plane_after": pair and pair.z_after,
            "compared_in_squares_of_px": self.step,
            "ncc_before_registration": pair and round(pair.ncc, _DIGITS),
            "ncc_after_registration": found and round(found.ncc, _DIGITS),
            "matrix": found and self._rows(found.motion),
            "matrix_rigid": found and self._rows(found.rigid),
            "matrix_affine": found and self._rows(found.affine),
            "affine_share": found and round(found.share, _DIGITS),
            "determinant": found and round(_determinant(found.motion), _DIGITS),
            "gates": [gate.record() for gate in self.gates],
            "message": self.message,
        }

    def _rows(self, motion: NDArray[np.float64]) -> list[list[float]]:
        """Give the two rows that say something, in px of the slices."""
        rows: list[list[float]] = np.round(rescaled(motion, self.step)[:2], _DIGITS).tolist()
        return rows


@dataclass
class _Gates:
    """Asks one gate after the other."""

    step: int
    asked: list[Gate] = field(default_factory=list)

    def ask(self, name: str, passed: bool, value: float | None, needed: str) -> bool:
        self.asked.append(Gate(name, passed, value, needed))
        return passed

    def done(self, reason: str = "", **found: Any) -> Morph:
        return Morph(reason, tuple(self.asked), self.step, **found)


def register_neighbours(before: SliceVolume, after: SliceVolume) -> Morph:
    """Register the neighbours of a missing slice, and ask all gates.

    Parameters
    ----------
    before, after : SliceVolume
        The neighbours, of one size in y and x.

    Returns
    -------
    Morph

    Raises
    ------
    PlanError
        If OpenCV is not installed.
    TileReadError
        Naming an image that cannot be read.
    """
    gates = _Gates(step_of(before.shape))
    last = range(before.shape[0] - 1, max(-1, before.shape[0] - 1 - SEARCHED), -1)
    first = range(min(SEARCHED, after.shape[0]))
    of_before, of_after = candidates(before, last), candidates(after, first)
    pair = best_pair(of_before, of_after)
    most = min(max(of_before.foreground), max(of_after.foreground))
    gates.ask("foreground", pair is not None, most, f"at least {MIN_FOREGROUND}")
    if pair is None:
        return gates.done("no_foreground_planes", message=_foregrounds(of_before, of_after))
    if not gates.ask("overlap", pair.ncc >= MIN_OVERLAP_NCC, pair.ncc, f"at least {MIN_OVERLAP_NCC}"):
        return gates.done("low_overlap_ncc", pair=pair)
    return _registered(gates, pair)


def _registered(gates: _Gates, pair: PlanePair) -> Morph:
    try:
        found = register(pair.before, pair.after)
        determinant = _determinant(found.motion)
        if determinant > 0:
            power(found.motion, 0.5)
    except (RegistrationError, ValueError) as error:
        gates.ask("registration", False, None, "a motion with real powers")
        return gates.done("registration_exception", pair=pair, message=str(error))
    gates.ask("registration", True, None, "a motion with real powers")
    known: dict[str, Any] = {"pair": pair, "registration": found}
    if not gates.ask("determinant", determinant > 0, determinant, "above 0"):
        return gates.done("affine_determinant_non_positive", **known)
    gain = found.ncc - pair.ncc
    if not gates.ask("not worse", gain >= -_ROUNDING, gain, "0 or more"):
        return gates.done("reg_did_not_improve", **known)
    needed = f"at least {MIN_IMPROVEMENT}, unless the NCC was {ALIGNED_NCC} before"
    if not gates.ask("improvement", gain >= MIN_IMPROVEMENT or pair.ncc >= ALIGNED_NCC, gain, needed):
        return gates.done("reg_did_not_improve", **known)
    return gates.done(**known)


def _determinant(motion: NDArray[np.float64]) -> float:
    return float(np.linalg.det(motion[:2, :2]))


def _foregrounds(before: Candidates, after: Candidates) -> str:
    texts = [", ".join(f"{share:.3f}" for share in one.foreground) for one in (before, after)]
    return f"foreground of the planes before: {texts[0]}; after: {texts[1]}"
