"""A viewer on a map of 48 × 48 tiles of 2048² whose files take 10 ms to open; prints figures as JSON."""

from __future__ import annotations

import gc
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_slicemap.dataset import Dataset
from napari_slicemap.images.acquisition import Acquisition, TilePosition
from napari_slicemap.images.fov import Fov
from napari_slicemap.images.plane import Chunks
from napari_slicemap.images.region import Region
from napari_slicemap.project import Places, Project
from napari_slicemap.render.channels import ChannelSettings
from napari_slicemap.render.profile import Profile

TILES, SIDE, CHUNK, PIXEL_UM = 48, 2048, 512, 0.5
LATENCY_S = 0.01
LOOKS = {
    "DAPI": ChannelSettings("#4d7fff", (0.0, 900.0)),
    "CD3": ChannelSettings("#ff4000", (0.0, 1100.0), gamma=0.8),
    "CD8": ChannelSettings("#00e060", (0.0, 1300.0)),
}
KEPT: list[float] = []
HELD: list[float] = []
_UINT16 = np.dtype(np.uint16)
_RNG = np.random.default_rng(0)
_CONTENT = _RNG.integers(0, 600, (len(LOOKS), SIDE, SIDE), np.uint16)


@dataclass(frozen=True)
class SlowPlane:
    """A channel of a tile that is made up, 10 ms after it is asked for."""

    tile: int
    channel: int
    path: Path
    shape: tuple[int, int, int, int] = (1, 1, SIDE, SIDE)
    dtype: np.dtype = _UINT16
    pixel_size_um: float | None = PIXEL_UM
    z_step_um: float | None = None
    times_s: tuple[float, ...] | None = None

    @property
    def key(self):
        return self.tile, self.channel

    def chunks(self, t: int, z: int) -> Chunks:
        def read(places, allocate):
            time.sleep(LATENCY_S)
            made = []
            for row, column in places:
                chunk = allocate((CHUNK, CHUNK), self.dtype)
                rows = slice(row * CHUNK, (row + 1) * CHUNK)
                columns = slice(column * CHUNK, (column + 1) * CHUNK)
                np.add(_CONTENT[self.channel, rows, columns], np.uint16(37 * self.tile % 600), out=chunk)
                made.append(chunk)
            return made

        return Chunks((self.key, t, z), (CHUNK, CHUNK), read)


def dataset(folder: Path) -> Dataset:
    """Give the acquisition; nothing is on disk."""
    fovs, positions = {}, []
    for n in range(TILES * TILES):
        name, (row, column) = f"r{n // TILES}c{n % TILES}", divmod(n, TILES)
        planes = {channel: SlowPlane(n, number, Path(name)) for number, channel in enumerate(LOOKS)}
        fovs[name] = Fov(name, planes, PIXEL_UM, size_hint=(SIDE, SIDE))
        centre = ((column + 0.5) * SIDE * PIXEL_UM, (row + 0.5) * SIDE * PIXEL_UM)
        positions.append(TilePosition("01", name, "made up", centre, None, (SIDE, SIDE), PIXEL_UM))
    made = Dataset(folder, Places(Project(), folder), None, Acquisition("made up", folder, fovs, tuple(positions)), "")
    made.profiles = made.profiles.with_profile(Profile(name="default", channels=LOOKS))
    return made


class Watch:
    """Watches how long the window's thread is busy, and how much of that is drawing by OpenGL."""

    def __init__(self, viewer, session) -> None:
        from qtpy.QtCore import Qt, QTimer
        from vispy.gloo import gl

        canvas = viewer.window._qt_viewer.canvas
        scene, on_draw = canvas._scene_canvas, canvas.on_draw
        self.settled = 0
        self.drawing = 0.0
        self.gaps: list[tuple[float, float, float]] = []
        self.collections: list[float] = []
        self._slices, self._start, self._collecting = 0, 0.0, 0.0
        self._last, self._drawing_at_last, self._busy_at_last = time.perf_counter(), 0.0, time.thread_time()
        for layer in session.map_layer.all_layers:
            self._count(layer._slicing_state)

        def begin(_event=None):
            self._start = time.perf_counter()

        def end(event=None):
            gl.glFinish()  # what was asked for is drawn now, and counts as drawing
            self.drawing += time.perf_counter() - self._start
            before = self._slices
            on_draw(event)
            if self._slices == before:  # else what is new is drawn the next time
                self.settled += 1

        scene.events.draw.disconnect(canvas.on_draw)
        scene.events.draw.connect(begin, position="first")
        scene.events.draw.connect(end, position="last")
        gc.callbacks.append(self._collection)
        self.timer = QTimer()
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(self._tick)
        self.timer.start(1)

    def _count(self, state) -> None:
        inner = state.set_view_slice

        def counted():
            self._slices += 1
            inner()

        state.set_view_slice = counted

    def _collection(self, phase: str, _info) -> None:
        if phase == "start":
            self._collecting = time.thread_time()
        else:
            self.collections.append(time.thread_time() - self._collecting)

    def _tick(self) -> None:
        now, busy = time.perf_counter(), time.thread_time()
        self.gaps.append((now - self._last, self.drawing - self._drawing_at_last, busy - self._busy_at_last))
        self._last, self._drawing_at_last, self._busy_at_last = now, self.drawing, busy


def held_mb() -> float:
    with Path("/proc/self/status").open() as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def wait(app, until, limit_s: float) -> bool:
    end = time.perf_counter() + limit_s
    while not until():
        if time.perf_counter() > end:
            return False
        app.processEvents()
        time.sleep(0.0005)
    return True


def main() -> None:
    import napari
    from qtpy.QtWidgets import QApplication

    from napari_slicemap.viewer.session import session_of

    moves = int(sys.argv[2])
    made = dataset(Path(sys.argv[1]))
    viewer = napari.Viewer(show=False)
    viewer.window._qt_window.resize(1280, 800)
    viewer.show()
    app = QApplication.instance()
    session = session_of(viewer)
    wait(app, lambda: False, 0.5)
    start = time.perf_counter()
    session.open(made)
    opened = time.perf_counter() - start
    watch = Watch(viewer, session)
    loader = session.on_screen.loader
    cached = made.cache.nbytes + loader.cache.nbytes
    held = held_mb() - cached / 2**20
    figures = {}
    for display in ("channels", "composite"):
        session.set_display(display)
        wait(app, lambda: False, 2.5)
        found = look_around(viewer, session, watch, app, moves, made)
        figures |= {f"{display}, {key}": value for key, value in found.items()}
    figures["opening, s"] = opened
    figures["memory beyond that at opening, at most, MB"] = max(HELD) - held
    figures["both caches full, MB"] = (loader.cache.max_bytes + made.cache.max_bytes) / 2**20
    figures |= final_pixels(viewer, session, app, made)
    session.close()
    assert not loader.busy
    viewer.close()
    print(json.dumps(figures))


def look_around(viewer, session, watch, app, moves, made) -> dict[str, float]:
    """Pan and zoom at random; times are in ms."""
    rng, extent, loader = np.random.default_rng(1), TILES * SIDE * PIXEL_UM, session.on_screen.loader
    first, blocks, busiest = [], [], []
    watch.collections.clear()
    for _ in range(moves):
        watch.gaps.clear()
        settled, drawing, start, busy = watch.settled, watch.drawing, time.perf_counter(), time.thread_time()
        viewer.scene.camera.center = (0, *rng.uniform(0.1, 0.9, 2) * extent)
        viewer.scene.camera.zoom = 2.0 ** rng.uniform(-6, 1)
        assert wait(app, lambda settled=settled: watch.settled > settled, 60)
        first.append((time.perf_counter() - start, watch.drawing - drawing, time.thread_time() - busy))
        wait(app, lambda: False, 0.15)
        blocks.append(max(watch.gaps)[:2])
        busiest.append(max(busy for *_, busy in watch.gaps))
        KEPT.append(loader.cache.nbytes / loader.cache.max_bytes)
        HELD.append(held_mb())
        assert made.cache.nbytes <= made.cache.max_bytes
    paints, drawn, working = 1000 * np.array(first).T
    gaps, drawn_within = 1000 * np.array(blocks).T
    return {
        "first paint, median": float(np.median(paints)),
        "first paint, 95 %": float(np.percentile(paints, 95)),
        "of it drawing, median": float(np.median(drawn)),
        "first paint less drawing, median": float(np.median(paints - drawn)),
        "first paint less drawing, 95 %": float(np.percentile(paints - drawn, 95)),
        "first paint, processor time, median": float(np.median(working)),
        "first paint, processor time, 95 %": float(np.percentile(working, 95)),
        "block, processor time, longest": 1000 * max(busiest),
        "of garbage collections, longest": 1000 * max(watch.collections, default=0.0),
        "block, median": float(np.median(gaps)),
        "block, longest": float(gaps.max()),
        "block less drawing, median": float(np.median(gaps - drawn_within)),
        "block less drawing, 95 %": float(np.percentile(gaps - drawn_within, 95)),
        "block less drawing, longest": float((gaps - drawn_within).max()),
    }


def final_pixels(viewer, session, app, made) -> dict[str, float]:
    """Compare what is shown in the end with the same region rendered as an export renders it."""
    extent, worst, waited = TILES * SIDE * PIXEL_UM, 0, []
    layer, loader = session.map_layer.composite_layer, session.on_screen.loader
    for zoom in (2.0, 0.6, 0.1):
        start = time.perf_counter()
        viewer.scene.camera.center = (0, 0.4 * extent, 0.3 * extent)
        viewer.scene.camera.zoom = zoom
        wait(app, lambda: False, 0.2)
        assert wait(app, lambda: not loader.in_view, 300), "the view was not filled"
        waited.append(time.perf_counter() - start)
        wait(app, lambda: False, 0.3)
        step = int(layer.downsample_factors[layer.data_level][1])
        (_, y0, x0), (_, y1, x1) = layer.corner_pixels[:, :3]
        region = Region(x0 * step, (x1 + 1) * step, y0 * step, (y1 + 1) * step)
        rendered = made.maps["01"].render_region(region, session.map_layer.settings(), downsample=step)
        worst = max(worst, int(np.abs(layer._slice.image.raw.astype(int) - rendered).max()))
    return {"values off": worst, "view filled after, s": max(waited), "blocks kept": max(KEPT)}


if __name__ == "__main__":
    main()
