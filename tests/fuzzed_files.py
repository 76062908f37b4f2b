"""The files that are damaged: one of each kind in the real data, in a dataset as small as it may be."""

from __future__ import annotations

import shutil
from pathlib import Path

import tifffile

from builders import descriptor_entry, write_csv, write_descriptor
from fuzzing import Subject
from images.oct_files import write_slice

_PLATE = "imagexpress/ImageXpress_exported/9987_Plate_3435"
_OME = "20210305_NE_mockData4"
_IMC = ("20210305_NE_mockData4_001", "20210305_NE_mockData4_002")
_V05, _V04 = "6001240_labels_v0.5.zarr", "tubhiswt4D_sub.zarr"
_WAFER_PX = 8  # by so much smaller than it is


def _copied(real_data: Path, folder: Path, *names: str) -> None:
    for name in names:
        target = folder / Path(name).name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(real_data / name, target) if (real_data / name).is_dir() else shutil.copyfile(
            real_data / name, target
        )


def _plate(real_data: Path, folder: Path) -> Path:
    names = [f"{_PLATE}/TimePoint_1/9987_B02_s{site}_w{wave}.TIF" for site in (1, 2) for wave in (1, 2)]
    _copied(real_data, folder / "plate" / "TimePoint_1", *names)
    _copied(real_data, folder / "plate", f"{_PLATE}/9987.HTD")
    return folder / "plate"


def _ome_tiff(real_data: Path, folder: Path) -> Path:
    names = [f"imc/analysis/ometiff/{_OME}/{_OME}_s0_a{n}_ac.ome.tiff" for n in (1, 2)]
    _copied(real_data, folder / "ome", *names)
    return folder / "ome"


def _steinbock(real_data: Path, folder: Path) -> Path:
    for part in ("img", "masks_deepcell"):
        _copied(real_data, folder / "imc" / part, *(f"imc/steinbock/{part}/{name}.tiff" for name in _IMC))
    _copied(real_data, folder / "imc", "imc/steinbock/panel.csv")
    for table in ("images.csv", "cells.csv"):
        header, *rows = (real_data / "imc" / "steinbock" / table).read_text().splitlines()
        kept = [row for row in rows if row.startswith(_IMC)]
        (folder / "imc" / table).write_text("\n".join([header, *kept[:20]]) + "\n")
    return folder / "imc"


def _mist(real_data: Path, folder: Path) -> Path:
    names = [f"ImageName_t01_p{n:02d}.tif" for n in (1, 2, 6, 7)]
    _copied(real_data, folder / "mist", *(f"mist/{name}" for name in names))
    lines = (real_data / "mist/stitched/global-positions-1.txt").read_text().splitlines()
    kept = [line for line in lines if any(name in line for name in names)]
    (folder / "mist" / "stitched").mkdir()
    (folder / "mist/stitched/global-positions-1.txt").write_text("\n".join(kept) + "\n")
    return folder / "mist"


def _sections(real_data: Path, folder: Path) -> Path:
    _copied(real_data, folder / "brain", *(f"brain_sections/image_0{n}.tif" for n in (116, 117)))
    return folder / "brain"


def _table(real_data: Path, folder: Path) -> Path:
    _sections(real_data, folder)
    rows = [("brain/image_0116.tif", "m", 1000, -500.5, 2, "a"), ("brain/image_0117.tif", "m", 1500, -500.5, 2, "b")]
    return write_csv(folder / "tiles.csv", ("path", "map_id", "x_um", "y_um", "pixel_size_um", "fov"), rows)


def _descriptors(real_data: Path, folder: Path) -> Path:
    for n in (116, 117):
        (folder / "set" / str(n)).mkdir(parents=True)
        shutil.copyfile(real_data / f"brain_sections/image_0{n}.tif", folder / "set" / str(n) / "DAPI.tif")
    size = {"width": 271, "height": 193}
    entries = [
        descriptor_entry(str(n), (500.0 * n, 50.0), frameSizePixels=size, fovSizeMicrons=542) for n in (116, 117)
    ]
    write_descriptor(folder / "set/maps/S1.json", entries)
    return folder / "set"


def _zarr_05(real_data: Path, folder: Path) -> Path:
    made = folder / _V05
    labels = ("zarr.json", *(f"0/{level}/zarr.json" for level in range(4)), "0/zarr.json")
    for part in ("zarr.json", "2/zarr.json", *(f"labels/{one}" for one in labels)):
        (made / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(real_data / "omezarr" / _V05 / part, made / part)
    for channel in (0, 1):
        place = f"2/c/{channel}/0/0/0"
        (made / place).parent.mkdir(parents=True)
        shutil.copyfile(real_data / "omezarr" / _V05 / place, made / place)
    return made


def _zarr_04(real_data: Path, folder: Path) -> Path:
    made = folder / _V04
    parts = [".zattrs", ".zgroup", "labels/.zattrs", "labels/.zgroup", "labels/embryo/.zattrs", "labels/embryo/.zgroup"]
    for level in (0, 1, 2):
        parts += [f"{level}/.zarray", f"labels/embryo/{level}/.zarray"]
    for part in parts:
        (made / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(real_data / "omezarr" / _V04 / part, made / part)
    for chunk in ("0/0/0/0/0/0", "0/0/0/0/1/0", "1/0/0/0/0/0", "2/0/0/0/0/0"):
        (made / chunk).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(real_data / "omezarr" / _V04 / chunk, made / chunk)
    return made


def _afm(name: str) -> Subject:
    def build(real_data: Path, folder: Path) -> Path:
        _copied(real_data, folder / "afm", f"afm/{name}")
        return folder / "afm" / name

    return Subject(Path(name).suffix[1:], build, f"afm/{name}")


def _wafer(real_data: Path, folder: Path) -> Path:
    from PIL import Image

    (folder / "wafer").mkdir()
    with Image.open(real_data / "wafer/wafer_example1.jpg") as picture:
        picture.reduce(_WAFER_PX).save(folder / "wafer/wafer_example1.jpg", quality=80)
    text = (real_data / "wafer/wafer_example1.magc").read_text()
    kept = [
        block
        for block in text.split("\n\n")
        if not (number := block.partition("]")[0].rpartition(".")[2]).isdecimal() or int(number) < 10
    ]
    (folder / "wafer/wafer_example1.magc").write_text("\n\n".join(kept))
    return folder / "wafer"


def _raw_tiles(_: Path, folder: Path) -> Path:
    return write_slice(folder / "oct")


TABLES = [
    Subject("imagexpress-htd", _plate, "plate/9987.HTD", ""),
    Subject("steinbock-images", _steinbock, "imc/images.csv", ""),
    Subject("steinbock-panel", _steinbock, "imc/panel.csv", ""),
    Subject("steinbock-cells", _steinbock, "imc/cells.csv", ""),
    Subject("mist-positions", _mist, "mist/stitched/global-positions-1.txt", ""),
    Subject("wafer-magc", _wafer, "wafer/wafer_example1.magc", ""),
    Subject("tiles-csv", _table, "tiles.csv", "", lists=True),
    Subject("oct-info", _raw_tiles, "oct/tile_x00_y00_z03/info.txt", "oct/tile_x00_y00_z03"),
]
"""Files of lines."""

TREES = [
    Subject("descriptor", _descriptors, "set/maps/S1.json", ""),
    Subject("zarr3-group", _zarr_05, f"{_V05}/zarr.json", _V05),
    Subject("zarr3-array", _zarr_05, f"{_V05}/2/zarr.json", _V05),
    Subject("zarr3-labels", _zarr_05, f"{_V05}/labels/0/zarr.json", ""),
    Subject("zarr2-group", _zarr_04, f"{_V04}/.zattrs", _V04),
    Subject("zarr2-array", _zarr_04, f"{_V04}/0/.zarray", _V04),
    Subject("zarr2-labels", _zarr_04, f"{_V04}/labels/embryo/.zattrs", ""),
]
"""JSON files."""

IMAGES = [
    Subject("imagexpress-tiff", _plate, "plate/TimePoint_1/9987_B02_s1_w1.TIF"),
    Subject("ome-tiff", _ome_tiff, f"ome/{_OME}_s0_a1_ac.ome.tiff"),
    Subject("steinbock-tiff", _steinbock, f"imc/img/{_IMC[0]}.tiff"),
    Subject("mist-tiff", _mist, "mist/ImageName_t01_p01.tif"),
    Subject("section-tiff", _sections, "brain/image_0116.tif"),
    Subject("zarr3-chunk", _zarr_05, f"{_V05}/2/c/0/0/0/0"),
    Subject("zarr2-chunk", _zarr_04, f"{_V04}/0/0/0/0/0/0"),
    Subject("wafer-jpeg", _wafer, "wafer/wafer_example1.jpg", lossy=True),
    *map(_afm, ("asd_sample_0.asd", "sample_0.h5-jpk", "sample_0.jpk", "sample_0.jpk-qi-image", "sample_0.top")),
    _afm("sample_0_1.topostats"),
]
"""Binary files; their headers are text in part."""

DESCRIBED = [IMAGES[0], IMAGES[1]]
"""TIFF files that hold XML."""


def description_of(raw: bytes, folder: Path) -> bytes:
    """Give the XML of a TIFF file."""
    (folder / "read.tif").write_bytes(raw)
    with tifffile.TiffFile(folder / "read.tif") as tif:
        found: str = tif.pages[0].description
    return found.encode()


def described_by(raw: bytes, xml: bytes, folder: Path) -> bytes:
    """Give a TIFF file other XML; its pixels stay what they are."""
    (folder / "read.tif").write_bytes(raw)
    with tifffile.TiffFile(folder / "read.tif") as tif:
        pages, software = [page.asarray() for page in tif.pages], tif.pages[0].software
    with tifffile.TiffWriter(folder / "made.tif") as made:
        for number, page in enumerate(pages):
            text = xml.replace(b"\0", b"?") if number == 0 else None
            made.write(page, description=text, software=software, metadata=None, photometric="minisblack")
    return (folder / "made.tif").read_bytes()
