"""dask.distributed: the same files as alone, whatever happens to the workers."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys

import pytest

from export.runs import bytes_of, temporaries, write_cells
from napari_slicemap import ExportPlan, open_dataset, run_export
from napari_slicemap.errors import PlanError
from napari_slicemap.export.running import work
from napari_slicemap.export.running.prepare import prepare
from scenes import write_dataset

distributed = pytest.importorskip("distributed")

CELLS = {"kind": "cell", "all": True, "size_px": 24}
SCALE = {"enabled": True}


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A dataset of 150 cells: enough to share one record."""
    folder = write_dataset(tmp_path_factory.mktemp("dask") / "set")
    write_cells(folder, 150)
    return folder


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as made:
        yield made


def plan_to(folder, *selects, **fields):
    return ExportPlan.model_validate({"output_folder": str(folder), "select": selects, **fields})


SELECTS = [
    pytest.param([CELLS], id="crops of one record"),
    pytest.param(
        [{"kind": "map", "ids": ["7", "8"]}, {"kind": "fov", "ids": ["a", "b"]}, {"kind": "map-roi", "all": True}],
        id="maps, FOVs and ROIs",
    ),
]


@pytest.mark.parametrize("selects", SELECTS)
def test_all_runners_give_the_same_files_and_results(many, cluster, tmp_path, selects):
    reports = {}
    for name, how in {
        "serial": {},
        "threads": {"runner": "threads", "workers": 2},
        "dask": {"runner": "dask", "scheduler": cluster.scheduler_address},
    }.items():
        made = plan_to(tmp_path / name, *selects, overlays={"masks": ["cell"]}, scale_bar=SCALE)
        reports[name] = run_export(made, open_dataset(many), **how)
    for name in ("threads", "dask"):
        assert bytes_of(tmp_path / name) == bytes_of(tmp_path / "serial") != {}
        assert reports[name].counts == reports["serial"].counts
        assert [(r.item_id, r.ok, r.error, r.bytes, r.metadata) for r in reports[name].results] == [
            (r.item_id, r.ok, r.error, r.bytes, r.metadata) for r in reports["serial"].results
        ]
        assert temporaries(tmp_path / name) == []


def test_what_is_sent_for_an_item_is_small_and_the_dataset_is_opened_once(many, tmp_path):
    from functools import partial

    prepared = prepare(plan_to(tmp_path, CELLS), open_dataset(many))
    jobs = [partial(work.make, prepared.recipe, item) for item in prepared.resolution.items[:32]]
    sent = pickle.dumps(jobs)
    assert len(sent) < 32 * 1000
    first, second = pickle.loads(sent), pickle.loads(pickle.dumps(jobs[0]))
    assert first[0].args[0].opened is second.args[0].opened
    assert first[0].args[0].opened.dataset is not prepared.recipe.opened.dataset


def test_items_of_a_killed_worker_are_run_again(many, cluster, tmp_path):
    told = []

    def kill(result, done, total):
        told.append(result.item_id)
        if done == 3:
            with distributed.Client(cluster) as client:
                victim = next(iter(client.run(os.getpid).values()))
            os.kill(victim, signal.SIGKILL)

    made = plan_to(tmp_path / "out", {"kind": "cell", "query": "label <= 60", "size_px": 24})
    report = run_export(made, open_dataset(many), runner="dask", scheduler=cluster.scheduler_address, on_progress=kill)
    assert report.counts == {"ok": 60, "failed": 0, "skipped": 0, "cancelled": 0}
    assert len(told) == len(set(told)) == 60
    run_export(made.model_copy(update={"output_folder": str(tmp_path / "whole")}), open_dataset(many))
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")
    assert temporaries(tmp_path / "out") == []


def test_cancelling(many, cluster, tmp_path):
    done = []
    report = run_export(
        plan_to(tmp_path / "out", CELLS),
        open_dataset(many),
        runner="dask",
        scheduler=cluster.scheduler_address,
        on_progress=lambda *_: done.append(1),
        cancel=lambda: bool(done),
    )
    assert 0 < report.counts["ok"] < 150 or report.counts["cancelled"] == 0
    assert report.counts["ok"] == len(bytes_of(tmp_path / "out"))
    assert sum(report.counts.values()) == 150
    assert temporaries(tmp_path / "out") == []
    again = run_export(plan_to(tmp_path / "out", CELLS), open_dataset(many), resume=True)
    assert again.counts["skipped"] == report.counts["ok"]


def test_a_failed_item_says_why(many, cluster, tmp_path):
    made = plan_to(tmp_path / "out", {"kind": "map", "ids": ["8"]})
    (result,) = run_export(made, open_dataset(many), runner="dask", scheduler=cluster.scheduler_address).results
    assert not result.ok
    assert "FOV gone: map 8 names it" in result.error
    assert "Traceback" in result.traceback


def test_a_scheduler_that_is_not_there_is_told(many, tmp_path):
    with _quick(), pytest.raises(PlanError, match=r"no scheduler answers at tcp://127.0.0.1:9"):
        run_export(plan_to(tmp_path / "out", CELLS), open_dataset(many), runner="dask", scheduler="tcp://127.0.0.1:9")
    assert not list((tmp_path / "out").glob("*.png"))


def _quick():
    import dask

    return dask.config.set({"distributed.comm.timeouts.connect": "1s"})


OWN = """
import sys
from napari_slicemap import ExportPlan, open_dataset, run_export

if __name__ == "__main__":
    plan = ExportPlan.model_validate({"output_folder": sys.argv[2], "select": [{"kind": "fov", "ids": ["a", "b"]}]})
    report = run_export(plan, open_dataset(sys.argv[1]), runner="dask", workers=2)
    print(report.counts["ok"])
"""


def test_a_cluster_of_ones_own(many, tmp_path):
    (tmp_path / "script.py").write_text(OWN)
    words = [sys.executable, str(tmp_path / "script.py"), str(many), str(tmp_path / "out")]
    assert subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip() == "2"


def test_nothing_of_dask_is_imported_unless_it_is_asked_for(many, tmp_path):
    code = (
        "import sys; from napari_slicemap import ExportPlan, open_dataset, run_export\n"
        "plan = ExportPlan.model_validate({'output_folder': sys.argv[2], 'select': [{'kind': 'fov', 'ids': ['a']}]})\n"
        "run_export(plan, open_dataset(sys.argv[1]), runner='threads')\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('dask', 'distributed')])"
    )
    words = [sys.executable, "-c", code, str(many), str(tmp_path / "out")]
    assert subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip() == "[]"
