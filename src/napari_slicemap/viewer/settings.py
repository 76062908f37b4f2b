"""The plugin's settings, as napari's preferences keep them."""

from __future__ import annotations

from dataclasses import dataclass

from .blocks import BLOCK_BYTES
from .map_layer import Display

PLUGIN = "napari-slicemap"
_MIB = 2**20


@dataclass(frozen=True)
class Settings:
    """What a dataset is opened with.

    Parameters
    ----------
    cache_bytes : int
        Bytes of pixels that are kept for the screen.
    threads : int or None
        How many parts of pictures are read at once; ``None`` for one for each processor.
    profile : str
        Profile to show first, where a dataset has it; empty for the dataset's own default.
    display : str
        ``channels`` or ``composite``.
    """

    cache_bytes: int = BLOCK_BYTES
    threads: int | None = None
    profile: str = ""
    display: Display = "channels"


def read_settings() -> Settings:
    """Read what *Preferences ▸ Slice map* says; the defaults where napari has the plugin disabled, and asks nothing."""
    from napari.settings import get_plugin_settings

    settings = get_plugin_settings().get(PLUGIN)
    if settings is None:
        return Settings()
    said = settings.looking
    return Settings(said.cache_mib * _MIB, said.threads or None, said.profile.strip(), said.display)
