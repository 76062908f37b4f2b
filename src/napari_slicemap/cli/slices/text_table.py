"""Tables of text for a terminal: words are never cut, cells wrap between them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

_GAP = "  "


def table_lines(columns: Mapping[str, Sequence[str]], width: int) -> Iterator[list[str]]:
    """Lay out columns of text.

    Parameters
    ----------
    columns : mapping of str to sequence of str
        Header → a cell for each row.
    width : int
        Characters that a line should have at most. A table whose longest words need more gets more.

    Yields
    ------
    list of str
        The lines of the header, then those of each row, without blanks at their ends.
    """
    pairs = list(columns.items())
    natural = [max(map(_length, [name, *cells])) for name, cells in pairs]
    least = [max(map(_longest_word, [_breakable(name), *cells])) for name, cells in pairs]
    widths = _fitted(natural, least, width - len(_GAP) * (len(pairs) - 1))
    yield _side_by_side([_header(name, room) for name, room in zip(columns, widths, strict=True)], widths)
    for row in zip(*columns.values(), strict=True):
        yield _side_by_side([_wrapped(cell, room) for cell, room in zip(row, widths, strict=True)], widths)


def _breakable(name: str) -> str:
    """Let the name of a column break after each underscore."""
    return name.replace("_", "_ ")


def _header(name: str, width: int) -> list[str]:
    lines = [name] if len(name) <= width else _wrapped(_breakable(name), width)
    return [line.replace("_ ", "_") for line in lines]


def _length(cell: str) -> int:
    return max(map(len, cell.splitlines()), default=0)


def _longest_word(cell: str) -> int:
    return max(map(len, re.split(r"\s+", cell)))


def _fitted(natural: Sequence[int], least: Sequence[int], width: int) -> list[int]:
    """Take from the widest columns until all fit, or none can give more."""
    widths = list(natural)
    while sum(widths) > width:
        able = [n for n, (now, low) in enumerate(zip(widths, least, strict=True)) if now > low]
        if not able:
            break
        widths[max(able, key=lambda n: widths[n])] -= 1
    return widths


def _wrapped(cell: str, width: int) -> list[str]:
    if len(cell) <= width and "\n" not in cell:
        return [cell]
    lines = (
        textwrap.wrap(line, max(width, 1), break_long_words=False, break_on_hyphens=False) for line in cell.splitlines()
    )
    return [part for line in lines for part in line]


def _side_by_side(cells: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
    lines = zip_longest(*cells, fillvalue="")
    return [_GAP.join(part.ljust(room) for part, room in zip(line, widths, strict=True)).rstrip() for line in lines]
