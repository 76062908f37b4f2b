"""FOVs by name, each made when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from ..fov import Fov


class FovMaker(Protocol):
    """Makes FOVs by their number; it is pickled where a table is."""

    def fov(self, number: int) -> Fov:
        """Make a FOV."""

    def distinct(self) -> Sequence[int]:
        """List FOVs that together have every channel, mask, annotation and pixel size that any of them has."""


class FovTable(Mapping[str, Fov]):
    """The FOVs of an acquisition of very many; one that was made stays, with what was read of its files.

    Parameters
    ----------
    names : sequence of str
        All different, in order.
    maker : FovMaker
        Makes the FOV of each number.
    """

    def __init__(self, names: Sequence[str], maker: FovMaker) -> None:
        self._numbers = dict(zip(names, range(len(names)), strict=True))
        self._maker = maker
        self._made: dict[str, Fov] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return FovTable, (list(self._numbers), self._maker)

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __contains__(self, name: object) -> bool:
        return name in self._numbers

    def __getitem__(self, name: str) -> Fov:
        found = self._made.get(name)
        # where two threads ask at once, both get the one that was first
        return self._made.setdefault(name, self._maker.fov(self._numbers[name])) if found is None else found

    def distinct(self) -> list[Fov]:
        """Give FOVs that together have every channel, mask, annotation and pixel size that any of them has."""
        names = list(self._numbers)
        return [self[names[number]] for number in self._maker.distinct()]
