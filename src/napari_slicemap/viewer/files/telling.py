"""Errors of writers as napari can show them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import SlicemapError


@contextmanager
def told() -> Iterator[None]:
    """Let an error reach the user: napari takes a ``ValueError`` of a writer for there being no writer at all.

    Raises
    ------
    SlicemapError
        With the words of whatever error of ours was raised within.
    """
    try:
        yield
    except SlicemapError as error:
        raise SlicemapError(str(error)) from error
