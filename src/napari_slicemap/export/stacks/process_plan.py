"""What is to be done with one stack, before anybody has looked at it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pydantic

from ...errors import PlanError
from ...files import FileModel, explain
from ...images.stack.processing import ProcessingStep


class GifStyle(FileModel):
    """How a stack is shown.

    Parameters
    ----------
    scale_bar_nm : int
        Length of the scale bar, nm; 0 for none.
    zmin, zmax : float or str
        Values shown darkest and brightest: a number, ``auto`` (of the finite values of the stack), or a percentile
        such as ``p1`` or ``p99``.
    draw_ts : bool
        Whether the time of each frame is drawn.
    fps : float or None
        Frames per second; the real times of the frames if ``None``.
    cmap : str
        Name of a colour map.
    """

    scale_bar_nm: int = pydantic.Field(100, ge=0)
    zmin: float | str = "auto"
    zmax: float | str = "auto"
    draw_ts: bool = True
    fps: float | None = pydantic.Field(None, gt=0)
    cmap: str = "afmhot"

    @pydantic.field_validator("zmin", "zmax")
    @classmethod
    def _limit(cls, value: float | str) -> float | str:
        if not isinstance(value, str) or value == "auto":
            return value
        text = value.removeprefix("p")
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or (text != value and not 0 <= number <= 100):
            raise ValueError(f"{value!r} is no number, auto or percentile from p0 to p100")
        return value if text != value else number


class ProcessPlan(FileModel):
    """What is to be done with one stack.

    Parameters
    ----------
    source : Path
        The file to read.
    channel : str
        Of the file; ``""`` for its first.
    processing : tuple of ProcessingStep
        In order.
    formats : tuple of {"tif", "npz", "h5", "gif"}
        What to write, at least one.
    output_folder : Path
        Made if it is not there.
    output_name : str
        Stem of the files; ``""`` for that of the source.
    raw : bool
        Write the frames as they were before any step; none is run.
    overwrite : {"refuse", "overwrite", "rename"}
        What becomes of files that are there.
    gif : GifStyle
        How the GIF looks.
    """

    source: Path
    channel: str = ""
    processing: tuple[ProcessingStep, ...] = ()
    formats: tuple[Literal["tif", "npz", "h5", "gif"], ...] = pydantic.Field(min_length=1)
    output_folder: Path = Path("output")
    output_name: str = ""
    raw: bool = False
    overwrite: Literal["refuse", "overwrite", "rename"] = "refuse"
    gif: GifStyle = GifStyle()

    @classmethod
    def of(cls, data: Mapping[str, object]) -> ProcessPlan:
        """Validate a plan.

        Raises
        ------
        PlanError
            Saying what is wrong.
        """
        try:
            return cls.model_validate(data)
        except pydantic.ValidationError as error:
            raise PlanError(explain(error, cls).split("; ")) from None

    @property
    def name(self) -> str:
        """Stem of the files, without ``_filtered``."""
        if self.output_name:
            return self.output_name
        file = self.source.name
        return next(
            (file[: -len(end)] for end in (".ome.tif", ".ome.tiff") if file.lower().endswith(end)), self.source.stem
        )
