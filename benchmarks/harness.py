"""Timing side by side: every round runs each candidate once, so that what slows the machine slows all of them."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Check:
    """One figure of a row and what it must reach."""

    what: str
    value: float
    limit: float
    at_most: bool
    unit: str = "×"

    @property
    def met(self) -> bool:
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    def __str__(self) -> str:
        return f"{self.what}: {self.value:.3g} {self.unit} ({'≤' if self.at_most else '≥'} {self.limit:g})"


@dataclass(frozen=True)
class Row:
    """One row of the table: medians in ms (or other figures) by candidate, and the checks on them."""

    name: str
    figures: Mapping[str, float]
    checks: Sequence[Check]
    note: str = ""
    unit: str = "ms"

    def as_data(self) -> dict[str, Any]:
        checks = [{**asdict(check), "met": check.met} for check in self.checks]
        return {
            "name": self.name,
            "unit": self.unit,
            "figures": dict(self.figures),
            "checks": checks,
            "note": self.note,
        }


_SHORT = 0.2
"""Seconds that a candidate's turn lasts at least: what is done in less is repeated."""


def medians(candidates: Mapping[str, Callable[[], object]], rounds: int = 9, warm: int = 1) -> dict[str, float]:
    """Give the median time of each candidate in ms; they take turns.

    A short one is repeated within its turn, and the first of the repeats is not counted: it would measure the state
    in which the candidate before left the processor's caches and the memory.
    """
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(warm + rounds):
        for name, run in candidates.items():
            turn = [_seconds(run)]
            while sum(turn) < _SHORT and len(turn) < 10:
                turn.append(_seconds(run))
            if number >= warm:
                times[name] += turn[1:] or turn
    return {name: 1000 * statistics.median(found) for name, found in times.items()}


def medians_after(
    prepare: Callable[[], object], candidates: Mapping[str, Callable[[], object]], rounds: int = 9
) -> dict[str, float]:
    """Give the median time of each candidate in ms, each time after something that is not counted.

    Each round begins with the next of them.
    """
    times: dict[str, list[float]] = {name: [] for name in candidates}
    names = list(candidates)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            prepare()
            times[name].append(_seconds(candidates[name]))
    return {name: 1000 * statistics.median(found) for name, found in times.items()}


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


_POOL = ThreadPoolExecutor(THREADS)


def in_threads(run: Callable[[Any], object], items: Sequence[Any]) -> None:
    """Run something on each item in as many threads as there are processors."""
    for _ in _POOL.map(run, items):
        pass


@contextmanager
def variable(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def in_process(code: str, *arguments: str) -> dict[str, float]:
    """Run code in a fresh process; it prints figures as JSON in its last line."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def seconds_of(*command: str, rounds: int = 7) -> float:
    """Give the median wall time of a command, in ms."""
    times = []
    for number in range(rounds + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if number:
            times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def write(rows: Sequence[Row], path: Path, machine: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {"machine": dict(machine), "rows": [row.as_data() for row in rows]}
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
