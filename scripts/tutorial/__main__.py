"""Plays the tutorial and photographs it: `python scripts/tutorial`, as `make pictures` does.

It works in a folder of its own, as somebody who has never used the program: nothing of the user's is touched.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
IMAGES = HERE.parents[1] / "docs" / "images"
HOME = Path(tempfile.gettempdir()) / "slicemap-tutorial"
LIGHT = ("exclude", "galvo", "roi", "export")
"""Pictures that are made in the light theme, too."""

shutil.rmtree(HOME, ignore_errors=True)
HOME.mkdir()
sys.path.insert(0, str(HERE.parent))
os.environ.pop("XDG_CACHE_HOME", None)
os.environ |= {"HOME": str(HOME), "LOGNAME": "you", "NAPARI_CONFIG": str(HOME / "settings.yaml")}
os.environ["SLICEMAP_STATE"] = str(HOME / "state")

import napari  # noqa: E402
from PIL import Image  # noqa: E402

from napari_slicemap.sample import cached_sample  # noqa: E402
from tutorial.film import Shot, framed, make_small, save_film, take  # noqa: E402
from tutorial.hand import Hand  # noqa: E402
from tutorial.steps import FOLDER, STEPS, Opened, run_export  # noqa: E402


def play(theme: str) -> tuple[list[Shot], dict[str, Shot]]:
    """Play all steps in a new viewer; give every photograph, and those that have names."""
    for made in (cached_sample(), Path(FOLDER).expanduser(), HOME / "state"):
        shutil.rmtree(made, ignore_errors=True)
    random.seed(7)  # of the tip on the empty window
    viewer = napari.Viewer(title="napari")
    viewer.theme = theme
    shots: list[Shot] = []
    named: dict[str, Shot] = {}

    def show(caption: str, picture: str) -> None:
        shots.append(Shot(take(hand.window.geometry(), hand.pointer), caption))
        if picture:
            named[picture] = shots[-1]
        print(f"{theme}: {caption}")

    hand = Hand(viewer, show)
    opened = Opened()
    hand.sit_down()
    for step in STEPS:
        step(hand)
        if step is run_export:
            with Image.open(opened.paths[-1]) as picture:
                shots.append(Shot(framed(picture, shots[-1].picture.size), "The picture"))
    opened.leave()
    viewer.close()
    return shots, named


def keep(shot: Shot, path: Path) -> None:
    """Save a photograph."""
    shot.picture.save(path)
    make_small(path)


def main() -> None:
    """Make the pictures and the film."""
    shots, named = play("dark")
    save_film(shots, IMAGES / "tutorial.gif")
    for name, shot in named.items():
        keep(shot, IMAGES / f"tutorial-{name}.png")
    with Image.open(next(Path(FOLDER).expanduser().glob("*.png"))) as figure:
        figure.save(IMAGES / "tutorial-figure.png")  # without its record, which is another one each time
    _, named = play("light")
    for name in LIGHT:
        keep(named[name], IMAGES / f"tutorial-{name}-light.png")
    shutil.rmtree(HOME)


if __name__ == "__main__":
    main()
