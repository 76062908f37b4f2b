"""``slicemap profiles``: listed, written for other tools, taken from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders import fov_folders, pixels, write_ome_zarr
from napari_slicemap import ChannelSettings, Profile, open_dataset
from napari_slicemap.images.ome_zarr.writer import write_ome_zarr as write_own
from napari_slicemap.images.source import ImageSource
from napari_slicemap.render.profile import MaskStyle, ProfileBook

if TYPE_CHECKING:
    from .conftest import Shell

TISSUE = Profile(
    name="tissue",
    channels={"DAPI": ChannelSettings("#0000ff", (0, 300), 0.5), "CD3": ChannelSettings("#ff8000", (10, 900))},
    masks={"cell": MaskStyle()},
)
PLAIN = Profile(name="plain", channels={"CD3": ChannelSettings("#ffffff", (0, 2), visible=False)})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """An acquisition with two profiles."""
    folder = tmp_path / "run"
    fov_folders(folder, masks=False)
    ProfileBook().with_profile(TISSUE).with_profile(PLAIN).write(folder / "profiles.json")
    return folder


def test_listed(slicemap: Shell, run: Path) -> None:
    assert slicemap("profiles", "list", run) == (
        0,
        "tissue (default)\n"
        "  DAPI  #0000ff  0 to 300  gamma 0.5\n"
        "  CD3   #ff8000  10 to 900\n"
        "  mask cell: outline, #ffffff\n"
        "plain\n"
        "  CD3  #ffffff  0 to 2  hidden\n",
        "",
    )
    assert ProfileBook.model_validate_json(slicemap("profiles", "list", run, "--json")[1]).names == ["tissue", "plain"]
    (run / "profiles.json").unlink()
    assert "no profiles" in slicemap("profiles", "list", run)[1]


def test_out_as_omero_and_in_again(slicemap: Shell, run: Path, tmp_path: Path) -> None:
    file = tmp_path / "o.json"
    code, out, err = slicemap("profiles", "export", run, file)
    assert (code, out) == (0, f"profile tissue written to {file}\n")
    assert "gamma of DAPI is kept beside omero" in err
    assert "left out: cell" in err
    assert slicemap("profiles", "export", run, file, "--profile", "plain")[0] == 2
    assert slicemap("profiles", "export", run, file, "--profile", "plain", "--force")[0] == 0
    assert "0 new, 0 replaced, 1 as they were" in slicemap("profiles", "import", run, file)[1]
    before = (run / "profiles.json").read_bytes()
    assert slicemap("profiles", "import", run, file, "--name", "again")[1] == "1 new, 0 replaced, 0 as they were\n"
    book = ProfileBook.read(run / "profiles.json")
    assert (book.names, book.default) == (["tissue", "plain", "again"], "tissue")
    assert book["again"].channels == PLAIN.channels
    assert (run / "profiles.json").read_bytes() != before


def test_into_an_image_and_out_of_it(slicemap: Shell, run: Path, tmp_path: Path) -> None:
    image = write_ome_zarr(tmp_path / "i.ome.zarr", pixels(1, (2, 8, 8)), channels=("CD3", "CD8"))
    code, out, err = slicemap("profiles", "export", run, "--into", image)
    assert (code, out) == (0, f"profile tissue written to {image}\n")
    assert "channel CD8 is not in the profile, and is hidden" in err
    code, out, err = slicemap("profiles", "import", run, image, "--name", "plain")
    assert "1 of known names left as they are (--replace takes them)" in out
    assert f"profile plain: there is no channel CD8 in {run.name}" in err
    assert "1 replaced" in slicemap("profiles", "import", run, image, "--name", "plain", "--replace")[1]
    assert ProfileBook.read(run / "profiles.json")["plain"].channels["CD3"] == TISSUE.channels["CD3"]


def test_to_ueler_and_from_it(slicemap: Shell, run: Path) -> None:
    file = run / ".UELer" / "widget_states.json"
    code, out, err = slicemap("profiles", "export", run, file)
    assert (code, out) == (0, f"2 profiles written to {file}\n")
    assert "#ff8000 of channel CD3 is written as Orange" in err
    slicemap("profiles", "export", run, file, "-p", "plain")
    assert list(json.loads(file.read_text())["marker_sets"]) == ["tissue", "plain"]
    (run / "profiles.json").unlink()
    assert "tissue (default)" in slicemap("profiles", "list", run)[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param((), "name one: OUT, a file to write, or --into", id="nothing named"),
        pytest.param(("a.json", "--into", "i.zarr"), "name one: OUT", id="both"),
        pytest.param(("a.json", "--profile", "nobody's"), 'unknown profile "nobody\'s"', id="profile"),
        pytest.param(("--into", "nowhere.zarr"), "nowhere.zarr", id="image"),
    ],
)
def test_what_cannot_be_written_is_told(slicemap: Shell, run: Path, words: tuple[str, ...], message: str) -> None:
    code, _, err = slicemap("profiles", "export", run, *words)
    assert code == 2
    assert message in err
    assert not Path("a.json").exists()


def test_one_name_for_several_profiles_is_refused(slicemap: Shell, run: Path, tmp_path: Path) -> None:
    fov_folders(tmp_path / "other", masks=False)
    code, _, err = slicemap("profiles", "import", tmp_path / "other", run / "profiles.json", "--name", "x")
    assert code == 2
    assert "--name names one profile, and" in err
    assert slicemap("profiles", "import", tmp_path / "other", run / "profiles.json")[1].startswith("2 new")
    assert slicemap("profiles", "export", tmp_path / "other", tmp_path / "x.json", "-p", "plain")[0] == 0


def test_what_an_image_says_of_all_its_channels_is_a_profile(slicemap: Shell, tmp_path: Path) -> None:
    settings = {"a": {"color": "#123456", "contrast_limits": (3, 9)}, "b": {"contrast_limits": (0, 5)}}
    source = ImageSource.of(pixels(1, (1, 2, 1, 8, 8)), ["a", "b"], settings=settings)
    write_own(tmp_path / "said" / "i.ome.zarr", source)
    book = open_dataset(tmp_path / "said").profiles
    assert book.names == ["as acquired"]
    assert book["as acquired"].channels["a"] == ChannelSettings("#123456", (3, 9))
    assert slicemap("init", tmp_path / "said")[0] == 0
    assert ProfileBook.read(tmp_path / "said" / "profiles.json") == book
    write_ome_zarr(tmp_path / "silent" / "i.ome.zarr", pixels(1, (2, 8, 8)), channels=("a", "b"))
    assert open_dataset(tmp_path / "silent").profiles.names == []
