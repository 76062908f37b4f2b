"""Being written."""


def auto_exclude() -> None:
    """Be written."""
    raise NotImplementedError
