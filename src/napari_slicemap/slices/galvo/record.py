"""What is known of the return in a slice: the part ``galvo`` of ``diagnostics/slice_<id>.json``.

The slice table says whether a slice is to be fixed; the numbers behind it, and the shift, are here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from ...files import FileModel
from ..diagnostics import diagnostics_path, read_diagnostics, remove_diagnostics, write_diagnostics
from .detect import SliceDetection, TileDetection
from .score import GalvoScore
from .tile_slices import Axis, TileSlice

PART = "galvo"
DETECTION = "detection"
"""Who decided, where no person has."""
IN_TABLE = "the slice table"
"""Who decided, where a person changed the table itself."""
_DECIMALS = 6

Share = Annotated[float, Field(ge=0, le=1)]


class Parts(FileModel):
    """Why a place counts as the return; see :class:`~.score.GalvoScore`."""

    contrast: Share
    sharpness: Share
    anomaly: Share
    agreement: Share
    similarity: Share
    evidence: Share
    relative_difference: Annotated[float, Field(ge=0)]

    @classmethod
    def of(cls, score: GalvoScore) -> Parts:
        """Take the parts of a score."""
        return cls(**{name: round(getattr(score, name), _DECIMALS) for name in cls.model_fields})


class TileRecord(FileModel):
    """What was found in one tile; see :class:`~.detect.TileDetection`."""

    name: str
    shift: int
    confidence: Share
    share: Share
    mean_intensity: float
    parts: Parts

    @classmethod
    def of(cls, found: TileDetection, name: str) -> TileRecord:
        """Take what was found in the tile of a name."""
        return cls(
            name=name,
            shift=found.score.shift,
            confidence=round(found.confidence, _DECIMALS),
            share=round(found.share, _DECIMALS),
            mean_intensity=round(found.mean_intensity, _DECIMALS),
            parts=Parts.of(found.score),
        )


class Applied(FileModel):
    """The fix that was written: by which shift, and where to."""

    shift: int
    path: str


class GalvoRecord(FileModel):
    """What is known of the return in a slice.

    Parameters
    ----------
    axis : "x" or "y"
        Along which A-lines follow one another in the picture.
    n_extra, lines : int
        A-lines of the return, and of a whole tile with them.
    shift : int
        A-lines by which rolling each tile puts the return at its end; 0 if the confidence is below the threshold.
    confidence, threshold : float
        Of the detection, 0 to 1.
    parts : Parts or None
        Of the tile that decided; ``None`` if all were background.
    tiles : tuple of TileRecord
        All that were looked at.
    background : tuple of str
        Names of tiles that were opened and left out as background.
    likeliest : int or None
        The shift of the tile that decided, even below the threshold.
    reviewer_shift : int or None
        The shift that a person accepted; it wins. ``None`` where a person rejected, or none has decided.
    decided_by : str
        ``"detection"``, the person, or ``"the slice table"`` where somebody changed that.
    applied : Applied or None
        The fix that was written, if there is one.
    replaces : bool or None
        What an earlier detection wrote into the table, while this one may not be there yet: an end in between must not
        make a person's decision of it.
    """

    axis: Axis
    n_extra: Annotated[int, Field(gt=0)]
    lines: Annotated[int, Field(gt=0)]
    shift: int
    confidence: Share
    threshold: Share
    parts: Parts | None = None
    tiles: tuple[TileRecord, ...] = ()
    background: tuple[str, ...] = ()
    likeliest: int | None = None
    reviewer_shift: int | None = None
    decided_by: str = DETECTION
    applied: Applied | None = None
    replaces: bool | None = None

    @classmethod
    def of(cls, tiles: TileSlice, found: SliceDetection, **known: Any) -> GalvoRecord:
        """Take what a detection found in the tiles of a slice; `known` are what a person decided, and `applied`."""
        best = found.best
        return cls(
            axis=tiles.axis,
            n_extra=tiles.n_extra,
            lines=tiles.lines,
            shift=found.shift,
            confidence=found.confidence,  # as it is: rounded, it might pass the threshold
            threshold=found.threshold,
            parts=Parts.of(best.score) if best else None,
            tiles=tuple(TileRecord.of(one, tiles.tiles[one.index].name) for one in found.tiles),
            background=tuple(tiles.tiles[index].name for index in found.background),
            likeliest=best.score.shift if best else None,
            **known,
        )

    @property
    def suggests_fix(self) -> bool:
        """What the detection would decide: a return was found, and it is not at the end already."""
        return self.confidence >= self.threshold and self.shift != 0

    @property
    def detected(self) -> int | None:
        """The shift that was detected, else the likeliest: who asks for a fix below the threshold means that one."""
        return self.shift if self.confidence >= self.threshold else self.likeliest

    @property
    def word(self) -> bool | None:
        """What a person decided, as far as it stands here and not in the table alone."""
        return None if self.decided_by in (DETECTION, IN_TABLE) else self.reviewer_shift is not None


def read_record(folder: str | os.PathLike[str], slice_id: str) -> GalvoRecord | None:
    """Read what is known of a slice; ``None`` where nothing is.

    Parameters
    ----------
    folder : path-like
        Of the diagnostics.
    slice_id : str
        The slice, as the files are named.

    Raises
    ------
    FileFormatError
        Naming the file and the key.
    """
    part = read_diagnostics(folder, slice_id).get(PART)
    where = f"{diagnostics_path(folder, slice_id)}: {PART}"
    return None if part is None else GalvoRecord.from_data(part, where)


def read_records(folder: str | os.PathLike[str], slice_ids: Iterable[str]) -> dict[str, GalvoRecord]:
    """Read what is known of slices; those of which nothing is are left out."""
    found = {one: read_record(folder, one) for one in slice_ids}
    return {one: record for one, record in found.items() if record is not None}


def write_record(folder: str | os.PathLike[str], slice_id: str, record: GalvoRecord) -> Path:
    """Write what is known of a slice; what other stages wrote of it stays.

    Raises
    ------
    FileFormatError
        If there is a file of that name that is none of these.
    """
    return write_diagnostics(folder, slice_id, PART, record.model_dump(mode="json"))


def remove_record(folder: str | os.PathLike[str], slice_id: str) -> None:
    """Forget what is known of a slice; what other stages wrote of it stays.

    Raises
    ------
    FileFormatError
        If there is a file of that name that is none of these.
    """
    remove_diagnostics(folder, slice_id, PART)
