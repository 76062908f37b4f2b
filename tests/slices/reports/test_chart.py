"""Axes of plots."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap.slices.reports.chart import axis_marks, chart
from napari_slicemap.slices.reports.page import Plot


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([], [0, 1], id="none"),
        pytest.param([0.0], [0, 1], id="zero"),
        pytest.param([0.1, 0.9], [0, 0.5, 1], id="scores"),
        pytest.param([0.6, 1.0], [0.6, 0.7, 0.8, 0.9, 1.0], id="far-from-zero"),
        pytest.param([-3, 12], [-5, 0, 5, 10, 15], id="both-sides"),
        pytest.param([-0.2, -0.9], [-1, -0.5, 0], id="below-zero"),
        pytest.param([200, 1000], [0, 500, 1000], id="large"),
    ],
)
def test_marks_are_round_and_few(values, expected):
    assert axis_marks(values) == pytest.approx(expected)


magnitudes = st.floats(-1e12, 1e12).filter(lambda x: x == 0 or abs(x) > 1e-12)


@given(st.lists(magnitudes, min_size=1, max_size=9))
def test_marks_enclose_all_values(values):
    marks = axis_marks(values)
    slack = 1e-8 * (marks[-1] - marks[0])
    assert marks[0] - slack <= min(values)
    assert max(values) <= marks[-1] + slack
    assert 2 <= len(marks) <= 7
    assert marks == sorted(set(marks))


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        pytest.param((0.0, 1.0), ["0.0", "0.5", "1.0"], id="decimals"),
        pytest.param((-40.0, 40.0), ["-40", "-20", "0", "20", "40"], id="whole"),
        pytest.param((0.0, 8e-6), ["0", "2e-06", "4e-06", "6e-06", "8e-06"], id="tiny"),
        pytest.param((0.0, 8e6), ["0", "2e+06", "4e+06", "6e+06", "8e+06"], id="huge"),
    ],
)
def test_marks_are_written_with_the_decimals_they_need(values, labels):
    made = chart(Plot("p", "a", ("00", "01"), values, (True, True)))
    assert [mark.label for mark in made.marks] == labels


@pytest.mark.parametrize(
    ("values", "zero"),
    [
        pytest.param((0.1, 0.9), True, id="from-zero"),
        pytest.param((0.8, 0.9), False, id="no-zero"),
    ],
)
def test_stems_begin_at_zero_or_there_are_none(values, zero):
    made = chart(Plot("p", "a", ("00", "01"), values, (True, True)))
    assert (made.zero is not None) == zero


def test_the_summary_is_of_slices_that_are_used():
    made = chart(Plot("p", "a", ("00", "01", "02", "03"), (9.0, 1.0, 2.0, None), (False, True, True, True)))
    assert made.summary == "used slices: median 1.5, 1 to 2; 1 of 4 slices have no value"
    assert chart(Plot("p", "a", ("00",), (9.0,), (False,))).summary == "no slice that is used has a value"


def test_the_limit_is_within_the_axis():
    made = chart(Plot("p", "a", ("00",), (0.8,), (True,), limit=2.0, limit_label="most"))
    assert made.top <= made.limit.at <= made.top + made.height
    assert made.limit.label == "most 2"
