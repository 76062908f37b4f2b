"""One folder to make of another: a mosaic or a raw tile, as a list of files and how each is made."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ....errors import PlanError

Stamp = tuple[int, int]
"""Bytes, and ns of the last change."""


def copy_file(source: Path, out: Path) -> None:
    """Copy the bytes of a file, and nothing else of it."""
    shutil.copyfile(source, out)


@dataclass(frozen=True)
class FileStep:
    """A file that is made of one file of the source.

    Parameters
    ----------
    name : str
        Within the folder that is made, ``/`` between its parts.
    source : Path
        The file it is made of.
    stamp : tuple of int
        The state of that file: bytes, and ns of the last change.
    write : callable
        ``write(source, out)`` makes it.
    """

    name: str
    source: Path
    stamp: Stamp
    write: Callable[[Path, Path], None] = copy_file


@dataclass(frozen=True)
class LateStep:
    """A file that is made of the files that steps made, when all of those are there.

    Parameters
    ----------
    name : str
        Within the folder that is made, ``/`` between its parts.
    weight : int
        What it counts for in the progress, bytes.
    write : callable
        ``write(made, out)`` makes it of what lies in the folder `made`, if there is such a file at all.
    """

    name: str
    weight: int
    write: Callable[[Path, Path], None]


@dataclass(frozen=True)
class Job:
    """A folder to make of another.

    Parameters
    ----------
    source : Path
        The folder it is made of, which is only read.
    name : Path
        Of the folder that is made, relative to where all go.
    said : mapping
        What is done, fit for JSON: work that was begun goes on only if it says the same.
    steps : tuple of FileStep
        What is made of files of the source.
    late : tuple of LateStep
        What is made of those then.
    marks : mapping of str to bytes
        Files that are written last → their content.
    chunk_bytes : int
        About what is in memory while a file is made.
    """

    source: Path
    name: Path
    said: Mapping[str, Any]
    steps: tuple[FileStep, ...]
    late: tuple[LateStep, ...] = ()
    marks: Mapping[str, bytes] = field(default_factory=dict)
    chunk_bytes: int = 0

    @property
    def weight(self) -> int:
        """What it counts for in the progress, bytes."""
        return sum(step.stamp[0] for step in self.steps) + sum(step.weight for step in self.late)


def copy_job(source: Path, name: Path) -> Job:
    """Plan to copy a folder as it is.

    Raises
    ------
    PlanError
        As :func:`files_of` says.
    """
    steps = tuple(FileStep(one, source / one, stamp) for one, stamp in files_of(source).items())
    return Job(source, name, {"copy": True}, steps)


def stamp_of(path: Path) -> Stamp:
    """Give the state of a file: bytes, and ns of the last change."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def files_of(folder: Path) -> dict[str, Stamp]:
    """List the files in a folder and its folders.

    Parameters
    ----------
    folder : Path
        A folder, or a link to one.

    Returns
    -------
    dict of str to tuple of int
        Name within the folder, ``/`` between its parts → state of the file. In order.

    Raises
    ------
    PlanError
        Naming a link, pipe or device in it: what lies elsewhere is not part of it.
    """
    return dict(sorted(_files(folder, "")))


def _files(folder: Path, within: str) -> Iterator[tuple[str, Stamp]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = f"{within}{entry.name}"
            if entry.is_symlink():
                raise PlanError([f"{entry.path} is a link; only what lies in {folder.name} itself can be copied"])
            if entry.is_dir():
                yield from _files(Path(entry.path), f"{name}/")
            elif entry.is_file():
                yield name, stamp_of(Path(entry.path))
            else:
                raise PlanError([f"{entry.path} is a pipe or a device, and no file"])
