"""The reader of microscopes' own formats, by a stand-in for bioio; the real one reads in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import dask.array
import numpy as np
import pytest

from napari_slicemap.errors import FileFormatError
from napari_slicemap.images.bioio_image import PLUGINS
from napari_slicemap.images.readers.bioio import BioioImages
from peers import environment_with

from .reader_contract import options
from .told_files import ToldFilesContract


class UnsupportedFileFormatError(Exception):
    """As bioio raises it where no plugin reads a file."""


class StandIn:
    """What of bioio's ``BioImage`` is used, over files of NumPy arrays by scene."""

    def __init__(self, path: Path) -> None:
        if not path.read_bytes().startswith(b"PK"):
            raise UnsupportedFileFormatError(f"BioImage does not support\n\nthe image: {path}")
        with np.load(path) as found:
            self._said: dict[str, Any] = json.loads(str(found["said"]))
            self._arrays = {name: found[name] for name in found.files if name != "said"}
        self.scenes = tuple(self._arrays)
        self.set_scene(0)

    def set_scene(self, scene: int) -> None:
        self._array = self._arrays[self.scenes[scene]]
        self._order = self._said.get("order", "TCZYX")

    @property
    def dims(self) -> Any:
        class Dims(dict):  # type: ignore[type-arg]
            order = self._order

        return Dims({axis: (size,) for axis, size in zip(self._order, self._array.shape, strict=True)})

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._array.dtype

    @property
    def channel_names(self) -> list[str] | None:
        return self._said.get("channels")

    @property
    def physical_pixel_sizes(self) -> Any:
        z, y, x = self._said.get("sizes", (None, None, None))
        return SimpleNamespace(Z=z, Y=y, X=x)

    @property
    def time_interval(self) -> Any:
        step = self._said.get("step")
        return timedelta(seconds=step) if isinstance(step, float) else step

    @property
    def ome_metadata(self) -> Any:
        if "positions" not in self._said:
            raise NotImplementedError
        unit = SimpleNamespace(value=self._said.get("unit", "mm"))
        images = []
        for stated in self._said["positions"]:
            plane = stated and SimpleNamespace(
                position_x=stated[0], position_y=stated[1], position_x_unit=unit, position_y_unit=unit
            )
            images.append(SimpleNamespace(pixels=SimpleNamespace(planes=[plane] if plane else [])))
        return SimpleNamespace(images=images)

    def get_image_dask_data(self, order: str, **at: int) -> Any:
        assert order == "YX"
        return dask.array.from_array(self._array[tuple(at.get(axis, slice(None)) for axis in self._order)])


@pytest.fixture(autouse=True)
def stand_in(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("slow"):
        return
    modules = {"bioio": {"BioImage": StandIn}, "bioio_base": {}}
    modules["bioio_base.exceptions"] = {"UnsupportedFileFormatError": UnsupportedFileFormatError}
    for name, content in modules.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)


def image(seed: int = 0, shape: tuple[int, ...] = (1, 2, 1, 6, 8), dtype: str = "u2") -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, shape).astype(dtype)


def write(path: Path, scenes: dict[str, np.ndarray] | None = None, **said: Any) -> Path:
    with path.open("wb") as stream:
        np.savez(stream, said=json.dumps(said), **(scenes or {"Image:0": image()}))
    return path


class TestBioioImages(ToldFilesContract):
    reader = BioioImages()
    kind = "an image for bioio"

    def build(self, root: Path) -> Path:
        write(root / "a.nd2", channels=["DAPI", "CD3"], sizes=(None, 0.5, 0.5), positions=[(1.0, 2.0)])
        write(root / "b.nd2", {"Image:0": image(1)}, channels=["DAPI", "CD3"])
        return root

    def image_of(self, root: Path, fov: str, channel: str) -> np.ndarray:
        with np.load(root / f"{fov}.nd2") as found:
            return found["Image:0"][0, ["DAPI", "CD3"].index(channel), 0]


def test_scenes_with_what_the_file_states(tmp_path: Path) -> None:
    scenes = {"well A/1": image(1, (3, 2, 4, 6, 8), ">u2"), "well A/2": image(2, (3, 2, 4, 6, 8), ">u2")}
    known = {"channels": ["DAPI", "CD3"], "sizes": (2.0, 0.5, 0.5), "step": 1.5, "positions": [(1.0, 2.0), (1.5, 2.0)]}
    path = write(tmp_path / "plate.lif", scenes, **known)
    made = BioioImages().read(path, options(path))
    assert list(made.fovs) == ["plate_well-A-1", "plate_well-A-2"]
    fov = made.fovs["plate_well-A-2"]
    assert (fov.shape, fov.channels) == ((3, 2, 4, 6, 8), ("DAPI", "CD3"))
    assert (fov.pixel_size_um, fov.z_step_um, fov.times_s) == (0.5, 2.0, (0.0, 1.5, 3.0))
    np.testing.assert_array_equal(fov.read(["CD3"], t=2, z=3)[0], scenes["well A/2"][2, 1, 3])
    assert [(one.map_id, one.fov, one.center_um) for one in made.positions] == [
        ("plate", "plate_well-A-1", (1000.0, 2000.0)),
        ("plate", "plate_well-A-2", (1500.0, 2000.0)),
    ]
    assert not made.stage_y_stated


def test_colour_samples_are_channels(tmp_path: Path) -> None:
    pixels = image(3, (1, 1, 1, 6, 8, 3), "u1")
    path = write(tmp_path / "a.vsi", {"Image:0": pixels}, order="TCZYXS")
    fov = BioioImages().read(path, options(path)).fovs["a"]
    assert fov.channels == ("R", "G", "B")
    np.testing.assert_array_equal(fov.read(["G"])[0], pixels[0, 0, 0, :, :, 1])


@pytest.mark.parametrize(
    "positions",
    [
        pytest.param([(0.0, 0.0), (0.0, 0.0)], id="all at one place"),
        pytest.param([None, None], id="no plane"),
        pytest.param([(None, None), (None, 1.0)], id="not stated"),
        pytest.param([(float("nan"), 1.0), (1.0, float("inf"))], id="not finite"),
        pytest.param([], id="other scenes"),
    ],
)
def test_positions_that_say_nothing(tmp_path: Path, positions: list[Any]) -> None:
    path = write(tmp_path / "a.czi", {"1": image(1), "2": image(2)}, positions=positions)
    assert BioioImages().read(path, options(path)).positions == ()


def test_positions_in_no_unit_of_length(tmp_path: Path) -> None:
    path = write(tmp_path / "a.czi", positions=[(1.0, 2.0)], unit="reference frame")
    assert BioioImages().read(path, options(path)).positions == ()


def test_files_and_scenes_that_share_a_name(tmp_path: Path) -> None:
    write(tmp_path / "a.nd2", {"1": image(1)})
    write(tmp_path / "a.lif", {"Ärea 1": image(1), "Ärea_1": image(2), "Ärea/1": image(3)})
    made = BioioImages().read(tmp_path, options(tmp_path))
    assert list(made.fovs) == ["a_lif_Ärea-1-0", "a_lif_Ärea_1", "a_lif_Ärea-1-2", "a_nd2"]


@pytest.mark.parametrize(
    ("scenes", "said", "message"),
    [
        pytest.param({"1": image(shape=(1, 1, 6, 8))}, {"order": "MTYX"}, "axes M", id="strange axis"),
        pytest.param({"1": image(dtype="c8")}, {}, "pixels of type complex64", id="complex"),
        pytest.param(None, {"sizes": (1, 1.0, 2.0)}, "only square pixels", id="not square"),
    ],
)
def test_scenes_that_cannot_be_shown(tmp_path: Path, scenes: Any, said: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "a.czi", scenes, **said)
    with pytest.raises(FileFormatError, match=rf"a\.czi: cannot be read as an image for bioio .*{message}"):
        BioioImages().read(path, options(path))


@pytest.mark.parametrize(
    ("suffix", "needed"),
    [pytest.param(".nd2", "bioio-nd2", id="nd2"), pytest.param(".czi", r"bioio-czi \(under the GPL\)", id="czi")],
)
def test_what_is_to_be_installed(tmp_path: Path, suffix: str, needed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"as the microscope wrote it")
    assert BioioImages().detect(path)
    with pytest.raises(FileFormatError, match=rf"no plugin of bioio .* reads it; \{suffix} files need {needed}"):
        BioioImages().read(path, options(path))
    monkeypatch.setitem(sys.modules, "bioio", None)
    with pytest.raises(FileFormatError, match=rf"pip install 'napari-slicemap\[bioio\]', and {needed}"):
        BioioImages().read(path, options(path))


def test_suffixes_are_found_whatever_their_case(tmp_path: Path) -> None:
    for suffix in PLUGINS:
        (tmp_path / f"a{suffix.upper()}").touch()
        assert "which bioio may read" in BioioImages().detect(tmp_path / f"a{suffix.upper()}")
    assert "a.CZI" in BioioImages().detect(tmp_path)


_REAL = """
import json, sys
from pathlib import Path
import numpy as np
from napari_slicemap.dataset import open_dataset

dataset = open_dataset(sys.argv[1], layout="bioio")
facts = {name: {"shape": fov.shape, "channels": fov.channels, "size": fov.pixel_size_um, "step": fov.z_step_um,
                "pixels": fov.read(t=1, z=2).tolist()} for name, fov in dataset.fovs.items()}
centers = [one.center_um for tiles in dataset._positions_of.values() for one in tiles]
Path(sys.argv[2]).write_text(json.dumps({"fovs": facts, "centers": centers, "problems": dataset.problems}))
"""


@pytest.mark.slow
def test_real_bioio(tmp_path: Path) -> None:
    import tifffile

    environment = environment_with("bioio", ["bioio>=3.0", "bioio-base", "bioio-ome-tiff", "semver", "xarray"])
    pixels = np.random.default_rng(0).integers(0, 9999, (2, 2, 2, 3, 6, 8), np.uint16)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
        for number, scene in enumerate(pixels):
            known: dict[str, Any] = {"axes": "TCZYX", "Channel": {"Name": ["DAPI", "CD3"]}, "PhysicalSizeZ": 2.0}
            known |= {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
            known["Plane"] = {"PositionX": [0.25 * number] * 12, "PositionY": [3.0] * 12}
            known["Plane"] |= {"PositionXUnit": ["mm"] * 12, "PositionYUnit": ["mm"] * 12}
            file.write(scene, metadata=known)
    command = [sys.executable, "-c", _REAL, str(tmp_path / "a.ome.tif"), str(tmp_path / "found.json")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["problems"], found["centers"]) == ([], [[0.0, 3000.0], [250.0, 3000.0]])
    for fov, scene in zip(found["fovs"].values(), pixels, strict=True):
        assert (fov["shape"], fov["channels"], fov["size"], fov["step"]) == ([2, 2, 3, 6, 8], ["DAPI", "CD3"], 0.5, 2.0)
        np.testing.assert_array_equal(fov["pixels"], scene[1, :, 2])
