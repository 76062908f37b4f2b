"""Where a dataset keeps its tiles, the decisions about them, and what is known of their returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..dataset import Dataset
from ..slices.generate import recognise

_FIXED = "fixed"
_TILE_PARTS = ("raw_tiles", "mosaics")


@dataclass(frozen=True)
class GalvoPlaces:
    """Where a dataset keeps what is known of returns.

    Parameters
    ----------
    tiles : Path or None
        Folder of raw tiles or mosaics; ``None`` where the project names none that is there.
    table : Path
        The slice table; it may not be there yet.
    diagnostics : Path
        Folder of the records.
    fixed : Path
        Folder that fixed tiles go to, unless another one is chosen.
    """

    tiles: Path | None
    table: Path
    diagnostics: Path
    fixed: Path

    @classmethod
    def of(cls, dataset: Dataset) -> GalvoPlaces:
        """Look them up: raw tiles go before mosaics, and an acquisition may itself be raw tiles."""
        places, project = dataset.places, dataset.project
        named = (places.found(part) for part in _TILE_PARTS if getattr(project, part))
        tiles = next((path for path in named if path.is_dir()), None)
        if tiles is None and places.data.is_dir() and recognise(places.data) == "tiles":
            tiles = places.data
        found, home = places.found("diagnostics"), places.home
        return cls(
            tiles,
            places.saved("slice_config") or places.written("slice_config"),
            found if found.exists() else places.written("diagnostics"),
            # nothing is ever written into a folder of tiles
            home / _FIXED if tiles != home else home.with_name(f"{home.name}-{_FIXED}"),
        )
