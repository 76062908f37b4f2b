"""The chains in docs/examples: run on the sample sections, and every command in them one that there is."""

import csv
import io
import json
import os
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr_models.v05 import Image
from typer.core import TyperGroup

from napari_slicemap.cli.app import app
from napari_slicemap.sample_sections import make_sections_sample
from napari_slicemap.slices import slice_config

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
MOSAICS = [f"{n:02d}" for n in range(16) if n != 8]
LEFT_OUT = {"00", "11", "12", "13"}
PLANES = 6


def environment():
    """The environment of a shell whose `slicemap` is the one under test."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path}


def shell(*words, folder=None):
    done = subprocess.run(words, capture_output=True, text=True, env=environment(), cwd=folder)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_sections_sample(tmp_path_factory.mktemp("sections") / "run")


@pytest.fixture(scope="module")
def made(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("chain") / "out"
    (out.parent / "said.txt").write_text(shell(EXAMPLES / "slices.sh", run, out), encoding="utf-8")
    return out


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def used(path):
    return [one for one, row in slice_config.read(path).items() if slice_config.is_used(row)]


# --- the shell script --------------------------------------------------------------------------------------------
def test_each_table_says_what_its_step_decided(made):
    t0, t1, t2, t3 = (slice_config.read(made / f"t{n}.csv") for n in range(4))
    assert list(t0) == list(t1) == MOSAICS
    assert {one for one, row in t0.items() if not row["use"]} == {"00"}
    assert {one for one, row in t1.items() if not row["use"]} == {"00", "05"}
    assert t1["05"]["notes"] == "low_quality (quality_score<0.75)"
    assert t1["00"]["quality_score"] == 0
    assert min((row["quality_score"], one) for one, row in t1.items() if one != "00")[1] == "05"
    assert {one for one, row in t2.items() if row["rehomed"]} == {"03", "10", "11"}
    assert all(row["rehoming_reliable"] for one, row in t2.items() if one != "00")
    assert {one for one, row in t3.items() if row["auto_excluded"]} == {"11", "12", "13"}
    assert t3["12"]["auto_exclude_reason"] == "noisy cluster (3 consecutive)"


def test_the_final_table_has_all_of_it(made):
    rows = slice_config.read(made / "slice_config_final.csv")
    assert sorted(rows) == [f"{n:02d}" for n in range(16)]
    assert {one for one, row in rows.items() if row["interpolated"]} == {"05", "08"}
    assert {row["interpolation_method_used"] for one, row in rows.items() if row["interpolated"]} == {"zmorph"}
    assert rows["05"]["notes"] == "low_quality (quality_score<0.75)"
    assert rows["03"]["rehomed"]


def test_what_nobody_did_is_gone_from_the_shifts(made, run):
    lines = (made / "shifts_xy_rehomed.csv").read_text(encoding="utf-8").splitlines()
    header = lines[0].split(",")
    steps = np.array([line.split(",") for line in lines[1:]])
    x, y = (steps[:, header.index(f"{axis}_shift_mm")].astype(float) * 50 for axis in "xy")  # px of 20 µm
    np.testing.assert_allclose(x, [1, 2, 1, 0, 2, 1, 1, 2, 0, 1, 1, 2, 1, 0, 1], atol=1e-6)
    np.testing.assert_allclose(y, [0, -1, 0, -1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, -1], atol=1e-6)


def test_aligned_slices_lie_on_one_canvas(made):
    canvases = {path.name: zarr.open_group(path, mode="r")["0"] for path in sorted((made / "aligned").glob("*.zarr"))}
    assert len(canvases) == 13  # of 15: without 00 and 05
    assert len({array.shape[-2:] for array in canvases.values()}) == 1
    near = [np.squeeze(canvases[f"mosaic_z{one}.ome.zarr"][...])[3].astype(float) for one in ("09", "10")]
    both = (near[0] > 0) & (near[1] > 0)
    assert np.corrcoef(near[0][both], near[1][both])[0, 1] > 0.97


def test_the_stack_holds_the_slices_that_are_in_at_their_depth(made):
    stack = np.squeeze(zarr.open_group(made / "stack.ome.zarr", mode="r")["0"][...])
    first = 1
    assert len(stack) == PLANES * (15 - first + 1)
    light = stack.reshape(-1, PLANES, *stack.shape[1:]).max(axis=(1, 2, 3))
    assert {f"{n + first:02d}" for n in np.flatnonzero(light == 0)} == LEFT_OUT - {"00"}
    # what was interpolated is like what lies before and after it
    middle = {n: stack[PLANES * (n - first) + 3].astype(float) for n in (4, 5, 6, 7, 8, 9)}
    for lost in (5, 8):
        for near in (lost - 1, lost + 1):
            assert np.corrcoef(middle[lost].ravel(), middle[near].ravel())[0, 1] > 0.9


def test_the_stack_records_which_slice_lies_where(made):
    record = zarr.open_group(made / "stack.ome.zarr", mode="r").attrs["napari_slicemap"]["provenance"]["stacked"]
    slices = {one["slice_id"]: one for one in record["slices"]}
    assert set(slices) == {f"{n:02d}" for n in range(16)} - LEFT_OUT
    assert all(one["first_plane"] == PLANES * (int(slice_id) - 1) for slice_id, one in slices.items())
    assert {slice_id for slice_id, one in slices.items() if one["interpolated"]} == {"05", "08"}


def test_the_report_and_the_output_say_which_slices_are_out_and_why(made):
    page = (made / "report.html").read_text(encoding="utf-8")
    said = (made.parent / "said.txt").read_text(encoding="utf-8")
    for reason in ("calibration_slice", "low_quality", "noisy cluster (3 consecutive)"):
        assert reason in page, reason
        assert reason in said, reason
    assert json.loads((made / "report.json").read_text(encoding="utf-8"))


# --- every file, by readers that are not ours --------------------------------------------------------------------
VOID = ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")


class Tags(HTMLParser):
    """Counts what a page holds, and refuses tags that are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.rows = [], 0
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.rows += tag == "tr"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read_csv_file(content):
    table = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    with io.StringIO(content.decode(), newline="") as stream:
        header, *lines = csv.reader(stream)
    assert list(table.columns) == header
    assert table.to_numpy().tolist() == lines
    assert lines
    assert b"\r" not in content


def read_json_file(content):
    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    assert json.loads(content, parse_constant=refuse)


READERS = {
    ".csv": read_csv_file,
    ".json": read_json_file,
    ".html": lambda content: Tags(content.decode()),
}


def test_every_file_is_read_by_others(made):
    files = contents(made)
    plain = {name: content for name, content in files.items() if ".zarr/" not in name}
    kinds = {Path(name).suffix for name in plain if not name.endswith(".lock")}
    assert kinds == set(READERS)
    for name, content in plain.items():
        if name.endswith(".lock"):
            assert content == b"", name
        else:
            READERS[Path(name).suffix](content)
    images = sorted({made / f"{name.split('.zarr/')[0]}.zarr" for name in files if ".zarr/" in name})
    assert len(images) == 13 + 2 + 1  # aligned, interpolated, and the stack
    for path in images:
        image = Image.from_zarr(zarr.open_group(path, mode="r"))
        (multiscale,) = image.ome_attributes.multiscales
        levels = [zarr.open_array(path / one.path, mode="r") for one in multiscale.datasets]
        (read,) = Reader(parse_url(path))()
        assert [one.shape for one in read.data] == [one.shape for one in levels]
        np.testing.assert_array_equal(read.data[0].compute(), levels[0][...])
        assert levels[0][...].any(), path


def test_the_report_has_a_row_for_each_slice(made):
    rows = slice_config.read(made / "slice_config_final.csv")
    assert Tags((made / "report.html").read_text(encoding="utf-8")).rows == len(rows) + 1


# --- the same bytes again ----------------------------------------------------------------------------------------
CHAIN = """
slicemap slices generate {run}/mosaics {out}/t0.csv
slicemap slices quality {run}/mosaics {out}/t1.csv --config {out}/t0.csv --min-quality 0.75 {workers}
  --diagnostics {out}/diagnostics --report {out}/quality
slicemap slices rehoming {run}/shifts_xy.csv {out}/t2.csv --config {out}/t1.csv --tile-fov-mm 1.28
  --shifts-out {out}/shifts_xy_rehomed.csv
slicemap slices align {run}/mosaics {out}/shifts_xy_rehomed.csv {out}/aligned --config {out}/t2.csv {workers}
slicemap slices auto-exclude {run}/pairs {out}/t3.csv --config {out}/t2.csv
slicemap slices interpolate {out}/aligned {out}/interpolated --config {out}/t3.csv {workers}
slicemap slices finalise {out}/interpolated {out}/slice_config_final.csv --config {out}/t3.csv
slicemap slices stack {out}/aligned {out}/stack.ome.zarr --config {out}/slice_config_final.csv
  --interpolated {out}/interpolated
slicemap slices report {out}/slice_config_final.csv {out}/report.html --diagnostics {out}/diagnostics
  --mosaics {run}/mosaics
"""


def test_the_chain_above_is_that_of_the_script():
    text = (EXAMPLES / "slices.sh").read_text(encoding="utf-8").replace('"', "")
    for name, value in (("run", "{run}"), ("out", "{out}"), ("min_quality", "0.75"), ("tile_fov_mm", "1.28")):
        text = text.replace(f"${name}", value)
    chain = CHAIN.replace("\n  ", " ").replace(" {workers}", "")
    assert commands(text) == commands(chain)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_chain_makes_the_same_bytes_anywhere_and_with_other_workers(made, tmp_path, workers):
    run, out = make_sections_sample(tmp_path / "another place" / "run"), tmp_path / "made here"
    out.mkdir()
    for line in CHAIN.replace("\n  ", " ").strip().splitlines():
        quoted = {"run": shlex.quote(str(run)), "out": shlex.quote(str(out)), "workers": f"--workers {workers}"}
        shell(*shlex.split(line.format(**quoted)))
    found, expected = contents(out), contents(made)
    assert sorted(found) == sorted(expected)
    assert [name for name in expected if found[name] != expected[name]] == []


def test_a_folder_that_is_there_is_not_written_into(made, run):
    again = subprocess.run([EXAMPLES / "slices.sh", run, made], capture_output=True, text=True, env=environment())
    assert again.returncode != 0
    assert "exists" in again.stderr


def test_dask_makes_what_the_command_makes(made, tmp_path):
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    out = tmp_path / "made"
    said = shell(sys.executable, EXAMPLES / "slices_dask.py", made / "aligned", made / "t3.csv", out)
    assert "slice 05" in said
    assert "slice 08" in said
    final = out / "slice_config_final.csv"
    assert final.read_bytes() == (made / "slice_config_final.csv").read_bytes()
    final.unlink()
    assert contents(out) == contents(made / "interpolated")


# --- the Nextflow workflow ---------------------------------------------------------------------------------------
PROCESS = re.compile(r"^process (\w+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
WORKFLOW = (EXAMPLES / "slices.nf").read_text(encoding="utf-8")
PROCESSES = dict(PROCESS.findall(WORKFLOW))
PARAMS = dict(re.findall(r"^params\.(\w+) = ('[^']*'|\S+)", WORKFLOW, re.MULTILINE))


def block(process, name):
    """Give the lines of one block of a process, without comments."""
    lines = PROCESSES[process].split(f"    {name}:\n")[1].split("\n\n")[0].splitlines()
    return [line.split("//")[0].strip() for line in lines]


def script(process):
    """Give the script as Groovy hands it to the shell, with its variables still in it."""
    return re.search(r'script:\n\s+"""\n(.*?)"""', PROCESSES[process], re.DOTALL)[1].replace("\\\\\n", "\\\n")


def commands(text):
    return [shlex.split(line) for line in text.replace("\\\n", " ").splitlines() if line.strip().startswith("slicemap")]


def parse(words):
    """Read a command line as the program does, without running it; what is wrong with it is an error."""
    command, context, rest = typer.main.get_command(app), None, words[1:]
    while isinstance(command, TyperGroup):
        context = command.context_class(command, parent=context, **command.context_settings)
        _, command, rest = command.resolve_command(context, rest)
    return command.make_context(command.name, list(rest), parent=context)


NEXTFLOW_COMMANDS = [(name, words) for name in PROCESSES for words in commands(script(name))]


def filled(text, values):
    return re.sub(r"\$\{([\w.]+)\}", lambda found: str(values[found[1]]), text)


@pytest.mark.parametrize(("process", "words"), [pytest.param(*one, id=one[0]) for one in NEXTFLOW_COMMANDS])
def test_every_command_in_the_workflow_has_these_options(process, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parameters = {f"params.{name}": value.strip("'") for name, value in PARAMS.items()}
    values = {"mosaics": ".", "aligned": ".", "slice_id": "5", "task.cpus": 2, **parameters}
    for name in ("table", "shifts", "pairs", "diagnostics"):
        values[name] = name
        Path(name).touch()
    parse([filled(word, values) for word in words])


def test_a_wrong_option_would_be_found():
    with pytest.raises(Exception, match="No such option: --min-qality"):
        parse(["slicemap", "slices", "quality", "mosaics", "t1.csv", "--min-qality", "0.5"])


def test_every_process_is_called_once_and_asks_for_what_it_is_given():
    body = WORKFLOW.split("\nworkflow {\n")[1]
    calls = re.findall(r"^    ([A-Z_]+)\((.*)\)$", body, re.MULTILINE)
    assert sorted(name for name, _ in calls) == sorted(PROCESSES)
    for name, given in calls:
        assert len(block(name, "input")) == len(given.split(", ")), name
    for name, output in re.findall(r"([A-Z_]+)\.out\.(\w+)", body):
        operators = {"splitCsv", "flatten"}
        assert output in operators or any(line.endswith(f"emit: {output}") for line in block(name, "output")), output
    names = set(re.findall(r"params\.(\w+)", WORKFLOW))
    assert names == set(PARAMS)


def stage(folder, process, given):
    """Lay out what a process is given as Nextflow does, as links; variables → their values."""
    values = {}
    for line, one in zip(block(process, "input"), given, strict=True):
        kind, name = line.split(maxsplit=1)
        if kind == "val":
            values[name] = one
        elif name.startswith("'"):
            (folder / name.strip("'").removesuffix("/*")).mkdir()
            for path in one:
                (folder / name.strip("'").removesuffix("*") / path.name).symlink_to(path)
        else:
            (folder / one.name).symlink_to(one)
            values[name] = one.name
    return values


def do(process, given, tmp_path, tag=""):
    """Run one task in a folder of its own; give its outputs by name, or by their place."""
    folder = tmp_path / f"{process}{tag}"
    folder.mkdir()
    parameters = {f"params.{name}": value.strip("'") for name, value in PARAMS.items()}
    text = filled(script(process), {**parameters, "task.cpus": 2, **stage(folder, process, given)})
    shell("bash", "-euo", "pipefail", "-c", text, folder=folder)
    outputs = {}
    for number, line in enumerate(block(process, "output")):
        pattern, _, name = line.removeprefix("path ").partition(", emit: ")
        found = sorted(folder.glob(pattern.strip("'")))
        assert found, f"{process} made no {pattern}"
        outputs[name or number] = found if "*" in pattern else found[0]
    return outputs


@pytest.mark.slow
def test_the_processes_of_the_workflow_make_what_the_shell_script_makes(run, made, tmp_path):
    mosaics, shifts, pairs = (run / name for name in ("mosaics", "shifts_xy.csv", "pairs"))
    t0 = do("GENERATE", [mosaics], tmp_path)[0]
    quality = do("QUALITY", [mosaics, t0], tmp_path)
    rehoming = do("REHOMING", [shifts, quality["table"]], tmp_path)
    aligned = do("ALIGN", [mosaics, rehoming["shifts"], rehoming["table"]], tmp_path)[0]
    t3 = do("AUTO_EXCLUDE", [pairs, rehoming["table"]], tmp_path)[0]
    ids = [int(one) for one in used(t3)]
    gaps = [n + 1 for n in ids if n + 1 not in ids and n + 2 in ids]
    assert gaps == [5, 8]
    fragments = [path for n in gaps for path in do("INTERPOLATE", [n, aligned, t3], tmp_path, tag=n)[0]]
    final = do("FINALISE", [fragments, t3], tmp_path)[0]
    stack = do("STACK", [aligned, fragments, final], tmp_path)[0]
    do("REPORT", [mosaics, quality["diagnostics"], final], tmp_path)
    assert final.read_bytes() == (made / "slice_config_final.csv").read_bytes()
    assert contents(stack) == contents(made / "stack.ome.zarr")


@pytest.mark.slow
def test_a_run_without_gaps_goes_through_without_fragments(run, made, tmp_path):
    empty = slice_config.read(made / "t3.csv")
    slice_config.write(tmp_path / "t3.csv", {one: row for one, row in empty.items() if one in ("01", "02", "03")})
    final = do("FINALISE", [[], tmp_path / "t3.csv"], tmp_path)[0]
    assert final.read_bytes() == (tmp_path / "t3.csv").read_bytes()
    stack = do("STACK", [made / "aligned", [], final], tmp_path)[0]
    assert np.squeeze(zarr.open_group(stack, mode="r")["0"][...]).shape[0] == 3 * PLANES
