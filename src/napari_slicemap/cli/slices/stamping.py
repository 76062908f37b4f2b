"""Being written."""


def stamp() -> None:
    """Be written."""
    raise NotImplementedError


def exclude() -> None:
    """Be written."""
    raise NotImplementedError
