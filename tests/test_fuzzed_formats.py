"""A damaged file gives an error that names it, or a right answer: nothing hangs, crashes, or turns to zeros unseen."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("resource", reason="neither computing time nor memory can be bounded here")

from fuzzed_files import DESCRIBED, IMAGES, TABLES, TREES, described_by, description_of
from fuzzing import Bench, Subject, damaged, json_damage, line_damage, xml_damage

FEW = int(os.environ.get("SLICEMAP_FUZZ", "6"))
"""Cases of each file and each way; acceptance asks for 500."""
COUNTS = [pytest.param(FEW, id="few"), pytest.param(max(FEW, 60), id="many", marks=pytest.mark.slow)]
"""Of the files that a user opens; the first is part of the others, so that one alone is run at a full count."""

pytestmark = pytest.mark.timeout(1200)
_MOST_TOLD = 5


def subjects(which: list[Subject]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("subject", [pytest.param(one, id=one.name) for one in which])


@subjects([*TABLES, *TREES, *IMAGES])
@pytest.mark.parametrize("count", COUNTS)
def test_damaged_bytes(real_data: Path, tmp_path: Path, subject: Subject, count: int) -> None:
    bench = Bench.of(subject, real_data, tmp_path)
    found = {number: bench.fault(damaged(bench.raw, subject.name, number)) for number in range(count)}
    faults = [f"{number}: {fault}" for number, fault in found.items() if fault]
    assert not faults, f"{len(faults)} faults, such as {faults[:_MOST_TOLD]}"


def hold(bench: Bench, made: st.SearchStrategy[bytes], count: int) -> None:
    """Let nothing go wrong in so many cases."""

    @settings(max_examples=count)
    @given(made)
    def check(raw: bytes) -> None:
        assert bench.fault(raw) == ""

    check()


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(
    ("subject", "ways"),
    [
        *(pytest.param(one, line_damage, id=one.name) for one in TABLES),
        *(pytest.param(one, json_damage, id=one.name) for one in TREES),
    ],
)
def test_damaged_words(
    real_data: Path, tmp_path: Path, subject: Subject, ways: Callable[[bytes], st.SearchStrategy[bytes]], count: int
) -> None:
    bench = Bench.of(subject, real_data, tmp_path)
    hold(bench, ways(bench.raw), count)


@subjects(DESCRIBED)
@pytest.mark.parametrize("count", COUNTS)
def test_damaged_descriptions(real_data: Path, tmp_path: Path, subject: Subject, count: int) -> None:
    (tmp_path / "set").mkdir()
    bench = Bench.of(subject, real_data, tmp_path / "set")
    xml = description_of(bench.raw, tmp_path)
    hold(bench, xml_damage(xml).map(lambda made: described_by(bench.raw, made, tmp_path)), count)
