"""Loops that make colours of channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic

from .base import array, compiled, inlined, jit

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


@jit
def _row_at(like, address, pitch, y, x, n):  # type: ignore[no-untyped-def]
    """Give `n` px of a row of a plane that begins at an address and whose rows lie `pitch` px apart."""
    return carray(_pointer(like, address + (y * pitch + x) * like.itemsize), (n,))


@jit
def _fetch_ahead(row):  # type: ignore[no-untyped-def]
    """Fetch what follows a row meanwhile: reading and computing would else take turns."""
    for i in range(row.size, 2 * row.size, 64 // row.itemsize):
        _prefetch(row, i)


@jit
def _normalise(made, values, limits):  # type: ignore[no-untyped-def]
    """Give ``clip((v − lo) · scale + shift, 0, top)``; the order of comparisons takes NaN to 0."""
    low, scale, shift, top = limits[0], limits[1], limits[2], limits[3]
    zero = limits.dtype.type(0)
    for i in range(made.size):
        scaled = (limits.dtype.type(values[i]) - low) * scale + shift
        scaled = scaled if scaled > zero else zero
        made[i] = np.float32(scaled if scaled < top else top)


@jit
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


@jit
def _mixed(scratch, i, weights, colour):  # type: ignore[no-untyped-def]
    """Sum four channels for one colour."""
    return (
        scratch[i] * weights[0, colour]
        + scratch[_SECOND + i] * weights[1, colour]
        + scratch[_THIRD + i] * weights[2, colour]
        + scratch[_FOURTH + i] * weights[3, colour]
    )


@jit
def _add(scratch, n, weights):  # type: ignore[no-untyped-def]
    """Add four channels to the sums."""
    for i in range(n):
        scratch[_RED + i] += _mixed(scratch, i, weights, 0)
        scratch[_GREEN + i] += _mixed(scratch, i, weights, 1)
        scratch[_BLUE + i] += _mixed(scratch, i, weights, 2)


@jit
def _byte(value):  # type: ignore[no-untyped-def]
    """Round 0–255 to the nearest, half to even, and leave it in the lowest byte (with 0x4B in the highest)."""
    value = value if value < _FULL else _FULL
    return np.float32(value + np.float32(2**23)).view(np.uint32)


@jit
def _pixel(red, green, blue):  # type: ignore[no-untyped-def]
    shifted = np.uint32(_byte(green) << np.uint32(8)) | np.uint32(_byte(blue) << np.uint32(16))
    return _byte(red) | shifted | np.uint32(0xFF000000)


@jit
def _pack(canvas, scratch, weights):  # type: ignore[no-untyped-def]
    """Add the last four channels to the sums, and make pixels of them."""
    for i in range(canvas.size):
        canvas[i] = _pixel(
            scratch[_RED + i] + _mixed(scratch, i, weights, 0),
            scratch[_GREEN + i] + _mixed(scratch, i, weights, 1),
            scratch[_BLUE + i] + _mixed(scratch, i, weights, 2),
        )


@jit
def _copy_covered(canvas, made, covered):  # type: ignore[no-untyped-def]
    for i in range(canvas.size):
        if covered[i]:
            canvas[i] = made[i]


@jit
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
    return compiled(_composite, *_signature(dtype, limits))


def _signature(dtype: Any, limits: Any) -> tuple[Any, ...]:
    return (
        *(array(np.uint32, 1, writable=True), types.int64, array(dtype, 1)),
        *(array(np.int64, 2), array(np.int64, 2), array(np.int64, 2), array(limits, 2)),
        *(array(np.float32, 1), array(np.float32, 2), array(np.bool_, 1)),
    )


LINEAR_CHANNELS = 5
"""The most channels that :func:`composite_linear` takes."""


@intrinsic
def _as_type_of(_context: Any, one: Any, value: Any) -> Any:
    """Cast a number to the type of another."""

    def code(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return context.cast(builder, arguments[1], value, one)

    return one(one, value), code


@inlined
def _scaled(value, limits):  # type: ignore[no-untyped-def]
    """Give ``clip((v − lo) · scale + shift, 0, top)`` as float32; see :func:`_normalise`."""
    low, scale, shift, top = limits
    scaled = (_as_type_of(low, value) - low) * scale + shift
    scaled = scaled if scaled > _as_type_of(low, 0) else _as_type_of(low, 0)
    return np.float32(scaled if scaled < top else top)


@inlined
def _row_of(table, k):  # type: ignore[no-untyped-def]
    """Read limits or weights once, before a loop whose stores could change them for all the compiler knows."""
    return table[k, 0], table[k, 1], table[k, 2], table[k, 3]


@inlined
def _colour_of(table, k):  # type: ignore[no-untyped-def]
    return table[k, 0], table[k, 1], table[k, 2]


@inlined
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


@inlined
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


@jit
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
    return compiled(_composite_linear, *_signature(dtype, limits))
