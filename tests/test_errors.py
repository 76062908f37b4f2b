"""Errors say who is to blame, and survive a trip to another process."""

from __future__ import annotations

import errno
import pickle

import pytest

from napari_slicemap import errors
from napari_slicemap.errors import (
    FileFormatError,
    PlanError,
    SlicemapError,
    TileReadError,
    UnknownNameError,
    in_words,
    listing,
)


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


FULL = OSError(errno.ENOSPC, "No space left on device", "b.csv")


@pytest.mark.parametrize(
    ("error", "given", "said"),
    [
        pytest.param(FULL, {}, "a.csv cannot be written: No space left on device", id="writing"),
        pytest.param(FULL, {"failed": "read"}, "a.csv cannot be read: No space left on device", id="reading"),
        pytest.param(FULL, {"beside": True}, "b.csv cannot be written: No space left on device", id="beside"),
        pytest.param(OSError("locked"), {"beside": True}, "a.csv cannot be written: locked", id="no name, no number"),
    ],
)
def test_an_error_of_the_system_is_said_in_words(error, given, said):
    with pytest.raises(PlanError) as found, in_words("a.csv", **given):
        raise error
    assert str(found.value) == said
    assert found.value.__cause__ is error


@pytest.mark.parametrize(
    "error", [TileReadError("t.tif: cut short"), FileFormatError("a.csv: no table"), KeyError("a")]
)
def test_other_errors_go_on_as_they_are(error):
    with pytest.raises(type(error)) as found, in_words("a.csv"):
        raise error
    assert found.value is error
