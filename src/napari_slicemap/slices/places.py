"""Whether something can be written where it was asked for, known before the work begins."""

from __future__ import annotations

from pathlib import Path


def why_no_folder(path: Path) -> str:
    """Say why a path cannot be a folder to write into; ``""`` where it is one, or can be made.

    Parameters
    ----------
    path : Path
        A folder, there or not.
    """
    for one in (path, *path.parents):
        if one.exists():
            return "" if one.is_dir() else f"{one} is a file, expected a folder"
    return ""


def why_no_file(path: Path) -> str:
    """Say why a path cannot be a file to write; ``""`` where it is one, or can be made.

    Parameters
    ----------
    path : Path
        A file, there or not.
    """
    return f"{path} is a folder, expected a file" if path.is_dir() else why_no_folder(path.parent)
