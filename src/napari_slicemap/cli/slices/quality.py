"""Being written."""


def quality() -> None:
    """Be written."""
    raise NotImplementedError
