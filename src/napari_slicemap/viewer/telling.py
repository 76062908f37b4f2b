"""Telling the user what nobody waits for an answer of."""

from __future__ import annotations

from psygnal import SignalInstance


def tell(signal: SignalInstance, text: str) -> None:
    """Hand words to the docks that listen; where none is open, napari notifies of them.

    Parameters
    ----------
    signal : SignalInstance
        What docks listen to; it takes the text.
    text : str
        What happened, and what to do.
    """
    if len(signal):
        signal.emit(text)
    else:
        from napari.utils.notifications import show_warning

        show_warning(text)
