"""``slicemap export``: runners, resuming, repeating, and what is said of it."""

from __future__ import annotations

import json

import pytest

from export.runs import bytes_of


@pytest.mark.parametrize("words", [["--runner", "threads"], ["--workers", "2"]], ids=["named", "by its workers"])
def test_threads_give_the_same_files(shell, own, tmp_path, words):
    assert shell(own, "--fovs", "a,b", "--maps", "7", "-o", tmp_path / "one")[0] == 0
    code, out, _ = shell(own, "--fovs", "a,b", "--maps", "7", "-o", tmp_path / "two", *words)
    assert code == 0
    assert "3 written, 0 failed" in out
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two") != {}


def test_resuming(shell, own, tmp_path):
    words = [own, "--fovs", "a,b", "-o", tmp_path / "out"]
    assert shell(*words)[0] == 0
    (tmp_path / "out" / "b.png").unlink()
    code, out, _ = shell(*words, "--resume", "--dry-run")
    assert code == 0
    assert f"would skip {tmp_path / 'out' / 'a.png'}  (fov:a, done already)" in out
    assert f"would write {tmp_path / 'out' / 'b.png'}" in out
    assert not (tmp_path / "out" / "b.png").exists()
    code, out, _ = shell(*words, "--resume")
    assert code == 0
    assert out.splitlines() == [
        f"skipped {tmp_path / 'out' / 'a.png'}",
        f"wrote {tmp_path / 'out' / 'b.png'}",
        "1 written, 0 failed, 1 skipped",
    ]
    told = json.loads(shell(*words, "--resume", "--json")[1])
    assert told["counts"] == {"ok": 0, "failed": 0, "skipped": 2, "cancelled": 0}
    assert [row["skipped"] for row in told["results"]] == [True, True]


def test_repeating(shell, own, tmp_path):
    assert shell(own, "--maps", "7", "--scale-bar", "-o", tmp_path / "out")[0] == 0
    sidecar = tmp_path / "out" / "map_7.png.provenance.json"
    code, out, _ = shell("--from", sidecar, "-o", tmp_path / "again")
    assert code == 0
    assert "1 written, 0 failed" in out
    assert bytes_of(tmp_path / "again") == bytes_of(tmp_path / "out")
    assert shell(own, "--from", sidecar, "-o", tmp_path / "third", "--runner", "threads")[0] == 0
    assert "would write" in shell("--from", sidecar, "-o", tmp_path / "none", "--dry-run")[1]


def test_repeating_what_changed(shell, own, tmp_path):
    assert shell(own, "--fovs", "a", "-o", tmp_path / "out")[0] == 0
    file = own / "a" / "CD3.tif"
    file.write_bytes(file.read_bytes() + b"more")
    words = ["--from", tmp_path / "out" / "a.png.provenance.json", "-o", tmp_path / "again"]
    code, _, err = shell(*words)
    assert code == 2
    assert f"{file} has changed" in err
    assert shell(*words, "--changed-sources", "accept")[0] == 0


WRONG = [
    pytest.param([], "say which DATASET; only --from does without", id="no dataset"),
    pytest.param(["DATA", "--fovs", "a", "--item", "x"], "--item goes with --from", id="item"),
    pytest.param(["--from", "x.json", "--downsample", "2"], "--downsample cannot change it", id="another downsample"),
    pytest.param(["--from", "x.json"], "x.json: there is no such record", id="no record"),
    pytest.param(["DATA", "--fovs", "a", "--runner", "x"], "unknown runner 'x' (there is serial", id="runner"),
    pytest.param(["DATA", "--fovs", "a", "--runner", "serial", "--workers", "2"], "one item at a time", id="workers"),
    pytest.param(
        ["DATA", "--fovs", "a", "--runner", "threads", "--scheduler", "tcp://x:1"], "uses no scheduler", id="scheduler"
    ),
]


@pytest.mark.parametrize(("words", "message"), WRONG)
def test_wrong_requests_are_2_and_one_clear_line(shell, own, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = shell(*(own if word == "DATA" else word for word in words))
    assert code == 2
    assert message in err
    assert out == ""
    assert not (own / "exports").exists()


def test_a_table_that_cannot_be_written_is_1_and_said(shell, own, tmp_path):
    (tmp_path / "out" / "export_results.csv").mkdir(parents=True)
    code, out, err = shell(own, "--fovs", "a", "-o", tmp_path / "out")
    assert code == 1
    assert "1 written, 0 failed" in out
    assert "export_results.csv is incomplete" in err


def test_a_terminal_has_a_bar_and_the_lines_at_the_end(shell, own, tmp_path, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    code, out, err = shell(own, "--fovs", "a,b", "-o", tmp_path / "out")
    assert code == 0
    assert "2/2" in err
    assert out.splitlines()[:2] == [f"wrote {tmp_path / 'out' / name}" for name in ("a.png", "b.png")]
