"""Cell tables: one row a segmented cell."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from ..errors import FileFormatError, listing

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

    try:
        # as text first: a FOV called "NA" or "001" must stay what it is
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, pd.errors.ParserError) as error:
        raise FileFormatError(f"{path}: {error}") from None
    wanted = {"fov": columns.fov, "label": columns.label, "x": columns.x, "y": columns.y}
    if missing := [name for name in wanted.values() if name not in table.columns]:
        raise FileFormatError(
            f"{path}: no column {listing(missing)} (there is {listing(table.columns)}); "
            "name the right ones under [cell_columns] in slicemap.toml"
        )
    made = {key: table[name] for key, name in wanted.items()}
    made["fov"] = made["fov"].map(_stem)
    for key in ("label", "x", "y"):
        made[key] = _numbers(made[key], path, wanted[key])
    if (fraction := made["label"] % 1 != 0).any():
        raise FileFormatError(f"{path}, line {_line(fraction)}: {wanted['label']} is no whole number")
    made["label"] = made["label"].astype("int64")
    rest = {str(name): _numbers_or_text(table[name]) for name in table.columns if name not in wanted.values()}
    return pd.DataFrame(made | {name: column for name, column in rest.items() if name not in made})


def _stem(name: str) -> str:
    path = PurePath(name)
    return path.stem if path.suffix.lower() in (".tif", ".tiff") else name


def _numbers(column: pd.Series, path: Path, name: str) -> pd.Series:
    import numpy as np
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce")
    bad = ~np.isfinite(numbers.to_numpy(dtype=float))
    if bad.any():
        at = int(bad.argmax())
        raise FileFormatError(f"{path}, line {at + 2}: {name} is {column.iloc[at]!r}, expected a number")
    return numbers


def _line(mask: pd.Series) -> int:
    return int(mask.to_numpy().argmax()) + 2


def _numbers_or_text(column: pd.Series) -> pd.Series:
    import pandas as pd

    numbers = pd.to_numeric(column.replace("", None), errors="coerce")
    return numbers if bool((numbers.notna() | (column == "")).all()) else column
