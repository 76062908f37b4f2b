"""ZIP files as Python's own reader finds them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap.images.stack.zip_writer import ZipWriter

UNIX = 3


def write(path: Path, members: dict[str, list[bytes]]) -> Path:
    with path.open("wb") as stream:
        archive = ZipWriter(stream)
        for name, pieces in members.items():
            with archive.member(name) as member:
                for piece in pieces:
                    assert member.write(piece) == len(piece)
        archive.finish()
    return path


@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="\0/\\", exclude_categories=["Cs"]), min_size=1, max_size=20),
        st.lists(st.binary(max_size=300), max_size=4),
        max_size=5,
    )
)
def test_any_members(tmp_path: Path, members: dict[str, list[bytes]]) -> None:
    with zipfile.ZipFile(write(tmp_path / "a.zip", members)) as archive:
        assert archive.namelist() == list(members)
        assert archive.testzip() is None
        for name, pieces in members.items():
            assert archive.read(name) == b"".join(pieces)


def test_nothing_of_when_and_where(tmp_path: Path) -> None:
    with zipfile.ZipFile(write(tmp_path / "a.zip", {"µ.npy": [b"ab" * 5000], "b": []})) as archive:
        first, second = archive.infolist()
    for one in (first, second):
        assert (one.date_time, one.create_system, one.external_attr >> 16) == ((1980, 1, 1, 0, 0, 0), UNIX, 0o100644)
        assert one.compress_type == zipfile.ZIP_DEFLATED
    assert (first.file_size, second.file_size) == (10_000, 0)
    assert first.compress_size < 200


def test_a_wrong_byte_is_found(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", {"a": [bytes(range(256))]})
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive, pytest.raises(zipfile.BadZipFile):
        archive.read("a")
