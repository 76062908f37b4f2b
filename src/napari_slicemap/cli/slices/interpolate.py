"""Being written."""


def interpolate() -> None:
    """Be written."""
    raise NotImplementedError


def finalise() -> None:
    """Be written."""
    raise NotImplementedError
