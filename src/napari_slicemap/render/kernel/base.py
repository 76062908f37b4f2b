"""How loops are compiled: what all of them share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numba import from_dtype, njit, types

_OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}

_READY: dict[tuple[Any, ...], Callable[..., Any]] = {}
_COMPILING = threading.Lock()


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a helper together with whatever calls it."""
    made: Callable[..., Any] = njit(**_OPTIONS)(function)
    return made


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a helper anew into each place it is called from, where some of its arguments are constants."""
    made: Callable[..., Any] = njit(forceinline=True, **_OPTIONS)(function)
    return made


def compiled(function: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
    """Compile for one signature, or load what an earlier process compiled; once, whichever thread comes first.

    With the signature fixed, arrays that cannot be written to are taken as well, at no second compilation.
    """
    key = (function, *arguments)
    if key not in _READY:
        with _COMPILING:
            if key not in _READY:
                _READY[key] = _compile(function, types.void(*arguments))
    return _READY[key]


def _compile(function: Callable[..., Any], signature: Any) -> Callable[..., Any]:
    try:
        made: Callable[..., Any] = njit(signature, cache=True, **_OPTIONS)(function)
    except RuntimeError:  # nowhere to keep machine code: neither here nor in the user's cache folder
        made = njit(signature, **_OPTIONS)(function)
    return made


@lru_cache(maxsize=256)
def array(dtype: Any, ndim: int, *, writable: bool = False) -> Any:
    """Give numba's type of C-contiguous arrays of a dtype; those that are only read may be read-only."""
    return types.Array(from_dtype(np.dtype(dtype)), ndim, "C", readonly=not writable)
