"""Being written."""


def generate() -> None:
    """Be written."""
    raise NotImplementedError
