"""What menu and keys do for the whole window; ``napari.yaml`` names them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import napari
from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import QDialog

from ..errors import SlicemapError
from .desk import DOCKS, show_all_docks, show_dock
from .keys_dialog import KeysDialog
from .missing_dialog import show_missing
from .profiles_dialog import ProfilesDialog
from .session import session_of


def show_desk(viewer: napari.Viewer) -> None:
    """Show all docks as tabs on the right."""
    show_all_docks(viewer)


def toggle_display(viewer: napari.Viewer) -> None:
    """Show the channels' composite in place of the channels, or the other way round."""
    session = session_of(viewer)
    if session.dataset is None:
        show_info("There is no dataset open: drag its folder into napari, or take the sample of File ▸ Open Sample.")
        return
    session.set_display("composite" if session.display == "channels" else "channels")
    viewer.status = f"display: {session.display}"


def save_profile(viewer: napari.Viewer) -> None:
    """Save what napari's controls show to the active profile."""
    session = session_of(viewer)
    try:
        session.save_profile()
    except SlicemapError as error:
        show_error(str(error))
    else:
        show_info(f"Profile {session.profile_name!r} is saved.")


def show_profiles(viewer: napari.Viewer) -> None:
    """Ask which profile to show, or to save to."""
    window = viewer.window._qt_window
    _bring(window.findChild(ProfilesDialog) or ProfilesDialog(session_of(viewer), window))


def show_keys(viewer: napari.Viewer) -> None:
    """List the keys of the window and of all docks."""
    window = viewer.window._qt_window
    _bring(window.findChild(KeysDialog) or KeysDialog(window))


def ask_for_missing(viewer: napari.Viewer) -> None:
    """Ask for what the files of the open dataset do not state, such as the pixel size."""
    show_missing(session_of(viewer))


def open_again(viewer: napari.Viewer) -> None:
    """Open what was open last, as it was seen."""
    try:
        session_of(viewer).remembering.open_again()
    except SlicemapError as error:
        show_error(str(error))


def undo(viewer: napari.Viewer) -> None:
    """Take back the last change."""
    session_of(viewer).undo_stack.undo()


def redo(viewer: napari.Viewer) -> None:
    """Make the last change again that was taken back."""
    session_of(viewer).undo_stack.redo()


def _bring(dialog: QDialog) -> None:
    dialog.show()
    dialog.raise_()
    dialog.activateWindow()


BOUND: dict[str, Callable[[napari.Viewer], object]] = {
    **{f"Ctrl+{number}": partial(show_dock, name=name) for number, name in enumerate(DOCKS, 1)},
    "Ctrl+Shift+D": toggle_display,
    "Ctrl+Shift+L": show_profiles,
    "Ctrl+Shift+R": open_again,
    "Ctrl+Shift+S": save_profile,
    "Ctrl+Z": undo,
    "Ctrl+Shift+Z": redo,
    "F1": show_keys,
}
"""What keys do wherever in the window the focus is, where nothing nearer takes them."""


def bind_keys(viewer: napari.Viewer) -> None:
    """Bind the keys of the window: napari takes none from a manifest."""
    for keys, command in BOUND.items():
        viewer.bind_key(keys.replace("Ctrl", "Control").replace("+", "-"), _once(command), overwrite=True)


def _once(command: Callable[[napari.Viewer], object]) -> Callable[[napari.Viewer], None]:
    """Make a function of a command, as napari wants it, that gives nothing back."""

    def pressed(viewer: napari.Viewer) -> None:
        command(viewer)

    return pressed
