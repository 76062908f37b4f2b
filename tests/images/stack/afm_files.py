"""Small files as AFMs write them, made byte by byte."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tifffile

KINDS = {"TP": 0x5054, "ER": 0x5245, "PH": 0x4850, "": 0}


def numbers(frames: int, height: int, width: int) -> np.ndarray:
    """Numbers of a 12-bit converter, all different."""
    return np.arange(frames * height * width, dtype="<i2").reshape(frames, height, width) % 4096


def write_asd(
    path: Path,
    stored: np.ndarray | None = None,
    *,
    version: int = 1,
    kinds: tuple[str, str] = ("TP", ""),
    second: np.ndarray | None = None,
    frames: int | None = None,
    size: tuple[int, int] | None = None,
    size_nm: tuple[int, int] | None = None,
    frame_ms: float = 500.0,
    z: tuple[float, float] = (10.0, 2.0),
    sensitivities: tuple[float, float] = (3.0, 4.0),
    code: int = 0x40000,
    bits: int = 12,
) -> Path:
    """Write a video; stated numbers may be others than those of `stored`."""
    stored = numbers(3, 4, 5) if stored is None else stored
    count, height, width = stored.shape
    width, height = size or (width, height)
    width_nm, height_nm = size_nm or (2 * width, 2 * height)
    count = count if frames is None else frames
    name = b"me too"
    first, other = (KINDS.get(kind, 7) for kind in kinds)
    if version == 0:
        body = struct.pack("<hh", first, other) + struct.pack("<iiiii", 0, 16, len(name), 0, 0)
        body += struct.pack("<iiiifffii", width, height, width_nm, height_nm, frame_ms, *z, code, bits)
        body += struct.pack("<?iihBBBBB", False, 1, 0, 2020, 1, 2, 3, 4, 5)
        body += struct.pack("<iffiiiiiii", 3, 9, 9, 0, 0, 0, count, count, 1, 1)
        body += name + struct.pack("<ffi", *sensitivities, 0)
        sized = 4
    else:
        body = struct.pack("<iiiiiii", 0, 16, 932, len(name), 0, first, other)
        body += struct.pack("<iiiiiiii", count, count, 1, 7, width, height, width_nm, height_nm)
        body += struct.pack("<?iiiiiiiii", False, 1, 2020, 1, 2, 3, 4, 5, 3, 2)
        body += struct.pack("<fffi12xiii", frame_ms, *sensitivities, 0, 1, code, bits)
        body += struct.pack("<ffffff", 700, 700, 1, 1, *z) + name
        sized = 0
    header = bytearray(struct.pack("<i", version) + body)
    struct.pack_into("<i", header, 4 + sized, len(header))
    content = bytes(header)
    for one in (stored, second):
        for number, frame in enumerate(() if one is None else one):
            content += struct.pack("<i12x", number) + frame.astype("<i2").tobytes()
    path.write_bytes(content)
    return path


def jpk_tags(name: str, retrace: int, factor: float = 2e-9, offset: float = 5e-9, unit: str = "m") -> list[Any]:
    """Tags of a channel that is scaled twice; the second scaling is the one to take."""
    raw = [(0x8090, "s", 0, "raw", True), (0x80A3, "s", 0, "NullScaling", True)]
    scaled = [
        (0x80C0, "s", 0, "calibrated", True),
        (0x80D2, "s", 0, unit, True),
        (0x80D3, "s", 0, "LinearScaling", True),
    ]
    scaled += [(0x80D4, "d", 1, factor, True), (0x80D5, "d", 1, offset, True)]
    named = [(0x8050, "s", 0, name, True), (0x8051, "h", 1, retrace, True)]
    return [*named, (0x8080, "i", 1, 2, True), (0x8081, "s", 0, "calibrated", True), *raw, *scaled]


def write_jpk(
    path: Path,
    stored: dict[tuple[str, int], np.ndarray] | None = None,
    *,
    tags: list[list[Any]] | None = None,
    size_px: tuple[int, int] | None = None,
    size_m: tuple[float, float] | None = None,
) -> Path:
    """Write pages of numbers, each from the lowest row up, behind a thumbnail."""
    if stored is None:
        stored = {("height", 1): numbers(1, 4, 5)[0] + 7, ("height", 0): numbers(1, 4, 5)[0]}
    height, width = next(iter(stored.values())).shape
    across, down = size_px or (width, height)
    wide, high = size_m or (width * 3e-9, height * 3e-9)
    own = [(0x8042, "d", 1, wide, True), (0x8043, "d", 1, high, True)]
    own += [(0x8046, "i", 1, across, True), (0x8047, "i", 1, down, True)]
    with tifffile.TiffWriter(path, byteorder=">") as file:
        options: dict[str, Any] = {"metadata": None, "photometric": "minisblack", "contiguous": False}
        file.write(np.zeros((2, 2), np.uint8), extratags=own, **options)
        for number, ((name, retrace), page) in enumerate(stored.items()):
            given = jpk_tags(name, retrace) if tags is None else tags[number]
            file.write(page.astype(np.int32), extratags=given, **options)
    return path


def write_wsxm(path: Path, stored: np.ndarray | None = None, **changes: str | None) -> Path:
    """Write an image with its header; a label changed to ``None`` is left out."""
    stored = numbers(1, 4, 5)[0] if stored is None else stored
    height, width = stored.shape
    kind = {"i": "short", "f": "float" if stored.dtype.itemsize == 4 else "double"}[stored.dtype.kind]
    lines = {
        "X Amplitude": f"{width * 2} nm",
        "Y Amplitude": f"{height * 0.002} µm",
        "Image Data Type": kind,
        "Number of columns": str(width),
        "Number of rows": str(height),
        "Z Amplitude": "59.5 Å",
        **changes,
    }
    text = "[Control]\r\n" + "".join(f"    {label}: {value}\r\n" for label, value in lines.items() if value is not None)
    start = "WSxM file copyright somebody\r\nSxM Image file\r\n"
    body = f"{text}\r\n[Header end]\r\n"
    size = len(start) + len("Image header size: 0000\r\n") + len(body.encode("latin-1"))
    header = f"{start}Image header size: {size:4d}\r\n{body}".encode("latin-1")
    path.write_bytes(header + stored.astype(stored.dtype.newbyteorder("<")).tobytes())
    return path


def write_topostats(path: Path, image: Any = None, size: Any = 1.5, **more: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        file["image"] = numbers(1, 4, 5)[0] / 8 if image is None else image
        if size is not None:
            file["pixel_to_nm_scaling"] = size
        for key, one in more.items():
            file[key] = one
    return path


WRITERS = {
    ".asd": write_asd,
    ".jpk": write_jpk,
    ".jpk-qi-image": write_jpk,
    ".top": write_wsxm,
    ".stp": write_wsxm,
    ".topostats": write_topostats,
}


def gwy_object(kind: str, components: dict[str, tuple[str, Any]]) -> bytes:
    """Serialise an object: name → letter of the kind, and value."""
    body = b""
    for name, (letter, value) in components.items():
        body += name.encode() + b"\0" + letter.encode()
        if letter in "so":
            body += value if isinstance(value, bytes) else str(value).encode() + b"\0"
        elif letter == "D":
            body += struct.pack("<I", value.size) + value.astype("<f8").tobytes()
        elif letter == "S":
            body += struct.pack("<I", len(value)) + b"".join(one.encode() + b"\0" for one in value)
        elif letter == "O":
            body += struct.pack("<I", len(value)) + b"".join(value)
        else:
            body += struct.pack({"b": "<?", "i": "<i", "q": "<q", "d": "<d"}[letter], value)
    return kind.encode() + b"\0" + struct.pack("<I", len(body)) + body


def gwy_image(pixels: np.ndarray, unit: str = "m", **changes: tuple[str, Any] | None) -> tuple[str, bytes]:
    """An image of 2 nm pixels; a component changed to ``None`` is left out."""
    height, width = pixels.shape
    units = {name: gwy_object("GwySIUnit", {"unitstr": ("s", text)}) for name, text in (("xy", "m"), ("z", unit))}
    components: dict[str, tuple[str, Any] | None] = {
        "xres": ("i", width),
        "yres": ("i", height),
        "xreal": ("d", width * 2e-9),
        "yreal": ("d", height * 2e-9),
        "si_unit_xy": ("o", units["xy"]),
        "si_unit_z": ("o", units["z"]),
        "data": ("D", pixels),
        **changes,
    }
    return "o", gwy_object("GwyDataField", {name: one for name, one in components.items() if one is not None})


def write_gwy(path: Path, components: dict[str, tuple[str, Any]] | None = None) -> Path:
    """Write a container; by default of a phase and a height image, and what else may stand in one."""
    if components is None:
        stored = numbers(1, 4, 5)[0] * 1e-9
        other: dict[str, tuple[str, Any]] = {
            "a": ("S", ["b", "c"]),
            "d": ("O", [gwy_object("e", {})]),
            "f": ("b", True),
        }
        components = {"/0/data": gwy_image(stored * 1e9, "deg"), "/3/data/title": ("s", "Height"), **other}
        components |= {"/3/data": gwy_image(stored), "/4/data": gwy_image(stored[:2]), "g": ("q", 2**40)}
    path.write_bytes(b"GWYP" + gwy_object("GwyContainer", components))
    return path


WRITERS[".gwy"] = write_gwy


def write_ibw(
    path: Path,
    planes: dict[str, np.ndarray] | None = None,
    *,
    order: str = "<",
    steps: tuple[float, float] = (2e-9, 2e-9),
    units: tuple[bytes, bytes] = (b"m", b"m"),
    note: bytes = b"ScanRate: 1\r",
    labelled: bool = True,
    **changes: int,
) -> Path:
    """Write layers ``(H, W)`` by name, each from the lowest row up; `changes` are numbers of the header."""
    planes = {"HeightTrace": numbers(1, 4, 5)[0] * 1e-9} if planes is None else planes
    first = next(iter(planes.values()))
    dtype = np.dtype("f8") if first.dtype.kind == "f" else first.dtype
    known = {"kind": {"f8": 4, "i2": 0x10}[dtype.str[1:]], "width": first.shape[1], "height": first.shape[0]}
    known |= {"layers": len(planes), "depth": 0, "version": 5, "note_bytes": len(note), **changes}
    data = b"".join(one[::-1].astype(dtype.newbyteorder(order)).tobytes() for one in planes.values())
    labels = b"".join(name.encode().ljust(32, b"\0") for name in ("", *planes)) if labelled else b""
    sizes = (0, known["note_bytes"], 0, 0, 0, 0, 0, 0, 0, len(labels), 0, 0, 0, 0)
    header = struct.pack(f"{order}hhi14i", known["version"], 0, 320 + len(data), *sizes)
    wave = struct.pack(f"{order}12xih50x", first.size * len(planes), known["kind"])
    wave += struct.pack(f"{order}4i", *(known[axis] for axis in ("width", "height", "layers", "depth")))
    wave += (
        struct.pack(f"{order}4d4d", *steps, 1, 1, 0, 0, 0, 0) + b"m\0\0\0" + b"".join(u.ljust(4, b"\0") for u in units)
    )
    path.write_bytes(header + wave.ljust(320, b"\0") + data + note + labels)
    return path


WRITERS[".ibw"] = write_ibw
