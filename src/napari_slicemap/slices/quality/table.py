"""Scores in the slice table: what is stamped, on which slices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..review import CALIBRATION_SLICE
from ..slice_config import SliceRows, stamp_many, validate_value
from ..slice_values import number_of
from .pipeline import SliceQuality

Rows = Mapping[str, Mapping[str, Any]]


def stamp_quality(rows: Rows, qualities: Mapping[str, SliceQuality], min_quality: float | None = None) -> SliceRows:
    """Write scores into the table, and leave out calibration slices and those of low quality.

    Parameters
    ----------
    rows : mapping of str to mapping
        The table; it is not changed.
    qualities : mapping of str to SliceQuality
        Slice id → what was found; those that the table lacks are passed over (see :func:`unmatched`).
    min_quality : float, optional
        A slice whose score, as the table has it with three decimals, is lower gets `use` false and the note
        ``low_quality (quality_score<Q)``. `use` never becomes true.

    Returns
    -------
    OrderedDict of str to dict
        New rows, in the same order. Notes are added to those that stand there.
    """
    known = {number_of(slice_id) for slice_id in rows}
    stamps = {
        slice_id: _stamp(quality, min_quality)
        for slice_id, quality in qualities.items()
        if number_of(slice_id) in known
    }
    return stamp_many(rows, stamps, append_notes=True)


def _stamp(quality: SliceQuality, min_quality: float | None) -> dict[str, object]:
    score = validate_value("quality_score", quality.result.score)
    if quality.calibration:
        return {"quality_score": score, "use": False, "notes": CALIBRATION_SLICE}
    if min_quality is not None and score < min_quality:
        return {"quality_score": score, "use": False, "notes": f"low_quality (quality_score<{min_quality:g})"}
    return {"quality_score": score}


def unmatched(rows: Rows, qualities: Mapping[str, SliceQuality]) -> tuple[list[str], list[str]]:
    """List the slices that were scored but are not in the table, and those in the table that were not scored."""
    in_table, scored = ({number_of(one) for one in some} for some in (rows, qualities))
    return (
        [one for one in qualities if number_of(one) not in in_table],
        [one for one in rows if number_of(one) not in scored],
    )
