"""What lies in a folder, by name.

Folders of tiles hold a hundred thousand files, and each reader looks at them: entries are told apart by what the
folder itself says of them, and only those wanted become paths.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def files_in(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """List the files of a folder by name; hidden ones are left out.

    Parameters
    ----------
    folder : Path
        The folder.
    endings : tuple of str
        Of the files that are wanted, in lower case; those of the files may be in either.

    Raises
    ------
    OSError
        If the folder may not be looked into, or there is none.
    """
    with os.scandir(folder) as entries:
        names = [one.name for one in entries if one.name.lower().endswith(endings) and _is(one.is_file)]
    return [folder / name for name in sorted(names) if not name.startswith(".")]


def folders_in(folder: Path) -> list[Path]:
    """List the folders in a folder by name; hidden ones are left out.

    Raises
    ------
    OSError
        As :func:`files_in`.
    """
    with os.scandir(folder) as entries:
        names = [one.name for one in entries if _is(one.is_dir)]
    return [folder / name for name in sorted(names) if not name.startswith(".")]


def _is(kind: Callable[[], bool]) -> bool:
    try:
        return kind()
    except OSError:  # a link that leads to itself
        return False
