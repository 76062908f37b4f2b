"""The channels and sites of a MetaXpress plate, as its files and a few of its images say."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import islice
from pathlib import Path

from ...errors import TileReadError, listing
from ..file_series import FileSeries
from ..image import ImagePlane
from ..opening import open_image
from .plates import (
    NO_STEP,
    PROJECTION,
    Files,
    Htd,
    Plate,
    SiteImage,
    htd_file,
    read_htd,
    read_site_image,
)

_CLOCK = datetime(1970, 1, 1)  # by the microscope, which names no time zone
_MOST_TRIED = 8
"""Images that are opened in search of one that can be read."""


@dataclass(frozen=True)
class _Channel:
    """A channel of a plate: a wavelength's planes, or its projection.

    Parameters
    ----------
    name : str
        Such as ``"DAPI"`` or ``"DAPI (projection)"``.
    wave : int
        Its wavelength.
    steps : tuple of int
        Which z steps are its planes.
    z_step_um : float or None
        From plane to plane, where known.
    """

    name: str
    wave: int
    steps: tuple[int, ...]
    z_step_um: float | None = None


@dataclass(frozen=True)
class SitePlane(ImagePlane):
    """A channel of a site; when its time points were imaged is read when asked for."""

    @cached_property
    def times_s(self) -> tuple[float, ...] | None:
        """Of each time point, s since the first that states one; NaN where it is unknown."""
        if not isinstance(self.image, FileSeries) or self.image.times < 2:
            return None
        at: dict[int, Path] = {}
        for (t, _), image in self.image.files:
            at.setdefault(t, image.path)
        clock = [_acquired(at.get(t)) for t in range(self.image.times)]
        first = next((time for time in clock if not math.isnan(time)), None)
        return None if first is None else tuple(round(time - first, 3) for time in clock)


def _acquired(path: Path | None) -> float:
    """Read when a plane was imaged, s; NaN where it is missing, unreadable or does not say so."""
    try:
        found = None if path is None else read_site_image(path).acquired
    except TileReadError:  # reading its pixels says what is wrong
        return math.nan
    return math.nan if found is None else (found - _CLOCK).total_seconds()


@dataclass(frozen=True)
class Site:
    """A site of a well.

    Parameters
    ----------
    name, map_id : str
        Its own, and its well's; with the plate's before it, where there are several.
    file : Path
        Its first file.
    image : SiteImage or None
        What its first file that can be read says of itself.
    planes : mapping of str to ImagePlane
        Channel → pixels, in order.
    """

    name: str
    map_id: str
    file: Path
    image: SiteImage | None
    planes: Mapping[str, ImagePlane] = field(default_factory=dict)


def _named(well: str, site: int) -> str:
    return f"{well} s{site}" if site else well


class PlateReading:
    """A plate as it is read: what the names of its files and a few of its images say.

    Parameters
    ----------
    plate : Plate
        Its files.
    problems : list of str
        What is missing or cannot be read is added here.
    """

    def __init__(self, plate: Plate, problems: list[str]) -> None:
        self.plate, self.problems = plate, problems
        self._opened: dict[Path, SiteImage | None] = {}
        self.times = sorted({t for files in plate.sites.values() for planes in files.values() for t, _ in planes})
        self.steps: dict[int, set[int]] = defaultdict(set)
        self.times_of: dict[int, set[int]] = defaultdict(set)
        for files in plate.sites.values():
            for wave, planes in files.items():
                self.times_of[wave] |= {t for t, _ in planes}
                self.steps[wave] |= {step for _, step in planes}
        self.channels = self._channels()
        self.depth = max((len(one.steps) for one in self.channels), default=1)
        self._tell_what_is_missing()

    def image(self, path: Path) -> SiteImage | None:
        """Give what an image says of itself, ``None`` where it cannot be read."""
        if path not in self._opened:
            try:
                self._opened[path] = read_site_image(path)
            except TileReadError as error:
                self._opened[path] = None
                self.problems.append(str(error))
        return self._opened[path]

    # --- channels of all sites ---
    def _channels(self) -> list[_Channel]:
        planes: list[_Channel] = []
        projections: list[_Channel] = []
        for wave, name in self._names().items():
            steps = tuple(sorted(step for step in self.steps[wave] if step > PROJECTION))
            other = tuple(sorted(self.steps[wave] - set(steps)))
            if not steps and NO_STEP in other:
                steps, other = (NO_STEP,), tuple(step for step in other if step != NO_STEP)
            copies, z_step = self._focus(wave, steps, other)
            if steps:
                planes.append(_Channel(name, wave, steps, z_step))
            if other and not copies:
                projections.append(_Channel(f"{name} (projection)", wave, other[-1:]))
        return planes + projections

    def _names(self) -> dict[int, str]:
        """Name the wavelengths as the plate's HTD file does, else as their images do."""
        stated = self._htd()
        names: dict[int, str] = {}
        for wave in sorted(self.steps):
            own = next((image.wave for image in self._first_images(wave)), "")
            names[wave] = (stated.waves.get(wave) if stated else "") or own or f"w{wave}"
            if own and own != names[wave] and stated:
                self.problems.append(
                    f"{stated.path}: it calls wavelength {wave} {names[wave]}, but its images say {own}; taken as "
                    f"{names[wave]}"
                )
        count = Counter(names.values())
        return {wave: name if count[name] == 1 else f"{name} (w{wave})" for wave, name in names.items()}

    def _first_images(self, wave: int) -> Iterable[SiteImage]:
        files = (file for site in self.plate.sites.values() for file in site.get(wave, {}).values())
        return (image for image in map(self.image, islice(files, _MOST_TRIED)) if image)

    def _htd(self) -> Htd | None:
        file = htd_file(self.plate.path)
        if file is None:
            return None
        try:
            stated = read_htd(file)
        except (OSError, ValueError) as error:
            self.problems.append(f"{file}: it cannot be read ({error}); names are those that images state")
            return None
        depth = max(len([step for step in steps if step > PROJECTION]) for steps in self.steps.values())
        counts = (
            ("time points", stated.times, len(self.times)),
            ("z steps", stated.steps, depth),
            ("wavelengths", stated.wavelengths, len(self.steps)),
        )
        if less := [f"{found} of {said} {what}" for what, said, found in counts if found < said]:
            self.problems.append(f"{file}: it states more than there is: files of {' and '.join(less)} are there")
        return stated

    def _focus(self, wave: int, steps: Sequence[int], other: Sequence[int]) -> tuple[bool, float | None]:
        """Say whether one image was written out for every z step, and how far the planes lie apart, µm.

        MetaXpress does so with wavelengths that were imaged in one plane only, or kept as a projection only.
        """
        if len(steps) < 2:
            return False, None
        wanted = {steps[0], steps[-1], *other}
        for files in self.plate.sites.values():
            planes = files.get(wave, {})
            t = min((t for t, _ in planes), default=0)
            if wanted <= {step for at, step in planes if at == t}:
                break
        else:
            return False, None
        found = {step: self.image(planes[t, step]) for step in wanted}
        known = {step: (image.z_um, image.acquired) for step, image in found.items() if image}
        first, last = known.get(steps[0], (None, None)), known.get(steps[-1], (None, None))
        if first[0] is None or last[0] is None:
            return False, None
        if set(known.values()) == {first} and len(known) == len(wanted):
            return True, None
        evenly = steps[-1] - steps[0] == len(steps) - 1
        apart = abs(last[0] - first[0]) / (len(steps) - 1)
        return False, round(apart, 6) if evenly and apart > 0 else None

    # --- what is missing ---
    def _tell_what_is_missing(self) -> None:
        if self.plate.doubles:
            names = listing((file.name for file in self.plate.doubles), 4)
            self.problems.append(f"{self.plate.path}: files of the same plane as another, left out: {names}")
        lost = [
            f"{_named(*key)} w{wave} (TimePoint_{t}{f', ZStep_{step}' if step != NO_STEP else ''})"
            for key, files in self.plate.sites.items()
            for wave in self.steps
            for t in sorted(self.times_of[wave])
            for step in sorted(self.steps[wave])
            if (t, step) not in files.get(wave, {})
        ]
        if lost:
            count = "1 image is" if len(lost) == 1 else f"{len(lost)} images are"
            self.problems.append(f"{self.plate.path}: {count} missing: {listing(lost, 8)}")
        for wave, times in self.times_of.items():
            if len(times) < len(self.times):
                said = listing(map(str, sorted(times)), 4)
                self.problems.append(f"{self.plate.path}: wavelength {wave} was imaged at time point {said} only")

    # --- sites ---
    def sites(self, label: str) -> list[Site]:
        """Give the plate's sites; the first image of each that can be read says where it lies."""
        made = []
        for (well, number), files in self.plate.sites.items():
            paths = [file for planes in files.values() for file in planes.values()]
            image = next((image for image in map(self.image, paths[:_MOST_TRIED]) if image), None)
            if image and image.fault:
                self.problems.append(f"{paths[0]}: {image.fault}; its pixel size counts as unknown")
            before = f"{label} " if label else ""
            planes = {one.name: plane for one in self.channels if (plane := self._plane(files, one))}
            made.append(Site(before + _named(well, number), before + well, paths[0], image, planes))
        return made

    def _plane(self, files: Files, channel: _Channel) -> SitePlane | None:
        """Give a channel of a site; one of a single z step stands for each."""
        own = files.get(channel.wave, {})
        steps = channel.steps * self.depth if len(channel.steps) == 1 else channel.steps
        images = {path: open_image(path) for (_, step), path in own.items() if step in steps}
        there = tuple(
            ((t, z), images[own[time, step]])
            for t, time in enumerate(self.times)
            for z, step in enumerate(steps)
            if (time, step) in own
        )
        if not there:
            return None
        path = next(iter(images)) if len(images) == 1 else self.plate.path
        series = FileSeries(path, there, len(self.times), self.depth, channel.z_step_um, name=channel.name)
        return SitePlane(series)
