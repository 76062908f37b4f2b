"""One record for many cell crops, instead of a sidecar for each.

While a run is under way, a line for each finished crop is added to a journal, a group of them at a time. At its end,
or at the start of the next run if it was killed, the journal becomes part of ``export.provenance.json``:

``{"version": 1, "runs": [{"version", "software", "dataset", "plan", "profile", "created_at", "items": [...],
"sources": [{"path", "size", "mtime"}]}]}``; each of ``items`` is ``{"item", "sources", "map", "region",
"pixel_size_um", "downsample", "level", "missing_tiles", "warnings", "token", "output"}``
where ``sources`` are places in the list of the run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from ...errors import FileFormatError
from ...files import atomic_path, now_iso, read_json, utf8
from ..running.resume import DONE_FOLDER, Mark, mark_path
from ..running.runner import ExportResult
from .provenance import SIDECAR_SUFFIX, sidecar_path

SHARED_FILE = "export.provenance.json"
_JOURNAL = "cells.jsonl"
_LINE = "line"


def cell_line(part: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a result carries so that :class:`Journal` can keep it: an item's part of the record, JSON-safe."""
    return {_LINE: json.dumps(part, ensure_ascii=False, allow_nan=False)}


class Journal:
    """The journal of a run, written by one process.

    Parameters
    ----------
    folder : Path
        The output folder; it holds no journal yet (see :func:`fold`).
    run : mapping
        The part of the record that all items share, JSON-safe.
    """

    def __init__(self, folder: Path, run: Mapping[str, Any]) -> None:
        path = folder / DONE_FOLDER / _JOURNAL
        self._stream: IO[bytes] = path.open("ab")
        self._apart = {name for name in os.listdir(folder) if name.endswith(SIDECAR_SUFFIX)}  # noqa: PTH208 - names
        self._add([json.dumps({**run, "created_at": now_iso()}, ensure_ascii=False)])

    def keep(self, results: list[ExportResult]) -> list[ExportResult]:
        """Keep the lines of a group's results, and give the results without them."""
        lines = []
        for result in results:
            if result.ok:
                lines.append(result.metadata[_LINE])
                self._replace_sidecar(result.output_path)
        self._add(lines)
        return [_without_line(result) for result in results]

    def _add(self, lines: list[str]) -> None:
        self._stream.write(utf8("".join(f"{line}\n" for line in lines)))
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def _replace_sidecar(self, output: Path) -> None:
        """Remove the sidecar that an earlier output of that name had: it would tell of another file."""
        if sidecar_path(output).name in self._apart:
            sidecar_path(output).unlink()
            mark_path(output).unlink(missing_ok=True)

    def close(self) -> None:
        """End writing."""
        self._stream.close()


def _without_line(result: ExportResult) -> ExportResult:
    return replace(result, metadata={key: value for key, value in result.metadata.items() if key != _LINE})


# --- the record ---------------------------------------------------------------------------------------------------
def fold(folder: Path) -> None:
    """Make the journal of a run that ended, however it ended, part of the record.

    Raises
    ------
    FileFormatError
        If the record that is there is none.
    """
    journal = folder / DONE_FOLDER / _JOURNAL
    if not journal.is_file():
        return
    new = {part["output"]["path"] for part in _parts(journal)}
    if new:
        earlier = [one for run in read_runs(folder) if (one := _kept(run, new, folder))["items"]]
        with (
            atomic_path(folder / SHARED_FILE) as temporary,
            temporary.open("w", encoding="utf-8", errors="backslashreplace") as stream,
        ):
            stream.write('{"version": 1, "runs": [\n')
            for run in earlier:
                parts = ({**part, "sources": [run["sources"][at] for at in part["sources"]]} for part in run["items"])
                _write_run(stream, run, parts)
                stream.write(",\n")
            _write_run(stream, _header(journal), _parts(journal))
            stream.write("\n]}\n")
    journal.unlink()


def _kept(run: Mapping[str, Any], new: set[str], folder: Path) -> dict[str, Any]:
    """Give a run without the outputs that were replaced since."""
    names = set(os.listdir(folder))  # noqa: PTH208 - names
    there = [
        part
        for part in run["items"]
        if (name := part["output"]["path"]) not in new and name in names and name + SIDECAR_SUFFIX not in names
    ]
    return {**run, "items": there}


def _write_run(stream: IO[str], run: Mapping[str, Any], parts: Iterator[dict[str, Any]]) -> None:
    """Write one run, a line for each item: never all of its text at once."""
    header = {key: value for key, value in run.items() if key not in ("items", "sources")}
    stream.write(json.dumps(header, ensure_ascii=False)[:-1] + ', "items": [')
    places: dict[str, int] = {}
    for number, part in enumerate(parts):
        found = [places.setdefault(json.dumps(one, ensure_ascii=False), len(places)) for one in part["sources"]]
        stream.write((",\n" if number else "\n") + json.dumps({**part, "sources": found}, ensure_ascii=False))
    stream.write('\n], "sources": [\n' + ",\n".join(places) + "\n]}")


def _lines(journal: Path) -> Iterator[dict[str, Any]]:
    with journal.open("rb") as stream:
        for line in stream:
            if line.endswith(b"\n"):  # the last one may have been cut off by a kill: its output is not marked then
                yield _parsed(line, journal)


def _parsed(line: bytes, journal: Path) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise FileFormatError(f"{journal}: {line[:40]!r} is no line of a journal of crops; remove the file")
    return found


def _header(journal: Path) -> dict[str, Any]:
    return next(_lines(journal))


def _parts(journal: Path) -> Iterator[dict[str, Any]]:
    lines = _lines(journal)
    next(lines, None)
    for part in lines:
        if not _is_part(part):
            raise FileFormatError(f"{journal}: a line of it tells of no finished crop; remove the file")
        yield part


def read_runs(folder: Path) -> list[dict[str, Any]]:
    """Read the record's runs; none where there is no record.

    Raises
    ------
    FileFormatError
        If the file there is no such record.
    """
    path = folder / SHARED_FILE
    return runs_in(read_json(path), path) if path.is_file() else []


def runs_in(data: Any, where: Path) -> list[dict[str, Any]]:
    """Give the runs of a parsed record.

    Raises
    ------
    FileFormatError
        If it is none.
    """
    runs = data.get("runs") if isinstance(data, dict) else None
    if not isinstance(runs, list) or not all(isinstance(run, dict) and _is_run(run) for run in runs):
        raise FileFormatError(f"{where}: expected a record of cell crops, with runs of items and sources")
    return runs


def _is_run(run: Mapping[str, Any]) -> bool:
    items, sources = run.get("items"), run.get("sources")
    if not isinstance(items, list) or not isinstance(sources, list):
        return False
    return all(
        _is_part(part) and all(isinstance(at, int) and 0 <= at < len(sources) for at in part["sources"])
        for part in items
    )


def _is_part(part: Any) -> bool:
    output = part.get("output") if isinstance(part, dict) else None
    kinds = {"path": str, "bytes": int, "sha256": str}
    if not isinstance(output, dict) or not all(isinstance(output.get(key), kind) for key, kind in kinds.items()):
        return False
    kinds = {"token": str, "warnings": list, "sources": list}
    return all(isinstance(part.get(key), kind) for key, kind in kinds.items())


def read_marks(folder: Path) -> dict[str, Mark]:
    """Read the marks of crops by the name of their output, from the record and from the journal of a killed run."""
    journal = folder / DONE_FOLDER / _JOURNAL
    parts = [part for run in read_runs(folder) for part in run["items"]]
    parts += list(_parts(journal)) if journal.is_file() else []
    return {
        part["output"]["path"]: Mark(
            token=part["token"],
            bytes=part["output"]["bytes"],
            sha256=part["output"]["sha256"],
            warnings=tuple(part["warnings"]),
        )
        for part in parts
    }


def single_records(runs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Give the record of each item as its own sidecar would have it."""
    for run in runs:
        header = {key: value for key, value in run.items() if key not in ("items", "sources")}
        for part in run["items"]:
            yield {**header, **part, "sources": [run["sources"][at] for at in part["sources"]]}
