"""Profiles from files of other tools; which one it is, the file says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import FileFormatError
from ..files import read_json
from .omero import profile_from_omero
from .profile import Profile, ProfileBook, profiles_from_marker_sets


@dataclass(frozen=True)
class FoundProfiles:
    """What was read from a file.

    Parameters
    ----------
    profiles : tuple of Profile
        In the order of the file.
    problems : tuple of str
        What could not be taken, each a sentence that names it.
    """

    profiles: tuple[Profile, ...]
    problems: tuple[str, ...] = ()


def read_profiles(path: str | os.PathLike[str]) -> FoundProfiles:
    """Read profiles from ``profiles.json``, marker sets of UELer, or the ``omero`` block of an OME-Zarr image.

    Parameters
    ----------
    path : path-like
        A JSON file, or the folder of an OME-Zarr image (0.4 or 0.5). An ``omero`` block is one profile, called as
        the block or else as the file.

    Returns
    -------
    FoundProfiles

    Raises
    ------
    FileFormatError
        Naming the file, if no profiles are in it.
    """
    path = Path(path)
    if path.is_dir():
        file = next((one for one in (path / "zarr.json", path / ".zattrs") if one.is_file()), None)
        if file is None:
            raise FileFormatError(f"{path}: there is no zarr.json or .zattrs in it; expected an OME-Zarr image")
    else:
        file = path
    data = read_json(file)
    if isinstance(data, dict) and "profiles" in data:
        return _of_book(ProfileBook.from_data(data, path))
    if isinstance(data, dict) and "marker_sets" in data:
        return _of_book(profiles_from_marker_sets(data, path))
    profile, problems = profile_from_omero(data, _plain(path), file)
    return FoundProfiles((profile,), tuple(problems))


def _of_book(book: ProfileBook) -> FoundProfiles:
    return FoundProfiles(tuple(book[name] for name in book.names))


def _plain(path: Path) -> str:
    """Name a profile as its file, without the endings."""
    return path.name.removesuffix(".json").removesuffix(".zarr").removesuffix(".ome") or path.name
