"""``ExportItem``: one thing to write, as a plan and a dataset come to it."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from ...files import FileModel
from ...images.region import Downsample, Region
from ...rois.roi import Points

ItemKind = Literal["fov", "fov-roi", "map-roi", "cell", "map", "stack", "sheet"]


class ExportItem(FileModel):
    """One thing to write.

    Parameters
    ----------
    item_id : str
        ``<kind>:<stem>``, unique in the plan.
    kind : str
        As in :class:`Select`, or ``sheet``.
    stem : str
        File name without suffix.
    fov, map_id : str
        The FOV, or (`fov` empty) the map.
    region : Region or None
        FOV px or map px; ``None`` for the whole.
    shape : tuple of (float, float)
        Vertices to clip to, px of the frame; empty for the whole box.
    upright : bool
        `shape` are the four corners of a rotated box that is turned upright: the first edge becomes the top.
    channels : tuple of str
        The channels of the profile to show; empty for all of them.
    members : tuple of ExportItem
        What a sheet shows, or the frames of a stack along slices.
    title : str
        What is written above it.
    roi_id : str
        The ROI behind it.
    label : int or None
        The cell behind it.
    downsample : int
        Size of an output px in source px.
    pixel_size_um : float or None
        Size of a source px, µm.
    """

    item_id: str
    kind: ItemKind
    stem: str
    fov: str = ""
    map_id: str = ""
    region: Region | None = None
    shape: Points = ()
    upright: bool = False
    channels: tuple[str, ...] = ()
    members: tuple[ExportItem, ...] = ()
    title: Annotated[str, Field(max_length=20_000)] = ""
    roi_id: str = ""
    label: int | None = None
    downsample: Downsample = 1
    pixel_size_um: Annotated[float, Field(gt=0)] | None = None

    @field_validator("stem")
    @classmethod
    def _stays_in_its_folder(cls, stem: str) -> str:
        if re.search(r"[^A-Za-z0-9_.-]", stem):  # a record may have been edited
            raise ValueError(f"{stem!r} is no file stem; expected letters, digits, '_', '.' and '-'")
        return stem

    @model_validator(mode="after")
    def _sheet_shows_something(self) -> ExportItem:
        if self.kind == "sheet" and not self.members:
            raise ValueError("a sheet needs members to show")
        return self

    @property
    def output_pixel_size_um(self) -> float | None:
        """Size of an output px, µm: the source's times the downsampling, once."""
        return None if self.pixel_size_um is None else self.pixel_size_um * self.downsample
