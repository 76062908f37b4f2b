"""The export plan: what is asked for, the same from Python, from the shell and from the dock."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from ..errors import FileFormatError
from ..files import FileModel, read_json, read_toml, to_json, write_text
from ..images.fov import ZChoice
from ..render.scale_bar import ScaleBarStyle
from ..render.virtual_map import Levels, OnMissing
from ..units import PositiveLengthUm

ItemKind = Literal["fov", "fov-roi", "map-roi", "cell", "map"]
Overwrite = Literal["refuse", "overwrite", "rename"]

_SAME_FORMAT = {"tiff": "tif"}


class Select(FileModel):
    """One choice of items (``[[select]]``).

    Parameters
    ----------
    kind : str
        ``fov``, ``fov-roi``, ``map-roi``, ``cell`` or ``map``.
    ids : tuple of str
        FOV names, ROI names or ids, map ids; for cells ``<fov>`` (all of its cells) or ``<fov>:<label>``.
    tags : tuple of str
        ROIs that have any of these tags.
    query : str
        Cells for which a condition on the cell table holds, such as ``"area > 50"``.
    all : bool
        Everything of the kind.
    clip : "box" or "polygon"
        ROIs: the whole box, or transparent outside the shape.
    size_px : int
        Cells: side of the square, FOV px.
    """

    kind: ItemKind
    ids: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    query: str = ""
    all: bool = False
    clip: Literal["box", "polygon"] = "box"
    size_px: Annotated[int, Field(ge=1, le=16384)] = 128

    @model_validator(mode="after")
    def _says_what(self) -> Select:
        if not (self.ids or self.tags or self.query or self.all):
            raise ValueError(f"select of {self.kind}: say which, by ids, tags, query or all = true")
        if self.tags and not self.kind.endswith("roi"):
            raise ValueError("tags choose ROIs; use kind fov-roi or map-roi")
        if self.query and self.kind != "cell":
            raise ValueError("query chooses cells; use kind cell")
        return self


class OverlayChoice(FileModel):
    """What to draw over the channels (``[overlays]``): masks and annotations by name, ROI shapes or not."""

    masks: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    rois: bool = False


class ExportPlan(FileModel):
    """What to export, how, and where to.

    Parameters
    ----------
    version : int
        1.
    profile : str
        Name of a saved profile; the dataset's default where empty.
    format : str
        ``png`` or ``tif``.
    output_folder : str
        Relative to the current folder; the dataset's exports folder where empty.
    downsample : int
        Size of an output px in source px.
    target_pixel_size_um : float, optional
        µm per output px instead; must be a whole multiple of the source's.
    overwrite : "refuse", "overwrite" or "rename"
        What to do about a file that is already there.
    on_missing : "raise" or "mark"
        What to do about a tile that cannot be read: fail the item, or hatch the tile and report it.
    levels : "exact" or "stored"
        Maps: read the tiles, or coarse levels where the dataset's cache has them; the provenance says which it was.
    include_excluded : bool
        Take slices that the slice table excludes.
    t : int
        Time point.
    z : int or "max" or "mean"
        Plane or projection.
    background : str
        Colour where no tile lies.
    select : tuple of Select
        The items, in this order.
    scale_bar : ScaleBarStyle
        The scale bar.
    overlays : OverlayChoice
        Masks, annotations, ROI shapes.
    options : dict
        The format's own; checked against its writer.
    """

    version: Literal[1] = 1
    profile: str = ""
    format: str = "png"
    output_folder: str = ""
    downsample: Annotated[int, Field(ge=1)] = 1
    target_pixel_size_um: PositiveLengthUm | None = None
    overwrite: Overwrite = "refuse"
    on_missing: OnMissing = "raise"
    levels: Levels = "exact"
    include_excluded: bool = False
    t: Annotated[int, Field(ge=0)] = 0
    z: ZChoice = 0
    background: str = "#000000"
    select: Annotated[tuple[Select, ...], Field(min_length=1)]
    scale_bar: ScaleBarStyle = ScaleBarStyle()
    overlays: OverlayChoice = OverlayChoice()
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("format")
    @classmethod
    def _one_name(cls, name: str) -> str:
        return _SAME_FORMAT.get(name.lower(), name.lower())

    @field_validator("background")
    @classmethod
    def _color(cls, text: str) -> str:
        from ..render.channels import hex_color

        return hex_color(text)

    @model_validator(mode="after")
    def _one_scale(self) -> ExportPlan:
        if self.target_pixel_size_um is not None and self.downsample != 1:
            raise ValueError("give downsample or target_pixel_size_um, not both")
        return self

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> ExportPlan:
        """Read a plan from TOML or JSON.

        Raises
        ------
        FileFormatError
            Naming the file, the key and what is wrong.
        """
        path = _plan_file(path)
        return cls.from_data(read_json(path) if path.suffix == ".json" else read_toml(path), path)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the plan atomically, as TOML or JSON by the file's suffix; values as by default are left out.

        Raises
        ------
        FileFormatError
            If the suffix is another one.
        """
        import tomli_w

        path = _plan_file(path)
        said = {"version": self.version, **self.model_dump(exclude_defaults=True, exclude_none=True)}
        write_text(path, to_json(said) + "\n" if path.suffix == ".json" else tomli_w.dumps(said))


def _plan_file(path: str | os.PathLike[str]) -> Path:
    path = Path(path)
    if path.suffix not in (".toml", ".json"):
        raise FileFormatError(f"{path}: a plan is a .toml or .json file")
    return path
