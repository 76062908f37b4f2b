"""One run at a time into a folder, and away with what dead runs left there."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import PlanError

LOCK_FILE = ".slicemap-lock"
_TEMPORARY = re.compile(r"\.slicemap-[0-9a-f]{32}(\..+)?")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder.

    The lock is the system's, on a file that stays: it ends with the process, however that ends.

    Raises
    ------
    PlanError
        If another run is writing there, or the folder cannot be locked.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK_FILE, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise PlanError(
            [f"another export is writing into {folder}; wait until it ends, or choose another output folder"]
        ) from None
    except OSError as error:
        raise PlanError([f"{folder} cannot be written to: {error.strerror}; choose another output folder"]) from None
    try:
        yield
    finally:
        lock.release()


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files and folders that runs which were killed have left; nothing else is touched."""
    if not folder.is_dir():
        return
    for path in list(folder.iterdir()):
        if not _TEMPORARY.fullmatch(path.name) or path.is_symlink():
            continue
        if path.is_dir():
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()
