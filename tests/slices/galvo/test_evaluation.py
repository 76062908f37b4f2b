"""All figures of an evaluation, the textures they are of, and their picture."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from tiles import tissue

from napari_slicemap.errors import DatasetNotFoundError, StackError
from napari_slicemap.files import to_json
from napari_slicemap.slices.galvo.evaluate import Trial, figures, roc
from napari_slicemap.slices.galvo.evaluation import Aim, Evaluation, TileFigures, evaluate
from napari_slicemap.slices.galvo.roc_picture import roc_svg
from napari_slicemap.slices.galvo.synthetic import DISTURBANCES
from napari_slicemap.slices.galvo.textures import read_textures

TEXTURES = [tissue(seed, 150, 160) for seed in range(2)]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def found() -> Evaluation:
    return evaluate(TEXTURES, 120, 6, 3)


# --- figures -------------------------------------------------------------------------------------------------
def test_both_ways_are_measured_on_the_same_tiles(found: Evaluation) -> None:
    own, plain = found.of_tiles["columns"], found.of_tiles["plain"]
    assert (own.clear.returns, own.strong.returns, own.clear.clean) == (
        plain.clear.returns,
        plain.strong.returns,
        plain.clear.clean,
    )
    assert own.clear.clean == 60
    assert {name: one.clean for name, one in own.clean.items()} == dict.fromkeys(DISTURBANCES, 12)
    assert own.clear.exact >= 0.9
    assert own.strong.false_alarms <= 0.1 < 0.4 < plain.strong.false_alarms
    assert (found.of_slices.returns, found.of_slices.clean, found.background) == (3, 3, 0)
    assert found.of_slices.recall == 1


def test_the_seed_decides() -> None:
    one, again, other = (to_json(evaluate(TEXTURES, 20, 2, seed).as_data()["of_tiles"]) for seed in (3, 3, 4))
    assert one == again != other


def test_two_processes_measure_what_one_does(found: Evaluation) -> None:
    told: list[tuple[int, int]] = []
    both = evaluate(TEXTURES, 120, 6, 3, workers=2, on_progress=lambda done, total: told.append((done, total)))
    assert to_json(both.as_data()) == to_json(found.as_data())
    assert told == [(done, 210) for done in (100, 120, 210)]


def test_returns_are_harder_to_find_beside_other_edges() -> None:
    alone, beside = (evaluate(TEXTURES, 200, 2, disturbed=disturbed) for disturbed in (False, True))
    assert beside.of_tiles["columns"].strong.recall < alone.of_tiles["columns"].strong.recall
    assert beside.as_data()["disturbed"] is True


def test_aims_say_what_the_figures_should_be(found: Evaluation) -> None:
    exact, near, recall, alarms, slice_recall, slice_alarms = found.aims
    assert (exact.value, exact.plain, exact.target) == (
        found.of_tiles["columns"].clear.exact,
        found.of_tiles["plain"].clear.exact,
        0.97,
    )
    assert [one.target for one in (near, recall, alarms, slice_recall, slice_alarms)] == [0.98, 0.92, 0.01, 0.99, 0.002]
    assert [one.at_least for one in found.aims] == [True, True, True, False, True, False]
    assert slice_recall.plain is None


@pytest.mark.parametrize(
    ("value", "at_least", "met"),
    [
        pytest.param(0.9, True, True, id="as much"),
        pytest.param(0.89, True, False, id="less"),
        pytest.param(0.9, False, True, id="no more"),
        pytest.param(0.91, False, False, id="more"),
        pytest.param(float("nan"), True, None, id="nothing measured"),
    ],
)
def test_an_aim_is_met_or_not(value: float, at_least: bool, met: bool | None) -> None:
    assert Aim("", value, None, 0.9, at_least, 1).met is met


def test_the_data_is_strict_json(found: Evaluation) -> None:
    data = json.loads(to_json(found.as_data()))
    assert (data["version"], data["seed"], data["threshold"], data["tiles_per_slice"]) == (1, 3, 0.6, 15)
    assert data["of_tiles"]["columns"]["contrast_0.15"]["exact"] == found.of_tiles["columns"].clear.exact
    assert data["of_tiles"]["plain"]["clean"]["edge"]["clean"] == 12
    curve = data["of_tiles"]["plain"]["roc"]["contrast_0.20"]
    assert (len(curve), curve[60]["threshold"]) == (101, 0.6)
    assert curve[60]["recall"] == data["of_tiles"]["plain"]["contrast_0.20"]["recall"]


def test_a_threshold_is_counted_at() -> None:
    none = evaluate(TEXTURES, 20, 2, threshold=0.0)
    assert (none.of_tiles["columns"].strong.recall, none.of_tiles["columns"].strong.false_alarms) == (1, 1)


@pytest.mark.parametrize(
    "wrong", [{"tiles": 1}, {"slices": 1}, {"seed": -1}, {"workers": 0}, {"threshold": 1.5}], ids=str
)
def test_what_cannot_be_measured_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is|{next(iter(wrong))} "):
        evaluate(TEXTURES, **wrong)


def test_there_must_be_tissue() -> None:
    with pytest.raises(StackError, match="no texture"):
        evaluate([])
    with pytest.raises(StackError, match="background: too dark"):
        evaluate([texture / 100 for texture in TEXTURES], 20, 2)


# --- textures ------------------------------------------------------------------------------------------------
def test_images_of_each_kind_are_read(tmp_path: Path) -> None:
    grey = np.arange(80 * 90, dtype=np.uint16).reshape(80, 90)
    tifffile.imwrite(tmp_path / "a.tif", grey)
    planes = np.stack([grey * 0, grey, grey * 0])
    tifffile.imwrite(tmp_path / "b.ome.tif", planes, photometric="minisblack", metadata={"axes": "ZYX"})
    rgb = np.zeros((80, 90, 3), np.uint8)
    rgb[..., 1] = grey % 200
    tifffile.imwrite(tmp_path / "c.tif", rgb, photometric="rgb")
    Image.fromarray(rgb).save(tmp_path / "d.png")
    Image.fromarray(rgb).convert("P").save(tmp_path / "e.png")
    Image.fromarray(grey).save(tmp_path / "f.png")
    np.save(tmp_path / "g.npy", grey)
    (tmp_path / "notes.txt").write_text("no image", encoding="utf-8")
    read = read_textures([tmp_path])
    assert read.names == ("a.tif", "b.ome.tif", "c.tif", "d.png", "e.png", "f.png", "g.npy")
    assert read.left_out == ()
    for own in (read.pixels[0], read.pixels[1], read.pixels[5], read.pixels[6]):
        np.testing.assert_array_equal(own, grey)
    for own in read.pixels[2:4]:
        np.testing.assert_allclose(own, 0.7152 * (grey % 200), rtol=1e-5)


def test_a_large_image_is_cut_into_pieces(tmp_path: Path) -> None:
    image = np.zeros((600, 1100), np.uint8)
    image[:300, :700] = np.random.default_rng(0).integers(50, 200, (300, 700))
    tifffile.imwrite(tmp_path / "large.tif", image)
    read = read_textures([tmp_path / "large.tif"])
    assert [piece.shape for piece in read.pixels] == [(300, 367), (300, 367)]
    np.testing.assert_array_equal(np.hstack(read.pixels), image[:300, :734])


@pytest.mark.parametrize(
    ("name", "image", "why"),
    [
        pytest.param("small.tif", np.eye(63, dtype=np.uint8) * 90, "63 × 63 px, expected at least 64", id="small"),
        pytest.param("even.tif", np.full((80, 80), 90, np.uint8), "each px is 90", id="the same throughout"),
        pytest.param("dark.tif", np.eye(80, dtype=np.float32), "nearly all of it is below 20", id="dark"),
        pytest.param("below.tif", np.eye(80, dtype=np.int16) * -9, "negative px, down to -9", id="negative"),
        pytest.param("nan.tif", np.full((80, 80), np.nan, np.float32), "not finite", id="not finite"),
        pytest.param("mask.npy", np.eye(80, dtype=bool), "px are bool", id="no numbers"),
        pytest.param("broken.png", None, "cannot identify", id="no picture"),
        pytest.param("broken.tif", None, "not a TIFF", id="no TIFF"),
    ],
)
def test_what_is_no_tissue_is_left_out_by_name(tmp_path: Path, name: str, image: np.ndarray | None, why: str) -> None:
    path = tmp_path / name
    if image is None:
        path.write_bytes(b"nothing")
    elif path.suffix == ".npy":
        np.save(path, image)
    else:
        tifffile.imwrite(path, image)
    with pytest.raises(StackError, match=f"no image can be used as texture: {name}: .*{why}"):
        read_textures([path])
    tifffile.imwrite(tmp_path / "good.tif", tissue(0, 80, 80).astype(np.float32))
    read = read_textures([path, tmp_path / "good.tif"])
    assert read.names == ("good.tif",)
    assert len(read.left_out) == 1
    assert read.left_out[0].startswith(f"{name}: ")


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="there is no such file"):
        read_textures([tmp_path / "lost.tif"])
    with pytest.raises(DatasetNotFoundError, match="holds no image"):
        read_textures([tmp_path])


# --- the picture ---------------------------------------------------------------------------------------------
def curves_of(svg: str) -> dict[str, list[tuple[float, float]]]:
    """The points of each line, by what it is called; px, y downwards."""
    made = {}
    for group in ET.fromstring(svg).iter(f"{SVG}g"):
        line, title = group.find(f"{SVG}polyline"), group.find(f"{SVG}title")
        if line is not None and title is not None:
            pairs = [point.split(",") for point in line.attrib["points"].split()]
            made[str(title.text)] = [(float(x), float(y)) for x, y in pairs]
    return made


def test_the_picture_has_a_curve_for_each_way_and_contrast(found: Evaluation) -> None:
    svg = roc_svg(found)
    assert svg == roc_svg(found)
    curves = curves_of(svg)
    assert list(curves) == [
        "this detection, contrast ≥ 20%",
        "this detection, contrast ≥ 10%",
        "the plain formula, contrast ≥ 20%",
        "the plain formula, contrast ≥ 10%",
    ]
    for points in curves.values():
        assert len(points) == 101
        assert points[0] == (700, 38)  # at threshold 0 all are found, and all that are clean, too
        assert all(62 <= x <= 700 and 38 <= y <= 384 for x, y in points)
        assert points == sorted(points, key=lambda one: (-one[0], one[1]))
    root = ET.fromstring(svg)
    marked = [one for one in root.iter(f"{SVG}circle") if one.get("class") == "threshold"]
    assert [one.findtext(f"{SVG}title") for one in marked] == ["threshold 0.6"] * 4
    x, y = curves["this detection, contrast ≥ 20%"][60]
    assert (float(marked[0].attrib["cx"]), float(marked[0].attrib["cy"])) == (x, y)


def made_up(confidences: list[float], clean: list[float]) -> Evaluation:
    trials = [Trial(0.3, "none", 0, one) for one in confidences] + [Trial(0, "none", None, one) for one in clean]
    some = figures(trials)
    tiles = TileFigures(some, some, {"none": some}, {0.1: roc(trials, 0.1), 0.2: roc(trials, 0.2)})
    return Evaluation(len(trials), 2, 0, 1, False, 0.6, {"columns": tiles, "plain": tiles}, some)


def test_false_alarms_lie_by_their_logarithm_and_none_apart() -> None:
    svg = roc_svg(made_up([0.9, 0.9, 0.9, 0.4], [0.1] * 90 + [0.5] * 9 + [0.8]))
    labels = [one.text for one in ET.fromstring(svg).iter(f"{SVG}text")]
    assert {"none", "1 %", "10 %", "100 %", "50 %"} <= set(labels)
    points = curves_of(svg)["this detection, contrast ≥ 20%"]
    hundred, ten, one, none = (points[n] for n in (0, 30, 60, 90))
    assert hundred[0] - ten[0] == pytest.approx(ten[0] - one[0], abs=0.2)
    assert none[0] < one[0] == 126
    assert [ten[1], one[1]] == [38, 124.5]  # all found, and three of four


def test_a_picture_of_too_few_tiles_has_no_curve() -> None:
    bare = made_up([0.9], [])
    assert math.isnan(bare.of_tiles["plain"].strong.false_alarms)
    assert curves_of(roc_svg(bare)) == {}
    assert "too few tiles: 0 of them clean" in roc_svg(bare)


def test_names_are_escaped_in_the_picture() -> None:
    ET.fromstring(roc_svg(replace(made_up([0.9], [0.1]), threshold=0.605)))
