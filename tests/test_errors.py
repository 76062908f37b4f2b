"""Errors say who is to blame, and survive a trip to another process."""

from __future__ import annotations

import pickle

import pytest

from napari_slicemap import errors
from napari_slicemap.errors import PlanError, SlicemapError, UnknownNameError, listing


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        pytest.param(errors.DatasetNotFoundError, FileNotFoundError, id="nothing there"),
        pytest.param(errors.FileFormatError, ValueError, id="bad file"),
        pytest.param(errors.UnknownNameError, KeyError, id="unknown name"),
        pytest.param(errors.TileReadError, OSError, id="unreadable tile"),
        pytest.param(errors.RegionError, ValueError, id="region outside"),
        pytest.param(errors.PixelSizeUnknownError, ValueError, id="no pixel size"),
        pytest.param(errors.PlacementError, ValueError, id="placement"),
        pytest.param(errors.PlanError, ValueError, id="plan"),
    ],
)
def test_an_error_is_ours_and_the_builtin(error: type[Exception], builtin: type[Exception]) -> None:
    assert issubclass(error, SlicemapError)
    assert issubclass(error, builtin)


def test_an_unknown_name_is_told_with_those_that_exist() -> None:
    error = UnknownNameError("channel", "tubulin", ["DAPI", "Beta-tubulin"], where="FOV a1")
    assert str(error) == "FOV a1: unknown channel 'tubulin' (there is DAPI, Beta-tubulin)"


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(UnknownNameError("map", "7", ["1", "2"], where="block"), id="unknown name"),
        pytest.param(PlanError(["no profile", "no map 7"]), id="plan"),
        pytest.param(errors.TileReadError("FOV a: gone"), id="tile"),
    ],
)
def test_errors_survive_pickling(error: Exception) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        pytest.param([], "none", id="none"),
        pytest.param(["a"], "a", id="one"),
        pytest.param(["a", "b", "c"], "a, b, c", id="as many as fit"),
        pytest.param(["a", "b", "c", "d"], "a, b, c … and 1 more", id="one too many"),
        pytest.param((str(n) for n in range(5)), "0, 1, 2 … and 2 more", id="a generator"),
    ],
)
def test_listing(names: list[str], said: str) -> None:
    assert listing(names, limit=3) == said
