"""Interpolate the missing slices of a run on a dask cluster, one task each, and merge what came of them in one step.

    python slices_dask.py ALIGNED TABLE OUT
    python slices_dask.py ALIGNED TABLE OUT --scheduler tcp://HOST:8786

ALIGNED is what `slicemap slices align` wrote. OUT gets the volumes, a fragment for each slice, and
slice_config_final.csv. All workers must see both folders under the same paths.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path

from distributed import Client, LocalCluster

from napari_slicemap.slices import slice_config
from napari_slicemap.slices.interpolation import Gap, find_gaps, interpolate_slices
from napari_slicemap.slices.volumes import find_volumes


def interpolate_one(gap: Gap, folder: Path, method: str) -> str:
    """Make one slice, on a worker. What goes back is one line: volume and fragment are on disk."""
    done, failed = interpolate_slices([gap], folder, method)
    if failed:
        raise RuntimeError(f"slice {gap.slice_id}: {failed[gap.slice_id]}")
    return done[0].line()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("aligned", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--scheduler", help="of a cluster that runs; without it, one is started on this machine")
    parser.add_argument("--workers", type=int, default=2, help="processes of the cluster that is started")
    parser.add_argument("--method", default="zmorph")
    asked = parser.parse_args()

    rows = slice_config.read(asked.table)
    gaps = find_gaps(find_volumes(asked.aligned.resolve()), rows).single
    folder = asked.out.resolve()
    folder.mkdir(parents=True, exist_ok=True)

    with ExitStack() as stack:
        cluster = asked.scheduler or stack.enter_context(LocalCluster(n_workers=asked.workers, threads_per_worker=1))
        client = stack.enter_context(Client(cluster))
        jobs = client.map(interpolate_one, gaps, folder=folder, method=asked.method, pure=False)
        for line in client.gather(jobs):
            print(line)

    # tasks write fragments, each its own; the table is written once, by one process
    final = slice_config.merge_fragments(rows, folder, expected=[gap.slice_id for gap in gaps], add=True)
    slice_config.write(folder / "slice_config_final.csv", final)


if __name__ == "__main__":
    main()
