"""Which slices of a table a line of text asks for: words to find, or a condition such as ``quality < 0.3 and use``."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..errors import PlanError, listing
from .decision import is_used
from .slice_values import CANONICAL_COLUMNS, CHECKS, read_flag

Row = Mapping[str, Any]
Test = Callable[[Row], bool]
Give = Callable[[Row], Any]

ALIASES = {
    "id": "slice_id",
    "quality": "quality_score",
    "galvo": "galvo_confidence",
    "fix": "galvo_fix",
    "note": "notes",
    "excluded": "auto_excluded",
    "reason": "auto_exclude_reason",
    "method": "interpolation_method_used",
}
"""Short names of columns in conditions; ``used`` is what `use` and `auto_excluded` come to."""

_USED = "used"
_LONGEST = 1000
"""Characters; longer ones are no conditions that people write, and may nest too deeply."""
_ORDERED: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_EXAMPLE = "such as quality < 0.3 and use, or 'clot' in notes"


def filter_slices(rows: Mapping[str, Row], text: str) -> list[str]:
    """List the slices that a line of text asks for.

    Parameters
    ----------
    rows : mapping of str to mapping
        Slice id → row, as :func:`~.slice_config.read` gives it.
    text : str
        Words, all of which must stand somewhere in the row, in whatever column and case; or a condition: columns
        (or their short names, :data:`ALIASES`) compared by ``< <= > >= == != in``, joined by ``and``, ``or``,
        ``not``. A decision alone asks whether it is true, any other column alone whether it says something; an
        empty number is neither less nor more than any. Nothing asks for all.

    Returns
    -------
    list of str
        Ids, in the order of the table.

    Raises
    ------
    PlanError
        If it is a condition that cannot be read, or names a column that is not there.
    """
    test = slice_test(text, next(iter(rows.values()), {}))
    return [slice_id for slice_id, row in rows.items() if test(row)]


def slice_test(text: str, columns: Iterable[str]) -> Test:
    """Make the question of a line of text; see :func:`filter_slices`.

    Parameters
    ----------
    text : str
        Words or a condition.
    columns : iterable of str
        Those that the table has, besides the canonical ones.

    Raises
    ------
    PlanError
        As :func:`filter_slices`.
    """
    known = dict.fromkeys((*CANONICAL_COLUMNS, *columns))
    asked = text.strip()
    tree = _parsed(asked)
    if re.search(r"[<>=!]", asked):
        if tree is None:
            raise PlanError([f"{asked[:60]!r} is no condition; expected one {_EXAMPLE}"])
        return _truth(tree, known)
    if tree is not None and _is_condition(tree, known):
        return _truth(tree, known)
    return _words(asked.lower().split())


# --- words -------------------------------------------------------------------------------------------------
def _words(words: list[str]) -> Test:
    return lambda row: not words or _holds(row, words)


def _holds(row: Row, words: list[str]) -> bool:
    line = "\n".join([_text(value) for value in row.values() if value is not None]).lower()
    return all(word in line for word in words)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


# --- conditions --------------------------------------------------------------------------------------------
def _parsed(text: str) -> ast.expr | None:
    """Read a condition; ``None`` where it is none."""
    if not text or len(text) > _LONGEST:
        return None
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _is_condition(tree: ast.expr, known: Iterable[str]) -> bool:
    """Say whether text without a comparison is meant as a condition: it names nothing but columns."""
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    fits = isinstance(tree, ast.BoolOp | ast.UnaryOp | ast.Compare | ast.Name)
    return fits and bool(names) and all(name == _USED or ALIASES.get(name, name) in known for name in names)


def _truth(tree: ast.expr, known: Iterable[str]) -> Test:
    """Make the test of a part that is true or false."""
    if isinstance(tree, ast.BoolOp):
        parts = [_truth(part, known) for part in tree.values]
        if isinstance(tree.op, ast.And):
            return lambda row: all(part(row) for part in parts)
        return lambda row: any(part(row) for part in parts)
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not):
        inner = _truth(tree.operand, known)
        return lambda row: not inner(row)
    if isinstance(tree, ast.Compare):
        return _comparison(tree, known)
    if isinstance(tree, ast.Name):
        give = _column(tree.id, known)
        return lambda row: _says(give(row))
    raise PlanError([f"{ast.unparse(tree)!r} is neither true nor false; expected a condition {_EXAMPLE}"])


def _says(value: Any) -> bool:
    return value if isinstance(value, bool) else value not in (None, "")


def _comparison(tree: ast.Compare, known: Iterable[str]) -> Test:
    gives = [_operand(part, known) for part in (tree.left, *tree.comparators)]
    steps = [(_compare(op), gives[n], gives[n + 1]) for n, op in enumerate(tree.ops)]
    return lambda row: all(compare(left(row), right(row)) for compare, left, right in steps)


def _operand(tree: ast.expr, known: Iterable[str]) -> Give:
    if isinstance(tree, ast.Name) and tree.id not in ("true", "false"):
        return _column(tree.id, known)
    value = _constant(tree)
    return lambda _row: value


def _constant(tree: ast.expr) -> Any:
    """Read a number, text, truth value, or list of them."""
    if isinstance(tree, ast.Name):
        return tree.id == "true"
    if isinstance(tree, ast.List | ast.Tuple):
        return [_constant(part) for part in tree.elts]
    sign = -1 if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub) else 1
    inner = tree.operand if sign < 0 and isinstance(tree, ast.UnaryOp) else tree
    if isinstance(inner, ast.Constant):
        value = inner.value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return sign * value
        if sign > 0 and (value is None or isinstance(value, str | bool)):
            return value
    raise PlanError([f"{ast.unparse(tree)!r} is no column, number or text in quotes"])


def _column(name: str, known: Iterable[str]) -> Give:
    if name == _USED and name not in known:
        return is_used
    column = ALIASES.get(name, name) if name not in known else name
    if column not in known:
        short = [*ALIASES, _USED, *(one for one in known if one not in ALIASES.values())]
        raise PlanError([f"there is no column {name!r} (there is {listing(short, 30)}); texts go in quotes"])
    if CHECKS.get(column) is read_flag or column == "use":
        empty = column == "use"
        return lambda row: bool(row.get(column, empty))
    return lambda row: row.get(column)


def _compare(op: ast.cmpop) -> Callable[[Any, Any], bool]:
    if isinstance(op, ast.In):
        return _is_in
    if isinstance(op, ast.NotIn):
        return lambda left, right: not _is_in(left, right)
    if isinstance(op, ast.Is | ast.IsNot):
        raise PlanError(["compare by == or !=, not by is"])
    test = _ORDERED[type(op)]
    is_equality = isinstance(op, ast.Eq | ast.NotEq)

    def compare(left: Any, right: Any) -> bool:
        left, right = _alike(left, right)
        return test(left, right) if is_equality or _are_ordered(left, right) else False

    return compare


def _is_in(left: Any, right: Any) -> bool:
    """Say whether a text holds another one, in any case, or a list a value."""
    if isinstance(right, list):
        return any(operator.eq(*_alike(left, one)) for one in right)
    return left is not None and right is not None and _text(left).lower() in _text(right).lower()


def _alike(left: Any, right: Any) -> tuple[Any, Any]:
    """Make values comparable: ``"03"`` is 3 beside a number, empty text is none, and truth may be written out."""
    left, right = (None if one == "" else one for one in (left, right))
    if isinstance(left, str) and isinstance(right, bool | int | float):
        return _as(right, left), right
    if isinstance(right, str) and isinstance(left, bool | int | float):
        return left, _as(left, right)
    return left, right


def _as(model: float, text: str) -> Any:
    """Read text as what stands beside it; ``None`` where it is none."""
    if isinstance(model, bool):
        return {"true": True, "false": False}.get(text.lower())
    try:
        return float(text)
    except ValueError:
        return None


def _are_ordered(left: Any, right: Any) -> bool:
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    return numbers or (isinstance(left, str) and isinstance(right, str))
