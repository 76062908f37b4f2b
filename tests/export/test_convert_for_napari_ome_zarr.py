"""Converted datasets as napari-ome-zarr reads them, in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from builders import fov_folders
from napari_slicemap import open_dataset
from napari_slicemap.export.convert.plan import ConvertPlan
from napari_slicemap.export.convert.run import convert_dataset

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # the environment takes minutes to make

_REPOSITORY = Path(__file__).resolve().parents[2]
_FOLDER = _REPOSITORY / "build" / "napari-ome-zarr-venv"
_WANTED = ["napari-ome-zarr==0.10.0"]
_NO_NETWORK = ("NewConnectionError", "Temporary failure in name resolution", "ConnectTimeoutError", "ProxyError")

# run by its Python: lays out what its reader gives
_READ = """
import json, sys
from pathlib import Path
import numpy as np
from napari_ome_zarr import napari_get_reader

path, folder = sys.argv[1], Path(sys.argv[2])
stated = []
for number, (levels, metadata, kind) in enumerate(napari_get_reader(path)(path)):
    np.save(folder / f"{number}.npy", np.asarray(levels[0]))
    stated.append({"kind": kind, "name": metadata["name"], "scale": [float(one) for one in metadata["scale"]]})
(folder / "stated.json").write_text(json.dumps(stated))
"""


@pytest.fixture(scope="module")
def python() -> Path:
    """The Python of an environment with napari-ome-zarr, made anew unless it is whole."""
    made = _FOLDER / ("Scripts" if os.name == "nt" else "bin") / "python"
    mark = _FOLDER / "whole.json"
    if mark.is_file() and json.loads(mark.read_text()) == _WANTED:
        return made
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(_FOLDER)], check=True)
    install = [str(made), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *_WANTED]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode and any(sign in done.stderr for sign in _NO_NETWORK):
        pytest.skip("PyPI is not reachable, and napari-ome-zarr comes from there")
    assert done.returncode == 0, done.stderr
    mark.write_text(json.dumps(_WANTED))
    return made


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_the_layers_are_the_images_and_masks(python, tmp_path, version):
    folder, out, found = fov_folders(tmp_path / "run"), tmp_path / "out.ome.zarr", tmp_path / "found"
    found.mkdir()
    convert_dataset(open_dataset(folder), out, ConvertPlan(options={"version": version}))
    subprocess.run([str(python), "-c", _READ, str(out), str(found)], check=True, capture_output=True)
    layers = json.loads((found / "stated.json").read_text())
    assert [layer["kind"] for layer in layers] == ["image", "labels", "image", "labels"]
    for number, (name, layer) in enumerate(zip(("a1", "a1", "a2", "a2"), layers, strict=True)):
        array = np.load(found / f"{number}.npy")
        if layer["kind"] == "image":
            assert layer["name"] == [f"{name}: CD3", f"{name}: DAPI"]
            assert layer["scale"][-2:] == [0.5, 0.5]
            wanted = np.stack([tifffile.imread(folder / name / f"{channel}.tiff") for channel in ("CD3", "DAPI")])
            np.testing.assert_array_equal(array[0, :, 0], wanted)
        else:
            np.testing.assert_array_equal(array.squeeze(), tifffile.imread(folder / "masks" / f"{name}_cell.tiff"))
