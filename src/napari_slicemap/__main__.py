"""``python -m napari_slicemap`` is ``slicemap``."""

from .cli import main

main()
