"""Frames of a simulation or an experiment as OME-TIFF, beside the JSON of its metadata."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from ..errors import PlanError, listing
from ..files import FileModel, atomic_path, json_safe, to_json, write_json
from .tiff.ome_tiff import ome_pixels
from .tiff.ome_xml import xml_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PREFIXES = ("Y", "Z", "E", "P", "T", "G", "M", "k", "h", "da", "", "d", "c", "m", "µ", "n", "p", "f", "a", "z", "y")
_LENGTHS = (
    *(f"{prefix}m" for prefix in _PREFIXES),
    *("Å", "thou", "li", "in", "ft", "yd", "mi", "ua", "ly", "pc", "pt", "pixel", "reference frame"),
)
_TIMES = (*(f"{prefix}s" for prefix in _PREFIXES), "min", "h", "d")
_AXES = "TZCYX"
_KNOWN = (
    *("UUID", "Creator", "Name", "Description", "AcquisitionDate", "SignificantBits", "TypeDescription"),
    *(f"PhysicalSize{axis}{unit}" for axis in "XYZ" for unit in ("", "Unit")),
    *("TimeIncrement", "TimeIncrementUnit", "Channel", "Plane"),
)
"""Keys that OME-XML has a place of its own for."""


class MetaData(BaseModel):
    """What is known of frames. Keys that are not listed here are kept.

    Parameters
    ----------
    axes : str
        Of the frames, some of ``TZCYX``, each once; Y and X come last, in this order.
    notes : object, optional
        Texts and lists of them; kept in the JSON only.
    TimeIncrement : float, optional
        From frame to frame, above 0.
    TimeIncrementUnit : str, optional
        As OME has it, such as ``s`` or ``ms``.
    PhysicalSizeX, PhysicalSizeY, PhysicalSizeZ : float, optional
        Of a px, above 0.
    PhysicalSizeXUnit, PhysicalSizeYUnit, PhysicalSizeZUnit : str, optional
        As OME has it, such as ``nm`` or ``µm``; ``um`` is taken for the latter.
    Channel : mapping or list of mappings, optional
        ``{"Name": [...]}``, or a mapping for each channel; keys are OME's.
    """

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    axes: str
    notes: Any = ""
    TimeIncrement: float | None = Field(None, gt=0)
    TimeIncrementUnit: str | None = None
    PhysicalSizeX: float | None = Field(None, gt=0)
    PhysicalSizeXUnit: str | None = None
    PhysicalSizeY: float | None = Field(None, gt=0)
    PhysicalSizeYUnit: str | None = None
    PhysicalSizeZ: float | None = Field(None, gt=0)
    PhysicalSizeZUnit: str | None = None
    Channel: dict[str, Any] | list[dict[str, Any]] | None = None

    @field_validator("axes")
    @classmethod
    def _known_axes(cls, axes: str) -> str:
        if len(set(axes)) < len(axes) or not set(axes) <= set(_AXES) or not axes.endswith("YX"):
            raise ValueError(f"{axes!r}, expected some of {_AXES}, each once, with YX at the end")
        return axes

    @field_validator("PhysicalSizeXUnit", "PhysicalSizeYUnit", "PhysicalSizeZUnit", "TimeIncrementUnit")
    @classmethod
    def _known_unit(cls, unit: str | None, info: Any) -> str | None:
        if unit is None:
            return None
        # µ has two characters in Unicode, and OME takes one of them
        found = {"um": "µm", "us": "µs"}.get(unit, unit.replace("\N{GREEK SMALL LETTER MU}", "\N{MICRO SIGN}"))
        known = _TIMES if info.field_name == "TimeIncrementUnit" else _LENGTHS
        if found not in known:
            raise ValueError(f"unknown unit {unit!r} (OME has {listing(known, 40)})")
        return found


class OutputParameters(FileModel):
    """Where frames are written.

    Parameters
    ----------
    output_path : Path
        The folder; it is made.
    output_name : str
        What the files are called, without a suffix; dots are kept.
    """

    output_path: Path
    output_name: str

    @field_validator("output_name")
    @classmethod
    def _is_name(cls, name: str) -> str:
        if name in ("", ".", "..") or set(name) & set("/\\\0"):
            raise ValueError(f"{name!r} is no name of a file")
        return name


def save_config_frames(config: MetaData, frames: NDArray[Any], outputparams: OutputParameters) -> Path:
    """Write frames with their metadata: ``<name>.ome.tiff``, ``<name>.metadata.json`` and ``metadata.json``.

    The TIFF is a BigTIFF and holds the metadata without its notes: keys that OME-XML has no place for are a map
    annotation. Both JSON files hold all of it; ``metadata.json`` is that of the frames last written to the folder.

    Parameters
    ----------
    config : MetaData
        What is known of the frames.
    frames : ndarray
        With the axes of `config`, or ``(T, H, W)`` where those name more; real numbers, as
        :func:`~napari_slicemap.images.tiff.ome_tiff.write_ome_tiff` takes them.
    outputparams : OutputParameters
        Where to.

    Returns
    -------
    Path
        The TIFF. The same frames and metadata make the same bytes.

    Raises
    ------
    PlanError
        If the frames do not fit the axes, are of a type that OME-TIFF has not, or the metadata do not fit them.
    """
    import tifffile

    folder, name = outputparams.output_path, outputparams.output_name
    pixels = ome_pixels(_shaped(np.asarray(frames), config.axes, name), f"frames {name}")
    whole = json_safe(config.model_dump())
    described = _described(config, pixels, name)
    target = folder / f"{name}.ome.tiff"
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary:
        try:
            tifffile.imwrite(
                temporary,
                pixels,
                bigtiff=True,
                ome=True,
                byteorder="<",
                photometric="minisblack",
                software="napari-slicemap",
                metadata=described,
            )
        # OmeXmlError is no subclass of anything that says so
        except (tifffile.OmeXmlError, ValueError, TypeError, IndexError, KeyError) as error:
            raise PlanError([f"frames {name}: the metadata do not fit frames {pixels.shape}: {error}"]) from error
    write_json(folder / f"{name}.metadata.json", whole)
    write_json(folder / "metadata.json", whole)
    return target


def _shaped(frames: NDArray[Any], axes: str, name: str) -> NDArray[Any]:
    """Give frames the axes stated; ``(T, H, W)`` gets those that it lacks, of length 1."""
    if 0 in frames.shape:
        raise PlanError([f"frames {name}: there are no pixels: their shape is {frames.shape}"])
    if frames.ndim == len(axes):
        return frames
    if frames.ndim == 3 and len(axes) > 3 and "T" in axes:
        sizes = dict(zip("TYX", frames.shape, strict=True))
        return frames.reshape([sizes.get(axis, 1) for axis in axes])
    raise PlanError([f"frames {name}: their shape is {frames.shape}, and the axes {axes} are {len(axes)}"])


def _described(config: MetaData, pixels: NDArray[Any], name: str) -> dict[str, Any]:
    """Give the metadata as tifffile takes them for OME-XML, with an identifier that follows from the content."""
    stated = _printable(json_safe(config.model_dump(exclude={"notes"}, exclude_none=True)))
    made: dict[str, Any] = {"axes": config.axes, "Creator": "napari-slicemap", "Name": xml_text(name)}
    made |= {key: value for key, value in stated.items() if key in _KNOWN}
    others = {key: value for key, value in stated.items() if key not in _KNOWN and key != "axes"}
    if others:
        made["MapAnnotation"] = {
            key: value if isinstance(value, str) else _text(value) for key, value in others.items()
        }
    if "UUID" not in made:
        content = hashlib.sha256(f"{_text(stated)}{pixels.dtype}{pixels.shape}".encode())
        content.update(np.ascontiguousarray(pixels).data)
        made["UUID"] = str(uuid.uuid5(uuid.NAMESPACE_OID, content.hexdigest()))
    return made


def _text(value: Any) -> str:
    return to_json(value, indent=None)


def _printable(value: Any) -> Any:
    """Put a sign for what XML cannot hold, in all texts of a value."""
    if isinstance(value, str):
        return xml_text(value)
    if isinstance(value, Mapping):
        return {xml_text(key): _printable(one) for key, one in value.items()}
    return [_printable(one) for one in value] if isinstance(value, list) else value
