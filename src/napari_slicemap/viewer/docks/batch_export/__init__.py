"""The Batch export dock: what, how, check, run. It makes a plan, and the runner does the rest."""

from .dock import BatchExportDock as BatchExportDock
