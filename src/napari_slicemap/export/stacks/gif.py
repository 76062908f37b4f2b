"""Animated GIFs of stacks."""

from __future__ import annotations

import logging
from pathlib import Path

from ...files import atomic_path
from ...images.stack.image_stack import ImageStack
from ..movies.gif_encoder import encode_gif
from ..movies.timing import delays_ms
from .bundles import stack_stem
from .figures import Limit, stack_frames


def export_gif(
    stack: ImageStack,
    make_gif: bool = True,
    output_folder: str | Path = "output",
    output_name: str | None = None,
    scale_bar_nm: float = 100,
    zmin: Limit = "auto",
    zmax: Limit = "auto",
    draw_ts: bool = True,
    *,
    fps: float | None = None,
    cmap: str = "afmhot",
    speed: float = 1.0,
    layer: str | None = None,
    raw: bool = False,
) -> Path | None:
    """Write a stack as ``<name>.gif``, or ``<name>_filtered.gif`` if it was processed.

    The file appears only once it is complete. What was asked for and cannot be drawn or shown (a scale bar longer
    than the frame, frames shorter than viewers show) is logged as a warning of ``napari_slicemap``.

    Parameters
    ----------
    stack : ImageStack
        Its data are shown, as they are after the last step.
    make_gif : bool
        ``False`` does nothing.
    output_folder : path-like
        Made if need be.
    output_name : str, optional
        By default that of the stack. Dots in it are kept; signs that not every file system takes become ``_``.
    scale_bar_nm : float
        Length of the scale bar, nm; 0 draws none.
    zmin, zmax : float or str
        The values of the first and the last colour: numbers, ``"auto"`` (least or greatest finite value of the stack)
        or a percentile such as ``"p1"`` and ``"p99"``. What is not finite is drawn as the lowest.
    draw_ts : bool
        Write the time of each frame into it; a frame without a time shows its number.
    fps : float, optional
        Frames per second. By default each frame lasts as long as it did, divided by `speed`, and the last one as long
        as the one before.
    cmap : str
        Colour map.
    speed : float
        How many times faster than it happened; of no effect with `fps`.
    layer : str, optional
        Name of a processed layer to show instead of the data.
    raw : bool
        Show the stack as it was before it was processed.

    Returns
    -------
    Path or None
        The file; ``None`` if none was asked for.

    Raises
    ------
    StackError
        If there is no `fps` and frames have no times or these do not increase; if limits, scale bar, `fps` or `speed`
        are not as stated; if `raw` frames were not kept.
    UnknownNameError
        If there is no such layer or colour map.
    ValueError
        If frames are too large, or last too long, for GIF.
    TypeError
        If `output_folder` is no path.
    """
    if not make_gif:
        return None
    shown = stack.raw() if raw else stack
    stem = stack_stem(shown.name if output_name is None else output_name, filtered=shown.is_processed)
    target = Path(output_folder) / f"{stem}.gif"
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary:
        warnings = write_stack_gif(
            temporary, shown, scale_bar_nm=scale_bar_nm, zmin=zmin, zmax=zmax, draw_ts=draw_ts, fps=fps, cmap=cmap,
            speed=speed, layer=layer,
        )  # fmt: skip
    for warning in warnings:
        logging.getLogger("napari_slicemap").warning("%s: %s", target, warning)
    return target


def write_stack_gif(
    path: Path,
    stack: ImageStack,
    *,
    scale_bar_nm: float = 100,
    zmin: Limit = "auto",
    zmax: Limit = "auto",
    draw_ts: bool = True,
    fps: float | None = None,
    cmap: str = "afmhot",
    speed: float = 1.0,
    layer: str | None = None,
    comment: str = "",
) -> tuple[str, ...]:
    """Write a stack as GIF to a path that is written over; parameters and errors are those of :func:`export_gif`.

    Parameters
    ----------
    path : Path
        An existing or new file.
    stack : ImageStack
        What to show.
    scale_bar_nm, zmin, zmax, draw_ts, fps, cmap, speed, layer
        See :func:`export_gif`.
    comment : str
        Text to embed.

    Returns
    -------
    tuple of str
        What was asked for and cannot be drawn or shown.
    """
    delays = delays_ms(stack.times_s, str(stack), fps, speed)
    frames = stack_frames(
        stack, scale_bar_nm=scale_bar_nm, zmin=zmin, zmax=zmax, draw_ts=draw_ts, cmap=cmap, layer=layer
    )
    with path.open("wb") as stream:
        short = encode_gif(stream, frames, delays, comment=comment)
    return (*frames.warnings, *([short] if short else []))
