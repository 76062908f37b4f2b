"""The ROIs of a dataset as a napari Shapes layer: what is drawn becomes an ROI, and the other way round."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from napari.layers import Shapes
from napari.utils.notifications import show_warning
from qtpy.QtCore import QTimer

from ..errors import SlicemapError
from ..rois.drawing import rectangle_on, stamp_roi
from ..rois.roi import Kind, Points, Roi, roi_from_points
from .clicks import Clicks
from .pages import Pages
from .roi_places import Place, RoiPlaces
from .roi_shapes import looks_the_same, rgba, same_points, shape_of, shape_type_of, vertices_of

if TYPE_CHECKING:
    from .session import Session

_LABELLED = 500
"""With more ROIs their names are not written: napari takes seconds for them at each zoom."""
_FEW = 40
"""With more changes at once, all shapes are drawn anew."""
_INSIDE, _LEAVING = "#ffd633", "#ff7a1a"
_WIDTH, _THIN = 1.0, 0.5
"""Of outlines, canvas px: those of ROIs that leave the data are thinner, since napari cannot dash them."""
_LABELS = {"string": "{name}", "anchor": "upper_left", "size": 9, "color": _INSIDE}
_BOX = {"x_min", "x_max", "y_min", "y_max"}
SESSION = "slicemap_session"
"""The layer's metadata hold a weak reference to the session under this name: writers are handed no more than that."""


@dataclass(frozen=True)
class _Drawn:
    """A shape as the layer has it.

    Parameters
    ----------
    roi : Roi
        Whose it is; of its points those of the layer.
    leaving : bool or None
        Whether it looks like one that leaves the data; ``None`` where napari has just drawn it.
    """

    roi: Roi
    leaving: bool | None


class RoiLayer:
    """Keeps a Shapes layer and the session's ROI table the same.

    Parameters
    ----------
    session : Session
        Holds the table; gets the changes as commands.
    pages : Pages
        Where pages lie.
    """

    def __init__(self, session: Session, pages: Pages) -> None:
        self._session, self._pages = session, pages
        self.places = RoiPlaces(pages)
        self._busy, self._attached, self._labelled = False, True, False
        self._ids: list[str] = []
        self._drawn: dict[str, _Drawn] = {}
        self.layer = Shapes(
            ndim=3,
            name="ROIs",
            scale=pages.scale,
            translate=pages.translate,
            units=pages.units,
            metadata={SESSION: weakref.ref(session)},
            edge_color=_INSIDE,
            face_color=f"{_INSIDE}18",
            edge_width=_WIDTH,
        )
        self._clicks = Clicks(self.layer)
        self.refresh()
        self.layer.events.data.connect(self._on_data)
        self.layer.selected_data.events.items_changed.connect(self._on_selected)
        session.rois_changed.connect(self.refresh)
        session.marking.selection_changed.connect(self._show_selected)

    def detach(self) -> None:
        """Stop listening, because the dataset is closed."""
        self._attached = False
        self.layer.events.data.disconnect(self._on_data)
        self.layer.selected_data.events.items_changed.disconnect(self._on_selected)
        self._session.rois_changed.disconnect(self.refresh)
        self._session.marking.selection_changed.disconnect(self._show_selected)

    # --- table to layer -------------------------------------------------------------------------------------
    def refresh(self) -> None:
        """Show the table: shapes that are as it says are left alone."""
        if self._busy or not self._attached:
            return
        table = self._session.rois
        with self._quiet():
            extra = range(len(self._ids), len(self.layer.data))
            if extra:  # drawn, and no ROI
                self.layer.remove(list(extra))
            gone = [roi_id for roi_id in self._ids if roi_id not in table]
            other = [roi for roi in table if not self._is_known(roi) and self.places.of(roi) is not None]
            moved = [roi for roi in other if not self._is_drawn(roi)]
            if len(gone) + len(moved) > _FEW or len(self._ids) > len(self.layer.data):
                self.layer.selected_data = set()
                self.layer.data = []
                self._ids, self._drawn = [], {}
                gone, moved = [], [roi for roi in table if self.places.of(roi) is not None]
            self._take_out(gone, moved)
            self._put_in(moved)
            if gone or other or moved:
                self._set_features()
                self._set_looks(roi for roi in other if roi.roi_id in self._drawn)
        self._show_selected()

    def _is_known(self, roi: Roi) -> bool:
        """Say whether nothing of an ROI is other than when it was drawn."""
        drawn = self._drawn.get(roi.roi_id)
        return drawn is not None and drawn.roi is roi and drawn.leaving is not None

    def _is_drawn(self, roi: Roi) -> bool:
        """Say whether an ROI is drawn where it is."""
        drawn = self._drawn.get(roi.roi_id)
        return drawn is not None and looks_the_same(drawn.roi, roi)

    def _take_out(self, roi_ids: list[str], changed: list[Roi]) -> None:
        gone = {*roi_ids, *(roi.roi_id for roi in changed)}
        indices = [index for index, roi_id in enumerate(self._ids) if roi_id in gone]
        if not indices:
            return
        self.layer.selected_data = set()
        self.layer.remove(indices)
        self._ids = [roi_id for roi_id in self._ids if roi_id not in gone]
        self._drawn = {roi_id: drawn for roi_id, drawn in self._drawn.items() if roi_id not in gone}

    def _put_in(self, rois: list[Roi]) -> None:
        if not rois:
            return
        leaving = [self._session.marking.empty_share(roi) > 0 for roi in rois]
        self.layer.add(
            [vertices_of(roi, self._place_of(roi)) for roi in rois],
            shape_type=[shape_type_of(roi) for roi in rois],
            edge_color=np.array([rgba(_LEAVING if out else _INSIDE) for out in leaving]),
            face_color=np.tile(rgba(f"{_INSIDE}18"), (len(rois), 1)),
            edge_width=[_THIN if out else _WIDTH for out in leaving],
        )
        self._ids += [roi.roi_id for roi in rois]
        self._drawn |= {roi.roi_id: _Drawn(roi, out) for roi, out in zip(rois, leaving, strict=True)}

    def _place_of(self, roi: Roi) -> Place:
        place = self.places.of(roi)
        if place is None:
            raise ValueError(f"ROI {roi.label} is on nothing that is shown")
        return place

    def _set_features(self) -> None:
        """Say which ROI each shape is, in the layer's own table too (assigned whole: else no event comes)."""
        names = [self._session.rois[roi_id].name for roi_id in self._ids]
        made = pd.DataFrame({"roi_id": self._ids, "name": names}, dtype=str)
        if not made.equals(self.layer.features):
            self.layer.features = made
            self.layer.feature_defaults = {"roi_id": "", "name": ""}
        labelled = 0 < len(self._ids) <= _LABELLED
        if labelled != self._labelled:
            self._labelled = labelled
            self.layer.text = _LABELS if labelled else None

    def _set_looks(self, rois: Iterable[Roi]) -> None:
        """Let those ROIs look so that leave the data, and the others not."""
        wrong: dict[bool, list[str]] = {True: [], False: []}
        for roi in rois:
            drawn = self._drawn[roi.roi_id]
            if drawn.roi is not roi or drawn.leaving is None:
                leaving = self._session.marking.empty_share(roi) > 0
                self._drawn[roi.roi_id] = _Drawn(roi, leaving)
                if leaving != drawn.leaving:
                    wrong[leaving].append(roi.roi_id)
        places = {roi_id: index for index, roi_id in enumerate(self._ids)} if any(wrong.values()) else {}
        for leaving, roi_ids in wrong.items():
            if roi_ids:
                self.layer.selected_data = {places[roi_id] for roi_id in roi_ids}
                self.layer.current_edge_color = _LEAVING if leaving else _INSIDE
                self.layer.current_edge_width = _THIN if leaving else _WIDTH
        if places:
            self.layer.selected_data = set()
            self.layer.current_edge_color, self.layer.current_edge_width = _INSIDE, _WIDTH

    def stamp(self, position: Sequence[float], width: float, height: float) -> Roi:
        """Add a rectangle of a fixed size.

        Parameters
        ----------
        position : sequence of float
            Its middle, world ``(page, y, x)``.
        width, height : float
            µm; px where the pixel size is unknown.

        Raises
        ------
        ValueError
            If no FOV lies there, and it is to belong to one.
        SlicemapError
            If the pattern for names is none.
        """
        marking = self._session.marking
        page, y, x = self.layer.world_to_data(position)
        x, y = float(x) + 0.5, float(y) + 0.5
        place = self._target(round(float(page)), x, y)
        px = (self._pages.pixel_size_um or 1.0) * place.scale
        ((own_x, own_y),) = place.to_own([(x, y)])
        named = {"name": marking.next_names()[0], **place.frame.fields}
        made = stamp_roi(own_x, own_y, width / px, height / px, **named)
        marking.add([made])
        marking.select([made.roi_id])
        return made

    def _target(self, number: int, x: float, y: float) -> Place:
        """Give the place of what is drawn on at a point (canvas px) of a page."""
        on_fovs = self._session.marking.on_fovs
        return self.places.of_fov_at(number, x, y) if on_fovs else self.places.of_page(number)

    # --- selection ------------------------------------------------------------------------------------------
    def choose(self) -> None:
        """Let the user work on the layer, seen; one that was taken out of the viewer comes back."""
        layers = self._session.viewer.layers
        if self.layer not in layers:
            layers.append(self.layer)
        layers.selection.active = self.layer
        self.layer.visible = True

    def _on_selected(self, *_: object) -> None:
        if not self._busy:
            chosen = sorted(index for index in self.layer.selected_data if index < len(self._ids))
            with self._quiet():
                self._session.marking.select(self._ids[index] for index in chosen)

    def _show_selected(self) -> None:
        if self._busy:
            return
        wanted = set(self._session.marking.selected)
        chosen = {index for index, roi_id in enumerate(self._ids) if roi_id in wanted}
        if chosen != set(self.layer.selected_data):
            with self._quiet():
                self.layer.selected_data = chosen

    # --- layer to table -------------------------------------------------------------------------------------
    def _on_data(self, event: Any) -> None:
        action = str(event.action)
        if self._busy or action not in ("added", "changed", "removed"):
            return
        try:
            with self._quiet():
                if action == "added" and self._clicks.take():
                    self._session.viewer.status = "Drag to draw; a click draws nothing"
                elif action == "added":
                    self._added()
                elif action == "changed":
                    self._changed(index for index in event.data_indices if 0 <= index < len(self._ids))
                    self._added()
                else:
                    self._removed()
        except (SlicemapError, ValueError) as error:
            show_warning(f"This shape cannot be an ROI: {error}")
        # napari is still at work on the shape: what the table has otherwise is drawn when it is done
        QTimer.singleShot(0, self.refresh)

    def _added(self) -> None:
        marking, first = self._session.marking, len(self._ids)
        names = marking.next_names(max(0, len(self.layer.data) - first))
        made = [self._new_roi(first + number, name) for number, name in enumerate(names)]
        if not made:
            return
        for roi, index in zip(made, range(first, len(self.layer.data)), strict=True):
            place, (points, _) = self._place_of(roi), self._shape(index)
            if same_points(place.to_canvas(roi.points), points):
                self._drawn[roi.roi_id] = _Drawn(roi, None)
        marking.add(made)
        self._ids += [roi.roi_id for roi in made]
        marking.select(roi.roi_id for roi in made)

    def _changed(self, indices: Iterable[int]) -> None:
        changed = []
        for index in indices:
            old = self._session.rois[self._ids[index]]
            points, kind = self._shape(index)
            new = roi_from_points(self._place_of(old).to_own(points), kind)
            if new.kind != old.kind or not same_points(new.points, old.points):
                shape = {"kind": new.kind, "geometry": new.geometry, **new.model_dump(include=_BOX)}
                changed.append(old.model_copy(update=shape))
        for roi in changed:
            self._drawn[roi.roi_id] = _Drawn(roi, self._drawn[roi.roi_id].leaving)
        if changed:
            self._session.marking.change(changed)

    def _removed(self) -> None:
        left = [str(roi_id) for roi_id in self.layer.features["roi_id"]]
        gone = [roi_id for roi_id in self._ids if roi_id not in set(left)]
        self._ids = left
        self._drawn = {roi_id: drawn for roi_id, drawn in self._drawn.items() if roi_id not in gone}
        if gone:
            self._session.marking.remove(gone)

    def _new_roi(self, index: int, name: str) -> Roi:
        """Make an ROI of a drawn shape, in the px of the map (or FOV) that it is drawn on."""
        marking = self._session.marking
        points, kind = self._shape(index)
        if marking.turned and kind == "polygon":
            points, kind = rectangle_on(points), "rotated-rectangle"
        number = round(float(self.layer.data[index][0, 0]))
        x, y = np.mean(points, axis=0)
        place = self._target(number, float(x), float(y))
        return roi_from_points(place.to_own(points), kind, name=name, **place.frame.fields)

    def _shape(self, index: int) -> tuple[Points, Kind]:
        """Give a drawn shape's vertices in canvas px, and what it is."""
        return shape_of(self.layer.data[index], str(self.layer.shape_type[index]))

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Hold back answers to changes of our own making."""
        busy, self._busy = self._busy, True
        try:
            yield
        finally:
            self._busy = busy
