"""Knowing what earlier runs have done: a mark for each finished output, and a note of what a run is about to write."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from ...errors import FileFormatError
from ...files import FileModel, read_json, write_json
from ..records.provenance import sidecar_path
from .drafts import digest_of, size_of

DONE_FOLDER = ".slicemap-done"
_BEGUN = "begun.json"


class Mark(FileModel):
    """What is kept of a finished output.

    Parameters
    ----------
    version : int
        1.
    token : str
        Of what it was made from; see :func:`~.provenance.token`.
    bytes : int
        Its size.
    sha256 : str
        Its hash; that of a folder is over all of its files.
    warnings : tuple of str
        As in its result.
    """

    version: Literal[1] = 1
    token: str
    bytes: Annotated[int, Field(ge=0)]
    sha256: str
    warnings: tuple[str, ...] = ()


class _Begun(FileModel):
    version: Literal[1] = 1
    outputs: tuple[str, ...] = ()


def mark_path(output: Path) -> Path:
    """Give the file of an output's mark."""
    return output.parent / DONE_FOLDER / f"{output.name}.json"


def mark_text(token: str, output: Mapping[str, Any], warnings: Iterable[str]) -> str:
    """Write the mark of a finished output (its :func:`~.provenance.output_part`)."""
    mark = Mark(token=token, bytes=output["bytes"], sha256=output["sha256"], warnings=tuple(warnings))
    return json.dumps(mark.model_dump(), ensure_ascii=False) + "\n"


class Earlier:
    """What earlier runs have left in an output folder.

    Parameters
    ----------
    folder : Path
        The folder.
    cells : mapping of str to Mark
        Marks that are kept in the record that many cell crops share, by name of the output.
    """

    def __init__(self, folder: Path, cells: Mapping[str, Mark]) -> None:
        self.folder, self._cells = folder, cells
        self._begun = set(_begun(folder))

    def is_ours(self, output: Path) -> bool:
        """Say whether a file that is there was written by an export: finished, or begun by a run that was killed."""
        return output.name in self._begun or output.name in self._cells or mark_path(output).is_file()

    def was_begun(self, output: Path) -> bool:
        """Say whether a file that is there may be what a run that was killed has left unmarked."""
        return output.name in self._begun and not mark_path(output).is_file() and output.name not in self._cells

    def standing(self, output: Path, token: str) -> Mark | None:
        """Give the mark of an output that need not be made anew: it is there, whole, and made from the same."""
        for mark, shared in ((_read_mark(output), False), (self._cells.get(output.name), True)):
            if mark is None or mark.token != token or not output.exists():
                continue
            if not shared and not sidecar_path(output).is_file():
                continue
            if size_of(output) == mark.bytes and digest_of(output) == mark.sha256:
                return mark
        return None


def _read_mark(output: Path) -> Mark | None:
    path = mark_path(output)
    try:
        return Mark.from_data(read_json(path), path)
    except (FileNotFoundError, FileFormatError):  # one that says nothing proves nothing: the output is made anew
        return None


def _begun(folder: Path) -> tuple[str, ...]:
    path = folder / DONE_FOLDER / _BEGUN
    return _Begun.from_data(read_json(path), path).outputs if path.is_file() else ()


def note_begun(folder: Path, outputs: Iterable[Path]) -> None:
    """Note what a run is about to write: a file that it leaves unmarked, should it be killed, is known as ours then."""
    names = dict.fromkeys([*_begun(folder), *(output.name for output in outputs)])
    write_json(folder / DONE_FOLDER / _BEGUN, _Begun(outputs=tuple(names)))


def note_ended(folder: Path, finished: Iterable[Path]) -> None:
    """Note at the end of a run what is marked now; what is there and is not stays noted as begun."""
    done = {output.name for output in finished}
    left = [name for name in _begun(folder) if name not in done and (folder / name).exists()]
    path = folder / DONE_FOLDER / _BEGUN
    if left:
        write_json(path, _Begun(outputs=tuple(left)))
    else:
        path.unlink(missing_ok=True)
