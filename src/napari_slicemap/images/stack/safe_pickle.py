"""Text out of pickled object arrays, with nothing of the pickle executed.

A pickle is a program. The one of an object array needs three names of numpy's and no other; here they stand for
classes that only take note of what they are given, so not even numpy's own functions run.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from typing import Any

from ...errors import FileFormatError

_FAULTS = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    TypeError,
    ValueError,
    IndexError,
    KeyError,
    OverflowError,
    RecursionError,
    MemoryError,
)
"""What a pickle that is broken, or was made to harm, lets the unpickler raise."""


class _Noted:
    """In the place of numpy's array: keeps the state it would be rebuilt from."""

    state: Any = None

    def __init__(self, *arguments: object) -> None:
        """Take whatever numpy's would; the state says it all."""

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Type(_Noted):
    """In the place of numpy's dtype."""


_ADMITTED = {
    ("numpy._core.multiarray", "_reconstruct"): _Noted,
    ("numpy.core.multiarray", "_reconstruct"): _Noted,
    ("numpy", "ndarray"): _Noted,
    ("numpy", "dtype"): _Type,
}


class _Unpickler(pickle.Unpickler):
    """Admits the names of numpy's array reconstruction, as the stand-ins above."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, and only numpy's arrays are admitted")
        return _ADMITTED[module, name]


def unpickled_objects(payload: bytes, shape: tuple[int, ...], where: str) -> list[Any]:
    """Read the objects of a pickled object array.

    Parameters
    ----------
    payload : bytes
        The pickle: a ``.npy`` file behind its header.
    shape : tuple of int
        Of the array, as the header states it.
    where : str
        File and key, for messages.

    Returns
    -------
    list
        Objects of Python's own types, in the order of memory.

    Raises
    ------
    FileFormatError
        If the pickle is broken or asks for anything but numpy's array reconstruction; nothing was executed.
    """
    try:
        _check_places(payload)
        found = _Unpickler(io.BytesIO(payload)).load()
    except _FAULTS as error:
        raise FileFormatError(f"{where}: its pickle is refused: {error or type(error).__name__}") from None
    state = found.state if type(found) is _Noted else None
    if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[4], list):
        raise FileFormatError(f"{where}: its pickle holds no array of objects")
    objects: list[Any] = state[4]
    if state[1] != shape or len(objects) != math.prod(shape):
        raise FileFormatError(f"{where}: its pickle holds {len(objects)} objects, expected those of an array {shape}")
    return objects


def _check_places(payload: bytes) -> None:
    """Refuse numbers of memo places that no pickle of this length needs: the unpickler makes room for all below."""
    for opcode, argument, _ in pickletools.genops(payload):
        if "PUT" in opcode.name and isinstance(argument, int) and argument > len(payload):
            raise pickle.UnpicklingError(f"it puts an object at place {argument} of its memo")
