"""Being written."""


def stack() -> None:
    """Be written."""
    raise NotImplementedError
