"""Converted datasets as napari-ome-zarr reads them, beside the packages that are installed."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from builders import fov_folders
from napari_slicemap import open_dataset
from napari_slicemap.export.convert.plan import ConvertPlan
from napari_slicemap.export.convert.run import convert_dataset
from peers import environment_with

pytestmark = pytest.mark.slow  # it comes from PyPI

# run by a Python that finds it: lays out what its reader gives
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
def environment() -> dict[str, str]:
    return environment_with("napari-ome-zarr", ["napari-ome-zarr==0.10.0"])


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_the_layers_are_the_images_and_masks(environment, tmp_path, version):
    folder, out, found = fov_folders(tmp_path / "run"), tmp_path / "out.ome.zarr", tmp_path / "found"
    found.mkdir()
    convert_dataset(open_dataset(folder), out, ConvertPlan(options={"version": version}))
    done = subprocess.run(
        [sys.executable, "-c", _READ, str(out), str(found)], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
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
