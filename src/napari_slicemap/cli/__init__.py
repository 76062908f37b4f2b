"""The shell's way in: ``slicemap``, one module per command group."""

from __future__ import annotations

import sys


def main() -> None:
    """Run ``slicemap``; Ctrl-C is one line of error, even while modules are still being loaded."""
    try:
        from .app import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("slicemap: interrupted\n")
        raise SystemExit(130) from None


__all__ = ["main"]
