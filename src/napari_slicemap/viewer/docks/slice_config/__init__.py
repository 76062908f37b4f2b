"""The dock *Slice config*: the table of decisions, edited, filtered, saved."""

from .dock import SliceConfigDock as SliceConfigDock
