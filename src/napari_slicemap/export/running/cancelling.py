"""Being stopped: between items, and within a long one between the bands that it is painted in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from ...errors import CancelledError

P = ParamSpec("P")
R = TypeVar("R")

Asked = Callable[[], bool]
"""Says whether somebody wants to stop."""


def never() -> bool:
    """Say no."""
    return False


_asked: ContextVar[Asked] = ContextVar("says whether to stop what is being done", default=never)


@contextmanager
def stopped_by(asked: Asked) -> Iterator[None]:
    """Let what is done within be stopped once `asked` says true."""
    before = _asked.set(asked)
    try:
        yield
    finally:
        _asked.reset(before)


def check() -> None:
    """Stop what is being done, if that is wanted; for loops that take long.

    Raises
    ------
    CancelledError
        If somebody asked for it.
    """
    _check(_asked.get())


def checked(do: Callable[P, R]) -> Callable[P, R]:
    """Give a function that raises :class:`CancelledError` once a stop is wanted, from whatever thread it is called."""
    asked = _asked.get()  # now: a writer may call it in a thread of its own

    def made(*args: P.args, **kwargs: P.kwargs) -> R:
        _check(asked)
        return do(*args, **kwargs)

    return made


def _check(asked: Asked) -> None:
    if asked():
        raise CancelledError("stopped")
