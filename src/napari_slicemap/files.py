"""How files are written and read, whichever room they belong to.

Writes are atomic (temporary file in the same folder, fsync, rename), JSON is strict (no bare NaN), text tables
are read as text (``"001"`` stays ``"001"``, a FOV called ``"NA"`` survives, an empty cell is ``""``).
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import json
import math
import os
import re
import shutil
import tomllib
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from typing import Annotated, Any, Self, TypeVar, cast, dataclass_transform, get_args

import pydantic
from pydantic import AfterValidator, BaseModel, ConfigDict

from .errors import FileFormatError, listing
from .units import length_um

T = TypeVar("T")
_DEEPEST = 1000
"""Parts of one key in TOML: the parser's memory grows with their square."""


# --- value objects -----------------------------------------------------------------------------------------
@dataclass_transform(frozen_default=True)
def value_object(cls: type[T]) -> type[T]:
    """Make a class a frozen, validated pydantic dataclass that refuses unknown keys.

    Unlike a pydantic model it takes positional arguments, as small geometric values should.
    """
    make = pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra="forbid"))
    return cast("type[T]", make(cls))


class FileModel(BaseModel):
    """A frozen value object that is (part of) a file: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def from_data(cls, data: object, where: str | os.PathLike[str]) -> Self:
        """Validate what was parsed from `where`.

        Raises
        ------
        FileFormatError
            Naming file, key, what is wrong and, for an unknown key, the known ones.
        """
        try:
            return cls.model_validate(data)
        except pydantic.ValidationError as error:
            raise FileFormatError(f"{where}: {explain(error, cls)}") from None


def explain(error: pydantic.ValidationError, model: type[Any] | None = None) -> str:
    """Say a validation error in one line: where, what, and what would be right."""
    parts = []
    for found in error.errors(include_url=False):
        place = ".".join(str(step) for step in found["loc"])
        message = found["msg"].removeprefix("Value error, ")
        if found["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            known = _known_keys(model, found["loc"][:-1])
            message = "unknown key" + (f" (known: {listing(known)})" if known else "")
        parts.append(f"{place}: {message}" if place else message)
    return "; ".join(parts)


def _known_keys(model: Any, steps: Sequence[int | str]) -> list[str]:
    """Give the keys of the model that `steps` lead to; steps into a mapping or a sequence are no fields."""
    models = _models_in(model)
    for step in steps:
        fields = [one.__pydantic_fields__[step] for one in models if step in one.__pydantic_fields__]
        models = [found for field in fields for found in _models_in(field.annotation)] if fields else models
    return list(dict.fromkeys(key for one in models for key in one.__pydantic_fields__))


def _models_in(hint: Any) -> list[Any]:
    """List the models that a type names, such as ``Leaf`` in ``dict[str, Leaf] | None``."""
    if hasattr(hint, "__pydantic_fields__"):
        return [hint]
    return [found for part in get_args(hint) for found in _models_in(part)]


def _as_path(text: str) -> str:
    try:
        nameable = b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        nameable = False
    if not nameable:
        raise ValueError(f"{text!r} holds a character that no path can have")
    return text


PathText = Annotated[str, AfterValidator(_as_path)]
"""A path as text, as the system can have it; whether it is there is another question."""


# --- atomic writing ----------------------------------------------------------------------------------------
@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; it takes the name of `path` only when all went well.

    Parameters
    ----------
    path : path-like
        The file to make or replace. Its folder must exist.

    Yields
    ------
    Path
        A file in the same folder, with the same suffix. On an error it is deleted and `path` is as before.
    """
    target = Path(path)
    temporary = target.with_name(f".slicemap-{uuid.uuid4().hex}{target.suffix}")
    # made as open() makes files, so that the user's umask counts; never over a file that is there
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o777)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(target.parent)


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give an empty folder beside `path` to fill; it takes the name of `path` only when all went well.

    A folder cannot be put in the place of another in one step: the old one is first moved aside, to
    ``.<name>.replaced``, and removed last. Where a run was killed in between, it is moved back by the next.

    Parameters
    ----------
    path : path-like
        The folder to make or replace. The folder that it lies in must exist.

    Yields
    ------
    Path
        An empty folder in the same folder, with the same suffix. On an error it is deleted and `path` is as before.

    Raises
    ------
    NotADirectoryError
        If `path` is there, and no folder.
    """
    target = Path(path)
    temporary = target.with_name(f".slicemap-{uuid.uuid4().hex}{target.suffix}")
    aside = target.with_name(f".{target.name}.replaced")
    _settle(target, aside)
    temporary.mkdir()
    try:
        yield temporary
        _fsync_tree(temporary)
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o777)
        _take_place(temporary, target, aside)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    sync_folder(target.parent)
    _settle(target, aside)


def _settle(target: Path, aside: Path) -> None:
    """Bring back the folder that was moved aside, if no other has taken its place; otherwise remove it."""
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(f"{target} is a file; a folder cannot take its place")
    if not aside.exists():
        return
    if not target.exists():
        aside.rename(target)
    elif aside.is_symlink():
        aside.unlink()
    else:
        shutil.rmtree(aside)


def _take_place(temporary: Path, target: Path, aside: Path) -> None:
    if target.exists():
        target.rename(aside)
    try:
        temporary.rename(target)
    except OSError:
        _settle(target, aside)
        raise


def _fsync_tree(folder: Path) -> None:
    """Make all that is in a folder durable."""
    for found, _, names in os.walk(folder):
        for name in names:
            with (Path(found) / name).open("rb+") as stream:
                os.fsync(stream.fileno())
        sync_folder(Path(found))


def sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system lets folders be synced."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def utf8(text: str) -> bytes:
    """Encode text; a half of a character, such as file names that are no UTF-8 hold, becomes its escape in JSON."""
    return text.encode("utf-8", "backslashreplace")


def write_text(path: str | os.PathLike[str], text: str) -> None:
    r"""Write UTF-8 text atomically with ``\n`` line ends; parent folders are made."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary:
        temporary.write_bytes(utf8(text))


def write_json(path: str | os.PathLike[str], data: object) -> None:
    """Write strict JSON atomically, indented by two, non-ASCII text kept readable."""
    write_text(path, to_json(data) + "\n")


def sha256(path: str | os.PathLike[str]) -> str:
    """Hash a file's bytes."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# --- JSON and TOML -----------------------------------------------------------------------------------------
def json_safe(value: object) -> Any:
    """Turn numpy scalars and arrays, paths, dates, sets, bytes and models into what strict JSON can hold.

    Not-a-number and infinities become ``None``: JSON has no word for them.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): json_safe(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((json_safe(item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [json_safe(item) for item in value]
    return _foreign_json_safe(value)


def _foreign_json_safe(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return json_safe(value.model_dump())
    if hasattr(value, "__pydantic_validator__"):
        return json_safe(pydantic.TypeAdapter(type(value)).dump_python(value))
    if isinstance(value, PurePath):
        return value.as_posix()
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    if hasattr(value, "tolist"):  # numpy scalars and arrays, without importing numpy for it
        return json_safe(value.tolist())
    raise TypeError(f"cannot write {type(value).__name__} as JSON: {value!r}")


def to_json(data: object, *, indent: int | None = 2) -> str:
    """Serialise to strict JSON text."""
    return json.dumps(json_safe(data), ensure_ascii=False, allow_nan=False, indent=indent)


def _refuse_constant(name: str, path: Path) -> object:
    raise FileFormatError(f"{path}: {name} is not valid JSON; leave the value out or write null")


def _refuse_twice(pairs: list[tuple[str, Any]], path: Path) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        raise FileFormatError(f"{path}: key {listing(map(repr, twice))} stands twice")
    return made


_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read strict JSON.

    Raises
    ------
    FileFormatError
        If the file is no UTF-8 JSON, holds NaN or half of a character, or a key stands twice; line and
        column are named.
    """
    path = Path(path)
    text = read_text(path)
    try:
        data = json.loads(
            text,
            parse_constant=partial(_refuse_constant, path=path),
            object_pairs_hook=partial(_refuse_twice, path=path),
        )
        if _HALF_CHARACTER.search(text):
            # bytes of a file's name that are no UTF-8 stand in records of our own
            json.dumps(data, ensure_ascii=False).encode(errors="surrogateescape")
        return data
    except json.JSONDecodeError as error:
        raise FileFormatError(
            f"{path}: line {error.lineno}, column {error.colno}: {error.msg}; this is no valid JSON"
        ) from None
    except FileFormatError:
        raise
    except UnicodeEncodeError:
        raise FileFormatError(f"{path}: half of a character, such as \\ud800, stands in it alone") from None
    except ValueError:  # Python reads no whole number of more than 4300 digits
        raise FileFormatError(f"{path}: a number in it is too long") from None
    except RecursionError:
        raise FileFormatError(f"{path}: nested too deeply to be a file of this kind") from None


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read TOML.

    Raises
    ------
    FileFormatError
        If the file is no UTF-8 TOML.
    """
    text = read_text(path)
    too_deep = FileFormatError(f"{path}: nested too deeply to be a file of this kind")
    if any(part.count(".") > _DEEPEST for part in re.split(r"[\[\]{}=,#\n]", text)):
        raise too_deep
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FileFormatError(f"{path}: {error}; this is no valid TOML") from None
    except ValueError:  # Python reads no whole number of more than 4300 digits
        raise FileFormatError(f"{path}: a number in it is too long") from None
    except RecursionError:
        raise too_deep from None


def read_text(path: str | os.PathLike[str]) -> str:
    """Read UTF-8 text, with or without a byte-order mark.

    Raises
    ------
    FileFormatError
        If the bytes are no UTF-8 (the line is named), or it is a folder, pipe or device.
    FileNotFoundError
        If there is no such file.
    """
    path = Path(path)
    if path.exists() and not path.is_file():  # a pipe would be waited for, and a device may never end
        raise FileFormatError(f"{path}: it is no file; expected one of text")
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise FileFormatError(f"{path}: line {line}: not UTF-8 text; save the file as UTF-8") from None


# --- text tables -------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Row:
    """One row of a text table.

    Parameters
    ----------
    cells : dict of str to str
        Column → text, stripped of outer blanks; a missing cell is ``""``.
    where : str
        ``"<file>, line <n>"`` for messages.
    """

    cells: dict[str, str]
    where: str

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    def number(self, column: str) -> float | None:
        """Read a cell as a finite number; ``None`` if it is empty.

        Raises
        ------
        FileFormatError
            Naming file, line and column.
        """
        text = self[column]
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise FileFormatError(f"{self.where}: {column} is {text!r}, expected a number")
        return value

    def length_um(self, column: str) -> float | None:
        """Read a cell as a length: a number is µm, text may have a unit; ``None`` if it is empty.

        Raises
        ------
        FileFormatError
            Naming file, line and column.
        """
        text = self[column]
        try:
            return length_um(text) if text else None
        except ValueError as error:
            raise FileFormatError(f"{self.where}: {column}: {error}") from None

    def whole(self, column: str, least: int = 0) -> int | None:
        """Read a cell as a whole number (``5`` or ``5.0``) of at least `least`; ``None`` if it is empty.

        Raises
        ------
        FileFormatError
            Naming file, line and column.
        """
        value = self.number(column)
        if value is None:
            return None
        if not value.is_integer() or value < least:
            raise FileFormatError(
                f"{self.where}: {column} is {self[column]!r}, expected a whole number of at least {least}"
            )
        return int(value)


def read_table(path: str | os.PathLike[str], required: Sequence[str] = ()) -> list[Row]:
    """Read a CSV with a header as text.

    Parameters
    ----------
    path : path-like
        The file, UTF-8, comma-separated.
    required : sequence of str
        Columns that must be there.

    Returns
    -------
    list of Row
        The rows that are not blank.

    Raises
    ------
    FileFormatError
        Naming the file and line of a missing column, a doubled one, or a row that is too long or too short.
    """
    header, lines = _csv_lines(path, required)
    return [Row(dict(zip(header, cells, strict=True)), f"{path}, line {line}") for line, cells in lines]


def read_columns(path: str | os.PathLike[str]) -> tuple[dict[str, list[str]], list[int]]:
    """Read a CSV with a header as columns of text; for tables too large for :func:`read_table`.

    Returns
    -------
    columns : dict of str to list of str
        As in :func:`read_table`.
    lines : list of int
        The line of the file that each row ends on, for messages.

    Raises
    ------
    FileFormatError
        As :func:`read_table`.
    """
    if (plain := _plain_columns(read_text(path), Path(path))) is not None:
        return plain
    header, lines = _csv_lines(path)
    numbers: list[int] = []
    columns: list[list[str]] = [[] for _ in header]
    for line, cells in lines:  # rows are not kept: a million small lists keep the garbage collector busy
        numbers.append(line)
        for column, cell in zip(columns, cells, strict=True):
            column.append(cell)
    return dict(zip(header, columns, strict=True)), numbers


def _plain_columns(text: str, path: Path) -> tuple[dict[str, list[str]], list[int]] | None:
    """Split a table that has no quotes and a first cell in each row; any other is left to the csv module."""
    text = text.replace("\r\n", "\n").removesuffix("\n")
    if '"' in text or "\r" in text:
        return None
    head, *lines = text.split("\n")
    header = [cell.strip() for cell in head.split(",")]
    commas = len(header) - 1
    if not lines or not header[0] or max(map(len, lines)) > csv.field_size_limit():
        return None
    if any(line.count(",") != commas for line in lines):
        return None
    cells = ",".join(lines).split(",")
    columns = [[cell.strip() for cell in cells[start :: commas + 1]] for start in range(commas + 1)]
    if not all(columns[0]):  # a row of blanks is none
        return None
    _check_header(header, (), f"{path}, line 1")
    return dict(zip(header, columns, strict=True)), list(range(2, len(lines) + 2))


def _csv_lines(
    path: str | os.PathLike[str], required: Sequence[str] = ()
) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Read the header, and give the rows that are not blank with their line, as they are asked for."""
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    cells_of = _stripped(reader, Path(path))
    line, header = next(cells_of, (0, []))
    if not header:
        wanted = f" with {listing(required)}" if required else ""
        raise FileFormatError(f"{path}: the file is empty; expected a header{wanted}")
    _check_header(header, required, f"{path}, line {line}")
    return header, (_fitting(cells, line, len(header), path) for line, cells in cells_of)


def _stripped(reader: Any, path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        for cells in reader:
            if any(stripped := [cell.strip() for cell in cells]):
                yield reader.line_num, stripped
    except csv.Error as error:
        raise FileFormatError(f"{path}, line {reader.line_num}: {error}") from None


def _fitting(cells: list[str], line: int, width: int, path: str | os.PathLike[str]) -> tuple[int, list[str]]:
    if len(cells) != width:
        raise FileFormatError(
            f"{path}, line {line}: {len(cells)} cells, expected {width} as in the header"
            "; is a comma in a text without quotes?"
        )
    return line, cells


def _check_header(header: Sequence[str], required: Sequence[str], where: str) -> None:
    if missing := [name for name in required if name not in header]:
        hint = "; is it separated by ';' or tabs instead of commas?" if len(header) == 1 else ""
        raise FileFormatError(f"{where}: no column {listing(missing)} (there is {listing(header)}){hint}")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise FileFormatError(f"{where}: column {listing(map(repr, twice))} stands twice")


def table_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    r"""Format rows as CSV text with ``\n`` line ends; ``None`` is written empty."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in columns])
    return out.getvalue()


def _cell(value: object) -> object:
    """Make a cell of a value; a lone carriage return would not be quoted, and break the row when read."""
    if isinstance(value, str):
        return value.replace("\r\n", "\n").replace("\r", "\n")
    return "" if value is None else value


# --- names -------------------------------------------------------------------------------------------------
_RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{d}{n}" for d in ("COM", "LPT") for n in range(1, 10))}
_MAX_STEM = 120  # leaves room for suffixes under the 255 bytes that file systems allow


def safe_stem(name: str) -> str:
    """Make a file stem of any name: characters outside ``A–Za–z0–9_.-`` become ``_``.

    ``.``, ``..``, empty and reserved device names get a leading ``_``; over-long names are cut and end in
    eight digits of their hash, so that two of them stay two.
    """
    stem = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    if not stem.strip(".") or stem.split(".")[0].upper() in _RESERVED:
        stem = f"_{stem}"
    if len(stem) > _MAX_STEM:
        stem = f"{stem[: _MAX_STEM - 9]}_{hashlib.sha256(utf8(name)).hexdigest()[:8]}"
    return stem


def distinct_stems(stems: Sequence[str]) -> list[str]:
    """Give repeated stems a number (``_2``, ``_3`` …), so that no two share a file, on any file system.

    Parameters
    ----------
    stems : sequence of str
        Stems in the order of the items.

    Returns
    -------
    list of str
        As many stems, all different when compared without case.
    """
    taken: set[str] = set()
    wanted = {stem.casefold() for stem in stems}
    made = []
    for stem in stems:
        candidate, number = stem, 2
        while candidate.casefold() in taken or (candidate != stem and candidate.casefold() in wanted):
            candidate, number = f"{stem}_{number}", number + 1
        taken.add(candidate.casefold())
        made.append(candidate)
    return made


def now_iso() -> str:
    """Return the present time, ISO 8601 UTC to the second."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
