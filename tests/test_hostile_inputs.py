"""Inputs made to harm: each is refused by name or comes out safe, and leaves nothing behind."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from export.runs import temporaries
from hostile import (
    DEEP,
    DIGITS,
    GIF,
    GZIPPED,
    PNG,
    POWERS,
    cells,
    cut,
    deflated_zeros,
    edited,
    fifo,
    grid,
    h5,
    h5_bundle,
    image,
    looping,
    npy,
    npz,
    pickled,
    put,
    roi,
    stolen_pickle,
    text,
    tiff,
    tiles,
    truncated,
    virtual,
    zarr,
    zip_bomb,
    zipped,
)
from napari_slicemap.cli import main
from scenes import write_dataset

resource = pytest.importorskip("resource", reason="neither pipes nor a count of memory are to be had here")
pytestmark = pytest.mark.timeout(20)

MOST_BYTES = 300 * 2**20
MEMORY_UNIT = 1 if sys.platform == "darwin" else 1024


@pytest.fixture(scope="session")
def clean(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("clean") / "set")


@pytest.fixture
def data(clean, tmp_path):
    """A dataset to harm."""
    return shutil.copytree(clean, tmp_path / "work" / "data")


@pytest.fixture
def shell(tmp_path, monkeypatch, capsys):
    """Run ``slicemap …``: exit code, output, error output; and check what must hold whatever is put in."""

    def run(*words):
        home = tmp_path / "work"
        home.mkdir(exist_ok=True)
        monkeypatch.chdir(home)
        monkeypatch.setattr(sys, "argv", ["slicemap", *words])
        before, most = outside(tmp_path), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most
        assert grown * MEMORY_UNIT < MOST_BYTES
        assert outside(tmp_path) == before
        assert temporaries(tmp_path) == []
        assert "Traceback" not in said.err
        assert all(len(line) < 2000 for line in said.err.splitlines())
        return code, said.out, said.err

    return run


def outside(folder):
    """Tell the state of all that lies outside of the output folder ``work/out``."""
    found = {}
    for base, folders, names in os.walk(folder):
        if Path(base) == folder / "work" and "out" in folders:
            folders.remove("out")
        for name in [*folders, *names]:
            path = Path(base) / name
            found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else path.is_symlink()
    return found


def written(folder):
    """List the pictures and bundles in a folder."""
    if not folder.is_dir():
        return set()
    return {path.name for path in folder.rglob("*") if path.suffix in (".png", ".npz", ".h5", ".tif", ".gif", ".pdf")}


def plan_file(content, name="plan.toml"):
    """Put a plan beside the dataset."""

    def harm(folder):
        (folder.parent / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return harm


def fov_plan(line):
    """Say something more in a plan of FOV a."""
    return plan_file(f'output_folder = "out"\n{line}\n[[select]]\nkind = "fov"\nids = ["a"]\n')


def select(lines):
    return plan_file(f'output_folder = "out"\n[[select]]\n{lines}\n')


INFO = ("info", "data")
PLAN = ("export", "data", "--plan", "plan.toml")
JSON_PLAN = ("export", "data", "--plan", "plan.json")


def export(*words):
    return ("export", "data", *words, "-o", "out")


AB = export("--fovs", "a,b")
ROIS = export("--rois", "all")
CELLS = export("--cells", "all")
MAPS = export("--maps", "7,9", "--include-excluded")
GOOD_CELL = ("a", 1, 7.5, 8)


def profile(key, value):
    return edited("profiles.json", put(f"profiles.tissue.channels.DAPI.{key}", value))


def descriptor(place, value):
    return edited("maps/7.json", put(f"fovs.0.{place}", value))


def shape(points):
    return json.dumps({"type": "polygon", "closed": True, "points": points})


# --- refused as a whole: code 2, nothing written -------------------------------------------------------------------
REFUSED = [
    # plans
    pytest.param(fov_plan('profile = "../../x"'), PLAN, "unknown profile '../../x'", id="profile upwards"),
    pytest.param(plan_file('output_folder = "a\\u0000b"\nselect = []'), PLAN, "output_folder", id="folder with NUL"),
    pytest.param(plan_file('{"output_folder": "\\ud800"}', "plan.json"), JSON_PLAN, "\\ud800", id="half a character"),
    pytest.param(
        plan_file(f'output_folder = "{"a" * 300}"\n[[select]]\nkind = "fov"\nall = true'),
        PLAN,
        "file name too long",
        id="folder of 300 characters",
    ),
    pytest.param(None, (*AB[:-1], "data/cells.csv"), "cells.csv is a file", id="folder is a file"),
    pytest.param(lambda d: looping(d.parent / "loop"), (*AB[:-1], "loop/x"), "loop/x cannot be", id="folder in a loop"),
    pytest.param(lambda d: fifo(d.parent / "pipe"), (*AB[:-1], "pipe"), "pipe is a file", id="folder is a pipe"),
    pytest.param(fov_plan('name_template = "{stem.__class__}"'), PLAN, "stem.__class__", id="template of attributes"),
    pytest.param(fov_plan('name_template = "{stem:9999999999}"'), PLAN, "unknown field", id="template of blanks"),
    pytest.param(fov_plan('name_template = "{stem"'), PLAN, "name_template", id="template not closed"),
    pytest.param(fov_plan(f'name_template = "{"x" * 2000}"'), PLAN, "name_template", id="template without end"),
    pytest.param(
        select('kind = "fov"\nids = ["a"]\n[caption]\ntitle = "{stem.__init__.__globals__}"'),
        PLAN,
        "caption.title",
        id="title of attributes",
    ),
    pytest.param(
        select(f'kind = "fov"\nids = ["a"]\n[caption]\ntitle = "{"x" * 100_000}"'),
        PLAN,
        "caption.title",
        id="title without end",
    ),
    pytest.param(fov_plan("downsample = 0"), PLAN, "downsample", id="downsample 0"),
    pytest.param(fov_plan("downsample = 1000000000000"), PLAN, "downsample", id="downsample 10^12"),
    pytest.param(fov_plan("downsample = nan"), PLAN, "downsample", id="downsample NaN"),
    pytest.param(fov_plan("target_pixel_size_um = 1e308"), PLAN, "1e+308 µm/px", id="target size beyond all floats"),
    pytest.param(fov_plan(f'target_pixel_size_um = "{POWERS}"'), PLAN, "is not a length", id="length of powers"),
    pytest.param(fov_plan('format = "../../png"'), PLAN, "unknown format '../../png'", id="format upwards"),
    pytest.param(fov_plan('background = "url(x)"'), PLAN, "background", id="background of a page"),
    pytest.param(fov_plan("options = {level = 1e300}"), PLAN, "options of png: level", id="unknown option"),
    pytest.param(select('kind = "fov"\nids = ["a\\u0000"]'), PLAN, "unknown FOV 'a\\x00'", id="FOV with NUL"),
    pytest.param(select(f'kind = "fov"\nids = ["{"x" * 300}"]'), PLAN, "unknown FOV 'xxx", id="FOV of 300 characters"),
    pytest.param(select('kind = "cell"\nall = true\nsize_px = 1000000000'), PLAN, "size_px", id="crop of 10^18 px"),
    pytest.param(plan_file(b"\xff\xfe"), PLAN, "plan.toml: line 1: not UTF-8", id="plan of bytes"),
    pytest.param(plan_file("a = " + DEEP), PLAN, "plan.toml: nested too deeply", id="TOML too deep"),
    pytest.param(
        plan_file("a." * 50_000 + "b = 1"), PLAN, "plan.toml: nested too deeply", id="TOML key of 50 000 parts"
    ),
    pytest.param(plan_file("a = " + DIGITS), PLAN, "plan.toml: a number in it is too long", id="TOML of digits"),
    pytest.param(plan_file('{"downsample": NaN}', "plan.json"), JSON_PLAN, "NaN is not valid", id="JSON with NaN"),
    pytest.param(plan_file(DEEP, "plan.json"), JSON_PLAN, "nested too deeply", id="JSON too deep"),
    pytest.param(plan_file('{"a": 1, "a": 2}', "plan.json"), JSON_PLAN, "key 'a' stands twice", id="JSON key twice"),
    pytest.param(lambda d: (d.parent / "plan.toml").mkdir(), PLAN, "plan.toml: it is no file", id="plan is a folder"),
    pytest.param(lambda d: fifo(d.parent / "plan.toml"), PLAN, "plan.toml: it is no file", id="plan is a pipe"),
    pytest.param(lambda d: looping(d.parent / "plan.toml"), PLAN, "plan.toml", id="plan is a loop"),
    # words of the command line
    pytest.param(None, (*AB, "--workers", "-5"), "workers is -5", id="workers below 0"),
    pytest.param(None, (*AB, "--runner", "os.system"), "unknown runner", id="runner"),
    pytest.param(None, (*AB, "--time", "9" * 5000), "t.", id="time of 5000 digits"),
    pytest.param(None, (*AB, "--option", "=x"), "unknown key", id="option without a name"),
    pytest.param(None, (*AB, "--masks", "../../x"), "unknown mask '../../x'", id="mask upwards"),
    pytest.param(None, (*AB, "--scale-bar-um", POWERS), "is not a length", id="scale bar of powers"),
    pytest.param(None, (*AB, "--save-plan", "data/x.exe"), "x.exe", id="plan saved as a program"),
    pytest.param(
        None,
        export("--cell-query", "__import__('os').system('touch was-run')"),
        "expected comparisons",
        id="query that runs a program",
    ),
    pytest.param(None, export("--cell-query", "9**9**9**9 > 1"), "expected comparisons", id="query of powers"),
    # the project file
    pytest.param(text("slicemap.toml", 'data = "a\\u0000b"'), INFO, "slicemap.toml: data", id="data with NUL"),
    pytest.param(text("slicemap.toml", 'data = "../../nowhere"'), INFO, "nowhere", id="data nowhere"),
    pytest.param(text("slicemap.toml", 'exports = "a\\u0000b"'), INFO, "exports", id="exports with NUL"),
    pytest.param(text("slicemap.toml", "pixel_size_um = nan"), INFO, "pixel_size_um", id="pixel size NaN"),
    pytest.param(
        text("slicemap.toml", f'pixel_size_um = "{POWERS}"'), INFO, "pixel_size_um", id="pixel size of powers"
    ),
    pytest.param(
        text("slicemap.toml", 'profiles = "../../../../../../../../etc/hosts"'), INFO, "hosts", id="profiles elsewhere"
    ),
    pytest.param(text("slicemap.toml", "x = " + DEEP), INFO, "slicemap.toml: nested", id="project too deep"),
    # profiles.json
    pytest.param(profile("contrast_limits", [float("nan"), 1]), AB, "profiles.json: NaN", id="limit NaN"),
    pytest.param(profile("gamma", 0), AB, "gamma", id="gamma 0"),
    pytest.param(profile("color", "javascript:"), AB, "color", id="colour"),
    pytest.param(profile("visible", "perhaps"), AB, "visible", id="visible of text"),
    pytest.param(
        text("profiles.json", '{"profiles": {"\\ud800": {}}}'),
        AB,
        "profiles.json: half",
        id="profile of half a character",
    ),
    pytest.param(
        edited("profiles.json", put("profiles.tissue.masks.cell", {"thickness_px": 10**9})),
        (*AB, "--masks", "cell"),
        "thickness_px",
        id="outline without end",
    ),
    pytest.param(text("profiles.json", "[]"), AB, "profiles.json", id="profiles no object"),
    # rois.csv
    pytest.param(roi(box=("NaN", 1, 2, 3)), ROIS, "rois.csv, line 3: x_min is 'NaN'", id="ROI of NaN"),
    pytest.param(roi(box=(0, "1e300", 0, "1e300")), ROIS, "rois.csv, line 3: x_max: 1e+300", id="ROI of 1e300"),
    pytest.param(roi(box=(0, "1e12", 0, "1e12")), ROIS, "a_roi_bad: 1000000000000", id="ROI of 10^24 px"),
    pytest.param(roi(kind="polygon", geometry=DEEP), ROIS, "rois.csv, line 3: geometry", id="shape too deep"),
    pytest.param(roi(kind="polygon", geometry=DIGITS), ROIS, "rois.csv, line 3: geometry", id="shape of digits"),
    pytest.param(
        roi(kind="polygon", geometry=shape([[0, 1e300], [1, 1], [2, 0]])),
        ROIS,
        "rois.csv, line 3: geometry.points: 1e+300",
        id="shape of 1e300",
    ),
    pytest.param(
        roi(kind="polygon", geometry=shape([[0, float("nan")], [1, 1], [2, 0]])), ROIS, "line 3", id="shape of NaN"
    ),
    pytest.param(roi(fov="", map_id="../../7"), ROIS, "unknown map '../../7'", id="map upwards"),
    pytest.param(text("rois.csv", b"\xff\xfe\x00"), ROIS, "rois.csv: line 1: not UTF-8", id="ROIs of bytes"),
    pytest.param(text("rois.csv", "roi_id," * 20_000), ROIS, "rois.csv, line 1", id="20 000 columns"),
    # slice_config.csv
    pytest.param(text("slice_config.csv", "slice_id,use\n07,maybe\n"), INFO, "use is 'maybe'", id="use maybe"),
    pytest.param(text("slice_config.csv", "slice_id,use\n../07,1\n"), INFO, "'../07'", id="slice upwards"),
    pytest.param(
        text("slice_config.csv", "slice_id,use\n07,1\n07,0\n"), INFO, "slice_config.csv, line 3", id="slice twice"
    ),
    # cells.csv
    pytest.param(cells(GOOD_CELL, ("a", "nan", 1, 1)), CELLS, "cells.csv, line 3: label is 'nan'", id="label NaN"),
    pytest.param(cells(GOOD_CELL, ("a", "1e300", 1, 1)), CELLS, "line 3: label", id="label 1e300"),
    pytest.param(cells(GOOD_CELL, ("a", 2, "1e300", 1)), CELLS, "line 3: X is 1e+300", id="cell at 1e300"),
    pytest.param(cells(GOOD_CELL, ("a", 2, 1, "1e18")), CELLS, "line 3: Y is 1e+18", id="cell at 10^18"),
    pytest.param(cells(GOOD_CELL, ("a", 2, "inf", 1)), INFO, "line 3: X is 'inf'", id="cell at infinity"),
    pytest.param(cells(GOOD_CELL, ("../a", 2, 1, 1)), CELLS, "../a", id="cell of a FOV upwards"),
    # maps
    pytest.param(descriptor("frameSizePixels.width", 10**30), INFO, "7.json, fovs[0] (a)", id="tile of 10^30 px"),
    pytest.param(descriptor("frameSizePixels.width", 10**12), MAPS, "map_7: ", id="map of 10^24 px"),
    pytest.param(descriptor("centerPointMicrons.x", 1e300), INFO, "7.json, fovs[0] (a)", id="tile at 1e300"),
    pytest.param(descriptor("centerPointMicrons.x", -1e308), INFO, "out of all bounds", id="tile at -1e308"),
    pytest.param(descriptor("centerPointMicrons.x", 1e12), MAPS, "map_7: ", id="tile at 10^12 µm"),
    pytest.param(descriptor("fovSizeMicrons", 1e-300), INFO, "out of all bounds", id="pixels of 1e-300 µm"),
    pytest.param(descriptor("name", "b"), INFO, "FOV b is named twice", id="FOV twice"),
    # tiles.csv
    pytest.param(
        tiles("path,map_id,x_px,y_px", ("a/DAPI.tif", "1", 0, 0), ("b/DAPI.tif", "1", "1e300", 0)),
        INFO,
        "tiles.csv, line 3",
        id="row at 1e300",
    ),
    pytest.param(
        tiles("path,map_id,x_px,y_px", ("a/DAPI.tif", "1", "nan", 0)), INFO, "tiles.csv, line 2: x_px", id="row at NaN"
    ),
]


@pytest.mark.parametrize(("harm", "words", "culprit"), REFUSED)
def test_refused(data, shell, harm, words, culprit):
    if harm is not None:
        harm(data)
    code, _, told = shell(*words)
    assert code == 2
    assert culprit in told
    assert all(line.startswith("slicemap: ") for line in told.splitlines())
    assert not (data.parent / "out").exists()


# --- one of several is bad: it is named, the others are written ------------------------------------------------------
A, B = "failed fov:a: FOV a: ", {"b.png"}
BILLION_LAUGHS = (
    "<?xml version='1.0'?><!DOCTYPE l ["
    + "".join(f"<!ENTITY e{n} '{('&e' + str(n - 1) + ';') * 10 if n else 'ha' * 10}'>" for n in range(9))
    + "]><OME xmlns='http://www.openmicroscopy.org/Schemas/OME/2016-06'><Image ID='&e8;'/></OME>"
)
FAILED = [
    pytest.param(cut(0), AB, A, B, id="TIFF empty"),
    pytest.param(cut(0.3), AB, "cut short", B, id="TIFF cut short"),
    pytest.param(image(lambda path: path.write_bytes(GIF)), AB, "a/DAPI.tif: cannot be read", B, id="GIF as TIFF"),
    pytest.param(image(lambda path: path.write_bytes(PNG)), AB, "a/DAPI.tif: cannot be read", B, id="PNG as TIFF"),
    pytest.param(image(tiff(width=2**31)), AB, "2147483648 × 32 px", B, id="TIFF of 2^31 columns"),
    pytest.param(image(tiff(width=0)), AB, "holds no pixel", B, id="TIFF without columns"),
    pytest.param(image(tiff(offset=2**32 - 1)), AB, "cut short", B, id="TIFF strip beyond its end"),
    pytest.param(image(tiff(bits=7777)), AB, "7777-bit", B, id="TIFF of 7777 bits"),
    pytest.param(image(tiff(bits=64, format=6)), AB, "complex64", B, id="TIFF complex"),
    pytest.param(image(tiff(compression=60000)), AB, "60000", B, id="TIFF of no compression known"),
    pytest.param(
        image(lambda path: tiff(packed := deflated_zeros(), compression=8, count=len(packed))(path)),
        AB,
        "a/DAPI.tif: cannot be read",
        B,
        id="TIFF strip that unpacks to 64 MB",
    ),
    pytest.param(
        image(tiff(description=BILLION_LAUGHS)), AB, "a/DAPI.tif: cannot be read", B, id="OME-XML of a billion laughs"
    ),
    pytest.param(image(lambda path: path.mkdir()), AB, "unknown channel 'DAPI'", B, id="folder as TIFF"),
    pytest.param(image(fifo), AB, "unknown channel 'DAPI'", B, id="pipe as TIFF"),
    pytest.param(image(looping), AB, "unknown channel 'DAPI'", B, id="loop as TIFF"),
    pytest.param(text("masks/a_cell.tif", b"II*\0"), (*AB, "--masks", "cell"), "a_cell.tif", B, id="mask cut short"),
    pytest.param(
        text("maps/7.json", DEEP),
        (*MAPS[:3], "all", "-o", "out", "--include-excluded"),
        "map:map_8",
        {"map_9.png"},
        id="map too deep",
    ),
    pytest.param(
        lambda d: (d / "maps" / "x.json").symlink_to("/dev/zero"),
        export("--maps", "7,8"),
        "map:map_8",
        {"map_7.png"},
        id="map of a device",
    ),
    pytest.param(roi(fov="../../a"), ROIS, "unknown FOV '../../a'", {"a_roi_good.png"}, id="ROI of a FOV upwards"),
    pytest.param(
        roi(box=(10**9, 10**9 + 9, 0, 9)), ROIS, "lies wholly outside", {"a_roi_good.png"}, id="ROI far from its FOV"
    ),
    pytest.param(
        cells(GOOD_CELL, ("a", 2, "-1e12", "1e12")), CELLS, "lies wholly outside", {"a_cell_1.png"}, id="cell at 10^12"
    ),
]


@pytest.mark.parametrize(("harm", "words", "culprit", "others"), FAILED)
def test_fails_alone(data, shell, harm, words, culprit, others):
    harm(data)
    code, _, told = shell(*words)
    assert code == 1
    assert culprit in told
    assert written(data.parent / "out") == others


HEADER = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }"


def linked(target):
    def write(file):
        import h5py

        file["data"] = h5py.ExternalLink(target, "data")

    return write


UNREADABLE = [
    pytest.param("x.npy", npy(HEADER % ("<u2", "(1000000000, 1000000000)")), "x.npy", id="npy of 10^18 px"),
    pytest.param("x.npy", npy(HEADER % ("<u2", "(-1, 40)")), "negative", id="npy of -1 rows"),
    pytest.param("x.npy", npy(HEADER % ("|O", "(32, 40)")), "Python objects", id="npy of objects"),
    pytest.param("x.npy", npy(HEADER % ("<c8", "(32, 40)"), bytes(10240)), "complex64", id="npy complex"),
    pytest.param("x.npy", npy("__import__('os').system('touch was-run')"), "malformed", id="npy header with a program"),
    pytest.param("x.npy", pickled, "Python objects", id="npy of a pickle"),
    pytest.param("x.h5", h5(virtual), "../b/secret.h5, which is missing", id="h5 virtual, of a file that is gone"),
    pytest.param("x.h5/data", h5(linked("../../secret.h5")), "no dataset 'data'", id="h5 link out"),
    pytest.param(
        "x.h5",
        h5(lambda file: file.create_dataset("data", (32, 40), "u2", external=[("/etc/hosts", 0, 2560)])),
        "bytes of another file, /etc/hosts",
        id="h5 of the bytes of another file",
    ),
    pytest.param(
        "x.h5",
        h5(lambda file: file.create_dataset("d", (2**40, 2**40), "u2", chunks=(64, 64))),
        "px",
        id="h5 of 2^80 px",
    ),
    pytest.param(
        "x.h5", truncated(h5(lambda f: f.create_dataset("d", data=np.ones((320, 40))))), "truncated", id="h5 cut short"
    ),
    pytest.param("x.h5", h5(lambda file: file.__setitem__("loop", file["/"])), "0 datasets", id="h5 group in itself"),
    pytest.param(
        "x.zarr",
        zarr({"chunk_grid": grid(2**16, 2**16), "codecs": GZIPPED}, b"x"),
        "8589934592 bytes",
        id="zarr chunk of 8 GB",
    ),
    pytest.param("x.zarr", zarr({"chunk_grid": grid(10**9, 10**9)}), "bytes", id="zarr chunk of 10^18 px"),
    pytest.param("x.zarr", zarr({"chunk_grid": grid(0, 40)}), "x.zarr", id="zarr chunk without rows"),
    pytest.param("x.zarr", zarr({"shape": [10**12, 10**12]}), "1000000000000 ×", id="zarr of 10^24 px"),
    pytest.param("x.zarr", zarr({"shape": [-1, 40]}), "x.zarr", id="zarr of -1 rows"),
    pytest.param("x.zarr", zarr({"codecs": [{"name": "../../x"}]}), "../../x", id="zarr codec"),
    pytest.param(
        "x.zarr", zarr({"codecs": GZIPPED}, b"\x1f\x8b" + bytes(99)), "chunk c/0/0", id="zarr chunk of no gzip"
    ),
    pytest.param("x.zarr", zarr({}, bytes(99)), "99 bytes of pixels", id="zarr chunk cut short"),
    pytest.param("x.zarr", zarr(DEEP), "x.zarr", id="zarr metadata too deep"),
    pytest.param("x.tif", fifo, "a pipe or a device", id="pipe"),
    pytest.param("x.npy", fifo, "a pipe or a device", id="pipe as npy"),
    pytest.param("x.h5", fifo, "a pipe or a device", id="pipe as h5"),
    pytest.param("x.npy", lambda path: path.symlink_to("/dev/zero"), "a pipe or a device", id="device as npy"),
    pytest.param("x.tif", looping, "Too many levels", id="loop"),
    pytest.param("../../../../../../../../etc/hosts", lambda _: None, "cannot be read as a TIFF", id="file elsewhere"),
    pytest.param("https://localhost/x.tif", lambda _: None, "no such file", id="address"),
    pytest.param("x" * 300 + ".tif", lambda _: None, "xxx", id="name of 300 characters"),
]
GRAY = '{"version": 1, "profiles": {"p": {"channels": {"C0": {"color": "#ffffff", "contrast_limits": [0, 100]}}}}}'


@pytest.mark.parametrize(("name", "make", "culprit"), UNREADABLE)
def test_tile_that_cannot_be_read_fails_alone(data, shell, name, make, culprit):
    make(data / "b" / Path(name).parts[0])
    row = ("a/DAPI.tif", "1", 0, 0, "good"), (f"b/{name}", "1", 40, 0, "bad")
    tiles("path,map_id,x_px,y_px,fov", *row)(data)
    text("profiles.json", GRAY)(data)
    assert shell(*INFO)[0] == 0
    code, _, told = shell(*export("--fovs", "all"))
    assert code == 1
    assert "failed fov:bad: FOV bad: " in told
    assert culprit in told
    assert written(data.parent / "out") == {"good.png"}


def test_a_file_that_vanishes(data, shell):
    """Between the look at the folder and the reading of its pixels."""
    from napari_slicemap import ExportPlan, open_dataset, run_export

    dataset = open_dataset(data)
    (data / "a" / "DAPI.tif").unlink()
    plan = ExportPlan(output_folder=str(data.parent / "out"), select=[{"kind": "fov", "ids": ["a", "b"]}])
    bad, good = run_export(plan, dataset).results
    assert (bad.ok, good.ok) == (False, True)
    assert "a/DAPI.tif: there is no such file" in bad.error


# --- legal, and safe -------------------------------------------------------------------------------------------------
LEGAL = [
    pytest.param(roi(name="../../x"), ROIS, "a_roi_.._.._x.png", id="ROI upwards"),
    pytest.param(roi(name="/etc/x\\y:z"), ROIS, "a_roi__etc_x_y_z.png", id="ROI of separators"),
    pytest.param(roi(name="GOOD"), ROIS, "a_roi_GOOD_2.png", id="ROIs that differ in case"),
    pytest.param(roi(name="\u202egnp"), ROIS, "a_roi__gnp.png", id="ROI written backwards"),
    pytest.param(roi(name="a\0b"), ROIS, "a_roi_a_b.png", id="ROI with NUL"),
    pytest.param(fov_plan('name_template = "../../{stem}"'), PLAN, ".._.._a.png", id="template upwards"),
    pytest.param(fov_plan('name_template = "/etc/{stem}"'), PLAN, "_etc_a.png", id="template from the root"),
    pytest.param(fov_plan('name_template = "NUL"'), PLAN, "_NUL.png", id="template of a device"),
    pytest.param(descriptor("slideId", "../../x"), export("--maps", "../../x"), "map_.._.._x.png", id="map upwards"),
    pytest.param(lambda d: (d / "loop").symlink_to(d), AB, "a.png", id="folder that holds itself"),
    pytest.param(lambda d: looping(d / "a"), AB, "a.png", id="loop in a FOV"),
    pytest.param(image(tiff(loop=True)), AB, "a.png", id="TIFF whose pages lead in a circle"),
    pytest.param(profile("contrast_limits", [-1e308, 1e308]), AB, "a.png", id="limits of 1e308"),
]


@pytest.mark.parametrize(("harm", "words", "name"), LEGAL)
def test_legal_and_safe(data, shell, harm, words, name):
    harm(data)
    assert shell(*words)[0] == 0
    assert name in written(data.parent / "out")


def test_a_long_name_is_cut(data, shell):
    roi(name="x" * 300)(data)
    assert shell(*ROIS)[0] == 0
    assert all(len(name) < 200 for name in written(data.parent / "out"))


# --- stacks ----------------------------------------------------------------------------------------------------------
def ext_link(file):
    import h5py

    file["data"] = h5py.ExternalLink("../x.h5", "data")


STACKS = [
    pytest.param("s.npz", zip_bomb, [], "would unpack", id="zip bomb"),
    pytest.param("s.npz", npz(provenance_json=stolen_pickle()), [], "posix.system", id="pickle that runs a program"),
    pytest.param("s.npz", npz(data=stolen_pickle()), [], "data is object", id="frames that run a program"),
    pytest.param("s.npz", zipped([("processed__../../x.npy", b"x")]), [], "processed__../../x", id="member upwards"),
    pytest.param("s.npz", truncated(npz()), [], "not a zip file", id="NPZ cut short"),
    pytest.param("s.h5", truncated(h5_bundle()), [], "truncated", id="HDF5 cut short"),
    pytest.param("s.npz", lambda path: path.write_bytes(GIF), [], "not a zip file", id="GIF as NPZ"),
    pytest.param("s.gif", lambda path: path.write_bytes(GIF), [], ".gif is not known", id="GIF"),
    pytest.param("s.npz", lambda path: path.mkdir(), [], "s.npz: there is no such file", id="folder as NPZ"),
    pytest.param("s.npz", fifo, [], "s.npz: there is no such file", id="pipe as NPZ"),
    pytest.param("s.npz", npz(provenance_json=DEEP), [], "provenance_json is no valid JSON", id="history too deep"),
    pytest.param("s.npz", npz(provenance_json=DIGITS), [], "provenance_json is no valid JSON", id="history of digits"),
    pytest.param("s.npz", npz(pixel_size_nm=np.nan), [], "the pixel size is nan", id="pixel size of a stack NaN"),
    pytest.param("s.npz", npz(data=np.ones((2, 3, 4), complex)), [], "data is complex128", id="frames complex"),
    pytest.param("s.npz", npz(channel="a\0b"), [], "channel is 'a\\x00b'", id="channel with NUL"),
    pytest.param("s.h5", h5_bundle(data=ext_link), [], "data is no dataset of this file", id="frames linked"),
    pytest.param(
        "s.h5",
        h5_bundle(data=lambda file: file.create_dataset("data", (10**6, 10**4, 10**4), "f4", chunks=(1, 100, 100))),
        [],
        "would unpack",
        id="HDF5 of 400 TB",
    ),
    pytest.param(
        "s.h5", h5_bundle(loop=lambda file: file.__setitem__("processed", file["/"])), [], "leads back", id="HDF5 loop"
    ),
    pytest.param("s.tif", tiff(description=BILLION_LAUGHS), [], "s.tif", id="OME-TIFF of a billion laughs"),
    pytest.param("s.npz", npz(), ["--cmap", "../../x"], "unknown colour map", id="colour map upwards"),
    pytest.param("s.npz", npz(), ["--zmin", "nan"], "zmin", id="zmin NaN"),
    pytest.param("s.npz", npz(), ["--fps", "inf"], "fps", id="fps without end"),
    pytest.param("s.npz", npz(), ["--processing", "gaussian_filter:sigma=1e308"], "sigma", id="sigma 1e308"),
    pytest.param("s.npz", npz(), ["--processing", "os.system:x=1"], "unknown processing step", id="step"),
    pytest.param("s.npz", npz(), ["--channel", "../../x"], "unknown channel '../../x'", id="channel upwards"),
]


@pytest.mark.parametrize(("name", "make", "words", "culprit"), STACKS)
def test_stack_is_refused(tmp_path, shell, name, make, words, culprit):
    (tmp_path / "work").mkdir()
    make(tmp_path / "work" / name)
    code, _, told = shell("process", name, "--export", "npz", "--make-gif", "-o", "out", *words)
    assert code == 2
    assert culprit in told
    assert all(line.startswith("slicemap: ") for line in told.splitlines())
    assert not (tmp_path / "work" / "out").exists()


@pytest.mark.parametrize(
    ("name", "made"),
    [
        pytest.param("../../x", ".._.._x.npz", id="upwards"),
        pytest.param("/etc/x", "_etc_x.npz", id="from the root"),
        pytest.param("..", "_...npz", id="dots"),
        pytest.param("CON", "_CON.npz", id="device"),
    ],
)
def test_stack_of_a_hostile_name(tmp_path, shell, name, made):
    (tmp_path / "work").mkdir()
    zipped([("../../x.npy", b"x")])(tmp_path / "work" / "s.npz")
    assert shell("process", "s.npz", "--export", "npz", "-o", "out", "--output-name", name)[0] == 0
    assert written(tmp_path / "work" / "out") == {made}


# --- records and marks of earlier runs -------------------------------------------------------------------------------
RECORD = "a_roi_core.png.provenance.json"
SIDECARS = [
    pytest.param(put("item.stem", "../../x"), "item: stem: '../../x'", id="stem upwards"),
    pytest.param(put("item.stem", "/tmp/x"), "item: stem: '/tmp/x'", id="stem from the root"),
    pytest.param(put("item.region.x_max", float("nan")), "NaN is not valid JSON", id="region NaN"),
    pytest.param(put("item.region.x_max", 1e300), "item: region.x_max", id="region of 1e300"),
    pytest.param(put("item.region.x_max", 1e12), "was made with the region", id="region of 10^12"),
    pytest.param(put("item.downsample", 0), "item: downsample", id="record downsample 0"),
    pytest.param(put("item.downsample", 10**12), "item: downsample", id="record downsample 10^12"),
    pytest.param(put("item.fov", "../../a"), "would now be made from 0", id="record of a FOV upwards"),
    pytest.param(put("item.kind", "sheet"), "a sheet needs members", id="sheet of nothing"),
    pytest.param(put("item.title", "x" * 10**6), "item: title", id="record title without end"),
    pytest.param(put("item.members", [5]), "item: members.0", id="members"),
    pytest.param(put("item", []), "item: ", id="item is a list"),
    pytest.param(put("plan", 5), "plan: ", id="plan is a number"),
    pytest.param(put("profile", None), "profile: ", id="no profile"),
    pytest.param(put("dataset", 5), "dataset is not what it should be", id="dataset is a number"),
    pytest.param(put("dataset.path", ["x"]), "dataset is not what it should be", id="dataset path is a list"),
    pytest.param(put("dataset.path", "/nowhere"), "/nowhere", id="another dataset"),
    pytest.param(put("sources", [5]), "sources is not what it should be", id="sources are numbers"),
    pytest.param(put("level", "x"), "level is not what it should be", id="level is a text"),
    pytest.param(lambda _: [], "lacks item", id="record is a list"),
    pytest.param(lambda _: {"runs": [5]}, "expected a record of cell crops", id="runs are numbers"),
    pytest.param(
        lambda _: {"runs": [{"items": [{"sources": [99], "output": {}}], "sources": []}]},
        "expected a record of cell crops",
        id="place of no source",
    ),
]


@pytest.fixture(scope="session")
def exported(clean, tmp_path_factory):
    """A folder with a dataset and its first export, whose record names the dataset."""
    from napari_slicemap import ExportPlan, open_dataset, run_export

    folder = tmp_path_factory.mktemp("exported")
    roi_plan = ExportPlan(output_folder=str(folder), select=[{"kind": "fov-roi", "ids": ["core"]}])
    assert run_export(roi_plan, open_dataset(clean)).counts["ok"] == 1
    return folder


@pytest.mark.parametrize(("change", "culprit"), SIDECARS)
def test_edited_record_is_refused(exported, tmp_path, shell, change, culprit):
    shutil.copytree(exported, tmp_path / "work" / "first")
    edited(f"first/{RECORD}", change)(tmp_path / "work")
    code, _, told = shell("export", "--from", f"first/{RECORD}", "-o", "out")
    assert code == 2
    assert culprit in told
    assert not (tmp_path / "work" / "out").exists()


def test_output_folder_in_a_record_is_not_followed(exported, tmp_path, shell):
    shutil.copytree(exported, tmp_path / "work" / "first")
    edited(f"first/{RECORD}", put("plan.output_folder", "../../x"))(tmp_path / "work")
    edited(f"first/{RECORD}", put("output", {"path": "../../../x.png"}))(tmp_path / "work")
    assert shell("export", "--from", f"first/{RECORD}", "-o", "out")[0] == 0
    assert written(tmp_path / "work" / "out") == {"a_roi_core.png"}


def test_record_beside_another_dataset(exported, data, shell):
    (data / "a" / "DAPI.tif").write_bytes(b"x")
    code, _, told = shell("export", "data", "--from", str(exported / RECORD), "-o", "out")
    assert code == 2
    assert "DAPI.tif has changed" in told


MARKS = [
    pytest.param("cells.jsonl", b"\xff\n", "cells.jsonl", id="journal of bytes"),
    pytest.param("cells.jsonl", DEEP.encode() + b"\n", "cells.jsonl", id="journal too deep"),
    pytest.param(
        "cells.jsonl", b'{}\n{"output": {"path": "../../data/cells.csv"}}\n', "cells.jsonl", id="journal upwards"
    ),
    pytest.param("begun.json", b"[]", "begun.json", id="begun is a list"),
    pytest.param("begun.json", b"\xff", "begun.json", id="begun of bytes"),
    pytest.param(
        "../export.provenance.json",
        b'{"runs": [{"items": [5], "sources": []}]}',
        "export.provenance.json",
        id="record of numbers",
    ),
]


@pytest.mark.parametrize(("name", "content", "culprit"), MARKS)
def test_marks_that_were_edited_are_refused(data, shell, name, content, culprit):
    marks = data.parent / "out" / ".slicemap-done"
    marks.mkdir(parents=True)
    (marks / name).write_bytes(content)
    code, _, told = shell(*AB, "--resume")
    assert code == 2
    assert culprit in told
    assert written(data.parent / "out") == set()


def test_an_output_that_became_a_link_is_replaced_and_not_followed(data, shell):
    out = data.parent / "out"
    assert shell(*AB)[0] == 0
    (out / "a.png").unlink()
    (out / "a.png").symlink_to("../data/cells.csv")
    assert shell(*AB, "--overwrite", "overwrite")[0] == 0
    assert not (out / "a.png").is_symlink()
