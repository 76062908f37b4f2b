"""A run in the background: progress, results, cancel, once more."""

from __future__ import annotations

from qtpy.QtCore import QObject, Signal

from ....dataset import Dataset
from ....export.plan import ExportPlan
from ..background import Background, Work
from . import work
from .desk import Desk
from .results import Results, line_of
from .where import Labour

_SHOWN_FAULTS = 6


class Exporting(QObject):
    """Runs plans, one at a time, and shows how they go.

    Parameters
    ----------
    lane : Background
        Where they run.
    desk : Desk
        Shows progress and words.
    results : Results
        Shows how each item went.
    """

    begun = Signal()
    ended = Signal(object)
    """The :class:`~.work.Ran`; ``None`` where it went wrong unexpectedly."""

    def __init__(self, lane: Background, desk: Desk, results: Results) -> None:
        super().__init__(desk)
        self._lane, self._desk, self._results = lane, desk, results
        self._ran: work.Ran | None = None
        self._clock = work.Clock()
        lane.advanced.connect(self._on_advance)
        lane.returned.connect(self._on_ran)
        lane.ended.connect(self._on_ended)

    @property
    def running(self) -> bool:
        """Whether an export is under way."""
        return self._lane.busy

    @property
    def can_retry(self) -> bool:
        """Whether there is anything to do again."""
        return not self.running and self._ran is not None and bool(self._ran.failed)

    def forget(self) -> None:
        """Forget the last run."""
        self._ran = None
        self._results.put([])

    def start(self, plan: ExportPlan, dataset: Dataset, labour: Labour) -> None:
        """Run a plan."""
        if not self.running:
            self._results.put([])
            self._begin(lambda asked: work.run(plan, dataset, labour, asked, self._lane.tell))

    def retry(self, dataset: Dataset) -> None:
        """Do again what failed in the last run, under the same names, by the plan of that run."""
        ran = self._ran
        if ran is not None and self.can_retry:
            self._begin(lambda asked: work.retry(ran, dataset, asked, self._lane.tell))

    def _begin(self, do: Work) -> None:
        self._clock = work.Clock()
        self._desk.progress.setRange(0, 0)
        self._desk.progress.setVisible(True)
        self._desk.say(["Exporting…"])
        self._lane.ask(do)
        self.begun.emit()

    def cancel(self) -> None:
        """Leave the rest undone."""
        self._lane.stop()
        self._desk.say(["Cancelling: what is being written now is stopped, what is written stays."])

    def _on_advance(self, advance: work.Advance) -> None:
        self._desk.progress.setRange(0, advance.total)
        self._desk.progress.setValue(advance.done)
        self._desk.progress.setFormat(self._clock.left(advance.done, advance.total))
        self._results.take([line_of(advance.result)])

    def _on_ran(self, ran: work.Ran) -> None:
        self._ran = ran
        self._desk.say(work.told_of_run(ran)[: _SHOWN_FAULTS + 1])
        self._results.show_first_failed()

    def _on_ended(self) -> None:
        self._desk.progress.setVisible(False)
        self.ended.emit(self._ran)
