"""Plans as files, and dialogs that say in words what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from qtpy.QtWidgets import QFileDialog, QMenu, QMessageBox, QWidget

from ....errors import SlicemapError
from ....export.plan import ExportPlan
from ..parts import bullets, words_of

_FILES = "Plans (*.toml *.json)"


class _Planner(Protocol):
    """A widget that makes a plan, and shows one."""

    def plan(self) -> ExportPlan: ...

    def show_plan(self, plan: ExportPlan) -> list[str]: ...


class PlanFiles:
    """Saves the plan of a dock to a file, and shows that of a file in it.

    Parameters
    ----------
    dock : QWidget
        Has ``plan()`` and ``show_plan(plan)``.
    """

    def __init__(self, dock: QWidget) -> None:
        self._widget = dock
        self._dock: _Planner = dock
        self.menu = QMenu(dock)
        self.menu.addAction("Save plan…", self._ask_save)
        self.menu.addAction("Load plan…", self._ask_load)

    def save(self, path: Path) -> None:
        """Write the plan to a file that ``slicemap export --plan`` reads; TOML where it has no suffix.

        Raises
        ------
        SlicemapError, OSError
            Saying why it cannot be written.
        """
        self._dock.plan().write(path if path.suffix else path.with_suffix(".toml"))

    def load(self, path: Path) -> None:
        """Show the plan of a file; what the dock cannot show of it is told.

        Raises
        ------
        SlicemapError, OSError
            Naming the file and what is wrong.
        """
        lost = self._dock.show_plan(ExportPlan.read(path))
        if lost:
            end = f"The shell does all that it says: slicemap export DATASET --plan {path.name}"
            tell_fault(self._widget, f"{path.name} says more than this dock can show", [*lost, end])

    def _ask_save(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(self._widget, "Save plan", "plan.toml", _FILES)
        if chosen:
            self._try("The plan cannot be saved", partial(self.save, Path(chosen)))

    def _ask_load(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self._widget, "Load plan", "", _FILES)
        if chosen:
            self._try("The plan cannot be loaded", partial(self.load, Path(chosen)))

    def _try(self, title: str, command: Callable[[], None]) -> None:
        try:
            command()
        except (SlicemapError, OSError) as error:
            tell_fault(self._widget, title, words_of(error))


def tell_fault(parent: QWidget, title: str, faults: list[str]) -> None:
    """Say in a dialog what is wrong; nothing waits for it to be closed."""
    box = QMessageBox(QMessageBox.Icon.Warning, "Batch export", title, QMessageBox.StandardButton.Ok, parent)
    box.setInformativeText(bullets(faults))
    box.finished.connect(box.deleteLater)
    box.open()
