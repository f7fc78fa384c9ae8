"""GeoTIFFs and JPEG 2000 images with something wrong in their headers."""

import math
import struct
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import rasterio
from canary import assert_no_canary
from hypothesis import given, settings
from hypothesis import strategies as st
from made_scenes import BANDS, CRS, PLACE, dn, truth, write
from mutations import fuzz, mutated_bytes
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from sending import sending

from crossres.acquire.bands.numbers import Stated
from crossres.acquire.pairing.raster_places import RasterPlaces
from crossres.acquire.read.scene import read_any
from crossres.imagery.numbers import Encoding
from crossres.imagery.raster import write_cog

SIDE = 32
NUMBERS = dn(truth(side=SIDE))
FACTORS = (0, 1, 2, 3, 16, 1000)
KINDS = {
    "striped": {},
    "tiled": {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate", "predictor": 2},
    "by band": {"interleave": "band", "compress": "lzw", "nodata": 0},
    "scaled": {"scale": (1e-4, -0.1), "tags": {"datetime": "2023-05-01T03:05:41Z"}, "compress": "zstd"},
    "of four colours": {"photometric": "RGB", "alpha": "YES", "names": None},
    "of floats": {"compress": "lerc", "nodata": float("nan")},
    "large": {"BIGTIFF": "YES", "nodata": 0},
    "big-endian": {"ENDIANNESS": "BIG", "nodata": 0},
}


@st.composite
def overwritten(draw: st.DrawFn, content: bytes, places: list[tuple[int, str]]) -> bytes:
    """Return `content` with other numbers in one to three of the places, each an offset and its `struct` format."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        at, form = places[draw(st.integers(0, len(places) - 1))]
        most = 256 ** struct.calcsize(form) - 1
        old = struct.unpack_from(form, changed, at)[0]
        new = st.sampled_from([*(old * n for n in FACTORS), old + 1, old - 1, most, most // 2, most // 2 + 1])
        struct.pack_into(form, changed, at, draw(new | st.integers(0, most)) & most)
    return bytes(changed)


def fields(tiff: bytes) -> list[tuple[int, str]]:
    """Return where tag, type, count and value of every entry of a TIFF's directories stand."""
    order = "<" if tiff[:2] == b"II" else ">"
    is_big = tiff[2:4] in {b"+\0", b"\0+"}
    number, count, entry, word = ("Q", "Q", 20, 8) if is_big else ("I", "H", 12, 4)
    found, start = [(8 if is_big else 4, order + number)], 8 if is_big else 4
    while at := struct.unpack_from(order + number, tiff, start)[0]:
        found.append((at, order + count))
        entries = struct.unpack_from(order + count, tiff, at)[0]
        first = at + struct.calcsize(order + count)
        for place in range(first, first + entries * entry, entry):
            found += [(place, f"{order}H"), (place + 2, f"{order}H"), (place + 4, order + number)]
            found += [(place + 4 + word, order + number)] * 3
            kind, length = struct.unpack_from(f"{order}H{number}", tiff, place + 2)
            size = {3: 2, 4: 4, 12: 8, 16: 8}.get(kind, 1) * length
            if size > word:
                value = struct.unpack_from(order + number, tiff, place + 4 + word)[0]
                found += [(value + i, f"{order}H") for i in range(0, min(size, 64) - 1, 2)]
        start = first + entries * entry
    return found


@st.composite
def mutated_head(draw: st.DrawFn, content: bytes, length: int = 1500) -> bytes:
    """Return `content` with something wrong in its first bytes."""
    return draw(mutated_bytes(content[:length])) + content[length:]


def reading(bounded, scene: str, bands: tuple[str, ...]) -> Callable[[], None]:
    """Return a check of what `search` and `super-resolve` make of an image."""
    output = bounded.folder / "scene"
    item = {"id": "a", "properties": {}, "assets": {"red": {"href": scene}}}

    def check() -> None:
        outline = bounded(lambda: RasterPlaces(("red",)).of_item(item))
        assert outline is None or np.isfinite(outline.bounds).all()
        if bounded(lambda: read_any(scene, bands, 10.0, output, Stated(), lambda grid: None)) is not None:
            assert_no_canary(output / "reflectance.tif")

    return check


def image(bounded, kind: str) -> bytes:
    path = bounded.folder / "original.tif"
    if kind == "cloud-optimised":
        write_cog(path, NUMBERS, GeoBox((SIDE, SIDE), PLACE, CRS), BANDS, Encoding("uint16", nodata=0))
    elif kind == "masked":
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
            write(path, NUMBERS, names=BANDS)
            with rasterio.open(path, "r+") as dst:
                dst.write_mask(np.arange(SIDE * SIDE).reshape(SIDE, SIDE) > SIDE)
    else:
        values = NUMBERS / np.float32(10_000) if kind == "of floats" else NUMBERS
        write(path, values, **{"names": BANDS, **KINDS[kind]})
    return path.read_bytes()


@pytest.mark.parametrize("kind", [*KINDS, "cloud-optimised", "masked"])
def test_tiff(bounded, kind):
    content = image(bounded, kind)
    path = bounded.folder / "scene.tif"
    check = reading(bounded, str(path), BANDS)

    @settings(fuzz, max_examples=32)
    @given(overwritten(content, fields(content)) | mutated_head(content))
    def check_all(changed):
        path.write_bytes(changed)
        check()

    check_all()


def test_tiff_on_a_server(bounded):
    content = image(bounded, "tiled")
    sent = {}
    with sending(sent) as url:
        check = reading(bounded, f"{url}/scene.tif", BANDS)

        @settings(fuzz, max_examples=20)
        @given(overwritten(content, fields(content)) | mutated_head(content))
        def check_all(changed):
            sent["/scene.tif"] = changed
            check()

        check_all()


def test_jpeg2000(bounded):
    path = write(bounded.folder / "original.jp2", NUMBERS[2], driver="JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES")
    content = path.read_bytes()
    start = content.index(b"\xff\x4f\xff\x51")  # of the codestream: sizes of image, tiles and components
    offsets = [*range(start), *range(start, start + 130), *range(start, start + 130)]
    places = [(at, form) for form in (">B", ">H", ">I") for at in offsets]
    scene = bounded.folder / "scene.jp2"
    check = reading(bounded, str(scene), ("red",))

    @settings(fuzz, max_examples=100)
    @given(overwritten(content, places) | mutated_head(content, start + 150))
    def check_all(changed):
        scene.write_bytes(changed)
        check()

    check_all()


def test_what_gdal_says_in_no_encoding_is_no_traceback(tmp_path):
    """A quotation mark of a tag is missing, and what stands there is none of UTF-8."""
    path = write(tmp_path / "a.tif", NUMBERS, names=BANDS, tags={"name": "of nobody"})
    path.write_bytes(path.read_bytes().replace(b'name="name">', b'\xd1ame "name">'))
    command = [sys.executable, "-m", "crossres", "download", "--item", str(path), "--output", str(tmp_path / "scene")]
    said = subprocess.run(command, capture_output=True, check=False).stderr
    assert b"0xd1" in said and b"Traceback" not in said


@pytest.mark.parametrize(
    "place",
    [
        Affine(10, 0, 5e5, 0, -10, math.nan), Affine(10, 0, math.inf, 0, -10, 4e6),
        Affine(1e-300, 0, 5e5, 0, -1e-300, 4e6), Affine(10, 0, 5e5, 10, 0, 4e6), Affine(10, 0, 1e30, 0, -10, 4e6),
        Affine.identity(),
    ],
    ids=["NaN", "infinite", "tiny", "a line", "far away", "none"],
)  # fmt: skip
def test_an_image_that_lies_nowhere_is_refused(bounded, place):
    path = write(bounded.folder / "scene.tif", NUMBERS, place, names=BANDS)
    reading(bounded, str(path), BANDS)()
    assert "scene.tif: does not say where its pixels lie" in bounded.refused


def test_a_grid_off_the_earth_is_refused(bounded):
    path = write(bounded.folder / "scene.tif", NUMBERS, crs="EPSG:4326", names=BANDS)  # metres as degrees
    reading(bounded, str(path), BANDS)()
    assert "check its CRS and its transform" in bounded.refused


def test_a_name_of_a_crs_in_another_encoding_is_said(bounded):
    path = write(bounded.folder / "scene.tif", NUMBERS, names=BANDS)
    known, of_its_own = struct.pack("<4H", 3072, 0, 1, 32650), struct.pack("<4H", 3072, 0, 1, 32767)
    content = path.read_bytes().replace(known, of_its_own).replace(b"UTM zone", "高斯克".encode("gbk") + b"ne")
    path.write_bytes(content)
    reading(bounded, str(path), BANDS)()
    assert "of its coordinate reference system or a band, is not UTF-8" in bounded.refused
