"""Which cells a plan chooses: by FOV, by label, or by a condition on the cell table."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import numpy as np

from ...dataset import Dataset
from ...errors import PlanError, UnknownNameError, listing
from ..plan import Select

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


def chosen_cells(select: Select, dataset: Dataset) -> pd.DataFrame:
    """Give the rows of the cell table that are chosen.

    Raises
    ------
    PlanError
        If there is no table, no cell fits, or what is named does not exist.
    """
    table = dataset.cells
    if table is None:
        raise PlanError([f"dataset {dataset.name} has no cell table; name it as `cells` in slicemap.toml"])
    mask = np.full(len(table), select.all)
    faults: list[str] = []
    for wanted in select.ids:
        try:
            mask |= _cell_mask(wanted, table, dataset)
        except PlanError as error:
            faults += error.faults
    if faults:
        raise PlanError(faults)
    if select.query:
        mask |= query_cells(table, select.query)
    chosen = table[mask]
    if strangers := sorted(set(chosen["fov"]) - set(dataset.fovs)):
        raise PlanError([f"the cell table names FOVs that do not exist: {listing(strangers, 5)}"])
    if chosen.empty:
        raise PlanError([f"no cell fits the choice; the table has {len(table)} cells"])
    return chosen


def _cell_mask(wanted: str, table: pd.DataFrame, dataset: Dataset) -> NDArray[np.bool_]:
    if wanted in dataset.fovs:
        return np.asarray(table["fov"] == wanted)
    fov, _, label = wanted.rpartition(":")
    if fov not in dataset.fovs:
        raise PlanError([str(UnknownNameError("FOV", fov or wanted, dataset.fovs))])
    found = np.asarray((table["fov"] == fov) & (table["label"].astype(str) == label))
    if not found.any():
        raise PlanError([f"FOV {fov} has no cell {label} in the cell table"])
    return found


_LONGEST_QUERY = 1000  # longer ones are no conditions that people write, and may nest too deeply to be run
_SAFE_NODES = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd, ast.BinOp, ast.Add,
    ast.Sub, ast.Mult, ast.Div, ast.Mod, ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt,
    ast.GtE, ast.In, ast.NotIn, ast.Name, ast.Load, ast.Constant, ast.List, ast.Tuple, ast.BitAnd, ast.BitOr,
    ast.Invert,
)  # fmt: skip


def query_cells(table: pd.DataFrame, query: str) -> NDArray[np.bool_]:
    """Say for which cells a condition holds.

    Parameters
    ----------
    table : pandas.DataFrame
        The cell table.
    query : str
        Comparisons of columns with values, joined by and, or, not; such as ``"area > 50 and fov == 'r2c3'"``.
        Column names that are no words go in backticks.

    Returns
    -------
    ndarray of bool, one for each cell

    Raises
    ------
    PlanError
        If it is no such condition, or names a column that does not exist. Calls and attributes are refused: a
        plan is data, and must not run code.
    """
    columns = f"(columns: {listing(map(str, table.columns))})"
    condition, quoted = _checked(query.strip())
    if strangers := [name for name in quoted if name not in table.columns]:
        raise PlanError([f"query {query!r}: no column {listing(strangers)} {columns}"])
    try:
        # with empty scopes no name but a column's means anything
        found = table.rename(columns=quoted).eval(condition, engine="python", local_dict={}, global_dict={})
    except (NameError, KeyError, TypeError, ValueError, AttributeError, SyntaxError, NotImplementedError) as error:
        raise PlanError([f"query {query!r}: {error} {columns}"]) from None
    holds = np.asarray(found)
    if holds.dtype != bool:
        raise _no_condition(query)
    return np.broadcast_to(holds, len(table))


def _checked(query: str) -> tuple[str, dict[str, str]]:
    """Give a condition free of code, and the word that stands in it for each column named in backticks.

    The text given back is made from what was checked, so that nothing else can run.
    """
    quoted: dict[str, str] = {}

    def as_word(found: re.Match[str]) -> str:
        return found[0] if found[1] is None else quoted.setdefault(found[1], f"quoted_{len(quoted)}_")

    # texts in quotes are matched first: a backtick inside one quotes no column
    words = re.sub(r"""'[^']*'|"[^"]*"|`([^`]*)`""", as_word, query)
    try:
        tree = ast.parse(words, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _no_condition(query) from None
    if len(query) > _LONGEST_QUERY or not all(isinstance(node, _SAFE_NODES) for node in ast.walk(tree)):
        raise _no_condition(query)
    return ast.unparse(tree), quoted


def _no_condition(query: str) -> PlanError:
    asked = query if len(query) <= _LONGEST_QUERY else f"{query[:60]}…"
    return PlanError([f"query {asked!r}: expected comparisons such as area > 50 and label in [1, 2]"])
