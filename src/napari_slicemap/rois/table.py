"""The ROI table: ``rois.csv``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pydantic

from ..errors import FileFormatError, UnknownNameError
from ..files import Row, explain, read_table, table_text, to_json, write_text
from .roi import Roi

COLUMNS = (
    "roi_id",
    "name",
    "fov",
    "map_id",
    "kind",
    "x_min",
    "x_max",
    "y_min",
    "y_max",
    "geometry",
    "profile",
    "tags",
    "comment",
    "created_at",
    "updated_at",
)


class RoiTable:
    """The ROIs of a dataset, in order; ids are unique, names need not be.

    The table is immutable: every change gives a new one.

    Parameters
    ----------
    rois : iterable of Roi
        The ROIs.

    Raises
    ------
    ValueError
        If an id stands twice.
    """

    def __init__(self, rois: Iterable[Roi] = ()) -> None:
        self._rois: dict[str, Roi] = {}
        for roi in rois:
            if roi.roi_id in self._rois:
                raise ValueError(f"ROI id {roi.roi_id} stands twice")
            self._rois[roi.roi_id] = roi

    def __iter__(self) -> Iterator[Roi]:
        return iter(self._rois.values())

    def __len__(self) -> int:
        return len(self._rois)

    def __contains__(self, roi_id: object) -> bool:
        return roi_id in self._rois

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RoiTable) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __getitem__(self, roi_id: str) -> Roi:
        """Give the ROI of an id.

        Raises
        ------
        UnknownNameError
            If there is none.
        """
        if roi_id not in self._rois:
            raise UnknownNameError("ROI", roi_id, [roi.label for roi in self])
        return self._rois[roi_id]

    def find(self, name_or_id: str) -> list[Roi]:
        """Give the ROI of an id, or all ROIs of a name.

        Raises
        ------
        UnknownNameError
            If nothing matches.
        """
        if name_or_id in self._rois:
            return [self._rois[name_or_id]]
        found = [roi for roi in self if roi.name == name_or_id]
        if not found:
            raise UnknownNameError("ROI", name_or_id, [roi.label for roi in self])
        return found

    def with_roi(self, roi: Roi) -> RoiTable:
        """Return a table in which `roi` is added, or replaces the one of its id in its place."""
        return RoiTable({**self._rois, roi.roi_id: roi}.values())

    def without(self, roi_id: str) -> RoiTable:
        """Return a table that lacks one ROI."""
        return RoiTable(roi for roi in self if roi.roi_id != roi_id)

    def next_name(self, pattern: str = "ROI_{:03d}") -> str:
        """Give the first name of a pattern that no ROI has."""
        taken = {roi.name for roi in self}
        number = 1
        while (name := pattern.format(number)) in taken:
            number += 1
        return name

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> RoiTable:
        """Read ``rois.csv``.

        Raises
        ------
        FileFormatError
            Naming file, line and column: a table that cannot be read is never taken as empty.
        """
        rois = []
        seen: dict[str, str] = {}
        for row in read_table(path, COLUMNS[:9]):
            roi = _roi(row)
            if roi.roi_id in seen:
                raise FileFormatError(f"{row.where}: roi_id {roi.roi_id} stands twice, first in {seen[roi.roi_id]}")
            seen[roi.roi_id] = row.where
            rois.append(roi)
        return cls(rois)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write ``rois.csv`` atomically."""
        write_text(Path(path), table_text(COLUMNS, map(cells_of, self)))


def _roi(row: Row) -> Roi:
    if not text_cell(row, "roi_id"):
        raise FileFormatError(f"{row.where}: roi_id is empty; give each ROI an id that no other has")
    unknown = [name for name in row.cells if name not in COLUMNS]
    if unknown:
        raise FileFormatError(f"{row.where}: unknown column {', '.join(unknown)}; expected {', '.join(COLUMNS)}")
    fields: dict[str, object] = {name: text_cell(row, name) for name in COLUMNS if text_cell(row, name)}
    # a time that nobody wrote down is unknown, and not now
    fields = {"created_at": "", "updated_at": "", **fields}
    for name in ("x_min", "x_max", "y_min", "y_max"):
        fields[name] = row.number(name)
    if "geometry" in fields:
        try:
            fields["geometry"] = json.loads(row["geometry"])
        except json.JSONDecodeError as error:
            raise FileFormatError(f"{row.where}: geometry is no valid JSON ({error.msg})") from None
        except (ValueError, RecursionError):  # a number of thousands of digits, lists within lists within lists
            raise FileFormatError(
                f"{row.where}: geometry is no shape: too long a number, or nested too deeply"
            ) from None
    fields["tags"] = split_tags(text_cell(row, "tags"), ";")
    try:
        return Roi.model_validate(fields)
    except pydantic.ValidationError as error:
        raise FileFormatError(f"{row.where}: {explain(error)}") from None


def cells_of(roi: Roi) -> dict[str, object]:
    """Give the cells of a row, by column."""
    cells = roi.model_dump(exclude={"geometry", "tags"})
    for name in ("x_min", "x_max", "y_min", "y_max"):
        cells[name] = repr(cells[name]).removesuffix(".0")  # the shortest text that reads back as the same number
    geometry = "" if roi.geometry is None else to_json(roi.geometry, indent=None)
    return {**cells, "geometry": geometry, "tags": ";".join(roi.tags)}


def split_tags(text: str, separator: str) -> tuple[str, ...]:
    """Split joined tags; blanks around them go, each stands once."""
    return tuple(dict.fromkeys(tag.strip() for tag in text.split(separator) if tag.strip()))


def text_cell(row: Row, column: str) -> str:
    """Read a text cell; a ``nan`` that pandas wrote for a missing value is empty again ("NA" stays "NA")."""
    return "" if row[column].lower() == "nan" else row[column]
