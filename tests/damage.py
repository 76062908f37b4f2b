"""Damage: to the bytes of any file, and to what JSON, XML and lines of text say."""

from __future__ import annotations

import copy
import json
import re
import zlib
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
from hypothesis import strategies as st


# --- damage to bytes ------------------------------------------------------------------------------------------------
def damaged(raw: bytes, name: str, number: int) -> bytes:
    """Damage bytes in one to three places; the same name and number give the same damage."""
    rng = np.random.default_rng([zlib.crc32(name.encode()), number])
    made = bytearray(raw)
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        kind = _KINDS[int(rng.integers(len(_KINDS)))]
        kind(made, _place(rng, made), rng)
    return bytes(made)


def _place(rng: np.random.Generator, raw: bytearray) -> int:
    """Choose a place: more often where headers and tables lie than among pixels."""
    size = max(1, len(raw))
    table = int.from_bytes(raw[4:8], "little" if raw[:2] == b"II" else "big") if raw[:2] in (b"II", b"MM") else 0
    starts = [(0, 512), (0, 8192), (size - 1024, 1024), (table, 512), (0, size)]
    start, length = starts[int(rng.choice(len(starts), p=[0.25, 0.2, 0.1, 0.2, 0.25]))]
    return min(size - 1, max(0, start) + int(rng.integers(length)))


def _flip(raw: bytearray, at: int, rng: np.random.Generator) -> None:
    for place in range(at, min(len(raw), at + int(rng.integers(1, 4)))):
        raw[place] ^= 1 << int(rng.integers(8))


def _scramble(raw: bytearray, at: int, rng: np.random.Generator) -> None:
    raw[at : at + 8] = rng.bytes(len(raw[at : at + int(rng.integers(1, 9))]))


def _blank(raw: bytearray, at: int, rng: np.random.Generator) -> None:
    part = raw[at : at + int(rng.choice([1, 2, 4, 8, 64]))]
    raw[at : at + len(part)] = bytes([int(rng.choice([0, 0xFF, 0x20]))]) * len(part)


def _cut(raw: bytearray, at: int, rng: np.random.Generator) -> None:
    del raw[at if rng.integers(4) else int(rng.integers(len(raw) + 1)) :]


def _insert(raw: bytearray, at: int, rng: np.random.Generator) -> None:
    raw[at:at] = rng.bytes(int(rng.integers(1, 33)))


def _remove(raw: bytearray, at: int, rng: np.random.Generator) -> None:
    del raw[at : at + int(rng.integers(1, 65))]


def _repeat(raw: bytearray, at: int, rng: np.random.Generator) -> None:
    part = raw[at : at + int(rng.integers(1, 257))]
    raw[at:at] = part * int(rng.integers(1, 4))


def _swap(raw: bytearray, at: int, rng: np.random.Generator) -> None:
    size, other = int(rng.choice([1, 2, 4, 12])), _place(rng, raw)
    low, high = sorted((at, other))
    if low + size <= high and high + size <= len(raw):
        raw[low : low + size], raw[high : high + size] = raw[high : high + size], raw[low : low + size]


_KINDS = (_flip, _flip, _flip, _scramble, _blank, _cut, _insert, _remove, _repeat, _swap)


# --- damage to what is said -----------------------------------------------------------------------------------------
WORDS = (
    "", " ", "0", "-0", "1", "-1", "2", "7", "NaN", "nan", "inf", "-Infinity", "1e308", "-1e308", "1e-320", "1e400",
    "0.5", "65536", "2147483648", "4294967297", "18446744073709551616", "-2147483649", "9" * 400, "1,5", "true", "None",
    "x", "../../x", "/", ".", "a/b", "µm", "pixel", "furlong", "9**9**9**9 um", "é中", "\x00", "\x7f", "{}", "[]", "%s",
    "\u2028", "'", '"', "a" * 5000, "1" * 5000, "-" * 50, "(0, 0)", "1 2 3",
)  # fmt: skip
"""What a number or a name is replaced by."""

VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, 2, -1, 0.5, 1e308, -1e308, 1e-320, 2**31, 2**53 + 1, 2**64, -(2**63), 10**400,
    float("nan"), float("inf"), "", "0", "x", "../x", "/", "\x00", "a" * 5000, "µm", "\ud800", [], {}, [None], [[]],
    {"": 0}, {"x": {}}, [0] * 7, ["x", "x"], list(range(1000)),
)  # fmt: skip
"""What a part of a JSON tree is replaced by."""

_DEEP = "@deep@"


@st.composite
def json_damage(draw: st.DrawFn, raw: bytes) -> bytes:
    """Change one or two nodes of a JSON file: replaced, left out, doubled, renamed, or nested too deeply."""
    tree = json.loads(raw)
    for _ in range(draw(st.integers(1, 2))):
        nodes = list(_nodes(tree))
        if not nodes:
            break
        parent, key = nodes[draw(st.integers(0, len(nodes) - 1))]
        how = draw(st.sampled_from(["value", "value", "value", "delete", "double", "rename", "deep", "wrap", "far"]))
        if how == "value":
            parent[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        elif how == "delete":
            del parent[key]
        elif how == "double" and isinstance(parent, list):
            parent.insert(key, copy.deepcopy(parent[key]))
        elif how == "rename" and isinstance(parent, dict):
            parent[draw(st.sampled_from(["", "x", key + "s", key.upper()]))] = parent.pop(key)
        elif how == "wrap":
            parent[key] = [parent[key]]
        elif how == "far" and isinstance(parent[key], int | float) and not isinstance(parent[key], bool):
            parent[key] = parent[key] * draw(st.sampled_from([-1, 1.5, 10, 2**20, 2**40, 1e300]))
        else:
            parent[key] = _DEEP
    text = json.dumps(tree)
    if draw(st.integers(0, 9)) == 0 and text.startswith("{") and len(text) > 2:
        text = text[0] + text[1:-1] + "," + text[1:]  # every key twice
    depth = draw(st.sampled_from([50, 2000, 100_000]))
    return text.replace(f'"{_DEEP}"', "[" * depth + "]" * depth).encode()


def _nodes(tree: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
        yield tree, key
        yield from _nodes(tree[key])


_BOMB = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "aaaaaaaaaa">%s]>' % b"".join(
    b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10)
)


@st.composite
def xml_damage(draw: st.DrawFn, raw: bytes) -> bytes:
    """Change one or two attributes, texts or elements of XML."""
    root = ET.fromstring(raw)
    for _ in range(draw(st.integers(1, 2))):
        elements = list(root.iter())
        one = elements[draw(st.integers(0, len(elements) - 1))]
        how = draw(st.sampled_from(["value", "value", "value", "drop", "text", "children", "double", "tag", "deep"]))
        if (one.text or "").lstrip().startswith("<") and how != "text":  # XML in XML
            one.text = draw(xml_damage((one.text or "").encode())).decode()
            continue
        word = draw(st.sampled_from(WORDS)).replace("\x00", "�")
        key = draw(st.sampled_from(sorted(one.attrib))) if one.attrib else ""
        if how == "value" and key:
            one.set(key, word)
        elif how == "drop" and key:
            del one.attrib[key]
        elif how == "children":
            one[:] = []
        elif how == "double":
            one.extend(copy.deepcopy(list(one)))
        elif how == "tag":
            one.tag = "x"
        elif how == "deep":
            one.text = _DEEP
        else:
            one.text = word
    text = ET.tostring(root)
    depth = draw(st.sampled_from([50, 5000]))
    text = text.replace(_DEEP.encode(), b"<a>" * depth + b"</a>" * depth)
    if draw(st.integers(0, 14)) == 0:  # a small file that would fill the memory
        text = _BOMB + text.replace(b">", b">&a9;", 1)
    return text


_FIELDS = re.compile(r"[^,;:=\t()\n\"|]+")


@st.composite
def line_damage(draw: st.DrawFn, raw: bytes) -> bytes:
    """Change one to three fields or lines of a text file: CSV, INI, ``key: value``."""
    lines = raw.decode("utf-8", "surrogateescape").split("\n")
    for _ in range(draw(st.integers(1, 3))):
        at = min(draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1)))  # headers come first
        how = draw(st.sampled_from(["field", "field", "field", "field", "drop", "double", "less", "more", "swap"]))
        fields = list(_FIELDS.finditer(lines[at]))
        if how == "drop":
            del lines[at : at + 1]
            lines = lines or [""]
        elif how == "double":
            lines.insert(at, lines[at])
        elif how == "swap":
            lines[at], lines[0] = lines[0], lines[at]
        elif how == "more" or not fields:
            lines[at] += draw(st.sampled_from([",", ",0", '"', " = 1", ": 2", ";", "\t", "," * 1000]))
        else:
            found = fields[draw(st.integers(0, len(fields) - 1))]
            word = "" if how == "less" else draw(st.sampled_from(WORDS))
            lines[at] = lines[at][: found.start()] + word + lines[at][found.end() :]
    return "\n".join(lines).encode("utf-8", "surrogateescape")
