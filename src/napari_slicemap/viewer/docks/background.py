"""Work in another thread, so that the window never waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QObject, Signal

from ...errors import CancelledError
from ...export.running.cancelling import Asked

Work = Callable[[Asked], Any]
"""Does something; it is told whom to ask whether to stop."""

_WAIT_S = 20.0
"""How long closing waits for what is being done: stopping takes as long as one band of a picture."""


@dataclass(frozen=True)
class _Outcome:
    value: Any = None
    error: Exception | None = None
    stopped: bool = False


class Background(QObject):
    """Does one thing at a time in another thread; asked anew, it stops that and does the newest.

    It has no parent, so that Qt does not free it while its thread runs.
    """

    returned = Signal(object)
    """What was done gave this."""
    failed = Signal(object)
    """What was done raised this; being stopped is no failure."""
    ended = Signal()
    """There is nothing left to do."""
    advanced = Signal(object)
    """For the work itself to say how far it is; see :meth:`tell`."""
    _over = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._next: Work | None = None
        self._over.connect(self._on_over)

    @property
    def busy(self) -> bool:
        """Whether something is being done."""
        return self._thread is not None

    def ask(self, work: Work) -> None:
        """Do this as soon as what is being done has stopped; what waited before is forgotten."""
        if self.busy:
            self._stop.set()
            self._next = work
        else:
            self._start(work)

    def tell(self, news: object) -> None:
        """Send :attr:`advanced`, from any thread."""
        self.advanced.emit(news)

    def stop(self) -> None:
        """Ask what is being done to stop, and forget what waits."""
        self._next = None
        self._stop.set()

    def close(self, *_: object) -> None:
        """Stop, and wait for the thread to end; nothing is sent any more."""
        self.blockSignals(True)
        self.stop()
        if self._thread is not None:
            self._thread.join(_WAIT_S)
            self._thread = None

    def _start(self, work: Work) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(work, self._stop), name="slicemap-dock")
        self._thread.start()

    def _run(self, work: Work, stop: threading.Event) -> None:
        try:
            outcome = _Outcome(work(stop.is_set))
        except CancelledError:
            outcome = _Outcome(stopped=True)
        except Exception as error:  # raised again in the window's thread
            outcome = _Outcome(error=error)
        self._over.emit(outcome)

    def _on_over(self, outcome: _Outcome) -> None:
        self._thread = None
        if self._next is not None:
            work, self._next = self._next, None
            self._start(work)
            return
        if outcome.error is not None:
            self.failed.emit(outcome.error)
        elif not outcome.stopped:
            self.returned.emit(outcome.value)
        self.ended.emit()
