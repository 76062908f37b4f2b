"""The dock *Galvo inspector*: look at the mirror's return of each slice, and decide."""

from .dock import GalvoInspectorDock as GalvoInspectorDock
