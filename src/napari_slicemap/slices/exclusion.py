"""Noisy clusters: slices in a row whose registration to the slice before did not find it.

One low correlation is a torn or folded section, which later steps can bridge; several in a row are a stretch of the
block where nothing says how the slices lie, and which is better left out as a whole.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DatasetNotFoundError, FileFormatError, PlanError, listing
from ..files import read_text
from .ids import own_ids
from .slice_config import SliceRows, id_key, stamp_many, validate_value
from .slice_values import number_of

METRICS_FILE = "pairwise_registration_metrics.json"
THRESHOLD = 0.4
MIN_RUN = 3

_FOLDER = re.compile(r"slice_z(\d+).*")
_KEYS = ("metrics", "z_correlation", "value")
_ROUNDING = 1e-6  # correlations that were computed in float32 may exceed 1

Correlations = Mapping[str, float | None]


@dataclass(frozen=True)
class NoisyRun:
    """Slices with consecutive ids, all of them below the threshold.

    Parameters
    ----------
    slice_ids : tuple of str
        By number.
    correlations : tuple of float
        Of each.
    """

    slice_ids: tuple[str, ...]
    correlations: tuple[float, ...]

    @property
    def reason(self) -> str:
        """What the table says of each of them."""
        return f"noisy cluster ({len(self.slice_ids)} consecutive)"


@dataclass(frozen=True)
class AutoExclusion:
    """What was decided by :func:`auto_exclude`.

    Parameters
    ----------
    rows : OrderedDict of str to dict
        The table, stamped.
    runs : tuple of NoisyRun
        What was left out.
    cleared : tuple of str
        Slices that an earlier run had left out, and this one does not.
    unmeasured : tuple of str
        Slices of the table without a correlation.
    """

    rows: SliceRows
    runs: tuple[NoisyRun, ...]
    cleared: tuple[str, ...]
    unmeasured: tuple[str, ...]


def read_correlations(folder: str | os.PathLike[str]) -> dict[str, float | None]:
    """Read how well each slice fits the one before it.

    Parameters
    ----------
    folder : path-like
        With a folder ``slice_z<NN>*`` for each slice, and in it a ``pairwise_registration_metrics.json``, whose
        ``metrics.z_correlation.value`` is read. Folders without that file are passed over.

    Returns
    -------
    dict of str to (float or None)
        Slice id → correlation, by number; ``None`` where the file says null or NaN.

    Raises
    ------
    DatasetNotFoundError
        If there is no such folder, or no such file in it.
    FileFormatError
        Naming the file, and the key that is missing or no correlation; or two folders of one slice.
    """
    top = Path(folder)
    if not top.is_dir():
        raise DatasetNotFoundError(f"{top}: there is no such folder")
    files: dict[str, Path] = {}
    values: dict[str, float | None] = {}
    for one in sorted(top.iterdir()):
        named = _FOLDER.fullmatch(one.name)
        path = one / METRICS_FILE
        if named is None or not path.is_file():
            continue
        if (before := files.setdefault(number_of(named[1]), path)) is not path:
            raise FileFormatError(f"{path}: it is of slice {named[1]}, as {before} is; keep one of them")
        values[named[1].zfill(2)] = _read_correlation(path)
    if not values:
        there = listing(sorted(one.name for one in top.iterdir()))
        raise DatasetNotFoundError(f"{top}: it holds no slice_z<NN>*/{METRICS_FILE}; there is {there}")
    return {slice_id: values[slice_id] for slice_id in sorted(values, key=id_key)}


def _read_correlation(path: Path) -> float | None:
    found = _read_metrics(path)
    for depth, key in enumerate(_KEYS, 1):
        if not isinstance(found, dict) or key not in found:
            raise FileFormatError(f"{path}: no {'.'.join(_KEYS[:depth])}, expected {'.'.join(_KEYS)} to be a number")
        found = found[key]
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float) or not abs(found) <= 1 + _ROUNDING:
        raise FileFormatError(f"{path}: {'.'.join(_KEYS)} is {found!r}, expected a number from -1 to 1")
    return float(found)


def _read_metrics(path: Path) -> Any:
    """Read JSON of others, in which NaN may stand, for it is what Python writes; it says as little as null."""
    text = read_text(path)
    try:
        return json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{path}: {error}; this is no valid JSON") from None


def noisy_runs(
    correlations: Correlations, threshold: float = THRESHOLD, min_run: int = MIN_RUN
) -> tuple[NoisyRun, ...]:
    """Find the slices in a row that all correlate less than the threshold.

    Parameters
    ----------
    correlations : mapping of str to (float or None)
        Slice id, digits only, → correlation. A slice without one ends a run, as does a number without a slice.
    threshold : float
        A correlation below it, and not equal to it, is low.
    min_run : int
        How many slices make a run, 1 or more.

    Returns
    -------
    tuple of NoisyRun
        By number.

    Raises
    ------
    PlanError
        If `threshold` or `min_run` make no sense.
    """
    if not -1 <= threshold <= 1:
        raise PlanError([f"threshold is {threshold:g}, expected a correlation from -1 to 1"])
    if min_run < 1:
        raise PlanError([f"a run of {min_run} slices is none, expected at least 1"])
    low = [(slice_id, value) for slice_id, value in _measured(correlations).items() if value < threshold]
    groups: list[list[tuple[str, float]]] = []
    for slice_id, value in low:
        if groups and int(slice_id) == int(groups[-1][-1][0]) + 1:
            groups[-1].append((slice_id, value))
        else:
            groups.append([(slice_id, value)])
    return tuple(
        NoisyRun(tuple(one for one, _ in group), tuple(value for _, value in group))
        for group in groups
        if len(group) >= min_run
    )


def _measured(correlations: Correlations) -> dict[str, float]:
    """Give the slices that have a correlation, by number."""
    known = {one: value for one, value in correlations.items() if value is not None and math.isfinite(value)}
    return {slice_id: known[slice_id] for slice_id in sorted(known, key=id_key)}


def auto_exclude(
    rows: Mapping[str, Mapping[str, Any]],
    correlations: Correlations | str | os.PathLike[str],
    threshold: float = THRESHOLD,
    min_run: int = MIN_RUN,
) -> AutoExclusion:
    """Leave out noisy clusters: `auto_excluded` and `auto_exclude_reason` of every slice are decided anew.

    Slices of a run get ``true`` and ``noisy cluster (<n> consecutive)``; all others, those without a correlation too,
    get ``false`` and no reason. So what an earlier run decided does not linger, and the same input gives the same
    table however often it is stamped. `use` is not touched, and does not count: a slice that is left out already
    is part of a run, too.

    Parameters
    ----------
    rows : mapping of str to mapping
        The table; it is not changed.
    correlations : mapping of str to (float or None), or path-like
        Slice id → correlation with the slice before; or a folder, as :func:`read_correlations` takes it.
    threshold : float
        A correlation below it is low.
    min_run : int
        How many slices with consecutive ids make a cluster.

    Returns
    -------
    AutoExclusion
        The table, and what was decided.

    Raises
    ------
    UnknownNameError
        If there is a correlation of a slice that the table lacks: they are of different runs.
    DatasetNotFoundError, FileFormatError, PlanError
        As :func:`read_correlations` and :func:`noisy_runs`.
    """
    if isinstance(correlations, str | os.PathLike):
        correlations = read_correlations(correlations)
    own = own_ids(rows, correlations, "slice table, which the correlations do not belong to")
    by_own_id = dict(zip(own, correlations.values(), strict=True))
    runs = noisy_runs(by_own_id, threshold, min_run)
    reasons = {slice_id: run.reason for run in runs for slice_id in run.slice_ids}
    stamps = {one: {"auto_excluded": one in reasons, "auto_exclude_reason": reasons.get(one, "")} for one in rows}
    measured = _measured(by_own_id)
    return AutoExclusion(
        stamp_many(rows, stamps),
        runs,
        cleared=tuple(one for one in rows if _was_excluded(rows[one]) and one not in reasons),
        unmeasured=tuple(one for one in rows if one not in measured),
    )


def _was_excluded(row: Mapping[str, Any]) -> bool:
    return bool(validate_value("auto_excluded", row.get("auto_excluded")))
