"""The shell's way in: ``slicemap``, one module per command group."""

from .app import main

__all__ = ["main"]
