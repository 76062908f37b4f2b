"""A long image on its way: what is there of it outlives the process that writes it, and is gone on with."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from ...errors import CancelledError
from ...files import to_json, utf8, write_text
from ...images.ome_zarr.checkpoints import Checkpoints
from ...images.ome_zarr.levels import sync_tree
from ...images.source import ImageSource
from ..content.pixels import PixelData
from .checking import Witness

_PACKERS = ("zarr", "numcodecs")
"""Of which other versions may pack the same pixels into other bytes."""


class _Kept(BaseModel):
    """What a checkpoint keeps along: what was seen and told until then."""

    model_config = ConfigDict(extra="forbid")

    sums: list[tuple[str, int, int, int, int, int, int]]
    unread: dict[str, str]


class UnfinishedImage:
    """The hidden folder beside an image that holds it while it is written, and how far that has come.

    Parameters
    ----------
    target : Path
        The image once it is done.
    """

    def __init__(self, target: Path) -> None:
        self.folder = target.with_name(f".{target.name}.draft")
        self.image = self.folder / "image.zarr"
        self._checkpoint, self._moved = self.folder / "checkpoint.npz", self.folder / "moved"

    @property
    def worth_keeping(self) -> bool:
        """Whether there is anything to go on with."""
        return self._checkpoint.is_file() and self.image.is_dir()

    def begin(self, source: ImageSource, state: str, pixels: PixelData, witness: Witness) -> Checkpoints:
        """Give where checkpoints are kept; if there is one, what had been seen and told by then is again.

        Parameters
        ----------
        source : ImageSource
            The image.
        state : str
            What its files are like.
        pixels : PixelData
            Tells which tiles were not readable.
        witness : Witness
            Sees the rows.
        """
        checkpoints = Checkpoints(self._checkpoint, _key(source, state), lambda: _kept(pixels, witness))
        found = checkpoints.read() if self.image.is_dir() else None
        if found is None:
            self.discard()
            self.folder.mkdir()
            return checkpoints
        kept = _Kept.model_validate(found.kept)
        pixels.unread.update(kept.unread)
        witness.sums.update({(name, t, c, z, top, bottom): one for name, t, c, z, top, bottom, one in kept.sums})
        return checkpoints

    @contextmanager
    def kept_after(self, *errors: type[Exception]) -> Iterator[None]:
        """Keep what is there if the process is stopped or one of some errors comes; after others it is removed."""
        try:
            yield
        except BaseException as error:
            other = isinstance(error, Exception) and not isinstance(error, (CancelledError, *errors))
            if other or not self.worth_keeping:
                self.discard()
            raise

    def move_to(self, folder: Path) -> None:
        """Let the finished image be the folder given, which is empty and lies beside the hidden one."""
        sync_tree(self.image)
        write_text(self._moved, folder.name)
        folder.rmdir()
        self.image.rename(folder)

    def settle(self) -> None:
        """Bring back the image if it was moved and yet did not take its name."""
        if self._moved.is_file():
            there = self.folder.with_name(self._moved.read_text(encoding="utf-8"))
            if there.is_dir() and not self.image.exists():
                there.rename(self.image)
            self._moved.unlink()
        if not self.worth_keeping:
            self.discard()

    def discard(self) -> None:
        """Remove it all."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _key(source: ImageSource, state: str) -> str:
    """Tell apart what an image may be made from, and what makes it."""
    packers = {name: version(name) for name in _PACKERS}
    made = [state, source.provenance, source.shape, source.dtype.str, list(source.labels), packers]
    return hashlib.sha256(utf8(to_json(made))).hexdigest()


def _kept(pixels: PixelData, witness: Witness) -> Mapping[str, Any]:
    return {"sums": [[*rows, checksum] for rows, checksum in witness.sums.items()], "unread": dict(pixels.unread)}
