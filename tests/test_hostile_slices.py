"""Slices whose metadata were made to harm: each command names them, within bounded memory and time."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import write_ome_zarr
from export.runs import temporaries
from hostile import DEEP
from napari_slicemap.cli import main
from napari_slicemap.errors import TileReadError
from napari_slicemap.images.volume import read_planes
from napari_slicemap.slices.volumes import SliceVolume

resource = pytest.importorskip("resource", reason="no count of memory is to be had here")
pytestmark = pytest.mark.timeout(30)

MOST_BYTES = 300 * 2**20
MEMORY_UNIT = 1 if sys.platform == "darwin" else 1024
CULPRIT = "m_z02.ome.zarr"


def write_run(folder: Path) -> Path:
    """Four slices of two planes, their shifts, and a table that leaves slice 01 to be interpolated."""
    for n in range(4):
        data = np.random.default_rng(n).integers(1, 999, (2, 32, 40)).astype(np.uint16)
        path = folder / "m" / f"m_z{n:02d}.ome.zarr"
        write_ome_zarr(path, data, axes="zyx", pixel_size=(10.0, 10.0), chunks=(2, 16, 16))
    steps = "".join(f"{n},{n + 1},1,1,0.01,0.01\n" for n in range(3))
    (folder / "shifts.csv").write_text(f"fixed_id,moving_id,x_shift,y_shift,x_shift_mm,y_shift_mm\n{steps}")
    (folder / "table.csv").write_text("slice_id,use\n00,true\n01,false\n02,true\n03,true\n")
    return folder


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("clean") / "run")


@pytest.fixture
def run(clean: Path, tmp_path: Path) -> Path:
    """A copy, to harm, whose files are new, so that none is taken for one of another test."""
    return Path(shutil.copytree(clean, tmp_path / "run", copy_function=shutil.copyfile))


def array(**changes: Any) -> Callable[[Path], object]:
    """Change what the array of slice 02 says of itself."""

    def harm(image: Path) -> None:
        path = image / "0" / "zarr.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return harm


def group(attributes: str) -> Callable[[Path], object]:
    """Put other attributes in the place of those of the image."""

    def harm(image: Path) -> None:
        said = f'{{"zarr_format": 3, "node_type": "group", "attributes": {attributes}}}'
        (image / "zarr.json").write_text(said)

    return harm


def chunks(*shape: int) -> dict[str, Any]:
    return {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(shape)}}}


HARMS = [
    pytest.param(array(shape=[2, 10**12, 10**12]), "planes of 1000000000000 × ", id="10^24 px"),
    pytest.param(array(shape=[10**12, 32, 40]), "1000000000000 planes", id="10^12 planes"),
    pytest.param(array(shape=[10**6, 10**6, 10**6]), "1000000 planes of", id="10^18 px, no side too long"),
    pytest.param(array(**chunks(2, 10**9, 10**9)), "chunks are of", id="a chunk of 10^18 px"),
    pytest.param(array(shape=[2, 0, 40]), "holds no pixel", id="no rows"),
    pytest.param(array(shape=[2, -1, 40]), "-1", id="-1 rows"),
    pytest.param(array(data_type="complex64", fill_value=[0, 0]), "complex64", id="complex"),
    pytest.param(array(codecs=[{"name": "../../x"}]), "../../x", id="codec"),
    pytest.param(group('{"ome": {"multiscales": [{"datasets": [{"path": "../../../x"}]}]}}'), "", id="array elsewhere"),
    pytest.param(group(DEEP), "", id="attributes too deep"),
    pytest.param(lambda image: (image / "zarr.json").write_bytes(b"\xff\xfe"), "", id="metadata of bytes"),
]
COMMANDS = [
    pytest.param(("quality", "m", "out"), id="quality"),
    pytest.param(("align", "m", "shifts.csv", "out"), id="align"),
    pytest.param(("interpolate", "m", "out", "--config", "table.csv"), id="interpolate"),
    pytest.param(("stack", "m", "out.ome.zarr"), id="stack"),
]


@pytest.mark.parametrize(("harm", "says"), HARMS)
@pytest.mark.parametrize("words", COMMANDS)
def test_named_and_nothing_is_written(
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    harm: Callable[[Path], object],
    says: str,
    words: tuple[str, ...],
) -> None:
    harm(run / "m" / CULPRIT)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    monkeypatch.chdir(run)
    monkeypatch.setattr(sys, "argv", ["slicemap", "slices", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most
    told = capsys.readouterr().err
    error = [line for line in told.splitlines() if line.startswith("slicemap: ")]
    assert stop.value.code == 2
    assert len(error) == 1
    assert CULPRIT in error[0]
    assert says in error[0]
    assert len(error[0]) < 2000
    assert "Traceback" not in told
    assert grown * MEMORY_UNIT < MOST_BYTES
    after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.suffix != ".lock"}
    assert after == before
    assert temporaries(run) == []


def test_more_than_memory_holds_is_said(run: Path) -> None:
    array(shape=[2, 2**20, 2**20])(run / "m" / CULPRIT)
    volume = SliceVolume("02", run / "m" / CULPRIT)
    assert volume.shape == (2, 2**20, 2**20)
    with pytest.raises(TileReadError, match=rf"{CULPRIT}: 4194304 planes of 1048576 × 1048576 px are more than memory"):
        read_planes(volume.image, [0, 1] * 2**21)
