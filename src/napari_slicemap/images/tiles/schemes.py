"""Which pattern the names of tiles follow, found by looking at the names alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from random import Random

from .names import TilePattern

_BEFORE, _AFTER, _BETWEEN = r"(?<![A-Za-z])", r"(?![A-Za-z0-9])", r"[_\- ]?"
_ROW, _COL = r"r(?:ow)?[_\-]?(?P<row>[0-9]+)", r"c(?:ol(?:umn)?)?[_\-]?(?P<col>[0-9]+)"
_X, _Y = r"x[_\-]?(?P<col>[0-9]+)", r"y[_\-]?(?P<row>[0-9]+)"
_LETTERED = [
    re.compile(_BEFORE + first + _BETWEEN + second + _AFTER, re.IGNORECASE)
    for first, second in ((_ROW, _COL), (_COL, _ROW), (_X, _Y), (_Y, _X))
]
_NUMBERED = re.compile(r"(?:(?<=[_\-. ])|^)(?P<row>[0-9]+)[_\-](?P<col>[0-9]+)(?=(?:[_\-. ][^_\-. 0-9][^_\-. ]*)*$)")
"""Two plain numbers that only words follow."""
_STACK = re.compile(r"(?P<axis>[zt])[0-9]+", re.IGNORECASE)
_CHANNEL = re.compile(r"(?:ch|channel|w)[0-9]+", re.IGNORECASE)
_COUNTED = re.compile(r"(?P<before>[A-Za-z]*)[0-9]+")
_MOST = 3000
"""Names that a pattern is made from; it is held against all of them."""
_LEAST_FILLED = 0.25
"""Share of a grid's places that have a tile; where it is less, the numbers are no rows and columns."""


def find_pattern(paths: Sequence[str]) -> str:
    """Find the pattern that tiles are named by.

    Parameters
    ----------
    paths : sequence of str
        Of images below the data folder, with ``/``, all equally deep.

    Returns
    -------
    str
        Such as ``"{slice}_{row}_{col}_{channel}.tif"``; empty where the names do not tell rows and columns beyond
        doubt: both stand in each name, tell all tiles apart, and count through a grid.
    """
    paths = _of_usual_ending(paths)
    # drawn at random, always alike: each so-manieth name would always be of the same channel
    some = paths if len(paths) <= _MOST else Random(0).sample(paths, _MOST)
    for scheme in (*_LETTERED, _NUMBERED):
        cut = [found for path in some if (found := _cut(path, scheme))]
        if len(cut) < max(2, 0.75 * len(some)):
            continue
        text = _with_open_parts(cut)
        if text and _counts_a_grid(TilePattern(text), paths, both=scheme is _NUMBERED):
            return text
    return ""


def counted_pattern(paths: Sequence[str]) -> str:
    """Find the pattern of images that are only counted, such as ``"tile_{index}.tif"``.

    Parameters
    ----------
    paths : sequence of str
        As for :func:`find_pattern`.

    Returns
    -------
    str
        Empty unless just one number in the names differs from image to image.
    """
    paths = _of_usual_ending(paths)
    pieces = [re.split(r"([0-9]+)", path) for path in paths]
    if len(paths) < 2 or len(set(map(len, pieces))) > 1:
        return ""
    varying = [at for at, column in enumerate(zip(*pieces, strict=True)) if len(set(column)) > 1]
    if len(varying) != 1 or varying[0] % 2 == 0:
        return ""
    return "".join("{index}" if at == varying[0] else piece for at, piece in enumerate(pieces[0]))


def _of_usual_ending(paths: Sequence[str]) -> list[str]:
    """Leave out what is of another kind than most of the files."""
    endings = [path[path.rfind(".") :] for path in paths]
    usual = Counter(endings).most_common(1)
    return [path for path, ending in zip(paths, endings, strict=True) if ending == usual[0][0]]


def _cut(path: str, scheme: re.Pattern[str]) -> tuple[str, str, str] | None:
    """Cut a path into what stands before row and column, those two as parts of a pattern, and what follows."""
    folder, name, ending = path.rpartition("/")[0], PurePosixPath(path).stem, PurePosixPath(path).suffix
    found = next(iter(scheme.finditer(name)), None)
    if found is None or set("{}*") & set(path):  # which a pattern could not say
        return None
    (first, *_), (second, *_) = sorted((found.span(part), part) for part in ("row", "col"))
    names = sorted(("row", "col"), key=found.start)
    middle = f"{name[found.start() : first[0]]}{{{names[0]}}}{name[first[1] : second[0]]}{{{names[1]}}}"
    before = f"{folder}/" if "/" in path else ""
    return before + name[: found.start()], middle, name[found.end() :] + ending


def _with_open_parts(cut: Sequence[tuple[str, str, str]]) -> str:
    """Put a pattern together: what is the same in all names stays, what differs becomes a part."""
    heads, middles, tails = (list(column) for column in zip(*cut, strict=True))
    if len(set(middles)) > 1:
        return ""
    head, tail = _opened(heads, "slice"), _opened(tails, "channel")
    text = "" if head is None or tail is None else head + middles[0] + tail
    # an axis that both sides name would be read from the first of them only
    return "" if any(text.count(f"{{{axis}}}") > 1 for axis in "zt") else text


def _opened(texts: list[str], what: str) -> str | None:
    """Name the words of some texts that differ; ``None`` where it is not clear what they say."""
    if len(set(texts)) == 1:
        return _with_slice(texts[0]) if what == "slice" else texts[0]
    words = [re.split(r"([_\-. /]+)", text) for text in texts]
    if len(set(map(len, words))) > 1:
        return _as_one_word(texts, what)
    columns = list(zip(*words, strict=True))
    if any(len(set(column)) > 1 for column in columns[1::2]):
        return _as_one_word(texts, what)
    made = [column[0] if len(set(column)) == 1 else _part(column, what) for column in columns]
    opened = {columns[at] for at, part in enumerate(made) if part != columns[at][0] and f"{{{what}}}" in part}
    return "".join(made) if len(opened) < 2 else _as_one_word(texts, what)


def _with_slice(text: str) -> str:
    """Take the only number before rows and columns for the slice's: its id is then the same beside other slices."""
    words = re.split(r"([_\-. /]+)", text)
    counted = [at for at, word in enumerate(words) if _COUNTED.fullmatch(word)]
    if len(counted) == 1 and not (_STACK.fullmatch(words[counted[0]]) or _CHANNEL.fullmatch(words[counted[0]])):
        words[counted[0]] = re.sub("[0-9]+", "{slice}", words[counted[0]])
    return "".join(words)


def _part(words: Sequence[str], what: str) -> str:
    """Name a word that differs from name to name."""
    if all(found := [_STACK.fullmatch(word) for word in words]) and len({word[0] for word in words}) == 1:
        axis = str(found[0]["axis"]) if found[0] else ""
        return f"{axis}{{{axis.lower()}}}"
    if all(_CHANNEL.fullmatch(word) for word in words):
        return "{channel}"
    counted = [_COUNTED.fullmatch(word) for word in words]
    before = {found["before"] for found in counted if found}
    if what == "slice" and all(counted) and len(before) == 1:
        return f"{before.pop()}{{slice}}"
    return f"{{{what}}}"


def _as_one_word(texts: Iterable[str], what: str) -> str | None:
    """Take all but the separators at the ends for one part."""
    ends = [re.fullmatch(r"([_\-. ]*)(?:.*?[^_\-. ])?([_\-. ]*(?:\.[^.]*)?)", text) for text in texts]
    around = {(found[1], found[2]) if what == "channel" else ("", found[2]) for found in ends if found}
    if len(around) != 1 or any("/" in text for text in texts):
        return None
    first, last = around.pop()
    return f"{first}{{{what}}}{last}"


def _counts_a_grid(pattern: TilePattern, paths: Sequence[str], *, both: bool) -> bool:
    """Say whether names count through the rows and columns of a grid, each place once."""
    found = [read for path in paths if (read := pattern.read(path))]
    if len(found) < max(2, 0.75 * len(paths)):
        return False
    cells = {(int(one["row"]), int(one["col"])) for one in found}
    rows, columns = ({cell[axis] for cell in cells} for axis in (0, 1))
    if len(rows) * len(columns) == 1 or (both and 1 in (len(rows), len(columns))):
        return False
    places = (max(rows) - min(rows) + 1) * (max(columns) - min(columns) + 1)
    alone = {tuple(int(text) if text.isdecimal() else text for text in one.values()) for one in found}
    return len(cells) >= _LEAST_FILLED * places and len(alone) == len(found)
