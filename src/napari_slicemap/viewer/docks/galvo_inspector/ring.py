"""Where the return lies among the A-lines, which are a ring: the band may go on from the last one to the first."""

from __future__ import annotations


def band_start(lines: int, n_extra: int, shift: int) -> int:
    """Give the first A-line of the band that a shift puts at the end.

    Parameters
    ----------
    lines, n_extra : int
        A-lines of a whole tile, and of the return within.
    shift : int
        A-lines to roll by; any whole number.
    """
    return (lines - n_extra - shift) % lines


def shift_at(lines: int, n_extra: int, start: int) -> int:
    """Give the shift, from 0 to ``lines - 1``, that puts a band from A-line `start` on at the end."""
    return (lines - n_extra - start) % lines


def band_pieces(lines: int, n_extra: int, shift: int) -> tuple[tuple[int, int], ...]:
    """Give the band as pairs of its first A-line and the one after its last: two where it goes over the end.

    Parameters
    ----------
    lines, n_extra, shift : int
        As in :func:`band_start`.
    """
    start = band_start(lines, n_extra, shift)
    stop = start + n_extra
    return ((start, stop),) if stop <= lines else ((start, lines), (0, stop - lines))


def band_edges(lines: int, n_extra: int, shift: int) -> tuple[int, int]:
    """Give the A-line that the band begins with, and the one after its end, from 0 to `lines`."""
    pieces = band_pieces(lines, n_extra, shift)
    return pieces[0][0], pieces[-1][1]


def is_near(shift: int, other: int, lines: int) -> bool:
    """Say whether two shifts stand for one place, as the detection has it: at most one A-line apart on the ring."""
    apart = abs(shift - other) % lines
    return min(apart, lines - apart) <= 1
