"""Makes the pictures of the pages on slices: `python scripts/slice_pictures`, as `make pictures` does."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).parent
IMAGES = HERE.parents[1] / "docs" / "images"

sys.path.insert(0, str(HERE))
for file in sorted(HERE.glob("[!_]*.py")):
    importlib.import_module(file.stem).draw(IMAGES)
