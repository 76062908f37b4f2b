"""The export plan: what is asked for, the same from Python, from the shell and from the dock."""

from __future__ import annotations

import os
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from ..errors import FileFormatError, listing
from ..files import FileModel, PathText, read_json, read_toml, to_json, write_text
from ..images.fov import ZChoice
from ..images.region import Downsample
from ..render.scale_bar import ScaleBarStyle
from ..render.virtual_map import Levels, OnMissing
from ..units import PositiveLengthUm

SelectKind = Literal["fov", "fov-roi", "map-roi", "cell", "map", "stack"]
Overwrite = Literal["refuse", "overwrite", "rename"]
ChannelFiles = Literal["merged", "separate", "both"]
Clip = Literal["box", "polygon", "upright"]

_SAME_FORMAT = {"tiff": "tif", "jpeg": "jpg", "hdf5": "h5"}


NAME_FIELDS = ("stem", "kind", "fov", "map", "roi", "cell", "channel", "profile", "number")
"""What a name template or a title may hold in braces: the stem by default, what the item is made of, and its number
in the list, from 1."""


def checked_template(template: str) -> str:
    """Give a template back if its fields are known.

    Raises
    ------
    ValueError
        Naming the field that is not, or the brace that is not closed.
    """
    try:
        fields = [(name, spec, conversion) for _, name, spec, conversion in Formatter().parse(template)]
    except ValueError as error:
        raise ValueError(f"template {template!r}: {error}; a brace itself is written twice") from None
    for name, spec, conversion in fields:
        if name is not None and (name not in NAME_FIELDS or spec or conversion):
            raise ValueError(f"template {template!r}: unknown field {{{name}}} (there is {listing(NAME_FIELDS)})")
    return template


class Select(FileModel):
    """One choice of items (``[[select]]``).

    Parameters
    ----------
    kind : str
        ``fov``, ``fov-roi``, ``map-roi``, ``cell``, ``map`` or ``stack``.
    ids : tuple of str
        FOV names, ROI names or ids, map ids; for cells ``<fov>`` (all of its cells) or ``<fov>:<label>``; for
        stacks FOV names (each one a time series), or along slices map ids (all of them one stack).
    tags : tuple of str
        ROIs that have any of these tags.
    query : str
        Cells for which a condition on the cell table holds, such as ``"area > 50"``.
    all : bool
        Everything of the kind.
    clip : "box", "polygon" or "upright"
        ROIs: the whole box, transparent outside the shape, or (rotated boxes) turned upright.
    size_px : int
        Cells: side of the square, FOV px.
    along : "time" or "slices"
        Stacks: the time points of a FOV, or maps one after the other in the order of `ids`, on one canvas in
        stage coordinates.
    roi : str
        Stacks: name or id of an ROI to crop each frame to; along slices its box on its map, in stage µm, is taken
        from each map.
    name : str
        Stacks along slices: file stem.
    """

    kind: SelectKind
    ids: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    query: str = ""
    all: bool = False
    clip: Clip = "box"
    size_px: Annotated[int, Field(ge=1, le=16384)] = 128
    along: Literal["time", "slices"] = "time"
    roi: str = ""
    name: str = "slices"

    @model_validator(mode="after")
    def _says_what(self) -> Select:
        if not (self.ids or self.tags or self.query or self.all):
            raise ValueError(f"select of {self.kind}: say which, by ids, tags, query or all = true")
        if self.tags and not self.kind.endswith("roi"):
            raise ValueError("tags choose ROIs; use kind fov-roi or map-roi")
        if self.query and self.kind != "cell":
            raise ValueError("query chooses cells; use kind cell")
        for key in ("along", "roi", "name"):
            if self.kind != "stack" and getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"{key} goes with kind stack, not {self.kind}")
        return self


class CaptionStyle(FileModel):
    """What is written on a strip above a picture (``[caption]``).

    Parameters
    ----------
    title : str
        A line of text; may hold the fields of a name template, such as ``{stem}``. None where empty.
    legend : bool
        The names of the visible channels, each in its colour.
    """

    title: Annotated[str, Field(max_length=1000)] = ""
    legend: bool = False

    @field_validator("title")
    @classmethod
    def _known_fields(cls, title: str) -> str:
        return checked_template(title)


class ContactSheet(FileModel):
    """Many items on one picture (``[contact_sheet]``), all at one scale.

    Parameters
    ----------
    enabled : bool
        Put the items on sheets instead of into files of their own.
    columns, rows : int
        Items on a sheet; columns 0 makes the sheet about square.
    labels : bool
        Write below each item what it is.
    gap_px : int
        Space between items, px.
    """

    enabled: bool = False
    columns: Annotated[int, Field(ge=0, le=1000)] = 0
    rows: Annotated[int, Field(ge=1, le=1000)] = 10
    labels: bool = True
    gap_px: Annotated[int, Field(ge=0, le=1000)] = 8


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
        Name of a writer, such as ``png``, ``pdf`` or ``ome-tiff``.
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
    t : int or "all"
        Time point; all of them only in formats that hold data. Stacks along time take all.
    z : int or "max" or "mean" or "all"
        Plane or projection; all planes only in formats that hold data.
    background : str
        Colour where no tile lies.
    channel_files : "merged", "separate" or "both"
        All channels of the profile in one file, each in one of its own, or both.
    name_template : str
        What a file is called, before its suffix: fields in braces are those of :data:`NAME_FIELDS`.
    select : tuple of Select
        The items, in this order.
    scale_bar : ScaleBarStyle
        The scale bar.
    overlays : OverlayChoice
        Masks, annotations, ROI shapes.
    caption : CaptionStyle
        Title and legend.
    contact_sheet : ContactSheet
        Many items on one picture.
    options : dict
        The format's own; checked against its writer.
    """

    version: Literal[1] = 1
    profile: str = ""
    format: str = "png"
    output_folder: PathText = ""
    downsample: Downsample = 1
    target_pixel_size_um: PositiveLengthUm | None = None
    overwrite: Overwrite = "refuse"
    on_missing: OnMissing = "raise"
    levels: Levels = "exact"
    include_excluded: bool = False
    t: Annotated[int, Field(ge=0)] | Literal["all"] = 0
    z: ZChoice | Literal["all"] = 0
    background: str = "#000000"
    channel_files: ChannelFiles = "merged"
    name_template: Annotated[str, Field(min_length=1, max_length=1000)] = "{stem}"
    select: Annotated[tuple[Select, ...], Field(min_length=1)]
    scale_bar: ScaleBarStyle = ScaleBarStyle()
    overlays: OverlayChoice = OverlayChoice()
    caption: CaptionStyle = CaptionStyle()
    contact_sheet: ContactSheet = ContactSheet()
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("format")
    @classmethod
    def _one_name(cls, name: str) -> str:
        return _SAME_FORMAT.get(name.lower(), name.lower())

    @field_validator("name_template")
    @classmethod
    def _known_fields(cls, template: str) -> str:
        return checked_template(template)

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
