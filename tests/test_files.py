"""Files: atomic writes, strict JSON and TOML, text tables that keep text as text, safe names."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import os
import stat
import tomllib
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from napari_slicemap import files
from napari_slicemap.errors import FileFormatError
from napari_slicemap.files import FileModel, Row, value_object


# --- atomic writing ------------------------------------------------------------------------------------------
def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")

    def fail() -> None:
        with files.atomic_path(target) as temporary:
            temporary.write_text("new, but only ha")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_the_temporary_file_is_a_hidden_neighbour_of_the_same_kind(tmp_path: Path) -> None:
    with files.atomic_path(tmp_path / "a.tif") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".tif"
        assert temporary.name.startswith(".")
        assert not (tmp_path / "a.tif").exists()
        temporary.write_text("x")
    assert (tmp_path / "a.tif").read_text() == "x"


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
@pytest.mark.parametrize(
    ("before", "after"),
    [pytest.param(None, 0o644, id="a new file as open() makes it"), pytest.param(0o600, 0o600, id="a private one")],
)
def test_modes(tmp_path: Path, before: int | None, after: int) -> None:
    target = tmp_path / "a.txt"
    if before is not None:
        target.write_text("old")
        target.chmod(before)
    umask = os.umask(0o022)
    try:
        files.write_text(target, "new")
    finally:
        os.umask(umask)
    assert stat.S_IMODE(target.stat().st_mode) == after


def test_text_is_utf8_with_line_feeds_and_folders_are_made(tmp_path: Path) -> None:
    files.write_text(tmp_path / "new" / "deep" / "a.txt", "µm\nend\n")
    assert (tmp_path / "new" / "deep" / "a.txt").read_bytes() == b"\xc2\xb5m\nend\n"


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert files.sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


# --- atomic folders ------------------------------------------------------------------------------------------
def tree(folder: Path) -> dict[str, str]:
    """Every file in a folder, by its path in it."""
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name} of {folder.name.partition('-')[0]}")


@pytest.mark.parametrize("old", [(), ("a", "deep/b"), ("c",)], ids=["no old one", "other files", "one file"])
def test_a_folder_takes_its_name_when_it_is_whole(tmp_path: Path, old: tuple[str, ...]) -> None:
    target = tmp_path / "a.zarr"
    if old:
        fill(target, *old)
    with files.atomic_folder(target) as temporary:
        assert list(temporary.iterdir()) == []
        assert (temporary.parent, temporary.suffix) == (tmp_path, ".zarr")
        assert temporary.name.startswith(".slicemap-")
        fill(temporary, "c", "deep/er/d")
        assert tree(target) == ({name: f"{name} of a.zarr" for name in old} if old else {})
    assert tree(target) == {"c": "c of .slicemap", "deep/er/d": "deep/er/d of .slicemap"}
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("old", [True, False], ids=["an old one", "none"])
@pytest.mark.parametrize(
    "fails", ["in the middle", "when it is synced", "when it takes the name"], ids=lambda text: str(text)
)
def test_a_folder_that_fails_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str, old: bool
) -> None:
    target = tmp_path / "a.zarr"
    if old:
        fill(target, "a", "deep/b")
    before = tree(target)

    def refuse(*_: object) -> None:
        raise OSError("no space left")

    def write() -> None:
        with files.atomic_folder(target) as temporary:
            fill(temporary, "c", "deep/er/d")
            if fails == "in the middle":
                refuse()
            if fails == "when it is synced":
                monkeypatch.setattr(os, "fsync", refuse)
            else:
                rename = Path.rename

                def renamed(path: Path, to: Path) -> Path:
                    return refuse() if path == temporary else rename(path, to)  # type: ignore[func-returns-value]

                monkeypatch.setattr(Path, "rename", renamed)

    with pytest.raises(OSError, match="no space left"):
        write()
    assert tree(target) == before
    assert list(tmp_path.iterdir()) == ([target] if old else [])


def test_every_file_and_folder_is_synced_before_the_name_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: dict[int, bool] = {}
    monkeypatch.setattr(os, "fsync", lambda handle: synced.__setitem__(os.fstat(handle).st_ino, target.exists()))
    target = tmp_path / "a.zarr"
    with files.atomic_folder(target) as temporary:
        fill(temporary, "c", "deep/er/d")
    inner = [target, *target.rglob("*")]
    assert len(inner) == 5
    if os.name != "posix":  # folders cannot be synced there
        inner = [path for path in inner if path.is_file()]
    assert all(synced[path.stat().st_ino] is False for path in inner)


@pytest.mark.parametrize(
    ("there", "kept"),
    [
        pytest.param((".a.zarr.replaced",), "old", id="killed before the new one took the name"),
        pytest.param((".a.zarr.replaced", "a.zarr"), "new", id="killed before the old one was removed"),
    ],
)
def test_what_a_killed_run_left_is_settled_by_the_next(tmp_path: Path, there: tuple[str, ...], kept: str) -> None:
    for name in there:
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text("new" if name == "a.zarr" else "old")

    def fail() -> None:
        with files.atomic_folder(tmp_path / "a.zarr"):
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail()
    assert tree(tmp_path) == {"a.zarr/a": kept}


def test_a_folder_takes_no_files_place(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").write_text("a file")

    def write() -> None:
        with files.atomic_folder(tmp_path / "a.zarr"):
            raise AssertionError("not reached")

    with pytest.raises(NotADirectoryError, match=r"a\.zarr is a file; a folder cannot take its place"):
        write()
    assert tree(tmp_path) == {"a.zarr": "a file"}


@pytest.mark.skipif(os.name != "posix", reason="file modes and links are POSIX's")
def test_modes_and_links_of_folders(tmp_path: Path) -> None:
    target, elsewhere = tmp_path / "a.zarr", tmp_path / "elsewhere"
    fill(elsewhere, "a")
    target.symlink_to(elsewhere)
    elsewhere.chmod(0o700)
    with files.atomic_folder(target) as temporary:
        fill(temporary, "c")
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert tree(target) == {"c": "c of .slicemap"}
    assert not target.is_symlink()
    assert tree(elsewhere) == {"a": "a of elsewhere"}  # only the link was replaced


# --- JSON and TOML -------------------------------------------------------------------------------------------
@value_object
class _Point:
    x: float
    y: float = 0.0


class _Leaf(FileModel):
    color: str = ""
    size: int = 1


class _Tree(FileModel):
    version: int = 1
    leaf: _Leaf | None = None
    leaves: dict[str, _Leaf] = Field(default_factory=dict)
    points: tuple[_Point, ...] = ()


@pytest.mark.parametrize(
    ("value", "json_value"),
    [
        pytest.param(float("nan"), None, id="nan"),
        pytest.param(float("-inf"), None, id="inf"),
        pytest.param(np.float32(0.5), 0.5, id="numpy float"),
        pytest.param(np.int64(7), 7, id="numpy int"),
        pytest.param(np.bool_(True), True, id="numpy bool"),
        pytest.param(np.array([[1.0, np.nan]]), [[1.0, None]], id="array"),
        pytest.param(PurePosixPath("a/b"), "a/b", id="path"),
        pytest.param({"b", "a"}, ["a", "b"], id="set, in order"),
        pytest.param((1, 2), [1, 2], id="tuple"),
        pytest.param({7: "x"}, {"7": "x"}, id="number as key"),
        pytest.param(dt.datetime(2024, 5, 1, 9, 30), "2024-05-01T09:30:00", id="time"),
        pytest.param(b"a\xff", "a\\xff", id="bytes"),
        pytest.param(_Point(1.0), {"x": 1.0, "y": 0.0}, id="value object"),
        pytest.param(_Leaf(color="µ"), {"color": "µ", "size": 1}, id="model"),
        pytest.param("nan", "nan", id="text stays"),
        pytest.param(True, True, id="a truth is no number"),
    ],
)
def test_json_safe(value: object, json_value: object) -> None:
    made = files.json_safe(value)
    assert made == json_value
    assert type(made) is type(json_value)


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot write object as JSON"):
        files.to_json({"a": object()})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_json_round_trip(tmp_path: Path, value: object) -> None:
    files.write_json(tmp_path / "a.json", value)
    assert files.read_json(tmp_path / "a.json") == value
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == value


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param(b'{"a": 1,\n "b" 2}', r"a\.json: line 2, column 6: .*no valid JSON", id="a colon missing"),
        pytest.param(b"", r"a\.json: line 1, column 1", id="empty"),
        pytest.param(b'{"a": NaN}', "NaN is not valid JSON", id="NaN"),
        pytest.param(b'{"a": -Infinity}', "-Infinity is not valid JSON", id="Infinity"),
        pytest.param(b'{"a": 1, "a": 2}', "key 'a' stands twice", id="a key twice"),
        pytest.param(b'{"b": [{"a": 1, "a": 2}]}', "key 'a' stands twice", id="a key twice, deep"),
        pytest.param(b'{\n"a": "\xb5"}', r"a\.json: line 2: not UTF-8", id="Latin-1"),
        pytest.param(b"[" * 200_000, r"a\.json: .*(nested too deeply|no valid JSON)", id="nested too deeply"),
        pytest.param(b"1" * 5000, r"a\.json: a number in it is too long", id="a number of 5000 digits"),
    ],
)
def test_bad_json(tmp_path: Path, raw: bytes, message: str) -> None:
    (tmp_path / "a.json").write_bytes(raw)
    with pytest.raises(FileFormatError, match=message):
        files.read_json(tmp_path / "a.json")


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert files.read_json(tmp_path / "a.json") == {"a": 1}
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbffov,x\na,1\n")
    assert files.read_table(tmp_path / "a.csv")[0]["fov"] == "a"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param(b"a = \n", r"a\.toml: .*line 1.*no valid TOML", id="no value"),
        pytest.param(b"a = 1\na = 2\n", r"a\.toml: .*no valid TOML", id="a key twice"),
        pytest.param(b"\n\na = '\xff'", r"a\.toml: line 3: not UTF-8", id="not UTF-8"),
    ],
)
def test_bad_toml(tmp_path: Path, raw: bytes, message: str) -> None:
    (tmp_path / "a.toml").write_bytes(raw)
    with pytest.raises(FileFormatError, match=message):
        files.read_toml(tmp_path / "a.toml")


def test_toml(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('a = "1 nm"\n[b]\n"c d" = 2\n')
    assert files.read_toml(tmp_path / "a.toml") == tomllib.loads('a = "1 nm"\n[b]\n"c d" = 2\n')


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(
            {"verion": 1}, r"^f\.json: verion: unknown key \(known: version, leaf, leaves, points\)$", id="top"
        ),
        pytest.param({"leaf": {"colour": ""}}, r"leaf\.colour: unknown key \(known: color, size\)", id="in a model"),
        pytest.param(
            {"leaves": {"a": {"hue": 1}}}, r"leaves\.a\.hue: unknown key \(known: color, size\)", id="in a dict"
        ),
        pytest.param({"points": [{"x": 1, "z": 1}]}, r"points\.0\.z: unknown key \(known: x, y\)", id="in a list"),
        pytest.param({"leaf": {"size": "big"}}, r"leaf\.size: Input should be a valid integer", id="wrong type"),
        pytest.param([], r"^f\.json: Input should be", id="no object"),
    ],
)
def test_a_model_says_what_is_wrong_and_what_is_known(data: object, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        _Tree.from_data(data, "f.json")


# --- text tables ---------------------------------------------------------------------------------------------
def test_a_table_keeps_text_as_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('fov,x,note\n001,1.5," a, b "\n\n  , ,\nNA,,"two\nlines"\nnan,7,\n')
    rows = files.read_table(tmp_path / "a.csv", ["fov"])
    assert [row["fov"] for row in rows] == ["001", "NA", "nan"]
    assert [row["note"] for row in rows] == ["a, b", "two\nlines", ""]
    assert [row.number("x") for row in rows] == [1.5, None, 7.0]
    assert rows[0]["no such column"] == ""
    assert [row.where.rsplit(" ", 1)[1] for row in rows] == ["2", "6", "7"]


@pytest.mark.parametrize("end", [pytest.param("\r\n", id="Windows"), pytest.param("\r", id="old Mac")])
def test_line_ends(tmp_path: Path, end: str) -> None:
    (tmp_path / "a.csv").write_bytes(f"a,b{end}1,2{end}".encode())
    assert [row.cells for row in files.read_table(tmp_path / "a.csv")] == [{"a": "1", "b": "2"}]


BAD_TABLES = [
    pytest.param("", r"a\.csv: the file is empty", id="empty"),
    pytest.param("\n\n", r"a\.csv: the file is empty", id="blank"),
    pytest.param("a,b,a\n1,2,3\n", r"line 1: column 'a' stands twice", id="a column twice"),
    pytest.param("a,b\n1,2\n1,2,3\n", r"line 3: 3 cells, expected 2.*without quotes", id="long row"),
    pytest.param("a,b\n1,2,3\n1,2,3\n", r"line 2: 3 cells, expected 2", id="every row too long"),
    pytest.param("a,b\n1\n", r"line 2: 1 cells, expected 2", id="short row"),
    pytest.param('a,b\n"1,2\n', r"line 2: unexpected end", id="open quote"),
    pytest.param('a,b\n"1"2,3\n', r"line 2: ", id="text after a quote"),
]


@pytest.mark.parametrize(("text", "message"), BAD_TABLES)
@pytest.mark.parametrize("read", [files.read_table, files.read_columns], ids=["rows", "columns"])
def test_bad_tables(tmp_path: Path, read: object, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(FileFormatError, match=message):
        read(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a,c\n1,2\n", r"line 1: no column b \(there is a, c\)$", id="missing"),
        pytest.param("a;b\n1;2\n", r"no column a, b .*separated by ';'", id="semicolons"),
        pytest.param("A,b\n1,2\n", r"no column a \(", id="another case"),
    ],
)
def test_required_columns(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(FileFormatError, match=message):
        files.read_table(tmp_path / "a.csv", ["a", "b"])


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.csv"):
        files.read_table(tmp_path / "gone.csv")


@pytest.mark.parametrize("text", ["five", "nan", "inf", "1,5", "0x10"])
def test_a_cell_that_is_no_number(text: str) -> None:
    with pytest.raises(FileFormatError, match=f"t.csv, line 3: x is '{text}', expected a number"):
        Row({"x": text}, "t.csv, line 3").number("x")


@pytest.mark.parametrize(
    ("text", "value"),
    [pytest.param("5", 5, id="5"), pytest.param("5.0", 5, id="5.0"), pytest.param("", None, id="empty")],
)
def test_whole_numbers(text: str, value: int | None) -> None:
    assert Row({"x": text}, "t").whole("x") == value


@pytest.mark.parametrize("text", ["1.5", "-1", "0"])
def test_a_cell_that_is_no_whole_number(text: str) -> None:
    with pytest.raises(FileFormatError, match=rf"t: x is '{text}', expected a whole number of at least 1"):
        Row({"x": text}, "t").whole("x", 1)


# a NUL is no text; blanks around a cell are not kept, nor is a lone carriage return
cells = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8).map(str.strip) | st.sampled_from(
    ["NA", "nan", "001", 'say "a"', "a,b", "two\nlines", "=1+1"]
)


@given(st.lists(st.tuples(cells.filter(bool), cells, cells), max_size=6))
def test_table_round_trip(tmp_path: Path, rows: list[tuple[str, ...]]) -> None:
    columns = ("a", "b µ", "c")
    text = files.table_text(columns, [dict(zip(columns, row, strict=True)) for row in rows])
    assert list(csv.reader(io.StringIO(text))) == [list(columns), *map(list, rows)]  # an independent reader agrees
    files.write_text(tmp_path / "a.csv", text)
    assert [tuple(row.cells.values()) for row in files.read_table(tmp_path / "a.csv")] == rows
    table, lines = files.read_columns(tmp_path / "a.csv")
    assert list(zip(*table.values(), strict=True)) == rows
    assert [f"{tmp_path / 'a.csv'}, line {line}" for line in lines] == [
        row.where for row in files.read_table(tmp_path / "a.csv")
    ]


def test_none_is_an_empty_cell_and_a_missing_one_too() -> None:
    assert files.table_text(("a", "b", "c"), [{"a": None, "b": 0}]) == "a,b,c\n,0,\n"


# --- names ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "stem"),
    [
        pytest.param("a b/c", "a_b_c", id="blank and slash"),
        pytest.param("..", "_..", id="parent"),
        pytest.param("", "_", id="empty"),
        pytest.param("con.x", "_con.x", id="device"),
        pytest.param("Größe", "Gr__e", id="beyond ASCII"),
        pytest.param("a_1.2-b", "a_1.2-b", id="kept"),
    ],
)
def test_safe_stem(name: str, stem: str) -> None:
    assert files.safe_stem(name) == stem


@given(st.text())
def test_a_safe_stem_is_a_file_name_anywhere(name: str) -> None:
    stem = files.safe_stem(name)
    assert 0 < len(stem) <= 120
    assert PurePosixPath(stem).name == stem
    assert set(stem) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")


def test_long_names_stay_two() -> None:
    one, two = files.safe_stem("x" * 300 + "1"), files.safe_stem("x" * 300 + "2")
    assert one != two
    assert len(one) == len(two) == 120


@given(st.lists(st.sampled_from(["a", "A", "a_2", "A_2", "a_2_2", "b"]), max_size=8))
def test_distinct_stems(stems: list[str]) -> None:
    made = files.distinct_stems(stems)
    assert len({stem.casefold() for stem in made}) == len(stems)
    # the first of a name keeps it
    assert all(made[n] == stem for n, stem in enumerate(stems) if stem.casefold() not in map(str.casefold, stems[:n]))


def test_now_is_utc_to_the_second() -> None:
    said = dt.datetime.fromisoformat(files.now_iso())
    assert said.tzinfo == dt.UTC
    assert abs((dt.datetime.now(dt.UTC) - said).total_seconds()) < 5
