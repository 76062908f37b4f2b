"""Processing steps against plain NumPy, and what a stack remembers of them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from napari_slicemap.errors import FileFormatError, PlanError, StackError, UnknownNameError
from napari_slicemap.files import to_json
from napari_slicemap.images.stack.history import mask_in_effect, next_index
from napari_slicemap.images.stack.image_stack import ImageStack
from napari_slicemap.images.stack.processing import (
    ProcessingStep,
    Progress,
    apply_steps,
    parse_processing,
    read_processing,
)
from napari_slicemap.images.stack.steps import find_step, steps


def stack_of(data: Any, **known: Any) -> ImageStack:
    data = np.asarray(data)
    return ImageStack(data, 1.5, "height", [{"timestamp": 0.5 * n} for n in range(len(data))], **known)


def noise(frames: int = 3, height: int = 12, width: int = 17, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(5, 2, (frames, height, width))


def plane(frame: np.ndarray, used: np.ndarray, order: int = 1) -> np.ndarray:
    """The surface nearest to some px, by NumPy's own least squares on plain powers of x and y."""
    y, x = np.mgrid[: frame.shape[0], : frame.shape[1]] / max(frame.shape)
    powers = [(i, j) for i in range(order + 1) for j in range(order + 1 - i)]
    terms = np.stack([y**i * x**j for i, j in powers], axis=-1)
    found = np.linalg.lstsq(terms[used], frame[used], rcond=None)[0]
    return terms @ found


def with_mask(data: np.ndarray, mask: np.ndarray) -> ImageStack:
    """A stack as a mask step leaves it."""
    record = {"index": 1, "name": "mask_threshold", "step_type": "mask", "mask_key": "step_1_mask_threshold"}
    return stack_of(
        data,
        processed={"raw": data},
        masks={"step_1_mask_threshold": mask},
        provenance={"processing": {"steps": [record]}},
    )


# --- each step against an obvious reference -----------------------------------------------------------------------
def shift(measure: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    return lambda frame, used: frame - measure(frame[used])


def rows(frame: np.ndarray, used: np.ndarray) -> np.ndarray:
    return np.stack([row - np.median(row[some]) for row, some in zip(frame, used, strict=True)])


MEASURING = [
    pytest.param("remove_plane", lambda frame, used: frame - plane(frame, used), id="plane"),
    pytest.param("polynomial_flatten", lambda frame, used: frame - plane(frame, used, 2), id="parabola"),
    pytest.param("polynomial_flatten:order=4", lambda frame, used: frame - plane(frame, used, 4), id="order 4"),
    pytest.param("row_median_align", rows, id="rows"),
    pytest.param("zero_mean", shift(np.mean), id="mean"),
    pytest.param("zero_median", shift(np.median), id="median"),
]


@pytest.mark.parametrize(("text", "reference"), MEASURING)
@pytest.mark.parametrize("holes", ["none", "NaN", "mask", "both"])
def test_a_measuring_filter_equals_its_reference(text: str, reference: Any, holes: str) -> None:
    data = noise()
    mask = noise(seed=1) > 6.5
    if holes in ("NaN", "both"):
        data[noise(seed=2) > 8] = np.nan
        data[1, 2, 3] = np.inf
    used = np.isfinite(data) & (~mask if holes in ("mask", "both") else True)
    stack = with_mask(data, mask) if holes in ("mask", "both") else stack_of(data)
    made = apply_steps(stack, text).data
    for frame, some, found in zip(data, used, made, strict=True):
        np.testing.assert_allclose(found, reference(frame, some), rtol=0, atol=1e-9)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_median_filter(size: int) -> None:
    data = noise()
    made = apply_steps(stack_of(data), f"median_filter:size={size}").data
    np.testing.assert_array_equal(made, [ndimage.median_filter(frame, size) for frame in data])


def test_median_filter_leaves_out_what_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_slicemap.images.stack.steps._WINDOW_VALUES", 500)  # bands of a few rows
    data = noise(1)
    data[0, 3:6, 4] = np.nan
    padded = np.pad(data[0], 1, mode="symmetric")
    expected = data[0].copy()
    for y, x in np.argwhere(np.isfinite(data[0])):
        expected[y, x] = np.nanmedian(padded[y : y + 3, x : x + 3])
    made = apply_steps(stack_of(data), "median_filter").data[0]
    np.testing.assert_array_equal(made, expected)


def test_gaussian_filter() -> None:
    data = noise()
    made = apply_steps(stack_of(data), "gaussian_filter:sigma=1.5").data
    np.testing.assert_array_equal(made, [ndimage.gaussian_filter(frame, 1.5) for frame in data])


def test_gaussian_filter_does_not_spread_what_is_no_number() -> None:
    data = np.full((1, 20, 20), 7.0)
    data[0, 8:11, 8:11] = np.nan
    made = apply_steps(stack_of(data), "gaussian_filter:sigma=2").data
    np.testing.assert_array_equal(np.isnan(made), np.isnan(data))
    np.testing.assert_allclose(made[np.isfinite(made)], 7, rtol=1e-12)


MASKS = [
    pytest.param("mask_threshold:threshold=5.5", lambda frame: frame > 5.5, id="above"),
    pytest.param("mask_below_threshold:threshold=3", lambda frame: frame < 3, id="below"),
    pytest.param("mask_threshold:threshold=-1e3", lambda frame: np.isfinite(frame), id="all that is finite"),
    pytest.param(
        "mask_mean_offset:factor=1.2",
        lambda f: np.abs(f - np.nanmean(f)) > 1.2 * np.nanstd(f),
        id="far from the mean",
    ),
    pytest.param(
        "mask_mean_offset:factor=0.5,side=above", lambda f: f - np.nanmean(f) > 0.5 * np.nanstd(f), id="above the mean"
    ),
    pytest.param(
        "mask_mean_offset:factor=0.5,side=below", lambda f: np.nanmean(f) - f > 0.5 * np.nanstd(f), id="below the mean"
    ),
]


@pytest.mark.parametrize(("text", "reference"), MASKS)
def test_a_mask_step_equals_its_reference(text: str, reference: Any) -> None:
    data = noise()
    data[0, 2, 3:5] = np.nan
    made = apply_steps(stack_of(data), text)
    (name,) = made.masks
    assert name == f"step_1_{text.split(':')[0]}"
    np.testing.assert_array_equal(made.masks[name], [reference(frame) for frame in data])
    np.testing.assert_array_equal(made.data, data)
    assert list(made.processed) == ["raw"]


# --- borders ------------------------------------------------------------------------------------------------------
SHAPES = [
    pytest.param((1, 1, 1), id="one px"),
    pytest.param((1, 1, 9), id="one row"),
    pytest.param((2, 9, 1), id="one column"),
    pytest.param((1, 8, 8), id="one frame"),
]
ALL = "; ".join(name for name in steps() if name != "clear")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("value", [0.1, 1e9, np.nan])
def test_flat_frames_of_any_shape_become_zero_and_nothing_else(shape: tuple[int, ...], value: float) -> None:
    stack = stack_of(np.full(shape, value))
    for name in ("remove_plane", "polynomial_flatten:order=3", "row_median_align", "zero_mean", "zero_median"):
        np.testing.assert_array_equal(apply_steps(stack, name).data, np.full(shape, value * 0))
    for name in ("gaussian_filter", "median_filter"):
        np.testing.assert_allclose(apply_steps(stack, name).data, stack.data, rtol=1e-12)
    assert not apply_steps(stack, "mask_mean_offset").masks["step_1_mask_mean_offset"].any()
    assert apply_steps(stack, ALL).data.shape == shape


def test_where_nothing_is_left_to_measure_on_it_stays_and_is_noted() -> None:
    data = noise(3, 6, 5)
    data[1, 2] += 100
    data[2] += 100
    stack = stack_of(data)
    made = apply_steps(stack, "mask_threshold:threshold=50; row_median_align; remove_plane")
    np.testing.assert_array_equal(made.processed["step_2_row_median_align"][1, 2], data[1, 2])
    np.testing.assert_array_equal(made.processed["step_3_remove_plane"][2], data[2])
    assert [record.get("notes") for record in made.steps] == [
        None,
        [
            "frame 1: 1 row without px to measure on, left as before",
            "frame 2: 6 rows without px to measure on, left as before",
        ],
        ["frame 2: no px to measure on, left as before"],
    ]


def test_rows_that_were_never_scanned_are_no_reason_to_note() -> None:
    data = noise(1)
    data[0, 5:] = np.nan
    made = apply_steps(stack_of(data), "row_median_align; remove_plane; zero_mean")
    assert not any("notes" in record for record in made.steps)
    np.testing.assert_array_equal(np.isnan(made.data), np.isnan(data))


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        *((kind, "float32") for kind in ("uint8", "int16", "bool", "float16", "float32", ">f4")),
        *((kind, "float64") for kind in ("float64", ">f8", "longdouble")),
    ],
)
def test_type_of_the_result(dtype: str, expected: str) -> None:
    data = (noise() > 5).astype(dtype) if dtype == "bool" else noise().clip(0, 100).astype(dtype)
    made = apply_steps(stack_of(data), "zero_mean; gaussian_filter")
    assert {str(layer.dtype) for name, layer in made.processed.items() if name != "raw"} == {expected}
    assert made.processed["raw"].dtype == np.dtype(dtype)
    assert made.data.dtype == expected


# --- masks hold until they are cleared ----------------------------------------------------------------------------
def test_masks_add_up_until_clear() -> None:
    data = noise()
    made = apply_steps(
        stack_of(data),
        "mask_threshold:threshold=7; mask_below_threshold:threshold=3; zero_mean; clear; zero_mean; "
        "mask_threshold:threshold=2",
    )
    high, both = made.masks["step_1_mask_threshold"], made.masks["step_2_mask_below_threshold"]
    np.testing.assert_array_equal(high, data > 7)
    np.testing.assert_array_equal(both, (data > 7) | (data < 3))
    masked = np.stack([frame - frame[~some].mean() for frame, some in zip(data, both, strict=True)])
    np.testing.assert_allclose(made.processed["step_3_zero_mean"], masked, atol=1e-12)
    plain = np.stack([frame - frame.mean() for frame in masked])
    np.testing.assert_allclose(made.processed["step_5_zero_mean"], plain, atol=1e-12)
    np.testing.assert_array_equal(made.masks["step_6_mask_threshold"], made.data > 2)
    assert mask_in_effect(made) == "step_6_mask_threshold"


@given(split=st.integers(0, 5), seed=st.integers(0, 100))
def test_steps_in_two_calls_are_steps_in_one(split: int, seed: int) -> None:
    asked = parse_processing("remove_plane; mask_mean_offset; row_median_align; clear; gaussian_filter:sigma=0.7")
    stack = stack_of(noise(2, 7, 6, seed))
    once = apply_steps(stack, asked)
    twice = apply_steps(apply_steps(stack, asked[:split]), asked[split:])
    assert to_json(once.provenance) == to_json(twice.provenance)
    for field in ("processed", "masks"):
        one, two = getattr(once, field), getattr(twice, field)
        assert list(one) == list(two)
        for name, layer in one.items():
            np.testing.assert_array_equal(layer, two[name])


def test_a_mask_of_other_frames_is_refused_until_it_is_cleared() -> None:
    stack = dataclasses.replace(with_mask(noise(), noise() > 5), masks={"step_1_mask_threshold": noise(4) > 5})
    with pytest.raises(StackError, match="begin with the step clear"):
        apply_steps(stack, "zero_mean")
    assert apply_steps(stack, "clear; zero_mean").data.shape == stack.data.shape


# --- what a stack remembers ---------------------------------------------------------------------------------------
def test_what_is_kept_and_what_is_recorded() -> None:
    data = noise().astype(np.float32)
    before = data.copy()
    stack = stack_of(data, provenance={"reader": {"name": "own"}}, file_path="/data/scan_1.npz")
    made = apply_steps(stack, "remove_plane; mask_mean_offset:factor=2; clear; gaussian_filter:sigma=2.0")
    np.testing.assert_array_equal(stack.data, before)
    assert (stack.processed, stack.masks) == ({}, {})
    assert list(made.processed) == ["raw", "step_1_remove_plane", "step_4_gaussian_filter"]
    np.testing.assert_array_equal(made.processed["raw"], before)
    np.testing.assert_array_equal(made.data, made.processed["step_4_gaussian_filter"])
    assert made.frame_metadata == stack.frame_metadata
    assert made.provenance["reader"] == {"name": "own"}
    kept = ("index", "name", "params", "step_type", "processed_key", "mask_key", "mask_cleared", "package")
    own = {"package": "napari-slicemap"}
    assert [{key: record[key] for key in kept if key in record} for record in made.steps] == [
        {"index": 1, "name": "remove_plane", "params": {}, "step_type": "filter"}
        | own
        | {"processed_key": "step_1_remove_plane"},
        {"index": 2, "name": "mask_mean_offset", "params": {"factor": 2.0, "side": "both"}, "step_type": "mask"}
        | own
        | {"mask_key": "step_2_mask_mean_offset"},
        {"index": 3, "name": "clear", "params": {}, "step_type": "clear"} | own | {"mask_cleared": True},
        {"index": 4, "name": "gaussian_filter", "params": {"sigma": 2.0}, "step_type": "filter"}
        | own
        | {"processed_key": "step_4_gaussian_filter"},
    ]
    assert made.steps[3]["output_summary"] == {
        "shape": list(data.shape),
        "dtype": "float32",
        "minimum": float(made.data.min()),
        "maximum": float(made.data.max()),
    }
    assert made.steps[1]["mask_summary"]["masked_px"] == made.masks["step_2_mask_mean_offset"].sum()
    processing = made.provenance["processing"]
    assert processing["input"] == {"name": "scan_1", "channel": "height", "frames": 3}
    assert {"python", "numpy", "scipy", "napari-slicemap"} == set(processing["software"])
    assert processing["keys_by_name"]["gaussian_filter"] == ["step_4_gaussian_filter"]


def test_the_record_is_the_same_each_time_and_strict_json() -> None:
    data = noise()
    data[0] = np.nan
    texts = [to_json(apply_steps(stack_of(data.copy()), ALL).provenance) for _ in range(2)]
    assert texts[0] == texts[1]
    assert json.loads(texts[0])["processing"]["steps"][0]["index"] == 1


def test_the_raw_frames_are_kept_once_and_given_back() -> None:
    data = noise()
    made = apply_steps(apply_steps(stack_of(data), "zero_mean"), "gaussian_filter")
    np.testing.assert_array_equal(made.raw().data, data)
    assert next_index(made) == 3


def test_processed_frames_never_become_raw() -> None:
    stack = stack_of(noise(), processed={"step_1_zero_mean": noise()})
    made = apply_steps(stack, "gaussian_filter")
    assert list(made.processed) == ["step_1_zero_mean", "step_2_gaussian_filter"]
    with pytest.raises(StackError, match="raw frames were not kept"):
        made.raw()


NUMBERS = [
    pytest.param({}, 1, id="untouched"),
    pytest.param({"processed": {"raw": noise(), "step_7_x": noise()}}, 8, id="from a layer"),
    pytest.param({"masks": {"step_3_mask": noise() > 5}}, 4, id="from a mask"),
    pytest.param({"provenance": {"processing": {"steps": [{"name": "a"}, {"name": "b"}]}}}, 3, id="from the count"),
    pytest.param({"provenance": {"processing": {"steps": [{"index": 9}]}}}, 10, id="from the record"),
]


@pytest.mark.parametrize(("known", "expected"), NUMBERS)
def test_number_of_the_next_step(known: dict[str, Any], expected: int) -> None:
    assert next_index(stack_of(noise(), **known)) == expected


def test_progress_is_told_after_each_frame() -> None:
    told: list[Progress] = []
    apply_steps(stack_of(noise(2)), "zero_mean; clear; mask_threshold", on_progress=told.append)
    assert told == [
        Progress(1, "zero_mean", 1, 2, 1, 3),
        Progress(1, "zero_mean", 2, 2, 1, 3),
        Progress(2, "clear", 2, 2, 2, 3),
        Progress(3, "mask_threshold", 1, 2, 3, 3),
        Progress(3, "mask_threshold", 2, 2, 3, 3),
    ]


def test_no_steps_give_the_stack_back() -> None:
    stack = stack_of(noise())
    assert apply_steps(stack, []) is stack


# --- text and files -----------------------------------------------------------------------------------------------
def test_text_to_steps() -> None:
    asked = parse_processing(" remove_plane;gaussian_filter : sigma = 2.0 ;\nmask_mean_offset:factor=1,side=above; ")
    assert [(one.name, one.params) for one in asked] == [
        ("remove_plane", {}),
        ("gaussian_filter", {"sigma": "2.0"}),
        ("mask_mean_offset", {"factor": "1", "side": "above"}),
    ]


@given(sigma=st.floats(0.01, 1000))
def test_a_number_in_text_is_that_number(sigma: float) -> None:
    step = find_step("gaussian_filter")
    (asked,) = parse_processing(f"gaussian_filter:sigma={sigma!r}")
    assert step.Parameters.model_validate(asked.params) == step.Parameters.model_validate({"sigma": sigma})


WRONG = [
    pytest.param("", ["no processing step is given"], id="nothing"),
    pytest.param(" ; ", ["no processing step is given"], id="only separators"),
    pytest.param(
        "remove_plan", ["unknown processing step 'remove_plan' (there is remove_plane, poly"], id="unknown step"
    ),
    pytest.param("remove_plane:a=1", ["remove_plane: unknown parameter 'a' (it has none)"], id="no parameters"),
    pytest.param(
        "gaussian_filter:sigm=1", ["gaussian_filter: unknown parameter 'sigm' (there is sigma)"], id="unknown parameter"
    ),
    pytest.param(
        "gaussian_filter:sigma", ["gaussian_filter: 'sigma' is no parameter; expected name=value"], id="no value"
    ),
    pytest.param("gaussian_filter:sigma=", ["'sigma=' is no parameter"], id="empty value"),
    pytest.param("gaussian_filter:sigma=x", ["gaussian_filter: sigma: Input should be a valid number"], id="no number"),
    pytest.param("gaussian_filter:sigma=0", ["sigma: Input should be greater than 0"], id="too small"),
    pytest.param("gaussian_filter:sigma=nan", ["gaussian_filter: sigma:"], id="not a number"),
    pytest.param("gaussian_filter:sigma=1,sigma=2", ["parameter sigma stands twice"], id="twice"),
    pytest.param("median_filter:size=4", ["median_filter: size: 4 is even, expected an odd number"], id="even"),
    pytest.param(":sigma=1", ["':sigma=1' has no name"], id="no name"),
    pytest.param(
        "a; median_filter:size=0; b", ["unknown processing step 'a'", "size", "unknown processing step 'b'"], id="all"
    ),
]


@pytest.mark.parametrize(("text", "expected"), WRONG)
def test_every_fault_of_a_text_is_named(text: str, expected: list[str]) -> None:
    with pytest.raises(PlanError, match="processing step") as caught:
        parse_processing(text)
    assert len(caught.value.faults) == len(expected)
    for fault, part in zip(caught.value.faults, expected, strict=True):
        assert part in fault


def test_steps_are_checked_before_any_is_done() -> None:
    with pytest.raises(PlanError, match="unknown parameter 'sigm'"):
        apply_steps(stack_of(noise()), [ProcessingStep(name="gaussian_filter", params={"sigm": 1})])
    with pytest.raises(UnknownNameError, match="there is remove_plane"):
        find_step("flatten")


FILES = [
    pytest.param(
        "s.toml",
        'version = 1\n[[steps]]\nname = "remove_plane"\n[[steps]]\nname = "gaussian_filter"\nparams = {sigma = 2}\n',
        id="TOML",
    ),
    pytest.param(
        "s.json",
        '{"steps": [{"name": "remove_plane"}, {"name": "gaussian_filter", "params": {"sigma": 2}}]}',
        id="JSON",
    ),
]


@pytest.mark.parametrize(("name", "text"), FILES)
def test_steps_from_a_file(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    made = apply_steps(stack_of(noise()), read_processing(tmp_path / name))
    np.testing.assert_array_equal(
        made.data, apply_steps(stack_of(noise()), "remove_plane;gaussian_filter:sigma=2").data
    )


WRONG_FILES = [
    pytest.param("s.yaml", "", FileFormatError, "read from .toml, .json files", id="other format"),
    pytest.param("s.json", '{"steps": []}', FileFormatError, "steps is empty", id="no steps"),
    pytest.param("s.json", '{"step": []}', FileFormatError, r"known: version, steps", id="unknown key"),
    pytest.param("s.toml", "version = 2\nsteps = []", FileFormatError, "version", id="a later version"),
    pytest.param("s.json", '{"steps": [{"name": "x"}]}', PlanError, "s.json: unknown processing step 'x'", id="step"),
]


@pytest.mark.parametrize(("name", "text", "error", "match"), WRONG_FILES)
def test_a_wrong_file_is_named(tmp_path: Path, name: str, text: str, error: type[Exception], match: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(error, match=match):
        read_processing(tmp_path / name)


# --- a real video -------------------------------------------------------------------------------------------------
def test_a_real_video_becomes_flat(real_data: Path) -> None:
    from napari_slicemap.images.stack.reading import read_stack

    stack = read_stack(real_data / "afm" / "sample_0.h5-jpk")
    made = apply_steps(stack, "remove_plane; row_median_align; mask_mean_offset; row_median_align; zero_mean")
    flat = made.processed["step_1_remove_plane"]
    for frame, found in zip(stack.data.astype(np.float64), flat, strict=True):
        np.testing.assert_allclose(found, frame - plane(frame, np.isfinite(frame)), atol=1e-4 * np.ptp(frame))
    medians = np.median(made.processed["step_2_row_median_align"], axis=2)
    np.testing.assert_allclose(medians, 0, atol=1e-4)
    assert made.data.std() < stack.data.std()
    assert 0 < made.masks["step_3_mask_mean_offset"].mean() < 0.5
