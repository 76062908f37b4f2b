"""Being written."""


def report() -> None:
    """Be written."""
    raise NotImplementedError
