"""The record of processing steps that a stack carries.

It says what was done and by which versions, never when: a stack that is processed again in the same way is written
to the same bytes. When each step was done stands in the sidecar that ``slicemap process`` writes beside an output.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import listing
from .steps import Step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...files import FileModel
    from .image_stack import ImageStack

_NUMBERED = re.compile(r"step_(\d+)_")


@cache
def software() -> dict[str, str]:
    """Give the versions of Python and of the libraries that compute the steps."""
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in ("napari-slicemap", "numpy", "scipy")},
    }


def next_index(stack: ImageStack) -> int:
    """Give the number of the next step: one more than any that is recorded, or in the name of a layer or mask."""
    recorded = [record.get("index") for record in _records(stack)]
    numbers = [number for number in recorded if isinstance(number, int)]
    numbers += [int(found[1]) for name in (*stack.processed, *stack.masks) if (found := _NUMBERED.match(name))]
    return 1 + max([len(recorded), *numbers])


def mask_in_effect(stack: ImageStack) -> str:
    """Give the name of the mask that the last mask step left, ``""`` if there is none or it was cleared."""
    for record in reversed(_records(stack)):
        if record.get("step_type") == "clear":
            return ""
        if record.get("mask_key") in stack.masks:
            return str(record["mask_key"])
    return ""


def _records(stack: ImageStack) -> list[Mapping[str, Any]]:
    return [record for record in stack.steps if isinstance(record, Mapping)]


def step_record(
    index: int,
    step: Step,
    parameters: FileModel,
    result: NDArray[Any] | None,
    notes: Sequence[tuple[int, str]],
) -> dict[str, Any]:
    """Describe a step that was done.

    Parameters
    ----------
    index : int
        Its number, from 1.
    step : Step
        What was done.
    parameters : FileModel
        With these settings, those not given included.
    result : ndarray, (T, H, W), or None
        What it gave; ``None`` for ``clear``.
    notes : sequence of (int, str)
        Frame and what could not be done there.

    Returns
    -------
    dict
        ``index``, ``name``, ``params``, ``step_type``, ``version``, ``package``; of a filter ``processed_key`` and
        ``output_summary``, of a mask step ``mask_key`` and ``mask_summary``; ``notes`` only where there are any.
    """
    made: dict[str, Any] = {
        "index": index,
        "name": step.name,
        "params": parameters.model_dump(mode="json"),
        "step_type": step.step_type,
        "version": version(step.package),
        "package": step.package,
    }
    if result is None:
        made["mask_cleared"] = True
    elif step.step_type == "mask":
        made |= {"mask_key": key_of(index, step), "mask_summary": _summary(result)}
    else:
        made |= {"processed_key": key_of(index, step), "output_summary": _summary(result)}
    return made | ({"notes": gathered(notes)} if notes else {})


def key_of(index: int, step: Step) -> str:
    """Give the name of the layer or mask that a step makes: ``step_<n>_<name>``."""
    return f"step_{index}_{step.name}"


def _summary(result: NDArray[Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"shape": list(result.shape), "dtype": str(result.dtype)}
    if result.dtype == np.bool_:
        return made | {"masked_px": int(result.sum())}
    finite = [frame[np.isfinite(frame)] for frame in result]
    held = [frame for frame in finite if frame.size]
    return made | {
        "minimum": min((float(frame.min()) for frame in held), default=None),
        "maximum": max((float(frame.max()) for frame in held), default=None),
    }


def gathered(notes: Iterable[tuple[int, str]]) -> list[str]:
    """Say each note once, with the frames that it is about."""
    frames: dict[str, list[int]] = {}
    for frame, text in notes:
        frames.setdefault(text, []).append(frame)
    return [f"frame{'s' * (len(some) > 1)} {listing(map(str, some))}: {text}" for text, some in frames.items()]


def extended(stack: ImageStack, record: Mapping[str, Any]) -> dict[str, Any]:
    """Give the provenance of `stack` with a record after those that it has; what else it holds stays."""
    before = stack.provenance.get("processing")
    records = [*stack.steps, record]
    keys: dict[str, list[str]] = {}
    for one in records:
        if isinstance(one, Mapping) and (key := one.get("processed_key") or one.get("mask_key")):
            keys.setdefault(str(one.get("name")), []).append(str(key))
    return {
        **stack.provenance,
        "processing": {
            "input": {"name": stack.name, "channel": stack.channel, "frames": len(stack.data)},
            **(before if isinstance(before, Mapping) else {}),
            "steps": records,
            "keys_by_name": keys,
            "software": software(),
        },
    }
