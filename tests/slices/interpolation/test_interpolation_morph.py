"""From the neighbours of a missing slice to a motion that is trusted, or a reason."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tissue import SHAPE, motion, section, tissue, volume

from napari_slicemap.errors import PlanError
from napari_slicemap.slices.interpolation import Morph, planes, register_neighbours, registration
from napari_slicemap.slices.interpolation import morph as morph_module
from napari_slicemap.slices.interpolation.affine import power
from napari_slicemap.slices.interpolation.planes import Candidates, best_pair, candidates, ncc
from napari_slicemap.slices.interpolation.registration import Registration, RegistrationError, register
from napari_slicemap.slices.slice_values import INTERPOLATION_FALLBACK_REASONS
from napari_slicemap.slices.volumes import SliceVolume


def off_by(found: np.ndarray, planted: np.ndarray) -> float:
    """The longest way, px, between where two motions take the corners of the tissue."""
    corners = np.array([[24, 104, 24, 104], [14, 14, 78, 78], [1, 1, 1, 1]])
    return float(np.hypot(*((found - planted) @ corners)[:2]).max())


# --- correlation, foreground and the choice of planes ---------------------------------------------------------
def test_ncc_is_pearsons_r():
    one, other = tissue(noise=50), tissue(motion(2), noise=50, seed=0)
    assert ncc(one, other) == pytest.approx(np.corrcoef(one.ravel(), other.ravel())[0, 1])
    assert ncc(one, 3 * one - 100) == pytest.approx(1)
    assert ncc(one, -one) == pytest.approx(-1)
    where = np.zeros(SHAPE, bool)
    where[30:60, 40:90] = True
    assert ncc(one, other, where) == pytest.approx(np.corrcoef(one[where], other[where])[0, 1])


def test_ncc_leaves_out_what_is_not_finite_and_is_0_of_nothing():
    one, other = tissue(), tissue(motion(3))
    holed = one.copy()
    holed[:40] = np.nan
    assert ncc(holed, other) == pytest.approx(np.corrcoef(one[40:].ravel(), other[40:].ravel())[0, 1])
    assert ncc(np.full(SHAPE, 7.3), other) == 0
    assert ncc(one, other, np.zeros(SHAPE, bool)) == 0


def test_foreground_is_the_tissue(tmp_path):
    inside = tissue() > 300
    empty = np.random.default_rng(0).normal(20, 3, SHAPE)
    found = candidates(volume(tmp_path, "03", np.stack([tissue(), empty, tissue()])), (2, 1, 0))
    assert found.z == (2, 1, 0)
    assert found.foreground[0] == found.foreground[2] == pytest.approx(inside.mean(), abs=0.06)
    assert found.foreground[1] < 0.01
    assert found.fit == [0, 2]


def test_a_few_specks_are_no_tissue_and_hide_none(tmp_path):
    specks = np.full(SHAPE, 20.0)
    specks[10:12, 10:40] = 3000
    assert candidates(volume(tmp_path, "03", specks), (0,)).foreground[0] < 0.01
    both = candidates(volume(tmp_path, "05", np.maximum(tissue(), specks * (specks > 20))), (0,))
    assert both.foreground[0] > 0.2


@pytest.mark.parametrize("value", [pytest.param(0, id="black"), pytest.param(500, id="one grey")])
def test_a_plane_of_one_value_has_no_foreground(tmp_path, value):
    assert candidates(volume(tmp_path, "03", np.full(SHAPE, float(value))), (0,)).foreground == (0.0,)


def test_the_planes_that_are_most_alike_are_paired():
    seeds = {"before": (1, 2, 3), "after": (4, 2, 5)}
    sides = [
        Candidates((9, 8, 7), np.stack([tissue(seed=n) for n in seeds["before"]]).astype(np.float32), (0.3, 0.3, 0.3)),
        Candidates((0, 1, 2), np.stack([tissue(seed=n) for n in seeds["after"]]).astype(np.float32), (0.3, 0.3, 0.3)),
    ]
    pair = best_pair(*sides)
    assert pair is not None
    assert (pair.z_before, pair.z_after, pair.ncc) == (8, 1, pytest.approx(1))


def test_of_equal_pairs_that_next_to_the_gap_is_taken_and_empty_planes_are_not():
    same = np.stack([tissue()] * 3).astype(np.float32)
    equal = best_pair(Candidates((9, 8, 7), same, (0.3,) * 3), Candidates((0, 1, 2), same, (0.3,) * 3))
    assert equal is not None
    assert (equal.z_before, equal.z_after) == (9, 0)
    fit = best_pair(Candidates((9, 8, 7), same, (0.05, 0.1, 0.3)), Candidates((0, 1, 2), same, (0.0, 0.0, 0.3)))
    assert fit is not None
    assert (fit.z_before, fit.z_after) == (8, 2)
    assert best_pair(Candidates((9,), same[:1], (0.3,)), Candidates((0,), same[:1], (0.09,))) is None


def test_only_five_planes_of_each_slice_are_compared(tmp_path):
    """The best planes of all lie deeper, and are not asked for."""
    before = volume(tmp_path, "03", np.stack([tissue(seed=9)] + [tissue(seed=1)] * 6))
    after = volume(tmp_path, "05", np.stack([tissue(motion(1), seed=1)] * 6 + [tissue(seed=9)]))
    found = register_neighbours(before, after)
    assert found.pair is not None
    assert (found.pair.z_before, found.pair.z_after) == (6, 0)


# --- registration ---------------------------------------------------------------------------------------------
KNOWN = {
    "none": motion(),
    "a shift": motion(shift=(5.3, -3.8)),
    "a turn of 3° and 5 px": motion(3, (5, 0)),
    "a turn of 8°": motion(8, (-2, 1)),
    "scale and shear": motion(2, (2, -3), [[1.06, 0.04], [-0.02, 0.96]]),
}


@pytest.mark.parametrize("planted", KNOWN.values(), ids=KNOWN.keys())
def test_a_known_motion_is_found_within_a_tenth_of_a_px(planted):
    found = register(tissue().astype(np.float32), tissue(planted).astype(np.float32))
    assert off_by(found.motion, planted) < 0.1
    assert found.ncc > 0.995


@pytest.mark.parametrize("planted", [KNOWN["a shift"], KNOWN["a turn of 3° and 5 px"]], ids=["shift", "turn"])
def test_noise_and_brightness_bend_a_rigid_motion_little(planted):
    before, after = tissue(noise=40), 0.6 * tissue(planted, noise=0) + 90
    after += np.random.default_rng(3).normal(0, 40, SHAPE)
    found = register(before.astype(np.float32), after.astype(np.float32))
    assert off_by(found.motion, planted) < 0.3
    assert off_by(found.motion, planted) <= off_by(found.affine, planted) + 0.05


def test_what_affine_adds_is_trusted_by_what_it_explains():
    before, after = tissue(seed=1), tissue(motion(3, (4, 2)), seed=1) + 0.8 * tissue(motion(3, (4, 2)), seed=5)
    found = register(before.astype(np.float32), after.astype(np.float32))
    assert 0 <= found.share < 0.9
    wanted = found.rigid @ power(np.linalg.inv(found.rigid) @ found.affine, found.share**2)
    np.testing.assert_allclose(found.motion, wanted)


def test_the_motion_does_not_depend_on_threads():
    import cv2

    before, after = tissue(noise=30).astype(np.float32), tissue(motion(4, (3, 1))).astype(np.float32)
    threads = cv2.getNumThreads()
    try:
        made = []
        for number in (1, 3):
            cv2.setNumThreads(number)
            made.append(register(before, after))
    finally:
        cv2.setNumThreads(threads)
    assert (made[0].motion == made[1].motion).all()
    assert made[0].ncc == made[1].ncc


def test_a_large_plane_is_compared_in_squares(tmp_path, monkeypatch):
    planted = motion(2, (4, -3))
    before, after = volume(tmp_path, "03", tissue()), volume(tmp_path, "05", tissue(planted))
    monkeypatch.setattr(planes, "_LONGER_SIDE", 64)
    monkeypatch.setattr(planes, "_BAND_BYTES", 1)
    found = register_neighbours(before, after)
    assert (found.step, found.reason) == (2, "")
    assert found.pair is not None
    assert found.pair.before.shape == (48, 64)
    wanted = np.rint(tissue()).reshape(48, 2, 64, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(found.pair.before, wanted, rtol=1e-6)
    assert off_by(found.motion, planted) < 0.3


# --- gates ----------------------------------------------------------------------------------------------------
def of(name: str, found: Morph) -> tuple[bool, Any]:
    (gate,) = (gate for gate in found.gates if gate.name == name)
    return gate.passed, gate.value


def pair_of(folder: Any, before: np.ndarray, after: np.ndarray) -> tuple[SliceVolume, SliceVolume]:
    return section(folder, "03", before), section(folder, "05", after)


def test_all_gates_pass(tmp_path):
    planted = motion(5, (6, -4))
    found = register_neighbours(*pair_of(tmp_path, tissue(), tissue(planted)))
    assert found.reason == ""
    assert [gate.name for gate in found.gates] == [
        "foreground",
        "overlap",
        "registration",
        "determinant",
        "not worse",
        "improvement",
    ]
    assert all(gate.passed for gate in found.gates)
    assert off_by(found.motion, planted) < 0.15
    record = found.record()
    assert record["determinant"] == pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(record["matrix"], found.motion[:2], atol=1e-6)
    assert record["ncc_after_registration"] - record["ncc_before_registration"] > 0.05


def test_one_and_the_same_plane_passes(tmp_path):
    found = register_neighbours(*pair_of(tmp_path, tissue(noise=5), tissue(noise=5)))
    assert (found.reason, of("improvement", found)[0]) == ("", True)
    assert off_by(found.motion, np.eye(3)) < 0.01


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 1000, SHAPE)


def registering(monkeypatch: pytest.MonkeyPatch, by: Callable[..., Any]) -> None:
    monkeypatch.setattr(morph_module, "register", by)


def giving(matrix: np.ndarray, after: float) -> Callable[..., Registration]:
    return lambda *_: Registration(matrix, matrix, matrix, 0.0, after)


def failing(*_: Any) -> Registration:
    raise RegistrationError("ECC found no motion: it did not converge")


REFUSED = {
    "empty planes": (np.full(SHAPE, 7.0), tissue(), None, "no_foreground_planes", "foreground"),
    "one small spot": (tissue(), np.where(noise(0) > 950, 3000.0, 20.0), None, "no_foreground_planes", "foreground"),
    "unrelated noise": (noise(1), noise(2), None, "low_overlap_ncc", "overlap"),
    "a negative": (tissue(), 2000 - tissue(), None, "low_overlap_ncc", "overlap"),
    "no motion is found": (tissue(), tissue(motion(3)), failing, "registration_exception", "registration"),
    "half a turn": (
        tissue(),
        tissue(motion(3)),
        giving(motion(180), 0.99),
        "registration_exception",
        "registration",
    ),
    "a mirror": (
        tissue(),
        tissue(motion(3)),
        giving(motion(linear=[[-1, 0], [0, 1]]), 0.99),
        "affine_determinant_non_positive",
        "determinant",
    ),
    "all onto a line": (
        tissue(),
        tissue(motion(3)),
        giving(motion(linear=[[1, 0], [0, 0]]), 0.99),
        "affine_determinant_non_positive",
        "determinant",
    ),
    "worse than before": (tissue(), tissue(motion(3)), giving(motion(1), 0.2), "reg_did_not_improve", "not worse"),
}


@pytest.mark.parametrize(("before", "after", "by", "reason", "gate"), REFUSED.values(), ids=REFUSED.keys())
def test_a_gate_that_fails_gives_the_reason(tmp_path, monkeypatch, before, after, by, reason, gate):
    if by is not None:
        registering(monkeypatch, by)
    found = register_neighbours(*pair_of(tmp_path, before, after))
    assert found.reason == reason
    assert reason in INTERPOLATION_FALLBACK_REASONS
    assert [one.name for one in found.gates if not one.passed] == [gate]
    assert found.gates[-1].name == gate
    assert {"gate": gate, "passed": False}.items() <= found.record()["gates"][-1].items()


@pytest.mark.parametrize(("overlap", "reason"), [(0.3, ""), (0.2999, "low_overlap_ncc"), (-1.0, "low_overlap_ncc")])
def test_overlap(tmp_path, monkeypatch, overlap, reason):
    registering(monkeypatch, giving(motion(1), 0.9))
    monkeypatch.setattr(planes, "ncc", lambda *_: overlap)
    assert register_neighbours(*pair_of(tmp_path, tissue(), tissue(motion(1)))).reason == reason


@pytest.mark.parametrize(("share", "reason"), [(0.1, ""), (0.0999, "no_foreground_planes")])
def test_foreground_needed(tmp_path, monkeypatch, share, reason):
    registering(monkeypatch, giving(motion(1), 1.0))
    monkeypatch.setattr(planes, "_foreground", lambda pixels: (share,) * len(pixels))
    assert register_neighbours(*pair_of(tmp_path, tissue(), tissue())).reason == reason


# (NCC before, after) → passes; 0.05 more is needed, unless it was 0.85 already
IMPROVEMENTS = {
    "0.05 better": (0.7, 0.75, True),
    "less than 0.05 better": (0.7, 0.7499, False),
    "no better, but well aligned": (0.85, 0.85, True),
    "hardly better, not quite aligned": (0.8499, 0.8501, False),
    "worse, well aligned": (0.95, 0.94, False),
}


@pytest.mark.parametrize(("was", "becomes", "passes"), IMPROVEMENTS.values(), ids=IMPROVEMENTS.keys())
def test_improvement(tmp_path, monkeypatch, was, becomes, passes):
    registering(monkeypatch, giving(motion(1), becomes))
    monkeypatch.setattr(planes, "ncc", lambda *_: was)
    found = register_neighbours(*pair_of(tmp_path, tissue(), tissue(motion(1))))
    assert found.reason == ("" if passes else "reg_did_not_improve")


def test_an_error_of_opencv_is_a_reason_not_a_crash(tmp_path):
    """Two planes too small for ECC, with foreground and overlap enough."""
    small = np.array([[10.0, 900.0]])
    found = register_neighbours(*pair_of(tmp_path, small, small))
    assert found.reason == "registration_exception"
    assert "ECC found no motion" in found.message


def test_without_opencv_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(PlanError, match=r'zmorph needs the package OpenCV: pip install "napari-slicemap\[register\]"'):
        registration.opencv()
