"""``slicemap galvo evaluate``."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import tifffile
from scipy import ndimage

FEW = ("--tiles", 40, "--slices", 2, "--workers", 1)


@pytest.fixture
def tissue(tmp_path):
    folder = tmp_path / "tissue"
    folder.mkdir()
    for seed in range(2):
        noise = np.random.default_rng(seed).normal(size=(150, 160))
        smooth = ndimage.gaussian_filter(noise, 4)
        tifffile.imwrite(folder / f"{seed}.tif", (100 * np.exp(0.3 * smooth / smooth.std())).astype(np.float32))
    tifffile.imwrite(folder / "tiny.tif", np.full((8, 8), 90, np.uint8))
    return folder


def test_figures_are_printed_beside_what_they_should_be(slicemap, tissue):
    code, said, err = slicemap("galvo", "evaluate", tissue, *FEW)
    assert (code, err) == (0, "left out: tiny.tif: it has 8 × 8 px, expected at least 64 each way\n")
    lines = said.splitlines()
    assert lines[:3] == [
        "textures: 2 images",
        "tiles: 40, 0 of them left out as background; slices: 2 of 15 tiles",
        "seed 1, threshold 0.6",
    ]
    assert lines[4].split() == ["figure", "measured", "aim", "met", "plain", "formula", "of"]
    assert [line.split("≥ ")[-1].split("≤ ")[-1].split(" %")[0] for line in lines[5:11]] == [
        "97",
        "98",
        "92",
        "1",
        "99",
        "0.2",
    ]
    assert [line.split()[0] for line in lines[13:18]] == ["nothing", "edge", "gradient", "vessels", "stripes"]
    assert all(line.endswith("  4") for line in lines[13:18])


def test_files_hold_the_same(slicemap, tissue, tmp_path):
    out = tmp_path / "new" / "evaluation"
    code, said, err = slicemap("galvo", "evaluate", tissue, *FEW, "--seed", 5, "--out", out, "--json")
    assert code == 0
    assert err.splitlines()[1:] == [f"written: {out / name}" for name in ("galvo_evaluation.json", "galvo_roc.svg")]
    written = (out / "galvo_evaluation.json").read_text(encoding="utf-8")
    assert written == said
    data = json.loads(written)
    assert (data["seed"], data["textures"], len(data["left_out"])) == (5, ["0.tif", "1.tif"], 1)
    assert ET.parse(out / "galvo_roc.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"
    before = (out / "galvo_roc.svg").read_bytes()
    assert slicemap("galvo", "evaluate", tissue, *FEW, "--seed", 5, "--out", out, "--force")[0] == 0
    assert (out / "galvo_roc.svg").read_bytes() == before
    assert (out / "galvo_evaluation.json").read_text(encoding="utf-8") == written


def test_nothing_is_replaced_unless_forced(slicemap, tissue, tmp_path):
    (tmp_path / "galvo_roc.svg").write_text("mine", encoding="utf-8")
    code, said, err = slicemap("galvo", "evaluate", tissue, *FEW, "--out", tmp_path)
    assert (code, said) == (2, "")
    assert err == f"slicemap: {tmp_path / 'galvo_roc.svg'} is there already; --force replaces it\n"
    assert (tmp_path / "galvo_roc.svg").read_text(encoding="utf-8") == "mine"


def test_a_folder_that_cannot_be_is_refused_before_the_work(slicemap, tissue, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    code, _, err = slicemap("galvo", "evaluate", tissue, *FEW, "--out", tmp_path / "file")
    assert (code, "is a file, expected a folder" in err) == (2, True)


def test_without_textures_the_sample_is_drawn(slicemap):
    code, said, err = slicemap("galvo", "evaluate", *FEW, "--disturbed", "--threshold", 0.5)
    assert (code, err) == (0, "")
    assert said.splitlines()[0] == "textures: tissue of the sample, drawn by a program"
    assert said.splitlines()[2] == "seed 1, threshold 0.5, disturbed"


def test_what_is_no_tissue_is_an_error(slicemap, tissue):
    code, _, err = slicemap("galvo", "evaluate", tissue / "tiny.tif", *FEW)
    assert (code, "no image can be used as texture: tiny.tif" in err) == (2, True)
    code, _, err = slicemap("galvo", "evaluate", tissue / "gone", *FEW)
    assert (code, "there is no such file or folder" in err) == (2, True)
