"""``slicemap process``: from a stack's file to data and animations."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_slicemap.cli.process import gathered
from napari_slicemap.export.stacks.bundles import export_bundles
from napari_slicemap.images.stack.image_stack import ImageStack
from napari_slicemap.images.stack.npz_bundle import load_npz_bundle
from napari_slicemap.images.stack.processing import apply_steps
from napari_slicemap.images.stack.reading import read_stack
from napari_slicemap.images.stack.steps import steps

Shell = Callable[..., tuple[int, str, str]]
STEPS = "remove_plane; mask_mean_offset:factor=1; row_median_align; gaussian_filter:sigma=2.0"


def stack_of(times: tuple[float, ...] = (0, 1, 3), **known: Any) -> ImageStack:
    data = np.random.default_rng(0).normal(5, 2, (len(times), 40, 50)).astype(np.float32)
    return ImageStack(data, 10.0, "height", [{"timestamp": time} for time in times], **known)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (path,) = export_bundles(stack_of(), tmp_path, "run_0.5nm.final", "npz")
    return path


@pytest.fixture
def shell(slicemap: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    """Run ``slicemap process …`` in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return partial(slicemap, "process")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


# --- formats after one option -------------------------------------------------------------------------------------
WORDS = [
    pytest.param("in --export tif npz h5 --raw", "in --export=tif,npz,h5 --raw", id="spaces"),
    pytest.param("in --export tif,npz --raw", "in --export=tif,npz --raw", id="commas"),
    pytest.param("in --export tif, npz", "in --export=tif,,npz", id="both"),
    pytest.param("in --export=tif npz", "in --export=tif,npz", id="equals sign"),
    pytest.param("in --export tif --export npz", "in --export=tif --export=npz", id="repeated"),
    pytest.param("--export tif npz in.npz", "--export=tif,npz in.npz", id="before the input"),
    pytest.param("--export tif -- in", "--export=tif -- in", id="before a marked input"),
    pytest.param("in --export", "in --export=", id="nothing"),
    pytest.param("in --export-not tif npz", "in --export-not tif npz", id="another option"),
    pytest.param("in -- --export tif", "in -- --export tif", id="no option any more"),
]


@pytest.mark.parametrize(("words", "expected"), WORDS)
def test_words_after_export(words: str, expected: str) -> None:
    assert gathered(words.split()) == expected.split()


@pytest.mark.parametrize(
    "words",
    [("tif", "npz", "h5"), ("tif,npz,hdf5",), ("tif", "--export", "npz", "h5"), ("tif, npz,", "h5")],
    ids=["spaces", "commas and hdf5", "repeated", "both"],
)
def test_formats(shell: Shell, source: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    code, out, err = shell(source, "--export", *words, "--processing", "zero_mean")
    assert (code, out.splitlines()[-1]) == (0, "3 written, 0 failed"), err
    ends = (".h5", ".npz", ".ome.tif")
    assert names(tmp_path / "output") == sorted(
        f"run_0.5nm.final_filtered{end}{more}" for end in ends for more in ("", ".provenance.json")
    )


# --- the same as Python -------------------------------------------------------------------------------------------
def test_the_same_bytes_as_python_and_each_time(shell: Shell, source: Path, tmp_path: Path) -> None:
    expected = export_bundles(
        apply_steps(read_stack(source), STEPS), tmp_path / "python", source.stem, ["npz", "h5", "tif"]
    )
    for folder in ("first", "second"):
        words = ("--export", "npz", "h5", "tif", "--make-gif", "--output-folder", tmp_path / folder)
        assert shell(source, "--processing", STEPS, *words)[0] == 0
    for path in expected:
        assert path.read_bytes() == (tmp_path / "first" / path.name).read_bytes()
    gifs = [(tmp_path / folder / "run_0.5nm.final_filtered.gif").read_bytes() for folder in ("first", "second")]
    assert gifs[0] == gifs[1]


def test_a_file_of_steps(shell: Shell, source: Path, tmp_path: Path) -> None:
    file = tmp_path / "steps.toml"
    file.write_text('version = 1\n[[steps]]\nname = "gaussian_filter"\nparams = {sigma = 2.0}\n')
    assert shell(source, "--processing-file", file, "--export", "npz")[0] == 0
    made = load_npz_bundle(tmp_path / "output" / "run_0.5nm.final_filtered.npz")
    np.testing.assert_array_equal(made.data, apply_steps(stack_of(), "gaussian_filter:sigma=2").data)


def test_raw_runs_no_step(shell: Shell, source: Path, tmp_path: Path) -> None:
    assert shell(source, "--processing", STEPS, "--export", "npz", "--make-gif")[0] == 0
    filtered = tmp_path / "output" / "run_0.5nm.final_filtered.npz"
    code, _, err = shell(
        filtered, "--raw", "--processing", "zero_mean", "--export", "npz", "--output-name", "a", "--make-gif"
    )
    assert (code, "zero_mean" in err) == (0, False)
    made = load_npz_bundle(tmp_path / "output" / "a.npz")
    np.testing.assert_array_equal(made.data, stack_of().data)
    assert (made.processed, made.masks, made.steps) == ({}, {}, ())
    assert (tmp_path / "output" / "a.gif").exists()


# --- GIF ----------------------------------------------------------------------------------------------------------
def test_gif_of_real_times(shell: Shell, source: Path, tmp_path: Path) -> None:
    assert shell(source, "--make-gif", "--output-name", "film", "--zmin", "-3", "--zmax", "p99")[0] == 0
    with Image.open(tmp_path / "output" / "film.gif") as film:
        assert film.n_frames == 3
        delays = []
        for number in range(3):
            film.seek(number)
            delays.append(film.info["duration"])
        history = json.loads(film.info["comment"])["history"]
    assert delays == [1000, 2000, 2000]
    assert history == load_npz_bundle(source).provenance


def test_gif_options(shell: Shell, source: Path, tmp_path: Path) -> None:
    plain = ("--make-gif", "--fps", "5", "--cmap", "gray", "--zmin", "0", "--zmax", "10")
    assert shell(source, *plain, "--output-name", "a", "--scale-bar-nm", "0", "--no-timestamps")[0] == 0
    assert shell(source, *plain, "--output-name", "b")[0] == 0
    with Image.open(tmp_path / "output" / "a.gif") as film:
        assert film.info["duration"] == 200
        bare = np.asarray(film.convert("L"), np.float64)
    with Image.open(tmp_path / "output" / "b.gif") as film:
        drawn = np.asarray(film.convert("L"), np.float64)
    np.testing.assert_allclose(bare, np.clip(stack_of().data[0] * 25.5, 0, 255), atol=1.5)
    assert (np.abs(bare - drawn) > 2).any()


def test_what_does_not_fit_into_the_gif_is_told(shell: Shell, source: Path, tmp_path: Path) -> None:
    code, _, err = shell(source, "--make-gif", "--scale-bar-nm", "5000")
    assert (code, err.count("note: ")) == (0, 1)
    assert "scale bar" in err
    record = json.loads((tmp_path / "output" / "run_0.5nm.final.gif.provenance.json").read_text())
    assert len(record["warnings"]) == 1


# --- the record ---------------------------------------------------------------------------------------------------
def test_times_stand_in_the_sidecar_alone(shell: Shell, source: Path, tmp_path: Path) -> None:
    assert shell(source, "--processing", STEPS, "--export", "npz", "--channel", "height")[0] == 0
    path = tmp_path / "output" / "run_0.5nm.final_filtered.npz"
    record = json.loads(path.with_name(f"{path.name}.provenance.json").read_text())
    made = load_npz_bundle(path)
    recorded = record["history"]["processing"]["steps"]
    assert [step["name"] for step in recorded] == [part.split(":")[0] for part in STEPS.split("; ")]
    assert all(step.pop("timestamp").endswith("Z") for step in recorded)
    assert recorded == list(made.steps)
    assert "timestamp" not in json.dumps(list(made.steps))
    assert record["output"] == {
        "path": path.name,
        "bytes": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    assert record["sources"][0]["size"] == source.stat().st_size
    assert record["plan"]["processing"][3] == {"name": "gaussian_filter", "params": {"sigma": "2.0"}}
    assert (record["pixel_size_um"], record["item"]["format"]) == (0.01, "npz")
    assert record["created_at"].endswith("Z")


def test_json(shell: Shell, source: Path, tmp_path: Path) -> None:
    code, out, _ = shell(source, "--export", "npz", "--json")
    found = json.loads(out)
    assert (code, found["counts"]) == (0, {"ok": 1, "failed": 0})
    assert found["results"][0]["bytes"] == (tmp_path / "output" / "run_0.5nm.final.npz").stat().st_size


# --- what is there already ----------------------------------------------------------------------------------------
def test_overwrite(shell: Shell, source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "output"
    assert shell(source, "--export", "npz", "--processing", "zero_mean")[0] == 0
    before = (folder / "run_0.5nm.final_filtered.npz").read_bytes()
    code, _, err = shell(source, "--export", "tif", "npz", "--processing", "gaussian_filter")
    assert (code, "already holds run_0.5nm.final_filtered.npz" in err) == (2, True)
    assert not (folder / "run_0.5nm.final_filtered.ome.tif").exists()
    again = ("--export", "tif", "npz", "--processing", "gaussian_filter", "--overwrite")
    assert shell(source, *again, "rename")[0] == 0
    assert {"run_0.5nm.final_2_filtered.ome.tif", "run_0.5nm.final_2_filtered.npz"} <= set(names(folder))
    assert (folder / "run_0.5nm.final_filtered.npz").read_bytes() == before
    assert shell(source, *again, "overwrite")[0] == 0
    assert (folder / "run_0.5nm.final_filtered.npz").read_bytes() != before


# --- what is wrong ------------------------------------------------------------------------------------------------
WRONG = [
    pytest.param(("--export", "tif", "csv"), ["unknown format 'csv' of a stack (there is tif, npz, h5)"], id="format"),
    pytest.param((), ["nothing to write; use --export"], id="nothing to write"),
    pytest.param(("--export", "--make-gif"), ["nothing to write; use --export"], id="no names"),
    pytest.param(
        ("--export", "csv", "--processing", "a; gaussian_filter:s=1", "--make-gif", "--cmap", "no-such"),
        ["unknown processing step 'a'", "parameter 's'", "unknown format 'csv'", "unknown colour map 'no-such'"],
        id="several",
    ),
    pytest.param(("--make-gif", "--zmin", "low"), ["gif.zmin: 'low' is no number, auto or percentile"], id="limit"),
    pytest.param(("--make-gif", "--zmax", "p101"), ["gif.zmax: 'p101' is no number"], id="percentile"),
    pytest.param(("--make-gif", "--fps", "0"), ["gif.fps: Input should be greater than 0"], id="speed"),
    pytest.param(("--export", "npz", "--overwrite", "yes"), ["overwrite: Input should be 'refuse'"], id="overwrite"),
    pytest.param(
        ("--export", "npz", "--channel", "phase"), ["unknown channel 'phase' (there is height)"], id="channel"
    ),
    pytest.param(
        ("--export", "npz", "--processing", "zero_mean", "--processing-file", "s.toml"), ["use one of them"], id="twice"
    ),
    pytest.param(("--export", "npz", "--processing-file", "none.toml"), ["none.toml"], id="no such file of steps"),
    pytest.param(("--export", "npz", "--processing", "  ;"), ["no processing step is given"], id="no step"),
    pytest.param(("--export", "npz", "--output-folder", "run_0.5nm.final.npz"), ["is a file"], id="folder"),
]


@pytest.mark.parametrize(("words", "expected"), WRONG)
def test_every_fault_is_told_and_nothing_is_written(
    shell: Shell, source: Path, tmp_path: Path, words: tuple[str, ...], expected: list[str]
) -> None:
    before = names(tmp_path)
    code, out, err = shell(source, *words)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == len(expected), err
    for line, part in zip(err.splitlines(), expected, strict=True):
        assert part in line
    assert names(tmp_path) == before


def test_an_input_that_is_not_there(shell: Shell, tmp_path: Path) -> None:
    code, _, err = shell(tmp_path / "none.npz", "--export", "npz")
    assert (code, "none.npz: there is no such file" in err) == (2, True)


def test_times_that_are_missing_need_fps(shell: Shell, tmp_path: Path) -> None:
    (source,) = export_bundles(stack_of((0, float("nan"), 2)), tmp_path, "a", "npz")
    code, _, err = shell(source, "--make-gif")
    assert (code, "give fps" in err) == (2, True)
    assert shell(source, "--make-gif", "--fps", "2")[0] == 0


def test_raw_frames_that_were_not_kept(shell: Shell, tmp_path: Path) -> None:
    stack = stack_of(processed={"step_1_zero_mean": stack_of().data})
    (source,) = export_bundles(stack, tmp_path, "a", "npz")
    code, _, err = shell(source, "--raw", "--export", "h5")
    assert (code, "raw frames were not kept" in err) == (2, True)


def test_one_output_that_fails_does_not_stop_the_others(shell: Shell, source: Path, tmp_path: Path) -> None:
    # limits that only the processed frames can be held against
    words = ("--make-gif", "--export", "npz", "--processing", "zero_mean", "--zmin", "5", "--zmax", "p50")
    code, out, err = shell(source, *words)
    assert (code, out.splitlines()[-1]) == (1, "1 written, 1 failed")
    assert "zmin is 5 and zmax is" in err
    assert names(tmp_path / "output") == [
        "run_0.5nm.final_filtered.npz",
        "run_0.5nm.final_filtered.npz.provenance.json",
    ]


# --- help ---------------------------------------------------------------------------------------------------------
def test_list_of_steps(shell: Shell) -> None:
    code, out, _ = shell("--list-steps")
    assert code == 0
    for name in steps():
        assert f"\n{name} " in f"\n{out}"
    assert "sigma=1.0" in out


def test_a_real_video(shell: Shell, real_data: Path, tmp_path: Path) -> None:
    words = ("--processing", STEPS, "--export", "tif", "npz", "h5", "--make-gif", "--scale-bar-nm", "100")
    assert shell(real_data / "afm" / "sample_0.h5-jpk", *words)[0] == 0
    folder = tmp_path / "output"
    found = [read_stack(folder / f"sample_0_filtered{end}") for end in (".npz", ".h5", ".ome.tif")]
    for stack in found:
        np.testing.assert_array_equal(stack.data, found[0].data)
    np.testing.assert_allclose(found[0].times_s[:2], [0, 3.275], atol=1e-3)
    with Image.open(folder / "sample_0_filtered.gif") as film:
        assert (film.n_frames, film.size) == (4, (128, 128))
