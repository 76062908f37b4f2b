"""Imaging mass cytometry as steinbock leaves it: multichannel TIFFs, images.csv, panel.csv, masks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PureWindowsPath

from ...errors import FileFormatError, TileReadError, listing
from ...files import Row, read_table
from ..acquisition import Acquisition, CellColumns, ReadOptions, TilePosition, image_files
from ..fov import Fov
from ..image import ImagePlane
from ..labels import masks_and_annotations
from ..opening import open_image

_CORNERS = ("acquisition_start_x_um", "acquisition_end_x_um", "acquisition_start_y_um", "acquisition_end_y_um")
_CELL_COLUMNS = CellColumns(fov="Image", label="Object", x="centroid-1", y="centroid-0")


class Steinbock:
    """``img/<image>.tiff``, ``images.csv``, ``panel.csv``, ``masks_<name>/<image>.tiff``, ``cells.csv``."""

    name = "steinbock"
    summary = "a steinbock folder (images.csv, panel.csv, img/)"

    def detect(self, path: Path) -> str:
        """Say that the two tables and the image folder are there."""
        there = (path / "images.csv").is_file() and (path / "panel.csv").is_file() and (path / "img").is_dir()
        return "images.csv, panel.csv and img/ are those of steinbock" if there else ""

    def read(self, path: Path, options: ReadOptions) -> Acquisition:
        """Read the tables; one image is opened, to hold its channels against the panel."""
        channels = _panel(path / "panel.csv")
        masks = {
            folder.name.removeprefix("masks_"): folder for folder in sorted(path.glob("masks_*")) if folder.is_dir()
        }
        fovs: dict[str, Fov] = {}
        positions: list[TilePosition] = []
        problems: list[str] = []
        nowhere: list[Row] = []
        for row in read_table(path / "images.csv", ("image", "width_px", "height_px")):
            fov, position = _fov(path, row, channels, masks, options)
            if fov.name in fovs:
                raise FileFormatError(f"{row.where}: image {row['image']} stands twice")
            fovs[fov.name] = fov
            if position is None:
                nowhere.append(row)
            else:
                positions.append(position)
        if not fovs:
            raise FileFormatError(f"{path / 'images.csv'}: the table lists no image")
        problems += _without_place(nowhere, others=bool(positions))
        problems += [
            f"{file}: not listed in images.csv; left out" for file in image_files(path / "img") if file.stem not in fovs
        ]
        more_masks, annotations = masks_and_annotations(options, set(fovs), problems)
        fovs = {
            name: replace(fov, masks={**fov.masks, **more_masks[name]}, annotations=annotations[name])
            for name, fov in fovs.items()
        }
        _check_channels(fovs, channels)
        cells = options.cells if options.cells.is_file() else path / "cells.csv"
        own = cells == path / "cells.csv" and options.cell_columns == CellColumns()
        return Acquisition(
            layout=self.name,
            root=path,
            fovs=fovs,
            positions=tuple(positions),
            stage_y="up",
            cells=cells if cells.is_file() else None,
            cell_columns=_CELL_COLUMNS if own else options.cell_columns,
            problems=tuple(problems),
        )


def _panel(path: Path) -> tuple[str, ...]:
    """Give the names of the channels kept, in image order."""
    kept = [row for row in read_table(path, ("name",)) if _is_kept(row)]
    names = [row["name"] or row["channel"] for row in kept]
    for row, name in zip(kept, names, strict=True):
        if not name:
            raise FileFormatError(f"{row.where}: a channel needs a name")
        if names.count(name) > 1:
            raise FileFormatError(f"{row.where}: channel {name} stands twice")
    if not names:
        raise FileFormatError(f"{path}: the panel keeps no channel")
    return tuple(names)


def _is_kept(row: Row) -> bool:
    said = row["keep"].casefold()
    if said not in ("", "1", "1.0", "true", "0", "0.0", "false"):
        raise FileFormatError(f"{row.where}: keep is {row['keep']!r}, expected 1 or 0")
    return said in ("", "1", "1.0", "true")


def _fov(
    path: Path, row: Row, channels: tuple[str, ...], masks: dict[str, Path], options: ReadOptions
) -> tuple[Fov, TilePosition | None]:
    image, name = path / "img" / row["image"], Path(row["image"]).stem
    width, height = row.whole("width_px", 1), row.whole("height_px", 1)
    if not name or width is None or height is None:
        raise FileFormatError(f"{row.where}: image, width_px and height_px are needed")
    size = (width, height)
    extent = row.length_um("acquisition_width_um")
    if extent is not None and extent <= 0:
        raise FileFormatError(f"{row.where}: acquisition_width_um is {extent:g}, expected a length above 0")
    pixel_size = None if extent is None else extent / width
    source = open_image(image)
    fov = Fov(
        name=name,
        planes={channel: ImagePlane(source, index, len(channels)) for index, channel in enumerate(channels)},
        stated_pixel_size_um=pixel_size,
        fallback_pixel_size_um=options.pixel_size_um,
        size_hint=size,
        masks={
            mask: ImagePlane(open_image(folder / row["image"]))
            for mask, folder in masks.items()
            if os.path.isfile(folder / row["image"])  # noqa: PTH113 - a name that is too long for a file is none
        },
    )
    return fov, _position(row, name, size, pixel_size)


def _position(row: Row, name: str, size: tuple[int, int], pixel_size: float | None) -> TilePosition | None:
    corners = [row.length_um(name) for name in _CORNERS]
    if any(corner is None for corner in corners):
        return None
    x0, x1, y0, y1 = (float(corner) for corner in corners if corner is not None)
    # one slide is one .mcd file; without one, images are named <slide>_<number>
    slide = PureWindowsPath(row["source_file"]).stem or name.rsplit("_", 1)[0]
    return TilePosition(
        map_id=slide,
        fov=name,
        source=row.where,
        center_um=((x0 + x1) / 2, (y0 + y1) / 2),
        size_px=size,
        pixel_size_um=pixel_size,
    )


def _without_place(rows: Sequence[Row], *, others: bool) -> list[str]:
    """Say what keeps images off the map; nothing where the table says of none where it lies."""
    lacking = {row.where: [name for name in _CORNERS if row.length_um(name) is None] for row in rows}
    return [
        f"{where}: {listing(names)} not stated; the image is on no map"
        for where, names in lacking.items()
        if others or len(names) < len(_CORNERS)
    ]


def _check_channels(fovs: dict[str, Fov], channels: tuple[str, ...]) -> None:
    """Hold the panel against the first image that can be read; the others are held to it when they are read."""
    for fov in fovs.values():
        image = next(iter(fov.planes.values()))
        if not isinstance(image, ImagePlane):
            continue
        try:
            count = image.image.info.shape[1]
        except TileReadError:
            continue
        if count != len(channels):
            raise FileFormatError(
                f"{image.path}: {count} channels, but panel.csv keeps {len(channels)} ({listing(channels)})"
            )
        return
