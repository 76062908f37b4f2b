"""Small OME-Zarr files written through zarr-python alone: images with levels and labels, plates, collections."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from builders import pixels, write_zarr

SIZE = (20, 24)
PIXEL_UM = 0.5


def write_group(path: Path, ome: Mapping[str, Any], *, version: int = 3, **own: Any) -> Path:
    """A group with OME-Zarr attributes: 0.5 (Zarr v3) or 0.4 (v2), and others beside them."""
    attributes: dict[str, Any] = {"ome": {"version": "0.5", **ome}}
    if version == 2:
        attributes = {**ome, "multiscales": [{"version": "0.4", **one} for one in ome.get("multiscales", ())]}
        attributes = {key: value for key, value in attributes.items() if value}
    zarr.create_group(path, zarr_format=version, attributes={**attributes, **own})  # type: ignore[arg-type]
    return path


def multiscales(
    axes: str = "yx",
    *,
    pixel: float = PIXEL_UM,
    corner: Sequence[float] | None = None,
    unit: str = "micrometer",
    levels: Sequence[str] = ("0",),
    name: str = "",
) -> list[dict[str, Any]]:
    """Levels that halve in y and x; ``corner`` is (x, y) of the centre of the first px, in the unit."""
    kinds = {"t": "time", "c": "channel"}
    space = {"unit": unit} if unit else {}
    said = [{"name": axis, "type": kinds.get(axis, "space"), **({} if axis in kinds else space)} for axis in axes]
    datasets = []
    for n, path in enumerate(levels):
        scale = [pixel * 2**n if axis in "yx" else 1.0 for axis in axes]
        steps: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
        if corner is not None:
            at = dict(zip("xy", corner, strict=True))
            shift = pixel * (2**n - 1) / 2
            steps.append({"type": "translation", "translation": [at[a] + shift if a in at else 0.0 for a in axes]})
        datasets.append({"path": path, "coordinateTransformations": steps})
    return [{"axes": said, "datasets": datasets, **({"name": name} if name else {})}]


def write_image(
    path: Path,
    seed: int = 1,
    *,
    channels: Sequence[Mapping[str, Any]] = (),
    labels: Mapping[str, Sequence[tuple[int, int]]] | None = None,
    levels: Sequence[str] = ("0",),
    absent: Sequence[str] = (),
    version: int = 3,
    own: Mapping[str, Any] | None = None,
    **said: Any,
) -> Path:
    """An image of noise, 24 × 20 px of 0.5 µm, with label images of such sizes; levels may be absent."""
    shape = (len(channels), *SIZE) if channels else SIZE
    ome: dict[str, Any] = {"multiscales": multiscales("cyx"[-len(shape) :], levels=levels, **said)}
    if channels:
        ome["omero"] = {"channels": [dict(channel) for channel in channels]}
    write_group(path, ome, version=version, **({"napari_slicemap": own} if own else {}))
    data, names = pixels(seed, shape), {"dimension_names": list("cyx"[-len(shape) :])} if version == 3 else {}
    for n, level in enumerate(levels):
        if level not in absent:
            write_zarr(path / level, data[..., :: 2**n, :: 2**n], zarr_format=version, **names)
    if labels is not None:
        write_group(path / "labels", {"labels": list(labels)}, version=version)
    for name, sizes in (labels or {}).items():
        paths = [str(n) for n in range(len(sizes))]
        write_group(path / "labels" / name, {"multiscales": multiscales(levels=paths)}, version=version)
        for level, size in zip(paths, sizes, strict=True):
            write_zarr(path / "labels" / name / level, pixels(9, size, np.uint8), zarr_format=version)
    return path


def write_plate(
    root: Path,
    corners: Mapping[str, Sequence[Sequence[float] | None]],
    *,
    version: int = 3,
    acquisitions: Mapping[str, Sequence[int]] | None = None,
) -> Path:
    """A plate: path of a well → the corner of each field, or ``None`` where none is stated."""
    rows, columns = (sorted({well.split("/")[n] for well in corners}) for n in (0, 1))
    wells = [
        {"path": well, "rowIndex": rows.index(well[0]), "columnIndex": columns.index(well.split("/")[1])}
        for well in corners
    ]
    plate = {"rows": [{"name": one} for one in rows], "columns": [{"name": one} for one in columns], "wells": wells}
    write_group(root, {"plate": plate}, version=version)
    for well, fields in corners.items():
        numbers = (acquisitions or {}).get(well)
        images = [{"path": str(n), **({"acquisition": numbers[n]} if numbers else {})} for n in range(len(fields))]
        write_group(root / well, {"well": {"images": images}}, version=version)
        for n, corner in enumerate(fields):
            write_image(root / well / str(n), 10 * wells.index(wells[0]) + n, corner=corner, version=version)
    return root


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what the attributes of a group (Zarr v3) say."""
    file = path / "zarr.json"
    said = json.loads(file.read_text())
    change(said["attributes"])
    file.write_text(json.dumps(said))
