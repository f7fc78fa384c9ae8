"""Sentinel-2 products with something wrong in their metadata or their zip."""

import io
import zipfile
from pathlib import Path

import pytest
from canary import assert_no_canary
from hypothesis import given, settings
from made_scenes import safe, truth
from mutations import fuzz, mutated_bytes, mutated_fields

from crossres.acquire.bands.numbers import Stated
from crossres.acquire.read.scene import read_any

BANDS = ("red", "nir")
VALUES = [
    "", "0", "-0.0", "1", "-1", "10000", "-1000", "65535", "1e-300", "1e8", "1e308", "1e99999999", "nan", "inf", "-0.1",
    "9" * 5000, "0." + "3" * 5000, "1_0", "٣", "1,5", "+", "many", "密云", "\0", "\ud800", "1\n2", "Sentinel",
    "Landsat", "0500", "99.99", "05.09\x1b[31m", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.99Z",
    "2020-01-01T00:00:00+99:00", "a" * 300, "red", "../../x", "&x;", "<a/>",
]  # fmt: skip
MARKS = [b"BOA_ADD_OFFSET", b"BOA_QUANTIFICATION_VALUE", b"</", b"/>", b'band_id="2"', b"<!--", b"<![CDATA[", b"&#x0;"]

SIGNATURES = [b"PK\1\2", b"PK\5\6", b"PK\6\6", b"PK\3\4", b"\xff\xff\xff\xff", b"../../", b"\0\0"]


@pytest.fixture(scope="module")
def product(bounded) -> Path:
    return safe(bounded.folder, truth(side=16), sizes=(10,))


def reading(bounded, scene: Path):
    """Return a check of what `super-resolve` makes of a product."""
    output = bounded.folder / "scene"

    def check() -> None:
        if bounded(lambda: read_any(str(scene), BANDS, 10.0, output, Stated(), lambda grid: None)) is not None:
            assert_no_canary(output / "reflectance.tif")

    return check


def test_metadata(bounded, product):
    path, check = product / "MTD_MSIL2A.xml", reading(bounded, product)
    text = path.read_text()
    declared = text.replace("UTF-8", "GB2312").replace("<Datatake>", "<Datatake><Station>密云</Station>")

    @settings(fuzz, max_examples=180)
    @given(
        mutated_fields(text, r'(?:>|band_id=")([^<>"]+)[<"]', VALUES).map(lambda text: text.encode(errors="replace"))
        | mutated_bytes(text.encode())
        | mutated_bytes(text.encode(), MARKS)
        | mutated_bytes(declared.encode("gb2312"))
        | mutated_bytes(declared.encode("utf-16"))
    )
    def check_all(content):
        path.write_bytes(content)
        check()

    try:
        check_all()
    finally:
        path.write_text(text)


def repacked(product: Path, method: int) -> bytes:
    """Return the zip of a product whose directory names a file outside of it, too."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        archive.writestr("../../canary.jp2", b"of others")
        for path in sorted(p for p in product.rglob("*") if p.is_file()):
            archive.write(path, path.relative_to(product.parent).as_posix())
    return content.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_zip(bounded, product, method):
    """A zip that is damaged anywhere is a scene or a line, and nothing is unpacked beside it."""
    path = bounded.folder / "product.zip"
    check = reading(bounded, path)
    original = repacked(product, method)
    directory = len(original) - len(original) // 6  # of members, at the end
    above = sorted(bounded.folder.parent.iterdir())

    @settings(fuzz, max_examples=80)
    @given(
        mutated_bytes(original, most=2)
        | mutated_bytes(original[directory:], SIGNATURES).map(lambda end: original[:directory] + end)
    )
    def check_all(content):
        path.write_bytes(content)
        check()
        assert sorted(bounded.folder.parent.iterdir()) == above

    check_all()
