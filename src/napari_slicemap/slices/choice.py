"""Which slices take part in what follows, which do not, and why."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import PlanError
from .ids import in_and_out
from .slice_config import id_key, is_used, why_excluded
from .slice_values import number_of
from .volumes import SliceVolume, SliceVolumes


@dataclass(frozen=True)
class Choice:
    """Slices sorted into those that take part and those that do not.

    Parameters
    ----------
    used : OrderedDict of str to SliceVolume
        Slice id → image, in order of the ids.
    left_out : mapping of str to str
        Slice id → why, in order of the ids.
    """

    used: SliceVolumes
    left_out: Mapping[str, str]

    def without(self, left_out: Mapping[str, str]) -> Choice:
        """Leave more slices out, and say why."""
        used = OrderedDict((one, volume) for one, volume in self.used.items() if one not in left_out)
        return Choice(used, _in_order({**self.left_out, **left_out}))

    def lines(self) -> list[str]:
        """Say in words which slices are in, and which are out and why."""
        reasons: dict[str, list[str]] = {}
        for slice_id, why in self.left_out.items():
            reasons.setdefault(why, []).append(slice_id)
        return in_and_out(self.used, reasons)

    def none_left(self, work: str) -> PlanError:
        """Give the error that no slice takes part; `work` is what there is none for, such as ``"align"``."""
        _, *why = self.lines()
        return PlanError([f"no slice is left to {work} ({'; '.join(why) or 'there are no images'})"])


def choose_slices(volumes: Mapping[str, SliceVolume], rows: Mapping[str, Mapping[str, Any]] | None = None) -> Choice:
    """Choose the slices that a table of decisions uses, of those that have an image.

    Parameters
    ----------
    volumes : mapping of str to SliceVolume
        Slice id → image.
    rows : mapping of str to mapping, optional
        The slice table, ids matched by number. A slice takes part if `use` is true and `auto_excluded` is not.
        Without a table, all of them do.

    Returns
    -------
    Choice
        With the ids of the images; those of the table where there is none. Left out are the slices that the table
        excludes, those it does not have, and those it uses but that have no image.
    """
    if rows is None:
        return Choice(OrderedDict(sorted(volumes.items(), key=lambda one: id_key(one[0]))), {})
    by_number = {number_of(slice_id): (slice_id, row) for slice_id, row in rows.items()}
    used: SliceVolumes = OrderedDict()
    left_out = {}
    for slice_id in sorted(volumes, key=id_key):
        _, row = by_number.pop(number_of(slice_id), (slice_id, None))
        if row is not None and is_used(row):
            used[slice_id] = volumes[slice_id]
        else:
            left_out[slice_id] = "it is not in the slice table" if row is None else why_excluded(row)
    left_out |= {one: why_excluded(row) or "there is no image of it" for one, row in by_number.values()}
    return Choice(used, _in_order(left_out))


def _in_order(reasons: Mapping[str, str]) -> dict[str, str]:
    return {slice_id: reasons[slice_id] for slice_id in sorted(reasons, key=id_key)}
