"""A registration kept: a project folder of its own, whose descriptors hold the refined positions."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import PlanError
from .files import atomic_path, distinct_stems, safe_stem, table_text, write_text
from .images.acquisition import TilePosition
from .maps.descriptor import write_descriptor
from .project import PROJECT_FILE, Places, write_project

if TYPE_CHECKING:
    from .dataset import Dataset
    from .maps.placement import Placement
    from .maps.registration import Registration

PAIRS_FILE = "registration.csv"
PAIR_COLUMNS = (
    *("map_id", "first", "second", "nominal_x_px", "nominal_y_px", "shift_x_px", "shift_y_px"),
    *("correlation", "score", "trusted", "why_not"),
)
_MAPS = "maps"
# what people write is copied; what machines left is pointed to
_COPIED = ("profiles", "rois", "slice_config")
_POINTED_TO = ("masks", "annotations", "cells", "diagnostics", "raw_tiles", "mosaics")


class RegisteredProject:
    """The project folder that a registration goes into.

    Parameters
    ----------
    dataset : Dataset
        The acquisition; it is never written to.
    folder : path-like
        The project folder; it is made when there is something to write. That of the dataset's own project file will do.
    force : bool
        Replace descriptors and a project file that are there.

    Raises
    ------
    PlanError
        If the folder is that of the data, cannot be written to, or holds what may not be replaced.
    """

    def __init__(self, dataset: Dataset, folder: str | os.PathLike[str], *, force: bool = False) -> None:
        self.dataset, self.folder = dataset, Path(folder).resolve()
        stems = distinct_stems([safe_stem(map_id) for map_id in dataset.maps])
        self._files = {
            map_id: self.folder / _MAPS / f"{stem}.json" for map_id, stem in zip(dataset.maps, stems, strict=True)
        }
        # its own project is taken further; anybody else's is only replaced when asked to
        self._own = dataset.file is not None and dataset.file.resolve() == self.folder / PROJECT_FILE
        if self.folder == dataset.places.data_folder:
            raise PlanError([f"{self.folder} is the acquisition's own folder; choose another --project-folder"])
        self._refuse_what_is_there(force)
        there = next(one for one in (self.folder, *self.folder.parents) if one.exists())
        if not there.is_dir() or not os.access(there, os.W_OK):
            raise PlanError([f"{there} cannot be written to; choose another --project-folder"])

    def _refuse_what_is_there(self, force: bool) -> None:
        found = sorted((self.folder / _MAPS).glob("*.json"))
        if found and not force:
            raise PlanError([f"{found[0]} is there already; --force replaces it"])
        if (self.folder / PROJECT_FILE).exists() and not self._own and not force:
            raise PlanError([f"{self.folder / PROJECT_FILE} is there already; --force replaces it"])
        ours = set(self._files.values())
        if other := [file for file in found if file not in ours]:
            raise PlanError(
                [f"{other[0]} is of no map of {self.dataset.name}; take it away, or its maps are placed twice"]
            )

    def write(self, registrations: Mapping[str, Registration]) -> list[Path]:
        """Write descriptors of all maps, the table of pairs, and at last the project file.

        Maps that were not refined keep their places: a folder of descriptors says where all maps lie.

        Parameters
        ----------
        registrations : mapping of str to Registration
            Map id → what was found.

        Returns
        -------
        list of Path
            The files written.

        Raises
        ------
        PlacementError
            If a map cannot be written as a descriptor, such as one that holds a FOV twice.
        """
        written = [self.folder / PAIRS_FILE]
        (self.folder / _MAPS).mkdir(parents=True, exist_ok=True)
        write_text(written[0], _pairs_text(registrations))
        for map_id, file in self._files.items():
            found = registrations.get(map_id)
            refined = found is not None and found.refined
            if not refined and self._own and file.exists():
                continue
            positions = found.positions if found is not None else tuple(self.dataset.positions[map_id])
            record = found.record() if found is not None and refined else None
            placement = self.dataset.maps[map_id].placement
            write_descriptor(file, _complete(positions, placement), registration=record)
            written.append(file)
        return [*written, *self._copy_parts(), self._write_project()]

    def _copy_parts(self) -> list[Path]:
        """Copy what people wrote for the acquisition, unless the new project has or finds it."""
        new, made = self._places(), []
        for part in _COPIED:
            source, target = self.dataset.places.saved(part), new.written(part)
            if source is not None and source != new.saved(part) and not target.exists():
                with atomic_path(target) as temporary:
                    shutil.copyfile(source, temporary)
                made.append(target)
        return made

    def _write_project(self) -> Path:
        file = self.folder / PROJECT_FILE
        write_project(self._places().project, file)
        return file

    def _places(self) -> Places:
        """Give the places of the new project: what the old one stated is kept, and read from where it was."""
        dataset, old = self.dataset, self.dataset.places
        project = dataset.project.model_copy(
            update={"data": _relative(old.data, self.folder), "layout": dataset.layout, "maps": _MAPS}
        )
        if dataset.stage_y_stated:
            project = project.model_copy(update={"stage_y": dataset.stage_y})
        if not self._own:
            # paths are relative to the project file
            names = {part: Path(getattr(project, part)).name for part in _COPIED}
            new = Places(project, self.folder)
            moved = {
                part: _relative(old.found(part), self.folder)
                for part in _POINTED_TO
                if getattr(project, part) and old.found(part).exists() and new.found(part) != old.found(part)
            }
            project = project.model_copy(update=names | moved)
        return Places(project, self.folder)


def _complete(positions: tuple[TilePosition, ...], placement: Placement) -> list[TilePosition]:
    """State sizes and pixel sizes as the map was placed by them."""
    slice_id = "" if placement.slice_id == placement.map_id else placement.slice_id
    size = placement.pixel_size_um
    return [
        replace(
            position,
            size_px=position.size_px or (tile.fov.size_px if tile.fov is not None else None),
            pixel_size_um=position.pixel_size_um or (None if size is None else size / tile.ratio),
            slice_id=slice_id,
        )
        for position, tile in zip(positions, placement.tiles, strict=True)
    ]


def _pairs_text(registrations: Mapping[str, Registration]) -> str:
    rows = [
        {
            "map_id": map_id,
            "first": pair.first,
            "second": pair.second,
            "nominal_x_px": round(pair.nominal_px[0], 3),
            "nominal_y_px": round(pair.nominal_px[1], 3),
            "shift_x_px": round(pair.shift_px[0], 3),
            "shift_y_px": round(pair.shift_px[1], 3),
            "correlation": round(pair.correlation, 4),
            "score": round(pair.score, 3),
            "trusted": "true" if pair.trusted else "false",
            "why_not": pair.why_not,
        }
        for map_id, found in registrations.items()
        for pair in found.pairs
    ]
    return table_text(PAIR_COLUMNS, rows)


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive on Windows
        return path.as_posix()
