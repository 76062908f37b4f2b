"""What lets a conversion go on where it was stopped: kept beside the output in a hidden folder, and gone at the end."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from ...dataset import Dataset
from ...errors import FileFormatError, PlanError, listing
from ...files import FileModel, json_safe, read_json, utf8, write_json
from ...images.fov import Fov
from ...images.image import file_state
from ...images.ome_zarr.groups import group_attributes, is_zarr
from ...images.ome_zarr.metadata import OWN
from ..plan import ExportPlan
from ..records.provenance import software
from ..records.sources import relative_name, sources_of
from .plan import ConvertPlan, ImageTask

_STATE, _LOCK = "state.json", "lock"


class State(FileModel):
    """What a conversion was begun with.

    Parameters
    ----------
    version : int
        1.
    settings : dict of str to str
        What was asked for, and where its images lie.
    sources : dict of str to str
        Path of an image in the output → what its files were like.
    """

    version: Literal[1] = 1
    settings: dict[str, str]
    sources: dict[str, str]

    @classmethod
    def of(cls, plan: ConvertPlan, tasks: Sequence[ImageTask], dataset: Dataset) -> State:
        """Say what a conversion would be begun with now; looks at files, and opens none."""
        places = [[task.path, json_safe(task.place)] for task in tasks]
        settings = {
            **{name: str(value) for name, value in plan.options.model_dump().items()},
            "choice": json.dumps(plan.model_dump(include={"kind", "ids", "on_missing"})),
            "overlap rule": dataset.project.overlap if plan.kind == "map" else "",
            "places": _digest(json.dumps([dataset.stage_y, places])),
            "profile": _digest(json.dumps(json_safe(dataset.profiles.get_default()))),
        }
        return cls(settings=settings, sources={task.path: state_of(task, dataset) for task in tasks})

    def check(self, now: State, out: Path) -> None:
        """Refuse to go on with something else.

        Raises
        ------
        PlanError
            Naming what has changed.
        """
        faults = []
        if changed := [name for name, value in now.settings.items() if self.settings.get(name) != value]:
            faults.append(f"{out} was begun with another {listing(changed)}; --force begins it anew")
        elif changed := [path for path, value in now.sources.items() if self.sources.get(path) != value]:
            faults.append(f"{out}: the files of {listing(changed, 3)} have changed since; --force begins it anew")
        if faults:
            raise PlanError(faults)


def state_of(task: ImageTask, dataset: Dataset) -> str:
    """Tell one state of the files behind an image from another."""
    fovs: Iterable[Fov]
    if task.item.fov:
        fovs = [dataset.fovs[task.item.fov]]
        tiles: list[Any] = []
    else:
        placed = dataset.maps[task.item.map_id].placement.tiles
        fovs = [tile.fov for tile in placed if tile.fov]
        tiles = [[tile.name, list(tile.window), tile.ratio] for tile in placed]
    keys = [plane.key for fov in fovs for plane in fov.all_planes()]
    tables = [
        (one.table, file_state(one.table)) for fov in fovs for one in fov.annotations.values() if one.table is not None
    ]
    return _digest(repr((keys, tables, tiles)))


def _digest(text: str) -> str:
    return hashlib.sha256(utf8(text)).hexdigest()


def record_of(task: ImageTask, plan: ConvertPlan, of: ExportPlan, dataset: Dataset) -> dict[str, Any]:
    """Give the record that an image carries of how it was made: the same whenever it is made again."""
    paths = sources_of(task.item, of, dataset)
    sources = [
        {"path": relative_name(path, dataset), "size": file_state(path)[0] if path.is_file() else None}
        for path in paths
    ]
    made: dict[str, Any] = json_safe(
        {
            "version": 1,
            "software": software(),
            "dataset": {"name": dataset.project.name, "layout": dataset.layout},
            "conversion": plan.model_dump(exclude={"ids"}),
            "profile": dataset.profiles.get_default(),
            "fov": task.item.fov,
            "map_id": task.item.map_id,
            "sources": sources,
        }
    )
    return made


def still_true(folder: Path, record: Mapping[str, Any], sources: Iterable[Path]) -> bool:
    """Say whether a finished image is what would be made now, as far as its record and the times of files tell."""
    try:
        found = group_attributes(folder)[OWN]["provenance"]
        if not isinstance(found, dict) or {**found, "software": record["software"]} != record:
            return False
    except (KeyError, TypeError, FileFormatError, FileNotFoundError):
        return False
    written = max(file_state(folder / name)[1] for name in ("zarr.json", ".zattrs"))
    return all(file_state(path)[1] < written for path in sources)


# --- the hidden folder ----------------------------------------------------------------------------------------
class Workplace:
    """The hidden folder beside an output.

    Parameters
    ----------
    out : Path
        The output.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.folder = out.with_name(f".{out.name}.unfinished")

    @property
    def image(self) -> Path:
        """Where an image is made that becomes the output itself."""
        return self.folder / self.out.name

    def begun(self) -> State | None:
        """Give what an unfinished conversion was begun with; ``None`` if there is none.

        Raises
        ------
        FileFormatError
            If what is kept of it cannot be read.
        """
        path = self.folder / _STATE
        return State.from_data(read_json(path), path) if path.is_file() else None

    def begin(self, state: State) -> None:
        """Keep what a conversion is begun with."""
        write_json(self.folder / _STATE, state)

    def clear(self) -> None:
        """Forget an unfinished conversion, and take away what it and the output hold."""
        if self.out.exists():
            shutil.rmtree(self.out)
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != _LOCK:
                path.unlink()

    def end(self) -> None:
        """Let the folder go once the lock does; there is nothing to go on with."""
        (self.folder / _STATE).unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other conversions out.

        Raises
        ------
        PlanError
            If another one is writing the output, or nothing can be written there.
        """
        from filelock import FileLock, Timeout

        busy = f"another conversion is writing {self.out}; wait until it ends, or choose another name"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / _LOCK, timeout=0)
            lock.acquire()
        except Timeout:
            raise PlanError([busy]) from None
        except OSError as error:
            raise PlanError([f"{self.out} cannot be written: {error.strerror}; choose another place"]) from None
        try:
            if not (self.folder / _LOCK).exists():  # it was just finished, by somebody who removed the folder
                raise PlanError([busy])
            yield
        finally:
            if not (self.folder / _STATE).exists():
                shutil.rmtree(self.folder, ignore_errors=True)  # Windows keeps the file of the lock
            lock.release()


def out_faults(out: Path, dataset: Dataset) -> list[str]:
    """Say why a conversion cannot be written to a path, whatever is there."""
    here, data = out.resolve(), dataset.places.data.resolve()
    if here == data or here in data.parents:
        return [f"{out} holds the dataset itself; choose another place"]
    exports = dataset.places.written("exports").resolve()
    if data.is_dir() and here.is_relative_to(data) and not here.is_relative_to(exports):
        return [f"{out} lies in the dataset, which would then hold it as data; choose a place beside it, or {exports}"]
    if out.exists() and not out.is_dir():
        return [f"{out} is a file; an OME-Zarr image is a folder"]
    if out.is_dir() and any(out.iterdir()) and not is_zarr(out):
        return [f"{out} is a folder of something else than OME-Zarr; choose another name"]
    if not out.name.endswith(".zarr"):
        return [f"{out}: an OME-Zarr folder is called something.ome.zarr; write {out.name}.ome.zarr"]
    return []
