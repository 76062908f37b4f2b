"""Being written."""


def rehoming() -> None:
    """Be written."""
    raise NotImplementedError
