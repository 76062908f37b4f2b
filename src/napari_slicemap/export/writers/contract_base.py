"""What every writer promises, whatever it takes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ...errors import TileReadError
from ...files import FileModel
from . import Takes, Writer

STATED: dict[str, Any] = {
    "item": {"fov": "a <b> & 'c' \"d\"", "region": [0, 1.5, -2, 3e-7], "none": None, "yes": True},
    "names": ["µm", "切片", "tab\tline\nend\r\0\x1b", "]]>", "-->", "\U0001f52c"],
    "": {},
}
"""Provenance with all kinds of text."""
UNREADABLE = "FOV x: cannot be read"


class WriterContract:
    """What each writer promises. The contracts of pictures, pixels and movies say what they are given."""

    writer_class: ClassVar[type[Any]]
    takes: ClassVar[Takes]
    options: ClassVar[Mapping[str, Any]] = {}
    """Options that all is written with, unless a test says otherwise."""
    holds_half_characters: ClassVar[bool] = True
    """Whether text may hold half of a surrogate pair, as the name of a file that is no UTF-8 does."""

    # --- what a subclass has ------------------------------------------------------------------------------------
    @staticmethod
    def read_provenance(path: Path) -> dict[str, Any] | None:
        """Give what was embedded; ``None`` or nothing if nothing was."""
        raise NotImplementedError

    def small(self, size: float | None = 0.5, provenance: Mapping[str, Any] | None = None) -> Any:
        """Give something small to write, the same whenever it is asked for."""
        raise NotImplementedError

    def unreadable(self) -> Any:
        """Give something whose first rows or frames can be read; the later ones raise :class:`TileReadError`."""
        raise NotImplementedError

    # --- tools --------------------------------------------------------------------------------------------------
    @pytest.fixture
    def writer(self) -> Writer:
        """Make the writer."""
        made: Writer = self.writer_class()
        return made

    @staticmethod
    def place(writer: Writer, folder: Path, name: str = "f") -> Path:
        """Give a path to write to as a run does: that of a new file, or of an empty folder."""
        path = folder / f"{name}{writer.suffix}"
        if writer.folder:
            path.mkdir()
        return path

    def write(self, writer: Writer, path: Path, content: Any, **options: Any) -> Path:
        """Write something, and give its path back."""
        writer.write(path, content, writer.Options.model_validate({**self.options, **options}))
        return path

    @staticmethod
    def digest(path: Path) -> str:
        """Hash a file, or all files of a folder with their names."""
        made = hashlib.sha256()
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                made.update(f"{file.relative_to(path)}\0{file.stat().st_size}\0".encode())
                made.update(file.read_bytes())
        return made.hexdigest()

    # --- provenance ---------------------------------------------------------------------------------------------
    @pytest.mark.parametrize(
        "stated",
        [
            pytest.param(STATED, id="all kinds of text"),
            pytest.param({"path": "half \ud800"}, id="half a character"),
            pytest.param({"sources": ["plane.tif"] * 30_000}, id="long"),
        ],
    )
    def test_the_provenance_comes_back(self, writer: Writer, tmp_path: Path, stated: dict[str, Any]) -> None:
        """How an output was made is in it."""
        if not self.holds_half_characters and "path" in stated:
            stated = {"path": "whole"}
        path = self.write(writer, self.place(writer, tmp_path), self.small(provenance=stated))
        assert self.read_provenance(path) == stated

    def test_no_provenance_is_none(self, writer: Writer, tmp_path: Path) -> None:
        """Nothing in, nothing out."""
        assert not self.read_provenance(self.write(writer, self.place(writer, tmp_path), self.small()))

    # --- bytes --------------------------------------------------------------------------------------------------
    def test_the_same_content_gives_the_same_bytes(self, writer: Writer, tmp_path: Path) -> None:
        """No time, no random number and no path is in an output."""
        paths = [self.place(writer, tmp_path, name) for name in ("one", "two")]
        for path in paths:
            self.write(writer, path, self.small(provenance=STATED))
        assert len({self.digest(path) for path in paths}) == 1

    def test_it_is_written_over_whole_and_alone(self, writer: Writer, tmp_path: Path) -> None:
        """Nothing of a longer file before it stays, and nothing is put beside it."""
        fresh = self.write(writer, self.place(writer, tmp_path, "fresh"), self.small())
        path = self.place(writer, tmp_path)
        if not writer.folder:
            path.write_bytes(b"x" * 10**6)
        self.write(writer, path, self.small())
        assert self.digest(path) == self.digest(fresh)
        assert set(tmp_path.iterdir()) == {path, fresh}

    def test_what_fails_while_it_is_read_fails_as_it_is(self, writer: Writer, tmp_path: Path) -> None:
        """An error comes through, and no thread stays behind."""
        path = self.place(writer, tmp_path)
        with pytest.raises(TileReadError, match=UNREADABLE):
            self.write(writer, path, self.unreadable())
        assert not [one for one in threading.enumerate() if one.name.startswith("slicemap-write")]

    # --- what it says of itself ---------------------------------------------------------------------------------
    def test_unknown_options_are_refused(self, writer: Writer) -> None:
        """An option that does not exist is named."""
        assert issubclass(writer.Options, FileModel)
        with pytest.raises(ValueError, match="no_such_option"):
            writer.Options.model_validate({"no_such_option": 1})

    def test_it_says_what_it_is(self, writer: Writer) -> None:
        """Name, suffix, one line about it, what it takes and how large that may be."""
        assert writer.name == writer.name.lower()
        assert writer.suffix.startswith(".")
        assert writer.summary
        assert "\n" not in writer.summary
        assert writer.takes == self.takes
        assert isinstance(writer.folder, bool)
        assert writer.largest_side >= 2**14


class SizedContract(WriterContract):
    """What each writer of pictures or pixels promises: the size of a px is in the output."""

    size_error: ClassVar[float] = 1e-5
    """How far it may be off, as a share of it."""

    def read_size(self, path: Path) -> float | None:
        """Give the size of a px in µm; ``None`` if the output states none."""
        raise NotImplementedError

    @pytest.mark.parametrize("size", [0.39, 0.325, 1.0, 2 / 3, 12.0, 0.001])
    def test_the_pixel_size_comes_back(self, writer: Writer, tmp_path: Path, size: float) -> None:
        """µm per px are stated in the format's own way."""
        path = self.write(writer, self.place(writer, tmp_path), self.small(size))
        assert self.read_size(path) == pytest.approx(size, rel=self.size_error)

    def test_an_unknown_pixel_size_is_not_invented(self, writer: Writer, tmp_path: Path) -> None:
        """No size in, no size out."""
        assert self.read_size(self.write(writer, self.place(writer, tmp_path), self.small(None))) is None

    @pytest.mark.parametrize("size", [5e-6, 1e5])
    def test_no_pixel_size_is_too_odd_to_be_written(self, writer: Writer, tmp_path: Path, size: float) -> None:
        """Rather no size than a wrong one."""
        found = self.read_size(self.write(writer, self.place(writer, tmp_path), self.small(size)))
        assert found is None or found == pytest.approx(size, rel=0.05)
