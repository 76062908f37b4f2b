"""Being written."""


def align() -> None:
    """Be written."""
    raise NotImplementedError
