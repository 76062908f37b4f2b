"""Being written."""


def show() -> None:
    """Be written."""
    raise NotImplementedError


def diff() -> None:
    """Be written."""
    raise NotImplementedError
