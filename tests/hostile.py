"""Files made to harm: cut short, of claims out of all proportion, with programs in them, or that lead astray."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from builders import write_csv
from scenes import write_rois

Harm = Callable[[Path], None]
"""Changes a dataset (see :func:`scenes.write_dataset`) in its folder."""

DEEP = "[" * 100_000
DIGITS = "9" * 5000
POWERS = "9**9**9**9 um"
GIF = b"GIF89a\4\0\4\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\4\0\4\0\0\2\4\x84\x8f\t\5\0;"
PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 2**31 - 1, 2**31 - 1, 16, 6, 0, 0, 0)


class Program:
    """What a pickle of it runs: it leaves a file behind, wherever it is run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch was-run",)


# --- text files -----------------------------------------------------------------------------------------------------
def text(name: str, content: str | bytes) -> Harm:
    """Put a file in the place of one."""

    def harm(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)

    return harm


def edited(name: str, change: Callable[[Any], Any]) -> Harm:
    """Change a JSON file, which ``change`` may do in place; NaN and infinities are written as Python does."""

    def harm(folder: Path) -> None:
        data = json.loads((folder / name).read_text())
        made = change(data)
        (folder / name).write_text(json.dumps(data if made is None else made))

    return harm


def put(place: str, value: object) -> Callable[[Any], None]:
    """Set a value within JSON: ``fovs.0.name``."""

    def change(data: Any) -> None:
        *steps, last = place.split(".")
        for step in steps:
            data = data[step] if isinstance(data, dict) else data[int(step)]
        data[last if isinstance(data, dict) else int(last)] = value

    return change


def roi(
    *,
    name: str = "bad",
    fov: str = "a",
    map_id: str = "",
    kind: str = "rectangle",
    box: Any = (4, 20, 6, 16),
    geometry: str = "",
) -> Harm:
    """Write ROIs: ``good`` and another one, both on FOV a."""

    def harm(folder: Path) -> None:
        good = ("r1", "good", "a", "", "rectangle", (4, 20, 6, 16), "", "")
        write_rois(folder / "rois.csv", [good, ("r2", name, fov, map_id, kind, box, geometry, "")])

    return harm


def cells(*rows: Sequence[object]) -> Harm:
    """Write a cell table."""

    def harm(folder: Path) -> None:
        write_csv(folder / "cells.csv", ("fov", "label", "X", "Y"), rows)

    return harm


def tiles(header: str, *rows: Sequence[object]) -> Harm:
    """Put a table of tiles in the place of all else; its good tile is ``a/DAPI.tif``."""

    def harm(folder: Path) -> None:
        for path in [*folder.glob("maps/*.json"), *folder.glob("*.csv"), folder / "profiles.json"]:
            path.unlink()
        write_csv(folder / "tiles.csv", header.split(","), rows)

    return harm


# --- images ---------------------------------------------------------------------------------------------------------
def image(make: Callable[[Path], object], name: str = "DAPI.tif") -> Harm:
    """Put a file in the place of ``a/DAPI.tif``."""

    def harm(folder: Path) -> None:
        (folder / "a" / "DAPI.tif").unlink()
        make(folder / "a" / name)

    return harm


def cut(share: float) -> Harm:
    """Cut ``a/DAPI.tif`` short."""

    def harm(folder: Path) -> None:
        path = folder / "a" / "DAPI.tif"
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])

    return harm


def tiff_bytes(tags: Mapping[int, tuple[int, Sequence[int]]], data: bytes = b"", *, loop: bool = False) -> bytes:
    """Make a TIFF of one page by hand: tag → (type, values); its pixels lie at 4096."""
    sizes = {2: "B", 3: "H", 4: "I"}
    entries, rest = [], b""
    start = 8 + 2 + 12 * len(tags) + 4
    for tag, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}{sizes[kind]}", *values)
        if len(packed) > 4:
            place = struct.pack("<I", start + len(rest))
            rest += packed
        else:
            place = packed.ljust(4, b"\0")
        entries.append(struct.pack("<HHI", tag, kind, len(values)) + place)
    head = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(entries)) + b"".join(entries)
    head += struct.pack("<I", 8 if loop else 0) + rest
    assert len(head) <= 4096
    return head.ljust(4096, b"\0") + data


def tiff(data: bytes = b"", *, loop: bool = False, **changes: Any) -> Callable[[Path], object]:
    """Make a TIFF of 40 × 32 px of uint16 in one strip, unless said otherwise."""
    said = {
        "width": 40,
        "height": 32,
        "bits": 16,
        "compression": 1,
        "count": 2560,
        "offset": 4096,
        "format": 1,
    } | changes
    tags = {
        256: (4, [said["width"]]),
        257: (4, [said["height"]]),
        258: (3, [said["bits"]]),
        259: (3, [said["compression"]]),
        262: (3, [1]),
        273: (4, [said["offset"]]),
        277: (3, [1]),
        278: (4, [said["height"]]),
        279: (4, [said["count"]]),
        339: (3, [said["format"]]),
    }
    if "description" in said:
        raw = said["description"].encode() + b"\0"
        tags[270] = (2, list(raw))
    return lambda path: path.write_bytes(tiff_bytes(tags, data or bytes(2560), loop=loop))


def deflated_zeros(size: int = 2**26) -> bytes:
    """Pack zeros a thousand times."""
    packer = zlib.compressobj(9)
    block = bytes(2**20)
    return b"".join(packer.compress(block) for _ in range(size // 2**20)) + packer.flush()


def npy(header: str, data: bytes = b"") -> Callable[[Path], object]:
    """Make a NumPy file of any header."""
    padded = header.encode() + b" " * (-(len(header) + 11) % 64) + b"\n"
    raw = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded + data
    return lambda path: path.write_bytes(raw)


def pickled(path: Path) -> None:
    """Save an array of objects that run a program."""
    np.save(path, np.array([Program()], object), allow_pickle=True)


def h5(make: Callable[[Any], object]) -> Callable[[Path], object]:
    """Make an HDF5 file."""

    def write(path: Path) -> None:
        import h5py

        with h5py.File(path, "w") as file:
            make(file)

    return write


def virtual(file: Any) -> None:
    """Take the pixels of a dataset from another file."""
    import h5py

    layout = h5py.VirtualLayout((32, 40), "u2")
    layout[:] = h5py.VirtualSource("../b/secret.h5", "data", (32, 40))
    file.create_virtual_dataset("data", layout)


def zarr(metadata: Mapping[str, Any] | str, chunk: bytes = b"") -> Callable[[Path], object]:
    """Make a Zarr array of 32 × 40 px of uint16 in one chunk, unless said otherwise."""
    said = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [32, 40],
        "data_type": "uint16",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [32, 40]}},
        "chunk_key_encoding": {"name": "default"},
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        "fill_value": 0,
        "attributes": {},
    }

    def write(path: Path) -> None:
        (path / "c" / "0").mkdir(parents=True)
        (path / "zarr.json").write_text(metadata if isinstance(metadata, str) else json.dumps({**said, **metadata}))
        if chunk:
            (path / "c" / "0" / "0").write_bytes(chunk)

    return write


def grid(*shape: int) -> dict[str, Any]:
    """Say the chunks of a Zarr array."""
    return {"name": "regular", "configuration": {"chunk_shape": list(shape)}}


GZIPPED = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "gzip", "configuration": {"level": 1}}]


def looping(path: Path) -> None:
    """Link a path to itself."""
    if path.is_dir():
        path = path / "loop"
    path.unlink(missing_ok=True)
    path.symlink_to(path.name)


def fifo(path: Path) -> None:
    """Make a pipe into which nobody writes: whoever opens it waits."""
    path.unlink(missing_ok=True)
    os.mkfifo(path)


# --- bundles --------------------------------------------------------------------------------------------------------
def bundle_parts() -> dict[str, Any]:
    """Give what a small bundle holds, to be changed."""
    return {
        "data": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "timestamps": np.arange(2.0),
        "pixel_size_nm": np.float64(1.5),
        "channel": "height",
        "frame_metadata_json": '[{"timestamp": 0}, {"timestamp": 1}]',
        "provenance_json": "{}",
    }


def npz(**changes: Any) -> Callable[[Path], object]:
    """Make an NPZ bundle."""
    return lambda path: np.savez(path, **{**bundle_parts(), **changes})


def zipped(members: Iterable[tuple[str, bytes]]) -> Callable[[Path], object]:
    """Make an NPZ bundle with further members of any name."""

    def write(path: Path) -> None:
        npz()(path)
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members:
                archive.writestr(name, content)

    return write


def zip_bomb(path: Path) -> None:
    """Make a bundle of some kB that claims to hold a layer of 4 GB."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (1024, 1024, 1024)})
    key = b"processed__zeros.npy"
    zipped([(key.decode(), header.getvalue() + bytes(2**24))])(path)
    content = bytearray(path.read_bytes())
    size = content.rfind(key) - 46 + 24  # in the directory at the end
    content[size : size + 4] = (2**32 - 2).to_bytes(4, "little")
    path.write_bytes(content)


def truncated(make: Callable[[Path], object], share: float = 0.6) -> Callable[[Path], object]:
    """Cut what is made short."""

    def write(path: Path) -> None:
        make(path)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])

    return write


def h5_bundle(**changes: Any) -> Callable[[Path], object]:
    """Make an HDF5 bundle; what is called is called with the file."""

    def fill(file: Any) -> None:
        for key, value in {**bundle_parts(), **changes}.items():
            if callable(value):
                value(file)
            elif key in ("pixel_size_nm", "channel"):
                file.attrs[key] = value
            else:
                file[key] = value

    return h5(fill)


def stolen_pickle() -> np.ndarray:
    """Give an array whose pickle runs a program."""
    return np.array(Program(), object)
