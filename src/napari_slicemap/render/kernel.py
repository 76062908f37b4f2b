"""The compiled inner loops behind :mod:`.engine`. Importing this module imports numba.

Each loop works on plain contiguous arrays, releases the GIL and runs in one thread: callers cut their work into
blocks and run those in threads of their own. What a loop computes for a pixel does not depend on where in the array
that pixel lies. `contract` is the only liberty taken with floating point, since NaN and infinities are real data.

Machine code is kept on disk beside this file (or in the user's cache folder), one version for each dtype in use.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, from_dtype, njit, types
from numba.extending import intrinsic

_OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}

_BLOCK = 1024
"""Pixels worked on at once: few enough that all their intermediate values stay in the first-level cache."""
_MASKED_BLOCK = 4096
"""Pixels made at once where not all of them are wanted."""
_ROW = _BLOCK + 48
"""Distance between intermediate rows, float32: a multiple of 64 bytes, and none of 4096, which would make the
processor take a load for one that depends on an earlier store."""
_CHANNELS = 4
"""Channels mixed in one go, so that sums stay in registers."""
_RED, _GREEN, _BLUE, _MADE = (
    _CHANNELS * _ROW,
    (_CHANNELS + 1) * _ROW,
    (_CHANNELS + 2) * _ROW,
    (_CHANNELS + 3) * _ROW,
)
_SECOND, _THIRD, _FOURTH = _ROW, 2 * _ROW, 3 * _ROW
_SCRATCH = (_CHANNELS + 4) * _ROW

_ZERO, _ONE, _FULL = np.float32(0), np.float32(1), np.float32(255)
_HEADROOM_BITS = np.float32(100)
HEADROOM = 2.0**100
"""What a channel with a gamma is scaled to instead of 1: a low gamma lifts values that float32 has no numbers for."""
GAMMAS = 0.05, 50.0
"""Those that the compiled loop takes. Below, the power of 0 would not be dark, which counts as 2 ** -227 so as to need
no case of its own; above, float32 loses too much of the logarithm."""

_ROWS_AT_ONCE = 32768
"""Rows of 16-bit pixels whose sum an int32 can hold."""


_READY: dict[tuple[Any, ...], Callable[..., Any]] = {}
_COMPILING = threading.Lock()


def _jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a helper together with whatever calls it."""
    made: Callable[..., Any] = njit(**_OPTIONS)(function)
    return made


def _inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a helper anew into each place it is called from, where some of its arguments are constants."""
    made: Callable[..., Any] = njit(forceinline=True, **_OPTIONS)(function)
    return made


def _compiled(function: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
    """Compile for one signature, or load what an earlier process compiled; once, whichever thread comes first.

    With the signature fixed, arrays that cannot be written to are taken as well, at no second compilation.
    """
    key = (function, *arguments)
    if key not in _READY:
        with _COMPILING:
            if key not in _READY:
                _READY[key] = _compile(function, types.void(*arguments))
    return _READY[key]


def _compile(function: Callable[..., Any], signature: Any) -> Callable[..., Any]:
    try:
        made: Callable[..., Any] = njit(signature, cache=True, **_OPTIONS)(function)
    except RuntimeError:  # nowhere to keep machine code: neither here nor in the user's cache folder
        made = njit(signature, **_OPTIONS)(function)
    return made


def _array(dtype: Any, ndim: int, *, writable: bool = False) -> Any:
    return types.Array(from_dtype(np.dtype(dtype)), ndim, "C", readonly=not writable)


# --- compositing -----------------------------------------------------------------------------------------------


@intrinsic
def _prefetch(_context: Any, array: Any, index: Any) -> Any:  # noqa: ARG001
    """Ask for an element of a 1-D array to be brought into the second-level cache; it may lie beyond the end."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
        to_read, second_level, is_data = number(0), number(2), number(1)
        builder.call(
            builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind),
            [address, to_read, second_level, is_data],
        )
        return context.get_dummy_value()

    return types.void(array, types.int64), code


@intrinsic
def _pointer(_context: Any, like: Any, address: Any) -> Any:
    """See an address as that of numbers of an array's dtype."""
    made = types.CPointer(like.dtype)

    def code(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[1], context.get_value_type(made))

    return made(like, address), code


@_jit
def _row_at(like, address, pitch, y, x, n):  # type: ignore[no-untyped-def]
    """Give `n` px of a row of a plane that begins at an address and whose rows lie `pitch` px apart."""
    return carray(_pointer(like, address + (y * pitch + x) * like.itemsize), (n,))


@_jit
def _fetch_ahead(row):  # type: ignore[no-untyped-def]
    """Fetch what follows a row meanwhile: reading and computing would else take turns."""
    for i in range(row.size, 2 * row.size, 64 // row.itemsize):
        _prefetch(row, i)


@_jit
def _normalise(made, values, limits):  # type: ignore[no-untyped-def]
    """Give ``clip((v − lo) · scale + shift, 0, top)``; the order of comparisons takes NaN to 0."""
    low, scale, shift, top = limits[0], limits[1], limits[2], limits[3]
    zero = limits.dtype.type(0)
    for i in range(made.size):
        scaled = (limits.dtype.type(values[i]) - low) * scale + shift
        scaled = scaled if scaled > zero else zero
        made[i] = np.float32(scaled if scaled < top else top)


@_jit
def _power(n, gamma):  # type: ignore[no-untyped-def]
    """Raise ``n / HEADROOM`` to a power in place, as ``2 ** (gamma · log2 n)``.

    Range reduction by the bits of the float. The polynomials were fitted for the least relative error (reweighted
    least squares): ``log2(1 + f) / f`` over 1 + f = √½…√2 to 3.6e-4, ``(2 ** r − 1) / r`` over r = ±½ to 1.1e-4 of
    2 ** r. Since n ** g · g · |ln n| is at most 1/e, the error of the result is below 2.4e-4, a sixteenth of a step of
    8 bits; it is 0 at n = 1.
    """
    shift = gamma * _HEADROOM_BITS
    magic = np.float32(1.5 * 2**23)  # adding it rounds to a whole number, found in the low bits
    for i in range(n.size):
        x = np.float32(n[i])
        bits = x.view(np.int32)
        exponent = np.int32(np.int32(bits - np.int32(0x3F3504F3)) >> np.int32(23))
        f = np.int32(bits - np.int32(exponent << np.int32(23))).view(np.float32) - _ONE
        p = np.float32(-0.32776751)
        p = p * f + np.float32(0.51126503)
        p = p * f + np.float32(-0.72429634)
        p = p * f + np.float32(1.44227067)
        t = gamma * (p * f + np.float32(exponent)) - shift
        t = t if t > np.float32(-126) else np.float32(-126)
        whole = np.float32(t + magic)
        r = t - (whole - magic)
        q = np.float32(0.05500816)
        q = q * r + np.float32(0.24221027)
        q = q * r + np.float32(0.69328293)
        q = np.float32(q * r + _ONE)
        n[i] = np.int32(q.view(np.int32) + np.int32(whole.view(np.int32) << np.int32(23))).view(np.float32)


@_jit
def _mixed(scratch, i, weights, colour):  # type: ignore[no-untyped-def]
    """Sum four channels for one colour."""
    return (
        scratch[i] * weights[0, colour]
        + scratch[_SECOND + i] * weights[1, colour]
        + scratch[_THIRD + i] * weights[2, colour]
        + scratch[_FOURTH + i] * weights[3, colour]
    )


@_jit
def _add(scratch, n, weights):  # type: ignore[no-untyped-def]
    """Add four channels to the sums."""
    for i in range(n):
        scratch[_RED + i] += _mixed(scratch, i, weights, 0)
        scratch[_GREEN + i] += _mixed(scratch, i, weights, 1)
        scratch[_BLUE + i] += _mixed(scratch, i, weights, 2)


@_jit
def _byte(value):  # type: ignore[no-untyped-def]
    """Round 0–255 to the nearest, half to even, and leave it in the lowest byte (with 0x4B in the highest)."""
    value = value if value < _FULL else _FULL
    return np.float32(value + np.float32(2**23)).view(np.uint32)


@_jit
def _pixel(red, green, blue):  # type: ignore[no-untyped-def]
    shifted = np.uint32(_byte(green) << np.uint32(8)) | np.uint32(_byte(blue) << np.uint32(16))
    return _byte(red) | shifted | np.uint32(0xFF000000)


@_jit
def _pack(canvas, scratch, weights):  # type: ignore[no-untyped-def]
    """Add the last four channels to the sums, and make pixels of them."""
    for i in range(canvas.size):
        canvas[i] = _pixel(
            scratch[_RED + i] + _mixed(scratch, i, weights, 0),
            scratch[_GREEN + i] + _mixed(scratch, i, weights, 1),
            scratch[_BLUE + i] + _mixed(scratch, i, weights, 2),
        )


@_jit
def _copy_covered(canvas, made, covered):  # type: ignore[no-untyped-def]
    for i in range(canvas.size):
        if covered[i]:
            canvas[i] = made[i]


@_jit
def _aligned(size):  # type: ignore[no-untyped-def]
    """Allocate float32 zeros at a multiple of 64 bytes: stores that cross cache lines cost twice."""
    room = np.zeros(size + 16, np.float32)
    skip = (64 - room.ctypes.data % 64) % 64 // 4
    return room[skip : skip + size]


def _composite(canvas, pitch, like, pieces, addresses, pitches, limits, gammas, weights, covered):  # type: ignore[no-untyped-def]
    scratch = _aligned(_SCRATCH)
    made = scratch[_MADE:].view(np.uint32)
    last = weights.shape[0] - _CHANNELS
    for p in range(pieces.shape[0]):
        start, height, width = pieces[p, 0], pieces[p, 1], pieces[p, 2]
        for y in range(height):
            for x in range(0, width, _BLOCK):
                n, to, at = min(_BLOCK, width - x), start + y * pitch + x, y * width + x
                if last > 0:
                    scratch[_RED:_MADE] = 0
                for group in range(0, last + 1, _CHANNELS):
                    for k in range(group, min(group + _CHANNELS, gammas.size)):
                        channel = scratch[(k - group) * _ROW : (k - group) * _ROW + n]
                        row = _row_at(like, addresses[p, k], pitches[p, k], y, x, n)
                        _fetch_ahead(row)
                        _normalise(channel, row, limits[k])
                        if gammas[k] != _ONE:
                            _power(channel, gammas[k])
                    if group < last:
                        _add(scratch, n, weights[group : group + _CHANNELS])
                if covered.size > 0:
                    _pack(made[:n], scratch, weights[last:])
                    _copy_covered(canvas[to : to + n], made[:n], covered[at : at + n])
                else:
                    _pack(canvas[to : to + n], scratch, weights[last:])


def composite_rows(dtype: Any, limits: Any) -> Callable[..., None]:
    """Give the compositor of a dtype of pixels and one of limits (float32 or float64), for any channels.

    It is called with ``canvas`` (uint32, 1-D, from its first pixel to its last), ``pitch`` (px between its rows),
    ``like`` (any array of that dtype), ``pieces`` (int64 (P, 3): where on the canvas each begins, height, width, px),
    ``addresses`` and ``pitches`` (int64 (P, K): where in memory each plane's part of a piece begins, and how many px
    lie between its rows), ``limits`` ((K, 4): lo, scale, shift, top), ``gammas`` (float32 (K,), 1 for none),
    ``weights`` (float32 (K', 3): 255 · colour, K' being the next multiple of 4 above 0, padded with 0), ``covered``
    (bool, 1-D, of the only piece; empty for all). Whoever calls keeps the memory at the addresses alive.
    """
    return _compiled(_composite, *_signature(dtype, limits))


def _signature(dtype: Any, limits: Any) -> tuple[Any, ...]:
    return (
        *(_array(np.uint32, 1, writable=True), types.int64, _array(dtype, 1)),
        *(_array(np.int64, 2), _array(np.int64, 2), _array(np.int64, 2), _array(limits, 2)),
        *(_array(np.float32, 1), _array(np.float32, 2), _array(np.bool_, 1)),
    )


LINEAR_CHANNELS = 5
"""The most channels that :func:`composite_linear` takes."""


@intrinsic
def _as_type_of(_context: Any, one: Any, value: Any) -> Any:
    """Cast a number to the type of another."""

    def code(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return context.cast(builder, arguments[1], value, one)

    return one(one, value), code


@_inlined
def _scaled(value, limits):  # type: ignore[no-untyped-def]
    """Give ``clip((v − lo) · scale + shift, 0, top)`` as float32; see :func:`_normalise`."""
    low, scale, shift, top = limits
    scaled = (_as_type_of(low, value) - low) * scale + shift
    scaled = scaled if scaled > _as_type_of(low, 0) else _as_type_of(low, 0)
    return np.float32(scaled if scaled < top else top)


@_inlined
def _row_of(table, k):  # type: ignore[no-untyped-def]
    """Read limits or weights once, before a loop whose stores could change them for all the compiler knows."""
    return table[k, 0], table[k, 1], table[k, 2], table[k, 3]


@_inlined
def _colour_of(table, k):  # type: ignore[no-untyped-def]
    return table[k, 0], table[k, 1], table[k, 2]


@_inlined
def _linear(canvas, rows, limits, weights, count):  # type: ignore[no-untyped-def]
    """Make pixels of 1, 3 or 5 channels, all in registers; the compiler drops what `count` leaves out."""
    a, b, c, d, e = rows
    second, third = (1, 2) if count > 1 else (0, 0)
    fourth, fifth = (3, 4) if count > 3 else (0, 0)
    la, lb, lc = _row_of(limits, 0), _row_of(limits, second), _row_of(limits, third)
    ld, le = _row_of(limits, fourth), _row_of(limits, fifth)
    wa, wb, wc = _colour_of(weights, 0), _colour_of(weights, second), _colour_of(weights, third)
    wd, we = _colour_of(weights, fourth), _colour_of(weights, fifth)
    for i in range(canvas.size):
        v = _scaled(a[i], la)
        red, green, blue = v * wa[0], v * wa[1], v * wa[2]
        if count > 1:
            v = _scaled(b[i], lb)
            red, green, blue = red + v * wb[0], green + v * wb[1], blue + v * wb[2]
            v = _scaled(c[i], lc)
            red, green, blue = red + v * wc[0], green + v * wc[1], blue + v * wc[2]
        if count > 3:
            v = _scaled(d[i], ld)
            red, green, blue = red + v * wd[0], green + v * wd[1], blue + v * wd[2]
            v = _scaled(e[i], le)
            red, green, blue = red + v * we[0], green + v * we[1], blue + v * we[2]
        canvas[i] = _pixel(red, green, blue)


@_inlined
def _rows_of(like, addresses, pitches, y, x, n, count):  # type: ignore[no-untyped-def]
    second, third = (1, 2) if count > 1 else (0, 0)
    fourth, fifth = (3, 4) if count > 3 else (0, 0)
    return (
        _row_at(like, addresses[0], pitches[0], y, x, n),
        _row_at(like, addresses[second], pitches[second], y, x, n),
        _row_at(like, addresses[third], pitches[third], y, x, n),
        _row_at(like, addresses[fourth], pitches[fourth], y, x, n),
        _row_at(like, addresses[fifth], pitches[fifth], y, x, n),
    )


@_jit
def _linear_row(canvas, like, addresses, pitches, y, x, limits, weights):  # type: ignore[no-untyped-def]
    n = canvas.size
    if addresses.size == 1:
        _linear(canvas, _rows_of(like, addresses, pitches, y, x, n, 1), limits, weights, 1)
    elif addresses.size == 3:
        _linear(canvas, _rows_of(like, addresses, pitches, y, x, n, 3), limits, weights, 3)
    else:
        _linear(canvas, _rows_of(like, addresses, pitches, y, x, n, 5), limits, weights, 5)


def _composite_linear(canvas, pitch, like, pieces, addresses, pitches, limits, gammas, weights, covered):  # type: ignore[no-untyped-def]  # noqa: ARG001
    made = np.empty(_MASKED_BLOCK, np.uint32)
    for p in range(pieces.shape[0]):
        start, height, width = pieces[p, 0], pieces[p, 1], pieces[p, 2]
        for y in range(height):
            to = start + y * pitch
            if covered.size > 0:
                for x in range(0, width, _MASKED_BLOCK):
                    n, at = min(_MASKED_BLOCK, width - x), y * width + x
                    _linear_row(made[:n], like, addresses[p], pitches[p], y, x, limits, weights)
                    _copy_covered(canvas[to + x : to + x + n], made[:n], covered[at : at + n])
            else:
                _linear_row(canvas[to : to + width], like, addresses[p], pitches[p], y, 0, limits, weights)


def composite_linear(dtype: Any, limits: Any) -> Callable[..., None]:
    """Give the fast compositor for 1, 3 or 5 channels without a gamma.

    It is called as :func:`composite_rows` is; ``weights`` may have any number of rows from K on.
    """
    return _compiled(_composite_linear, *_signature(dtype, limits))


# --- area means ------------------------------------------------------------------------------------------------


@_jit
def _add_row(sums, row):  # type: ignore[no-untyped-def]
    for x in range(sums.size):
        if row[x] == row[x]:
            sums[x] += sums.dtype.type(row[x])


@_jit
def _add_row_where(sums, row, valid):  # type: ignore[no-untyped-def]
    for x in range(sums.size):
        if valid[x] & (row[x] == row[x]):
            sums[x] += sums.dtype.type(row[x])


@_jit
def _count_row(counts, row):  # type: ignore[no-untyped-def]
    for x in range(counts.size):
        counts[x] += np.int32(row[x] == row[x])


@_jit
def _count_row_where(counts, row, valid):  # type: ignore[no-untyped-def]
    for x in range(counts.size):
        counts[x] += np.int32(valid[x] & (row[x] == row[x]))


@_jit
def _gather(cells, columns, edges):  # type: ignore[no-untyped-def]
    """Add up the columns of each cell, from left to right."""
    for i in range(cells.size):
        total = 0
        for x in range(edges[i], edges[i + 1]):
            total += columns[x]
        cells[i] += total


@_jit
def _sum_row_of_cells(total, stack, c, valid, low, high, columns, column_sums):  # type: ignore[no-untyped-def]
    total[:] = 0
    for top in range(low, high, _ROWS_AT_ONCE):
        column_sums[:] = 0
        for y in range(top, min(top + _ROWS_AT_ONCE, high)):
            if valid.size > 0:
                _add_row_where(column_sums, stack[c, y], valid[y])
            else:
                _add_row(column_sums, stack[c, y])
        _gather(total, column_sums, columns)


@_jit
def _count_row_of_cells(count, stack, c, valid, low, high, columns, column_counts):  # type: ignore[no-untyped-def]
    count[:] = 0
    column_counts[:] = 0
    for y in range(low, high):
        if valid.size > 0:
            _count_row_where(column_counts, stack[c, y], valid[y])
        else:
            _count_row(column_counts, stack[c, y])
    _gather(count, column_counts, columns)


def _cells(stack, valid, nans, rows, columns, column_sums, sums, counts, means):  # type: ignore[no-untyped-def]
    column_counts = np.empty(stack.shape[2], np.int32)
    total, count = np.empty(columns.size - 1), np.empty(columns.size - 1)
    for c in range(stack.shape[0]):
        for j in range(rows.size - 1):
            low, high = rows[j], rows[j + 1]
            _sum_row_of_cells(total, stack, c, valid, low, high, columns, column_sums)
            if not nans and valid.size == 0:
                for i in range(count.size):
                    count[i] = (high - low) * (columns[i + 1] - columns[i])
            elif nans or c == 0:
                _count_row_of_cells(count, stack, c, valid, low, high, columns, column_counts)
            else:  # the mask alone keeps pixels out, in each channel the same
                count[:] = counts[0, j]
            counts[c, j] = count
            if means.size > 0:
                for i in range(count.size):
                    means[c, j, i] = np.float32(total[i] / count[i])
            else:
                sums[c, j] = total


def sum_cells(dtype: Any, columns: Any) -> Callable[..., None]:
    """Give the summation for a dtype of pixels, with column sums in another (int32 for 8 and 16 bits, or float64).

    It is called with ``stack`` (C, H, W), ``valid`` (bool (H, W); empty for all), ``nans`` (whether there can be
    any), ``rows`` and ``columns`` (int64, the h + 1 and w + 1 edges of cells), ``column_sums`` ((W,), scratch), and the
    results, each (C, h, w): ``sums`` and ``counts`` (float64) and ``means`` (float32). Of ``sums`` and ``means`` one is
    filled, and the other empty.
    """
    return _compiled(
        _cells,
        *(_array(dtype, 3), _array(np.bool_, 2), types.boolean, _array(np.int64, 1), _array(np.int64, 1)),
        *(_array(columns, 1, writable=True), _array(np.float64, 3, writable=True)),
        *(_array(np.float64, 3, writable=True), _array(np.float32, 3, writable=True)),
    )


# --- outlines and blending -------------------------------------------------------------------------------------


@_jit
def _apart(one, other, all_known):  # type: ignore[no-untyped-def]
    """Whether a pixel differs from a neighbour that some tile covers."""
    return (one != other) & (all_known | (other != -1))


@_jit
def _edge_row(edge, up, row, down, all_known):  # type: ignore[no-untyped-def]
    last = row.size - 1
    left, here, right, inner = row[: last - 1], row[1:last], row[2:], edge[1:last]
    above, below = up[1:last], down[1:last]
    for x in range(inner.size):
        one = here[x]
        inner[x] = (one > 0) & (
            _apart(one, above[x], all_known)
            | _apart(one, below[x], all_known)
            | _apart(one, left[x], all_known)
            | _apart(one, right[x], all_known)
        )
    for x in (0, last):
        # at the border a pixel is its own neighbour, from which it does not differ
        one, before, after = row[x], row[max(x - 1, 0)], row[min(x + 1, last)]
        edge[x] = (one > 0) & (
            _apart(one, up[x], all_known)
            | _apart(one, down[x], all_known)
            | _apart(one, before, all_known)
            | _apart(one, after, all_known)
        )


@_jit
def _drop_tile_borders(edge, up, row, down, all_known, owner_up, owner, owner_down):  # type: ignore[no-untyped-def]
    """Look again at the few pixels found: between two tiles only background makes a boundary."""
    last = row.size - 1
    for x in range(row.size):
        if edge[x]:
            one, mine, before, after = row[x], owner[x], max(x - 1, 0), min(x + 1, last)
            edge[x] = (
                (_apart(one, up[x], all_known) & ((mine == owner_up[x]) | (up[x] <= 0)))
                | (_apart(one, down[x], all_known) & ((mine == owner_down[x]) | (down[x] <= 0)))
                | (_apart(one, row[before], all_known) & ((mine == owner[before]) | (row[before] <= 0)))
                | (_apart(one, row[after], all_known) & ((mine == owner[after]) | (row[after] <= 0)))
            )


def _edges(edge, labels, all_known, owner):  # type: ignore[no-untyped-def]
    height = labels.shape[0]
    for y in range(height):
        # at the border a row is its own neighbour, from which it does not differ
        above, below = max(y - 1, 0), min(y + 1, height - 1)
        _edge_row(edge[y], labels[above], labels[y], labels[below], all_known)
        if owner.size > 0:
            _drop_tile_borders(
                *(edge[y], labels[above], labels[y], labels[below], all_known),
                *(owner[above], owner[y], owner[below]),
            )


def edges(dtype: Any) -> Callable[..., None]:
    """Give the search for 1 px inner boundaries of a dtype of labels.

    It is called with ``edge`` (bool (H, W), filled), ``labels`` (H, W), whether all labels are known (no -1 can
    occur, as in unsigned ones), ``owner`` (int32 (H, W); empty for none).
    """
    return _compiled(_edges, _array(np.bool_, 2, writable=True), _array(dtype, 2), types.boolean, _array(np.int32, 2))


@_jit
def _widen_row(wider, up, row, down, labels):  # type: ignore[no-untyped-def]
    for x in range(row.size):
        wider[x] = (row[x] | up[x] | down[x]) & (labels[x] > 0)
    for x in range(row.size - 1):
        wider[x] |= row[x + 1] & (labels[x] > 0)
    for x in range(row.size - 1):
        wider[x + 1] |= row[x] & (labels[x + 1] > 0)


def _widen(wider, edge, labels):  # type: ignore[no-untyped-def]
    height = labels.shape[0]
    for y in range(height):
        _widen_row(wider[y], edge[max(y - 1, 0)], edge[y], edge[min(y + 1, height - 1)], labels[y])


def widen(dtype: Any) -> Callable[..., None]:
    """Give the growth of boundaries by 1 px within a dtype of labels.

    It is called with ``wider`` (bool (H, W), filled), ``edge`` (bool (H, W)), ``labels`` (H, W).
    """
    return _compiled(_widen, _array(np.bool_, 2, writable=True), _array(np.bool_, 2), _array(dtype, 2))


@_jit
def _blend_row(canvas, chosen, tables):  # type: ignore[no-untyped-def]
    for x in range(canvas.size):
        if chosen[x] > 0:
            pixel = canvas[x]
            canvas[x] = (
                tables[0, pixel & np.uint32(255)]
                | tables[1, (pixel >> np.uint32(8)) & np.uint32(255)]
                | tables[2, (pixel >> np.uint32(16)) & np.uint32(255)]
                | (pixel & np.uint32(0xFF000000))
            )


def _blend(canvas, pitch, chosen, tables):  # type: ignore[no-untyped-def]
    height, width = chosen.shape
    for y in range(height):
        _blend_row(canvas[y * pitch : y * pitch + width], chosen[y], tables)


def blend(dtype: Any) -> Callable[..., None]:
    """Give the mixing-in of a colour where a mask (bool) is set or a dtype of labels is above 0.

    It is called with ``canvas`` (uint32, 1-D, from its first pixel to its last), ``pitch`` (px between its rows),
    ``chosen`` (height, width), ``tables`` (uint32 (3, 256): red, green and blue after by before, each in its place).
    """
    return _compiled(_blend, _array(np.uint32, 1, writable=True), types.int64, _array(dtype, 2), _array(np.uint32, 2))
