"""A report as one HTML file that needs nothing else: no network, no script, no folder of pictures beside it."""

from __future__ import annotations

import base64
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...files import write_text
from .templating import template

_TEMPLATE = Path(__file__).parent / "templates" / "page.html.j2"
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Plot:
    """One number of every slice, drawn as a dot each.

    Parameters
    ----------
    title : str
        What the number is, such as ``"Quality score"``.
    axis : str
        The label of the axis, with its unit, such as ``"shift (µm)"``.
    ids : tuple of str
        Slice ids, in the order to draw.
    values : tuple of float or None
        One for each id; ``None``, NaN and infinities leave a gap.
    used : tuple of bool
        Whether the slice takes part, for each id; those that do not are drawn hollow.
    limit : float or None
        A threshold to draw as a dashed line.
    limit_label : str
        What the threshold is, such as ``"--min-quality"``; its number is added.

    Raises
    ------
    ValueError
        If there are not as many values and decisions as ids, or the limit is no finite number.
    """

    title: str
    axis: str
    ids: tuple[str, ...]
    values: tuple[float | None, ...]
    used: tuple[bool, ...]
    limit: float | None = None
    limit_label: str = ""

    def __post_init__(self) -> None:
        if not len(self.ids) == len(self.values) == len(self.used):
            counts = f"{len(self.ids)} ids, {len(self.values)} values and {len(self.used)} decisions"
            raise ValueError(f"plot {self.title!r}: {counts}, expected as many of each")
        if self.limit is not None and not math.isfinite(self.limit):
            raise ValueError(f"plot {self.title!r}: the limit is {self.limit}, expected a finite number")


@dataclass(frozen=True)
class Thumbnail:
    """A small picture of a slice.

    Parameters
    ----------
    slice_id : str
        The slice.
    png : bytes
        The picture, as :func:`~napari_slicemap.slices.reports.thumbnails.thumbnail_png` makes it.
    caption : str
        A word on it, such as its score; it may be empty.
    used : bool
        Whether the slice takes part; if not, the picture is crossed out.

    Raises
    ------
    ValueError
        If the bytes are no PNG.
    """

    slice_id: str
    png: bytes
    caption: str
    used: bool

    def __post_init__(self) -> None:
        if not self.png.startswith(_PNG):
            raise ValueError(f"thumbnail of slice {self.slice_id}: the bytes are no PNG")

    @property
    def data_uri(self) -> str:
        """The picture as text that can stand in a page."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode('ascii')}"


@dataclass(frozen=True)
class Table:
    """Rows of text, usually one a slice.

    Parameters
    ----------
    columns : tuple of str
        The header.
    rows : tuple of tuple of str
        As many cells in each as there are columns.
    used : tuple of bool
        Whether the slice of each row takes part, to grey the others; empty where rows are not of slices.

    Raises
    ------
    ValueError
        If a row is too long or too short, or there are not as many decisions as rows.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    used: tuple[bool, ...] = ()

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows, 1):
            if len(row) != len(self.columns):
                raise ValueError(f"table row {number}: {len(row)} cells, expected {len(self.columns)} as in the header")
        if self.used and len(self.used) != len(self.rows):
            raise ValueError(f"table: {len(self.used)} decisions, expected one for each of {len(self.rows)} rows")


@dataclass(frozen=True)
class Page:
    """What a report says.

    Parameters
    ----------
    title : str
        The heading.
    facts : mapping of str to str
        What was asked and what came out, in the order to show, such as ``{"Slices used": "27 of 30"}``.
    plots : tuple of Plot
        One for each number.
    thumbnails : tuple of Thumbnail
        Pictures, in the order to show.
    table : Table or None
        The details.
    """

    title: str
    facts: Mapping[str, str] = field(default_factory=dict)
    plots: tuple[Plot, ...] = ()
    thumbnails: tuple[Thumbnail, ...] = ()
    table: Table | None = None


def write_page(path: str | os.PathLike[str], page: Page) -> None:
    """Write a report as one HTML file, atomically; parent folders are made.

    Parameters
    ----------
    path : path-like
        The file to make or replace.
    page : Page
        What it says. All text is escaped: a note may hold ``<script>``.
    """
    write_text(path, page_html(page))


def page_html(page: Page) -> str:
    """Give a report as the text of one HTML file; the same page gives the same text."""
    from .chart import chart

    return template(_TEMPLATE).render(page=page, charts=[chart(plot) for plot in page.plots])
