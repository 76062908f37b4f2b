"""Where encoders write to: files, and what stands for one."""

from __future__ import annotations

import base64
from typing import Protocol


class Sink(Protocol):
    """What takes bytes in order, as a file opened for writing does."""

    def write(self, content: bytes, /) -> object:
        """Take the next bytes."""


class Base64Sink:
    """Writes what it is given as base64.

    Parameters
    ----------
    sink : Sink
        Where the letters go.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink, self._rest = sink, b""

    def write(self, content: bytes, /) -> None:
        """Take the next bytes."""
        whole = self._rest + content
        end = len(whole) - len(whole) % 3  # three bytes make four letters
        self._sink.write(base64.b64encode(whole[:end]))
        self._rest = whole[end:]

    def finish(self) -> None:
        """Write what is left over."""
        self._sink.write(base64.b64encode(self._rest))
        self._rest = b""
