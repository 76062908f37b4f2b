"""Processing of stacks: a list of steps, from text, a file or Python, and what does them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pydantic
from pydantic import Field

from ...errors import FileFormatError, PlanError, StackError, UnknownNameError, listing
from ...files import FileModel, explain, read_json, read_toml
from .history import extended, key_of, mask_in_effect, next_index, step_record
from .image_stack import RAW, ImageStack
from .steps import Step, find_step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .steps import Apply


class ProcessingStep(FileModel):
    """A step with its settings.

    Parameters
    ----------
    name : str
        Of a step, see :func:`~napari_slicemap.images.stack.steps.steps`.
    params : dict
        Parameter → value; those left out have their defaults.
    """

    name: str
    params: dict[str, Any] = Field(default_factory=dict)


class _ProcessingFile(FileModel):
    version: Literal[1] = 1
    steps: list[ProcessingStep]


@dataclass(frozen=True)
class Progress:
    """How far the processing of a stack is.

    Parameters
    ----------
    step : int
        Number of the step as recorded.
    name : str
        Its name.
    frame, frames : int
        Frames done of this step, and how many there are.
    place, steps : int
        Place of this step among those asked for, from 1, and how many there are.
    """

    step: int
    name: str
    frame: int
    frames: int
    place: int
    steps: int


# --- what is asked for --------------------------------------------------------------------------------------------
def parse_processing(text: str) -> list[ProcessingStep]:
    """Read steps from text such as ``remove_plane; gaussian_filter:sigma=2.0; mask_mean_offset:factor=1,side=above``.

    Parameters
    ----------
    text : str
        Steps are separated by ``;`` or line breaks, parameters follow ``:`` and are separated by ``,``.

    Returns
    -------
    list of ProcessingStep
        Checked: each step and parameter exists, and each value fits.

    Raises
    ------
    PlanError
        Naming every step and parameter that is wrong, and what there is.
    """
    faults: list[str] = []
    asked: list[ProcessingStep] = []
    for part in text.replace("\n", ";").split(";"):
        name, _, settings = (word.strip() for word in part.partition(":"))
        if not name and settings:
            faults.append(f"processing step {part.strip()!r} has no name")
        elif name:
            asked.append(ProcessingStep(name=name, params=_settings(name, settings, faults)))
    if not asked and not faults:
        faults.append("no processing step is given; expected such as 'remove_plane; gaussian_filter:sigma=2.0'")
    faults += _faults(asked)
    if faults:
        raise PlanError(faults)
    return asked


def _settings(step: str, text: str, faults: list[str]) -> dict[str, str]:
    made: dict[str, str] = {}
    for pair in filter(None, (pair.strip() for pair in text.split(","))):
        name, equals, value = (word.strip() for word in pair.partition("="))
        if not (name and equals and value):
            faults.append(f"processing step {step}: {pair!r} is no parameter; expected name=value")
        elif name in made:
            faults.append(f"processing step {step}: parameter {name} stands twice")
        else:
            made[name] = value
    return made


def read_processing(path: str | os.PathLike[str]) -> list[ProcessingStep]:
    """Read steps from a TOML or JSON file: ``version = 1`` and ``steps``, each with ``name`` and ``params``.

    Parameters
    ----------
    path : path-like
        Ends in ``.toml`` or ``.json``.

    Returns
    -------
    list of ProcessingStep
        Checked, as by :func:`parse_processing`.

    Raises
    ------
    FileFormatError
        If the file is neither, holds unknown keys, or no steps.
    PlanError
        Naming every step and parameter that is wrong.
    FileNotFoundError
        If there is no such file.
    """
    readers = {".toml": read_toml, ".json": read_json}
    reader = readers.get(Path(path).suffix.lower())
    if reader is None:
        raise FileFormatError(f"{path}: processing steps are read from {listing(readers)} files")
    asked = _ProcessingFile.from_data(reader(path), path).steps
    if not asked:
        raise FileFormatError(f"{path}: steps is empty, expected at least one processing step")
    if faults := _faults(asked):
        raise PlanError([f"{path}: {fault}" for fault in faults])
    return asked


def check_steps(asked: Sequence[ProcessingStep]) -> None:
    """See that each step and parameter exists, and that each value fits.

    Raises
    ------
    PlanError
        Naming every step and parameter that is wrong, and what there is.
    """
    if faults := _faults(asked):
        raise PlanError(faults)


def _faults(asked: Sequence[ProcessingStep]) -> list[str]:
    made = []
    for one in asked:
        try:
            _resolved(one)
        except PlanError as error:
            made += error.faults
    return made


def _resolved(asked: ProcessingStep) -> tuple[Step, FileModel]:
    """Give the step that is asked for and its settings, validated."""
    try:
        step = find_step(asked.name)
    except UnknownNameError as error:
        raise PlanError([str(error)]) from None
    known = step.Parameters.model_fields
    if unknown := [name for name in asked.params if name not in known]:
        there = f"there is {listing(known)}" if known else "it has none"
        raise PlanError([f"processing step {step.name}: unknown parameter {name!r} ({there})" for name in unknown])
    try:
        return step, step.Parameters.model_validate(asked.params)
    except pydantic.ValidationError as error:
        raise PlanError([f"processing step {step.name}: {explain(error, step.Parameters)}"]) from None


# --- doing it -----------------------------------------------------------------------------------------------------
def apply_steps(
    stack: ImageStack,
    steps: str | Sequence[ProcessingStep],
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> ImageStack:
    """Process the frames of a stack.

    Each filter step works on what the one before it gave. Masks add up and hold until ``clear``, from one call to the
    next as well: px in them are left out where ``remove_plane``, ``polynomial_flatten``, ``row_median_align``,
    ``zero_mean`` and ``zero_median`` measure, but are changed with the rest. What is not finite is never measured and
    stays as it is. Where masks leave a row or frame nothing to measure on, it is left as before, and ``notes`` of the
    step's record say so.

    Parameters
    ----------
    stack : ImageStack
        Its arrays are not changed; the new stack shares those that stay. No steps at all give it back.
    steps : str or sequence of ProcessingStep
        As text for :func:`parse_processing`, or a list.
    on_progress : callable, optional
        Told after each frame of each step.

    Returns
    -------
    ImageStack
        ``data`` is what the last filter gave, float32 (float64 if the data were): ``(T, H, W)``. ``processed`` holds
        ``raw``, the data before the first step ever, and each filter's result as ``step_<n>_<name>``; ``masks`` holds
        the px left out from each mask step on, under the same kind of name. n counts all steps, those recorded before
        included. ``provenance["processing"]["steps"]`` has one more record for each step, without the time it was done
        at: the same steps on the same data give the same provenance, and the same bytes in a file.

    Raises
    ------
    PlanError
        If a step or parameter is wrong; all of them are listed.
    StackError
        If the stack has a mask in effect that is of other frames than its data.
    """
    asked = parse_processing(steps) if isinstance(steps, str) else list(steps)
    check_steps(asked)
    done = stack
    if asked and not stack.is_processed and not stack.steps:
        done = replace(stack, processed={RAW: stack.data, **stack.processed})
    for place, one in enumerate(asked, start=1):
        tell = partial(_tell, on_progress, next_index(done), one.name, len(stack.data), (place, len(asked)))
        done = _applied(done, *_resolved(one), tell)
    return done


def _tell(
    on_progress: Callable[[Progress], None] | None,
    index: int,
    name: str,
    frames: int,
    place: tuple[int, int],
    done: int,
) -> None:
    if on_progress is not None:
        on_progress(Progress(index, name, done, frames, *place))


def _applied(stack: ImageStack, step: Step, parameters: FileModel, tell: Callable[[int], None]) -> ImageStack:
    """Do one step, and record it."""
    index = next_index(stack)
    if step.apply is None:
        tell(len(stack.data))
        return replace(stack, provenance=extended(stack, step_record(index, step, parameters, None, [])))
    key = key_of(index, step)
    mask = _mask(stack)
    notes: list[tuple[int, str]] = []
    if step.step_type == "mask":
        found = np.empty(stack.data.shape, np.bool_)
        _each_frame(step.apply, parameters, stack.data, None, found, notes, tell)
        result: NDArray[Any] = found if mask is None else found | mask
        changed: dict[str, Any] = {"masks": {**stack.masks, key: result}}
    else:
        result = np.empty(stack.data.shape, _result_dtype(stack.data.dtype))
        _each_frame(step.apply, parameters, stack.data, mask, result, notes, tell)
        changed = {"data": result, "processed": {**stack.processed, key: result}}
    record = step_record(index, step, parameters, result, notes)
    return replace(stack, **changed, provenance=extended(stack, record))


def _mask(stack: ImageStack) -> NDArray[np.bool_] | None:
    """Give the mask that holds for the next step."""
    name = mask_in_effect(stack)
    if not name:
        return None
    mask = stack.masks[name]
    if mask.shape != stack.data.shape:
        raise StackError(
            f"{stack}: mask {name!r} is {mask.shape}, the data are {stack.data.shape} by now; begin with the step clear"
        )
    return mask


def _result_dtype(dtype: np.dtype[Any]) -> type[np.floating[Any]]:
    return np.float64 if dtype.kind == "f" and dtype.itemsize >= 8 else np.float32


def _each_frame(
    apply: Apply,
    parameters: FileModel,
    data: NDArray[Any],
    mask: NDArray[np.bool_] | None,
    out: NDArray[Any],
    notes: list[tuple[int, str]],
    tell: Callable[[int], None],
) -> None:
    """Do a step to one frame after another, so that little more than a frame is held beside the result."""
    for number, frame in enumerate(data):
        values = frame.astype(np.float64)
        usable = np.isfinite(values)
        if mask is not None:
            usable &= ~mask[number]
        told: list[str] = []
        out[number] = apply(values, usable, parameters, told.append)
        notes.extend((number, text) for text in told)
        tell(number + 1)
