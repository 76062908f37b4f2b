"""Stacks on their way out as data: the formats, and what the files are called."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import listing
from ...files import safe_stem

if TYPE_CHECKING:
    from ...images.stack.image_stack import ImageStack

_SUFFIXES = {"tif": ".ome.tif", "npz": ".npz", "h5": ".h5"}
_FILTERED = "_filtered"


def export_bundles(
    afm_stack: ImageStack,
    output_folder: str | os.PathLike[str],
    base_name: str,
    formats: str | Sequence[str],
    raw: bool = False,
) -> list[Path]:
    """Write a stack as data, once for each format.

    Parameters
    ----------
    afm_stack : ImageStack
        What to write.
    output_folder : path-like
        Where to; made if it is not there.
    base_name : str
        Stem of the files, as made safe by :func:`stack_stem`.
    formats : str or sequence of str
        ``"tif"`` (OME-TIFF, ``.ome.tif``), ``"npz"``, ``"h5"``.
    raw : bool
        Write only the frames as they were before the first step.

    Returns
    -------
    list of Path
        One for each format, in order; a file that was there is replaced.

    Raises
    ------
    ValueError
        If a format is unknown; nothing was written.
    StackError
        If `raw` frames are asked for that were not kept; nothing was written.
    TypeError
        If the folder is no path.
    """
    chosen = bundle_formats(formats)
    stem = stack_stem(base_name, filtered=afm_stack.is_processed and not raw)
    paths = [bundle_path(output_folder, stem, one) for one in chosen]
    if raw:
        afm_stack.raw()
    Path(output_folder).mkdir(parents=True, exist_ok=True)
    for one, path in zip(chosen, paths, strict=True):
        write_bundle(path, afm_stack, one, raw)
    return paths


def bundle_formats(formats: str | Sequence[str]) -> list[str]:
    """Check names of formats, and give each once.

    Raises
    ------
    ValueError
        Listing the unknown ones, and those that there are.
    """
    asked = [formats] if isinstance(formats, str) else list(dict.fromkeys(formats))
    if unknown := [one for one in asked if one not in _SUFFIXES]:
        raise ValueError(f"unknown format {listing(map(repr, unknown))} of a stack (there is {listing(_SUFFIXES)})")
    return asked


def bundle_path(folder: str | os.PathLike[str], stem: str, format_name: str) -> Path:
    """Give the file of a stack in one format."""
    return Path(folder) / f"{stem}{_SUFFIXES[format_name]}"


def stack_stem(base_name: str, *, filtered: bool) -> str:
    """Give the stem of a stack's files: a safe name, whose dots are kept, and ``_filtered`` once if it is `filtered`.

    Parameters
    ----------
    base_name : str
        Such as ``"run_0.5nm.final"``.
    filtered : bool
        Whether processed frames are written: the stack has layers besides ``raw``, and not only its raw frames are
        asked for.
    """
    stem = safe_stem(base_name)
    return f"{stem}{_FILTERED}" if filtered and not stem.endswith(_FILTERED) else stem


def write_bundle(path: Path, stack: ImageStack, format_name: str, raw: bool = False) -> Path:
    """Write a stack in one format; gives the file, which has the suffix of the format."""
    if format_name == "tif":
        from ...images.stack.ome_tiff_bundle import save_ome_tiff_stack

        return save_ome_tiff_stack(path, stack, raw)
    if format_name == "npz":
        from ...images.stack.npz_bundle import save_npz_bundle

        return save_npz_bundle(path, stack, raw)
    from ...images.stack.hdf5_bundle import save_h5_bundle

    return save_h5_bundle(path, stack, raw)
