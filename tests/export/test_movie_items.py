"""Items as movies, held against the same items as pictures; and all formats from plan to file."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_slicemap import ExportPlan, open_dataset, run_export
from napari_slicemap.errors import StackError
from napari_slicemap.export.choosing.resolve import resolve
from napari_slicemap.export.content.figure import render_item
from napari_slicemap.export.content.movie import film_item
from napari_slicemap.export.writers import find_writer
from scenes import write_dataset

TIMES = (0.0, 1.5, 3.5, 4.0)


def write_film(folder, name, times):
    """Write a FOV of four times and three planes, 64 × 80 px of 0.5 µm, with these times or none."""
    rng = np.random.default_rng(5)
    (folder / name).mkdir()
    for channel in ("DAPI", "CD3"):
        data = np.kron(rng.integers(0, 1000, (4, 3, 8, 10)), np.ones((8, 8), int)).astype(np.uint16)
        known = {} if times is None else {"Plane": {"DeltaT": [time for time in times for _ in range(3)]}}
        tifffile.imwrite(
            folder / name / f"{channel}.tif",
            data,
            ome=True,
            photometric="minisblack",
            metadata={"axes": "TZYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2.0, **known},
        )


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """A dataset with time series: one with times and one without."""
    folder = write_dataset(tmp_path_factory.mktemp("films") / "set")
    write_film(folder, "film", TIMES)
    write_film(folder, "timeless", None)
    return folder


@pytest.fixture
def moving(films):
    return open_dataset(films)


def movie_of(dataset, select, **fields):
    plan = ExportPlan.model_validate({"select": [select], "format": "gif", **fields})
    (item,) = resolve(plan, dataset).items
    return film_item(item, plan, dataset.profiles.get_default(), dataset), item, plan


def picture(dataset, plan, **item):
    """Render the picture of another choice, of which there is one."""
    plan = plan.model_copy(update={"select": ()})
    plan = ExportPlan.model_validate({**plan.model_dump(exclude={"select"}), "select": [item]})
    (one,) = resolve(plan, dataset).items
    return render_item(one, plan, dataset.profiles.get_default(), dataset).picture.array()


def check_gif(path, frames):
    """Hold a GIF against its frames: noise of few values comes back within a few of 255 on average."""
    with Image.open(path) as image:
        assert image.n_frames == len(frames)
        for number, frame in enumerate(frames):
            image.seek(number)
            assert np.abs(np.asarray(image.convert("RGB")).astype(int) - frame).mean() < 6


def check_mp4(path, frames):
    """Hold an MP4 against its frames by their brightness: colours are halved, which blurs noise."""
    av = pytest.importorskip("av", reason="MP4 needs the extra video")
    with av.open(str(path)) as container:
        found = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(found) == len(frames)
    for shown, frame in zip(found, frames, strict=True):
        height, width = frame.shape[:2]
        difference = (shown[:height, :width].astype(float) - frame) @ (0.2126, 0.7152, 0.0722)
        assert np.abs(difference).mean() < 6


CHECKS = {"gif": check_gif, "mp4": check_mp4}


@pytest.mark.parametrize("name", CHECKS)
def test_a_time_series_shows_each_time_as_its_picture(moving, tmp_path, name):
    movie, item, plan = movie_of(moving, {"kind": "stack", "ids": ["film"]}, z="max", scale_bar={"enabled": True})
    frames = [picture(moving, plan.model_copy(update={"t": t}), kind="fov", ids=["film"]) for t in range(4)]
    assert movie.shape == (4, *frames[0].shape)
    assert (movie.times_s, movie.name, movie.pixel_size_um) == (TIMES, item.stem, 0.5)
    for number, frame in enumerate(frames):
        np.testing.assert_array_equal(movie[number], frame)
    writer = find_writer(name)
    path = tmp_path / f"film{writer.suffix}"
    writer.write(path, movie, writer.Options.model_validate({"timestamps": False}))
    CHECKS[name](path, frames)


@pytest.mark.parametrize("name", CHECKS)
def test_a_run_of_slices_shows_each_map(moving, tmp_path, name):
    select = {"kind": "stack", "along": "slices", "ids": ["7", "8"], "name": "run"}
    movie, item, _ = movie_of(moving, select, on_missing="mark", background="#336699")
    assert movie.labels == ("07", "08")
    assert (movie.times_s, movie.count) == (None, 2)
    frames = [
        render_item(member, movie_plan, moving.profiles.get_default(), moving).picture.array()
        for movie_plan in [
            ExportPlan.model_validate({"select": [select], "on_missing": "mark", "background": "#336699"})
        ]
        for member in item.members
    ]
    for number, frame in enumerate(frames):
        np.testing.assert_array_equal(movie[number], frame)
    (missing,) = movie.missing
    assert "gone" in missing
    writer = find_writer(name)
    writer.write(tmp_path / "run", movie, writer.Options.model_validate({"timestamps": False, "fps": 2}))
    CHECKS[name](tmp_path / "run", frames)


def test_a_part_of_a_time_series_by_an_roi(moving):
    movie, _, _ = movie_of(moving, {"kind": "stack", "ids": ["film"], "roi": "core"})
    whole, _, _ = movie_of(moving, {"kind": "stack", "ids": ["film"]})
    for number in range(4):
        np.testing.assert_array_equal(movie[number], whole[number][6:16, 4:20])


@pytest.mark.parametrize(
    "select",
    [
        pytest.param({"kind": "fov", "ids": ["a"]}, id="fov"),
        pytest.param({"kind": "fov-roi", "ids": ["core"]}, id="fov-roi"),
        pytest.param({"kind": "map", "ids": ["7"]}, id="map"),
        pytest.param({"kind": "cell", "ids": ["a:1"], "size_px": 20}, id="cell"),
    ],
)
def test_what_does_not_move_is_one_frame(moving, select):
    movie, _, plan = movie_of(moving, select)
    assert movie.count == 1
    np.testing.assert_array_equal(movie[0], picture(moving, plan, **select))
    assert movie.delays_ms(None, 1.0) == [1000.0]


def test_a_clipped_shape_lies_on_the_background(moving):
    select = {"kind": "map-roi", "ids": ["tri"], "clip": "polygon"}
    movie, _, plan = movie_of(moving, select, background="#ff8000")
    image = picture(moving, plan, **select)
    inside = image[..., 3] == 255
    np.testing.assert_array_equal(movie[0][inside], image[inside][:, :3])
    assert (movie[0][~inside] == (255, 128, 0)).all()


def test_a_series_without_times_needs_fps(moving):
    movie, _, _ = movie_of(moving, {"kind": "stack", "ids": ["timeless"]})
    with pytest.raises(StackError, match=r"timeless: 4 of 4 frames have no time .*give fps"):
        movie.delays_ms(None, 1.0)
    assert movie.delays_ms(4.0, 1.0) == [250.0] * 4


# --- from plan to file --------------------------------------------------------------------------------------------
PICTURES = (
    {"kind": "fov", "ids": ["a", "film"]},
    {"kind": "fov-roi", "ids": ["core", "ragged"]},
    {"kind": "map-roi", "ids": ["r1"]},
    {"kind": "map-roi", "ids": ["tri"], "clip": "polygon"},
    {"kind": "cell", "all": True, "size_px": 20},
    {"kind": "map", "ids": ["7"]},
)
STACKS = (
    {"kind": "stack", "ids": ["film"], "roi": "core"},
    {"kind": "stack", "along": "slices", "ids": ["7", "8"], "name": "run"},
    {"kind": "stack", "along": "slices", "ids": ["7"], "roi": "r1", "name": "edge"},
)


def run(dataset, folder, selects, **fields):
    """Run a plan, and give each output with its record; all must be there."""
    plan = ExportPlan.model_validate({"select": selects, "output_folder": str(folder), "on_missing": "mark", **fields})
    report = run_export(plan, dataset)
    assert [result.error for result in report.results if not result.ok] == []
    made = {}
    for result in report.results:
        sidecar = result.output_path.with_name(result.output_path.name + ".provenance.json")
        made[result.output_path] = result, json.loads(sidecar.read_text())
    return made


@pytest.mark.parametrize("name", ["png", "jpg", "tif", "pdf", "svg"])
def test_pictures_of_all_kinds(moving, tmp_path, name):
    made = run(moving, tmp_path / "out", PICTURES, format=name)
    assert len(made) == 11
    assert all(path.stat().st_size for path in made)
    (sheet,) = run(moving, tmp_path / "sheet", PICTURES, format=name, contact_sheet={"enabled": True})
    assert sheet.name == f"contact_sheet.{name}"


@pytest.mark.parametrize("name", ["ome-tiff", "ome-zarr", "npz", "h5", "tif-json"])
def test_data_of_all_kinds(moving, tmp_path, name):
    masked = {"overlays": {"masks": ["cell"]}} if name != "h5" else {}
    made = run(moving, tmp_path / "out", PICTURES[1:], format=name, **masked)
    made |= run(moving, tmp_path / "stacks", STACKS, format=name)
    assert len(made) == 9 + 3
    shapes = {}
    for path, (result, record) in made.items():
        assert path.is_dir() == find_writer(name).folder
        assert record["output"]["bytes"] > 0
        told = [warning for warning in record["warnings"] if "holds no masks" in warning]
        lost = name in ("ome-tiff", "tif-json") and path.parent.name == "out"
        assert len(told) == lost
        assert result.metadata["warnings"] == record["warnings"]
        shapes[path.name.split(".")[0]] = tuple(result.metadata["shape"])
    assert shapes["map_7"] == (1, 2, 1, 32, 76)
    assert shapes["a_cell_2"] == (1, 2, 1, 20, 20)
    assert shapes["run"] == (1, 2, 2, 32, 100)
    assert (4, 2, 1, 10, 16) in shapes.values()


@pytest.mark.parametrize("name", ["gif", "mp4"])
def test_movies_of_all_kinds(moving, tmp_path, name):
    if name == "mp4":
        pytest.importorskip("av", reason="MP4 needs the extra video")
    made = run(moving, tmp_path / "out", [*PICTURES, *STACKS], format=name, options={"fps": 4})
    assert len(made) == 11 + 3
    counts = {path.stem: result.metadata["shape"][0] for path, (result, _) in made.items()}
    assert {stem: count for stem, count in counts.items() if count > 1} == {"film_roi_core": 4, "run": 2}
    if name == "gif":
        for path, (_, record) in made.items():
            with Image.open(path) as image:
                embedded = json.loads(image.info["comment"])
            assert embedded["item"] == record["item"]
