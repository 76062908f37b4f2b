"""Bundles to and from playNano 0.5.0, and files of AFMs as AFMReader reads them, in an environment of their own.

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

# run by the same Python: the files of other instruments, as AFMReader reads them
_AFM = """
import sys
from importlib import import_module
import numpy as np

arrays = {}
for asked in sys.argv[2:]:
    module, path, *channel = asked.split("@")
    found = getattr(import_module(f"AFMReader.{module}"), f"load_{module}")(path, *channel)
    data, size = (found["image"], found["pixel_to_nm_scaling"]) if isinstance(found, dict) else found[:2]
    arrays[asked], arrays[f"{asked} size"] = np.asarray(data), np.asarray(size)
np.savez(sys.argv[1], **{str(number): one for number, one in enumerate(arrays.values())})
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


_JPK_CHANNELS = ("height", "measuredHeight", "amplitude", "phase", "error")
_FILES = [
    ("asd", "asd_sample_0.asd", "TP"),
    *(("jpk", "sample_0.jpk", f"{name}_{way}") for name in _JPK_CHANNELS for way in ("trace", "retrace")),
    *(("jpk", "sample_0.jpk-qi-image", f"{name}_trace") for name in (*_JPK_CHANNELS[:2], "adhesion", "slope")),
    ("topostats", "sample_0_1.topostats", ""),
    ("top", "sample_0.top", ""),
]


def test_files_of_other_instruments_are_what_afmreader_reads(python: Path, tmp_path: Path, real_data: Path) -> None:
    from napari_slicemap.images.stack.reading import read_stack

    paths = [(module, real_data / "afm" / file, channel) for module, file, channel in _FILES]
    asked = ["@".join([module, str(path), channel]).removesuffix("@") for module, path, channel in paths]
    run(python, _AFM, tmp_path / "a.npz", *asked)
    with np.load(tmp_path / "a.npz") as found:
        for number, (module, path, channel) in enumerate(paths):
            stack, expected = read_stack(path, channel), found[str(2 * number)]
            assert stack.pixel_size_nm == found[str(2 * number + 1)]
            if module == "top":  # it takes the whole nm of the height that the file states
                expected = expected * (59.7449 / 59)
            np.testing.assert_allclose(np.squeeze(stack.data), expected, rtol=1e-12, err_msg=str((path, channel)))
