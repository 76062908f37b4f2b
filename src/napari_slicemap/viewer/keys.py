"""The keys of window and docks, as the help says them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Keys:
    """The keys of a part of the window.

    Parameters
    ----------
    title : str
        Which part.
    when : str
        When they work.
    keys : tuple of (str, str)
        Keys, as Qt writes them, and what they do.
    """

    title: str
    when: str
    keys: tuple[tuple[str, str], ...]


WINDOW = Keys(
    "Window",
    "everywhere in the window",
    (
        ("Ctrl+1", "Slice config"),
        ("Ctrl+2", "ROI drawing"),
        ("Ctrl+3", "Galvo inspector"),
        ("Ctrl+4", "Batch export"),
        ("Ctrl+Shift+D", "channels one by one, or their composite"),
        ("Ctrl+Shift+L", "profiles: choose one, save one"),
        ("Ctrl+Shift+R", "open again what was open last"),
        ("Ctrl+Shift+S", "save to the profile that is shown"),
        ("Ctrl+Z", "undo"),
        ("Ctrl+Shift+Z", "redo"),
        ("F1", "these keys"),
    ),
)
_UNDO = (("Ctrl+Z", "undo"), ("Ctrl+Shift+Z", "redo"))
ALL = (
    WINDOW,
    Keys(
        "Slice config",
        "while its table has the focus",
        (
            ("Space", "use the selected rows, or leave them out"),
            ("↑", "go to the slice before"),
            ("↓", "go to the slice after"),
            ("E", "edit the note"),
            ("Shift+E", "add a note to all selected rows"),
            ("F", "clear a flag of the selected rows"),
            *_UNDO,
            ("Ctrl+S", "save the table"),
            ("/", "filter; Return or Escape goes back to the table"),
        ),
    ),
    Keys(
        "ROI drawing",
        "while the dock has the focus",
        (
            ("V", "select, move and resize"),
            ("R", "rectangle"),
            ("T", "turned rectangle"),
            ("P", "polygon"),
            ("L", "line"),
            ("S", "stamp"),
            ("Escape", "back to selecting"),
            ("Return", "look at the ROI"),
            ("F2", "edit the cell"),
            ("Delete", "remove the selected ROIs"),
            *_UNDO,
            ("/", "filter"),
        ),
    ),
    Keys(
        "Galvo inspector",
        "while the dock has the focus",
        (
            ("A", "accept, or override"),
            ("R", "reject"),
            ("N", "next slice that has tiles"),
            ("P", "previous slice that has tiles"),
            ("E", "note; Return keeps it, Escape leaves the field"),
            ("B", "before the fix, as long as it is held"),
            ("←", "move the band by one A-line; with Shift by ten"),
            ("→", "move it the other way"),
            *_UNDO,
            ("Ctrl+.", "stop detecting"),
        ),
    ),
    Keys(
        "Batch export",
        "while the dock has the focus",
        (
            ("Ctrl+Return", "export"),
            ("Ctrl+Shift+Return", "dry run"),
            ("Ctrl+.", "cancel"),
            ("Space", "tick the selected rows"),
            ("/", "filter"),
        ),
    ),
)
"""All keys, by part of the window."""
