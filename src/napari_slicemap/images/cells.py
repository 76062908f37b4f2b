"""Cell tables: one row a segmented cell."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from ..errors import FileFormatError, listing
from ..files import read_columns
from .region import LARGEST_PX

if TYPE_CHECKING:
    import pandas as pd

    from .acquisition import CellColumns


def read_cells(path: Path, columns: CellColumns) -> pd.DataFrame:
    """Read a cell table.

    Parameters
    ----------
    path : Path
        CSV, UTF-8.
    columns : CellColumns
        Which of its columns hold FOV, label and centroid.

    Returns
    -------
    pandas.DataFrame
        Columns ``fov`` (text; an image file name is cut to its stem), ``label`` (int), ``x``, ``y``
        (centroid, FOV px), then every other column as it is called in the file, as numbers where all of its
        cells are numbers and as text otherwise.

    Raises
    ------
    FileFormatError
        Naming file, line and column.
    """
    import pandas as pd

    # as text first: a FOV called "NA" or "001" must stay what it is
    table, lines = read_columns(path)
    wanted = {"fov": columns.fov, "label": columns.label, "x": columns.x, "y": columns.y}
    if missing := [name for name in wanted.values() if name not in table]:
        raise FileFormatError(
            f"{path}: no column {listing(missing)} (there is {listing(table)}); "
            "name the right ones under [cell_columns] in slicemap.toml"
        )
    made: dict[str, Any] = {"fov": pd.Series([_stem(name) for name in table[columns.fov]], dtype=str)}
    for key in ("label", "x", "y"):
        made[key] = _numbers(table[wanted[key]], path, wanted[key], lines)
    for key in ("x", "y"):
        _refuse_far(made[key], path, wanted[key], lines)
    made["label"] = _whole(made["label"], path, columns.label, lines)
    rest = {name: _numbers_or_text(cells) for name, cells in table.items() if name not in wanted.values()}
    return pd.DataFrame(made | {name: column for name, column in rest.items() if name not in made})


def _stem(name: str) -> str:
    path = PurePath(name)
    return path.stem if path.suffix.lower() in (".tif", ".tiff") else name


def _numbers(cells: list[str], path: Path, name: str, lines: list[int]) -> pd.Series:
    import numpy as np
    import pandas as pd

    numbers = pd.to_numeric(pd.Series(cells, dtype=str), errors="coerce").astype(float)
    bad = ~np.isfinite(numbers.to_numpy())
    if bad.any():
        at = int(bad.argmax())
        raise FileFormatError(f"{path}, line {lines[at]}: {name} is {cells[at]!r}, expected a number")
    return numbers


def _refuse_far(numbers: pd.Series, path: Path, name: str, lines: list[int]) -> None:
    bad = (numbers.abs() > LARGEST_PX / 2).to_numpy()  # a crop around it must not end beyond
    if bad.any():
        at = int(bad.argmax())
        raise FileFormatError(
            f"{path}, line {lines[at]}: {name} is {numbers.iloc[at]:g}, which is no place on an image"
        )


def _whole(numbers: pd.Series, path: Path, name: str, lines: list[int]) -> pd.Series:
    # above 2⁵³ a float no longer tells whole numbers apart
    bad = ((numbers % 1 != 0) | (numbers.abs() > 2**53)).to_numpy()
    if bad.any():
        at = int(bad.argmax())
        raise FileFormatError(f"{path}, line {lines[at]}: {name} is {numbers.iloc[at]:g}, expected a whole number")
    return numbers.astype("int64")


def _numbers_or_text(cells: list[str]) -> pd.Series:
    import pandas as pd

    column = pd.Series(cells, dtype=str)
    # what R and pandas write for a missing number
    missing = column.isin(("", "NA", "NaN", "nan"))
    numbers = pd.to_numeric(column.mask(missing), errors="coerce")
    return numbers if bool((numbers.notna() | missing).all()) and not bool(missing.all()) else column
