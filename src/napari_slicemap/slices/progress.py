"""How far work has come."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

OnProgress = Callable[[int, int], object]
"""``on_progress(done, total)``; only the share says something."""


class Progress:
    """Adds up what several threads do, and tells it one call at a time.

    Parameters
    ----------
    on_progress : callable or None
        Who is told.
    total : int
        What there is to do.
    """

    def __init__(self, on_progress: OnProgress | None, total: int) -> None:
        self._on_progress, self._total, self._done, self._lock = on_progress, total, 0, Lock()

    def add(self, count: int) -> None:
        """Count more as done."""
        if self._on_progress is None:
            return
        with self._lock:
            self._done += count
            self._on_progress(self._done, self._total)
