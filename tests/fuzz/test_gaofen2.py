"""Gaofen-2 packages with something wrong in their RPB, their XML or their archive."""

import gzip
import io
import tarfile
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from made_gaofen2 import NAME, rpb, tiff, xml
from mutations import fuzz, mutated_bytes, mutated_fields

from crossres.acquire.gaofen2.item import gaofen2_item
from crossres.acquire.gaofen2.metadata import parse_metadata
from crossres.acquire.gaofen2.package import read_package, unpacked
from crossres.acquire.gaofen2.rpb import parse_rpb
from crossres.acquire.gaofen2.toa import mss_radiometry
from crossres.acquire.orthorectification.rpc import footprint
from crossres.imagery.items import write_catalog

SIDE = 16
RPB = rpb(3.2, SIDE).encode()
XML = xml(SIDE, SIDE)
WITH_STATION = XML.replace("<CloudPercent>", "<Station>密云</Station><CloudPercent>")
FILES = {
    f"{NAME}-{kind}1.{suffix}": content
    for kind in ("PAN", "MSS")
    for suffix, content in (("xml", XML.encode()), ("rpb", RPB), ("tiff", tiff(np.ones((1, SIDE, SIDE), np.uint16))))
}


def tar() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in FILES.items():
            member = tarfile.TarInfo(f"密云/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


def zipped() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in FILES.items():
            archive.writestr(name, data)
    return content.getvalue()


TAR, ZIP = tar(), zipped()


NUMBERS = [
    "", "0", "-0.0", "1", "-1", "0.01", "500", "-181", "89.99", "1e-300", "1e8", "-1e9", "1e30", "1e308", "1e99999999",
    "nan", "inf", "-Infinity", "9" * 5000, "0." + "3" * 5000, "1_0", "0x10", "٣", "1,5", "1 5", "+", "1;", "(1)",
    "many", "密云", "\0", "1\n2", "PMS1", "2020-05-10 11:12:05", "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999",
    "2020-05-10T11:12:05+99:00",
]  # fmt: skip


def seen(text: str):
    rpc = parse_rpb(text, "scene-MSS1.rpb")
    return footprint(rpc, SIDE, SIDE, rpc.height_off)


@pytest.mark.parametrize(
    ("inputs", "count"),
    [
        (mutated_bytes(RPB).map(lambda content: content.decode("utf-8", "replace")), 120),
        (mutated_fields(RPB.decode(), r"(?:= |\t\t\t)([^,;()]+)[,;)]", NUMBERS), 200),
    ],
    ids=["bytes", "numbers"],
)
def test_rpb(bounded, inputs, count):
    """What is read has an outline on the ground."""

    @settings(fuzz, max_examples=count)
    @given(inputs)
    def check(text):
        outline = bounded(lambda: seen(text))
        assert outline is None or (outline.is_valid and np.isfinite(outline.bounds).all())

    check()


@pytest.mark.parametrize(
    ("inputs", "count"),
    [
        (mutated_bytes(WITH_STATION.encode("gb18030")), 120),
        (mutated_bytes(WITH_STATION.encode("utf-16")), 60),
        (mutated_fields(WITH_STATION, r">([^<>]+)<", NUMBERS).map(lambda text: text.encode("gb18030", "replace")), 200),
    ],
    ids=["GB18030", "UTF-16", "values"],
)
def test_xml(bounded, inputs, count):
    """What is read has numbers, and a reflectance or a line that says why not."""

    @settings(fuzz, max_examples=count)
    @given(inputs)
    def check(content):
        metadata = bounded(lambda: parse_metadata(content, "scene-MSS1.xml"))
        if metadata is not None:
            assert metadata.rows > 0 and np.isfinite([metadata.sun_zenith_deg, metadata.sun_azimuth_deg]).all()
            bounded(lambda: mss_radiometry(metadata))

    check()


def with_checksums(content: bytes) -> bytes:
    """Return a tar whose headers are taken at their word again, whatever was done to them."""
    blocks = [content[at : at + 512] for at in range(0, len(content), 512)]
    for i, block in enumerate(blocks):
        if block[257:262] == b"ustar":
            total = sum(block[:148]) + sum(block[156:]) + 8 * ord(" ")
            blocks[i] = block[:148] + b"%06o\0 " % total + block[156:]
    return b"".join(blocks)


@pytest.mark.parametrize("kind", ["tar", "headers of a tar.gz", "tar.gz", "zip"])
def test_archives(bounded, kind):
    """A package that is read becomes an item, a catalogue and two images, all within the folder."""
    path = bounded.folder / f"{NAME}.{'zip' if kind == 'zip' else 'tar.gz'}"
    scratch = bounded.folder / "scratch"
    scratch.mkdir(exist_ok=True)

    def read():
        package = read_package(path)
        item = gaofen2_item(package, bounded.folder)
        write_catalog(bounded.folder / "catalog", "gaofen-2", [item])
        return unpacked(package, [package.pan, package.mss], scratch)

    @settings(fuzz, max_examples=100)
    @given(mutated_bytes({"tar.gz": gzip.compress(TAR, mtime=0), "zip": ZIP}.get(kind, TAR), most=2))
    def check(content):
        path.write_bytes(gzip.compress(with_checksums(content), 1) if kind == "headers of a tar.gz" else content)
        images = bounded(read)
        assert images is None or all(image.parent == scratch for image in images.values())

    check()
