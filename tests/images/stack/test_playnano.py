"""Bundles to and from playNano 0.5.0, and AFMReader's formats, in an environment of their own.

playNano never runs in the same process as this package: each reads what the other has written, and plain ``.npy`` files
tell what it found.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_slicemap.images.stack.hdf5_bundle import load_h5_bundle, save_h5_bundle
from napari_slicemap.images.stack.image_stack import ImageStack
from napari_slicemap.images.stack.npz_bundle import load_npz_bundle, save_npz_bundle

from .stacks import BEFORE, STEP, plain_stack, processed_stack

pytestmark = pytest.mark.slow

_REPOSITORY = Path(__file__).resolve().parents[3]
_FOLDER = _REPOSITORY / "build" / "playnano-venv"
_WANTED = ["playnano==0.5.0", "pydantic>=2.10", "isal>=1.7"]
_NO_NETWORK = ("NewConnectionError", "Temporary failure in name resolution", "ConnectTimeoutError", "ProxyError")

# run by playNano's Python: loads a bundle and lays out what it found
_LOAD = """
import json, sys
from pathlib import Path
import numpy as np
from playnano.io.data_loaders import load_h5_bundle, load_npz_bundle

path, folder = map(Path, sys.argv[1:])
stack = (load_npz_bundle if path.suffix == ".npz" else load_h5_bundle)(path)
arrays = {"data": stack.data}
arrays |= {f"processed {name}": layer for name, layer in stack.processed.items()}
arrays |= {f"masks {name}": mask for name, mask in stack.masks.items()}
for index, array in enumerate(arrays.values()):
    np.save(folder / f"{index}.npy", array)
stated = {
    "names": list(arrays),
    "pixel_size_nm": stack.pixel_size_nm,
    "channel": stack.channel,
    "frame_metadata": stack.frame_metadata,
    "state_backups": stack.state_backups,
    "provenance": {key: value for key, value in stack.provenance.items() if key != "bundle"},
}
(folder / "stated.json").write_text(json.dumps(stated), encoding="utf-8")
"""

# run by playNano's Python: processes a stack and saves it with and without raw, with what is to be found beside it
_SAVE = """
import sys
from pathlib import Path
import numpy as np
from playnano.afm_stack import AFMImageStack
from playnano.io.export_data import save_h5_bundle, save_npz_bundle
from playnano.processing.pipeline import ProcessingPipeline

folder = Path(sys.argv[1])
data = np.random.default_rng(0).normal(3, 2, (5, 16, 12))
metadata = [{"timestamp": time, "frame_pixel_size_nm": 1.25} for time in (0.0, 1.5, 2.0, 7.25, 8.0)]
stack = AFMImageStack(data, 1.25, "height_trace", folder / "made.asd", metadata)
steps = ProcessingPipeline(stack)
steps.add_filter("remove_plane")
steps.add_mask("mask_threshold", threshold=1)
steps.add_filter("gaussian_filter", sigma=1)
steps.add_filter("drop_frames", indices_to_drop=[1])
steps.run()
for raw in (False, True):
    name = "raw" if raw else "processed"
    save_npz_bundle(folder / name, stack, raw)
    save_h5_bundle(folder / name, stack, raw)
np.savez(folder / "expected.npz", data=stack.data,
         **{f"processed {name}": layer for name, layer in stack.processed.items()},
         **{f"masks {name}": mask for name, mask in stack.masks.items()})
"""

# run by the same Python, with this package and AFMReader: no playNano in it
_AFM = """
import json, sys
from pathlib import Path
import numpy as np
from napari_slicemap.errors import FileFormatError, UnknownNameError
from napari_slicemap.images.stack.reading import read_stack

found = {}
for path in sys.argv[2:]:
    path, _, channel = path.partition("@")
    try:
        stack = read_stack(path, channel)
    except (FileFormatError, UnknownNameError) as error:
        found[f"{Path(path).name}@{channel}"] = {"error": str(error), "type": type(error).__name__}
        continue
    found[f"{Path(path).name}@{channel}"] = {
        "shape": stack.data.shape, "pixel_size_nm": stack.pixel_size_nm, "channel": stack.channel,
        "times": [None if np.isnan(time) else time for time in stack.times_s],
        "low": float(stack.data.min()), "high": float(stack.data.max()),
    }
Path(sys.argv[1]).write_text(json.dumps(found))
"""

# run by playNano's Python: the video of a JPK instrument
_JPK = """
import sys
import numpy as np
from playnano.io.loader import load_afm_stack

stack = load_afm_stack(sys.argv[1], sys.argv[2])
np.savez(sys.argv[3], data=stack.data, times=stack.get_frame_times(), size=stack.pixel_size_nm)
"""


@pytest.fixture(scope="module")
def python() -> Path:
    """The Python of an environment with playNano, made anew unless it is whole."""
    made = _FOLDER / ("Scripts" if os.name == "nt" else "bin") / "python"
    mark = _FOLDER / "whole.json"
    if mark.is_file() and json.loads(mark.read_text()) == _WANTED:
        return made
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(_FOLDER)], check=True)
    install = [str(made), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *_WANTED]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode and any(sign in done.stderr for sign in _NO_NETWORK):
        pytest.skip("PyPI is not reachable, and playNano comes from there")
    assert done.returncode == 0, done.stderr
    mark.write_text(json.dumps(_WANTED))
    return made


def run(python: Path, script: str, *arguments: object, **environment: str) -> None:
    command = [str(python), "-c", script, *map(str, arguments)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONUTF8": "1", **environment},
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("save", [save_npz_bundle, save_h5_bundle])
@pytest.mark.parametrize(
    ("stack", "raw"),
    [
        pytest.param(processed_stack(), False, id="processed"),
        pytest.param(processed_stack(), True, id="raw"),
        pytest.param(plain_stack(), False, id="plain"),
        pytest.param(plain_stack(data=plain_stack().data[:1], frame_metadata=[{}]), False, id="one frame, no time"),
        pytest.param(plain_stack(pixel_size_nm=0.005, channel="高さ"), False, id="small pixels, unicode"),
    ],
)
def test_playnano_loads_ours(
    python: Path, tmp_path: Path, save: Callable[..., Path], stack: ImageStack, raw: bool
) -> None:
    path = save(tmp_path / "ours", stack, raw)
    run(python, _LOAD, path, tmp_path)
    stated = json.loads((tmp_path / "stated.json").read_text(encoding="utf-8"))
    arrays = {name: np.load(tmp_path / f"{index}.npy") for index, name in enumerate(stated["names"])}
    shown = stack.raw() if raw else stack
    written = {STEP: "step_1_subtract%2Fplane 50%25"}  # the `/` is escaped in the file
    expected = {"data": shown.data.astype(np.float32)}
    expected |= {f"processed {written.get(k, k)}": v.astype(np.float32) for k, v in shown.processed.items()}
    expected |= {f"masks {name}": mask for name, mask in shown.masks.items()}
    assert set(arrays) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype
    assert (stated["pixel_size_nm"], stated["channel"]) == (shown.pixel_size_nm, shown.channel)
    times = [one.get("timestamp") for one in shown.frame_metadata]
    assert [one["timestamp"] for one in stated["frame_metadata"]] == times
    assert (stated["state_backups"], stated["provenance"]) == (shown.state_backups, shown.provenance)


@pytest.fixture(scope="module")
def theirs(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of bundles that playNano has saved, and what is in them."""
    folder = tmp_path_factory.mktemp("playnano")
    run(python, _SAVE, folder)
    return folder


LOADERS = [pytest.param("npz", load_npz_bundle, id="npz"), pytest.param("h5", load_h5_bundle, id="h5")]


@pytest.mark.parametrize(("suffix", "load"), LOADERS)
def test_ours_loads_playnanos(theirs: Path, suffix: str, load: Callable[[Path], ImageStack]) -> None:
    stack = load(theirs / f"processed.{suffix}")
    with np.load(theirs / "expected.npz") as expected:
        found = {"data": stack.data}
        found |= {f"processed {name}": layer for name, layer in stack.processed.items()}
        found |= {f"masks {name}": mask for name, mask in stack.masks.items()}
        assert set(found) == set(expected.files)
        assert len(found) == 6  # data, raw, three steps and a mask
        for name, array in found.items():
            np.testing.assert_array_equal(array, expected[name].astype(array.dtype))
    assert (stack.pixel_size_nm, stack.channel) == (1.25, "height_trace")
    np.testing.assert_array_equal(stack.times_s, [0, 2, 7.25, 8])
    assert len(stack.steps) == 4
    raw = stack.raw()
    np.testing.assert_array_equal(raw.data, stack.processed["raw"])
    np.testing.assert_array_equal(raw.times_s, [one["timestamp"] for one in BEFORE])


@pytest.mark.parametrize(("suffix", "load"), LOADERS)
def test_ours_loads_playnanos_raw(theirs: Path, suffix: str, load: Callable[[Path], ImageStack]) -> None:
    stack = load(theirs / f"raw.{suffix}")
    with np.load(theirs / "expected.npz") as expected:
        np.testing.assert_array_equal(stack.data, expected["processed raw"].astype(np.float32))
    np.testing.assert_array_equal(stack.times_s, [one["timestamp"] for one in BEFORE])
    assert (stack.processed, stack.masks) == ({}, {})


@pytest.mark.parametrize("channel", ["height_trace", "height_retrace", "phase_trace", "error_trace"])
def test_jpk_video_is_what_playnano_reads(python: Path, tmp_path: Path, real_data: Path, channel: str) -> None:
    from napari_slicemap.images.stack.jpk import read_h5_jpk

    video = real_data / "afm" / "sample_0.h5-jpk"
    run(python, _JPK, video, channel, tmp_path / "a.npz")
    stack = read_h5_jpk(video, channel)
    with np.load(tmp_path / "a.npz") as found:
        np.testing.assert_allclose(stack.data, found["data"], rtol=1e-12)
        np.testing.assert_array_equal(stack.times_s, found["times"])
        assert stack.pixel_size_nm == found["size"]


@pytest.fixture(scope="module")
def afm(python: Path, tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> dict[str, Any]:
    """What AFMReader's formats give: file name and channel → facts, or the error."""
    asked = ("asd_sample_0.asd@", "asd_sample_0.asd@ZZ", "sample_0.jpk@", "sample_0.jpk@phase_trace", "sample_0.jpk@no")
    asked += ("sample_0.jpk-qi-image@", "sample_0.top@", "sample_0.top@phase", "sample_0_1.topostats@")
    folder = tmp_path_factory.mktemp("afm")
    broken = folder / "broken.asd"
    broken.write_bytes((real_data / "afm" / "asd_sample_0.asd").read_bytes()[:1000])
    paths = [real_data / "afm" / one for one in asked]
    run(python, _AFM, folder / "found.json", *paths, broken, PYTHONPATH=str(_REPOSITORY / "src"))
    found: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return found


@pytest.mark.parametrize(
    ("file", "channel", "shape", "pixel_size_nm"),
    [
        pytest.param("asd_sample_0.asd@", "TP", [32, 200, 200], 0.5, id="asd"),
        pytest.param("sample_0.jpk@", "height_trace", [1, 256, 256], 1.2770176335964876, id="jpk"),
        pytest.param("sample_0.jpk@phase_trace", "phase_trace", [1, 256, 256], 1.2770176335964876, id="jpk phase"),
        pytest.param("sample_0.jpk-qi-image@", "height_trace", [1, 100, 100], pytest.approx(5), id="jpk-qi-image"),
        pytest.param("sample_0_1.topostats@", "image", [1, 64, 64], pytest.approx(1.97601171875), id="topostats"),
        pytest.param("sample_0.top@", "height", [1, 512, 512], 0.9765625, id="top"),
    ],
)
def test_files_of_other_instruments(
    afm: dict[str, Any], file: str, channel: str, shape: list[int], pixel_size_nm: float
) -> None:
    found = afm[file]
    assert (found["channel"], found["shape"], found["pixel_size_nm"]) == (channel, shape, pixel_size_nm)
    assert found["low"] < found["high"]
    assert found["times"] == ([*range(32)] if shape[0] == 32 else [None])


@pytest.mark.parametrize(
    ("file", "message"),
    [
        pytest.param("asd_sample_0.asd@ZZ", "ZZ", id="asd channel"),
        pytest.param("sample_0.jpk@no", "height_trace", id="jpk channel"),
        pytest.param("sample_0.top@phase", "unknown channel 'phase'", id="top has no channels"),
        pytest.param("broken.asd@", "cannot be read as a .asd file", id="cut off"),
    ],
)
def test_faults_of_files_of_other_instruments(afm: dict[str, Any], file: str, message: str) -> None:
    error = afm[file]["error"]
    assert message in error
    assert file.partition("@")[0] in error
