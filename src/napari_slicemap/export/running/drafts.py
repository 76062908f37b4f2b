"""Files written under temporary names, made durable together, and named only then.

To wait for the disk once for many small files costs little more than for one of them.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Sequence
from pathlib import Path

from ...files import sha256, sync_folder, utf8


class Draft:
    """A file that is being written and will take the name of `target`.

    Parameters
    ----------
    target : Path
        The file to make or replace; its folder must exist.
    """

    def __init__(self, target: Path) -> None:
        self.target, self._named = target, False
        # named as those of `files.atomic_path`, so that one rule finds what a killed run left
        self.temporary = target.with_name(f".slicemap-{uuid.uuid4().hex}{target.suffix}")
        os.close(os.open(self.temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))

    def write(self, text: str) -> None:
        """Write UTF-8 text to it."""
        self.temporary.write_bytes(utf8(text))

    def sync(self) -> None:
        """Wait until what was written is on the disk."""
        handle = os.open(self.temporary, os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def take_name(self) -> None:
        """Replace the target; its permissions stay."""
        if self.target.exists():
            self.temporary.chmod(self.target.stat().st_mode & 0o777)
        self.temporary.replace(self.target)
        self._named = True

    def discard(self) -> None:
        """Remove what did not take its name."""
        if not self._named:
            self.temporary.unlink(missing_ok=True)


def sync_folders(folders: Sequence[Path]) -> None:
    """Make renames in some folders durable, where the system lets folders be synced."""
    for folder in dict.fromkeys(folders):
        sync_folder(folder)


def size_of(path: Path) -> int:
    """Give the bytes of a file, or of all files in a folder."""
    if not path.is_dir():
        return path.stat().st_size
    return sum(file.stat().st_size for file in _files(path))


def digest_of(path: Path) -> str:
    """Hash a file, or a folder with all that is in it.

    Returns
    -------
    str
        SHA-256. For a folder, that of a text with a line ``<sha256>  <relative path>`` for each file, sorted by
        path, which is what ``sha256sum`` prints.
    """
    if not path.is_dir():
        return sha256(path)
    lines = (f"{sha256(file)}  {file.relative_to(path).as_posix()}\n" for file in _files(path))
    return hashlib.sha256(utf8("".join(lines))).hexdigest()


def _files(folder: Path) -> list[Path]:
    found = (file for file in folder.rglob("*") if file.is_file())
    return sorted(found, key=lambda file: utf8(file.relative_to(folder).as_posix()))
