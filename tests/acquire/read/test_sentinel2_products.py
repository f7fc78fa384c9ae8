"""Products as ESA delivers them, of all years, and as they are kept, copied, packed and broken."""

import re
import shutil
import zipfile

import numpy as np
import pytest
from made_scenes import (
    BANDS,
    ESA,
    PLACE,
    assert_is,
    coarser,
    dn,
    jpeg2000,
    old_safe,
    read,
    safe,
    truth,
    zipped,
)
from rasterio.transform import Affine

from crossres.errors import UserError
from crossres.imagery.numbers import Mask
from crossres.imagery.raster import read_mask

GROUND = truth(3)
BRIGHT = GROUND + 0.2
"""Without dark pixels: nothing but the metadata can be right on the offset."""


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    """A product that no test changes."""
    return safe(tmp_path_factory.mktemp("kept"), BRIGHT)


@pytest.fixture
def copied(product, tmp_path):
    """A copy of it."""
    return shutil.copytree(product, tmp_path / "in" / product.name)


MADE = {
    "L1C of 2015": lambda folder: old_safe(folder, BRIGHT),
    "L2A of 2016": lambda folder: old_safe(folder, BRIGHT, "L2A"),
    "L1C of 2017": lambda folder: safe(folder, BRIGHT, "L1C", 0, baseline="02.06", time="2017-06-01T03:05:41.024Z"),
    "L2A of 2021": lambda folder: safe(folder, BRIGHT, offset=0, baseline="03.01", time="2021-06-01T03:05:41.024Z"),
    "L1C of 2023": lambda folder: safe(folder, BRIGHT, "L1C"),
    "L2A of 2023": lambda folder: safe(folder, BRIGHT),
    "of people's own": lambda folder: safe(folder, BRIGHT, offset=0, baseline="99.99"),
}


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize("packed", [False, True])
def test_each_year_and_level_by_its_own_metadata(tmp_path, kind, packed):
    made = MADE[kind](tmp_path / "in")
    found = read(zipped(made) if packed else made, tmp_path / "out")
    assert_is(found, BRIGHT)
    assert found.properties["datetime"][:4] == ("2015" if "201" in kind and "OPER" in made.name else made.name[11:15])
    assert found.properties["platform"] == ("sentinel-2a" if "OPER" in made.name else "sentinel-2c")
    assert found.assumed == ("" if "L1C" not in made.name else found.assumed) and (
        ("above the atmosphere" in found.assumed) == ("L1C" in made.name)
    )


@pytest.mark.parametrize(
    "inside", ["", "GRANULE", "GRANULE/*", "GRANULE/*/IMG_DATA", "MTD_MSIL2A.xml", "GRANULE/*/*.xml"]
)
def test_any_part_of_a_product_stands_for_it(tmp_path, product, inside):
    part = next(product.glob(inside)) if inside else product
    assert_is(read(part, tmp_path / "out"), BRIGHT)


def test_a_product_is_found_through_links_relative_paths_and_from_within(tmp_path, product, monkeypatch):
    granule = next((product / "GRANULE").iterdir())
    for name, target in (("safe", product), ("granule", granule), ("file.xml", product / "MTD_MSIL2A.xml")):
        (tmp_path / name).symlink_to(target)
        assert_is(read(tmp_path / name, tmp_path / f"out_{name}"), BRIGHT)
    for inside, path in ((product.parent, product.name), (product, "."), (granule, "."), (granule, "../..")):
        monkeypatch.chdir(inside)
        assert_is(read(path, tmp_path / "out"), BRIGHT)
        shutil.rmtree(tmp_path / "out")
    assert_is(read(f"{granule}/", tmp_path / "out"), BRIGHT)


def test_pixels_and_metadata_come_from_one_product(tmp_path):
    """A working folder of sen2cor holds the L1C that it read and the L2A that it wrote, with other offsets."""
    one = safe(tmp_path / "work", BRIGHT + 0.05, "L1C", baseline="04.00")
    other = safe(tmp_path / "work", BRIGHT, offset=0, baseline="99.99")
    with pytest.raises(UserError, match=r"holds 2 products \(.*MTD_MSIL1C\.xml and .*MTD_MSIL2A\.xml\); name one"):
        read(tmp_path / "work", tmp_path / "out")
    assert_is(read(one, tmp_path / "one"), BRIGHT + 0.05)
    assert_is(read(next((other / "GRANULE").iterdir()), tmp_path / "other"), BRIGHT)
    # Both in one folder: the part that is named says which is meant.
    shutil.copytree(next((one / "GRANULE").iterdir()), other / "GRANULE" / next((one / "GRANULE").iterdir()).name)
    shutil.copy(one / "MTD_MSIL1C.xml", other)
    with pytest.raises(UserError, match="holds 2 products"):
        read(other, tmp_path / "both")
    for level, values in (("L1C", BRIGHT + 0.05), ("L2A", BRIGHT)):
        assert_is(read(other / f"MTD_MSI{level}.xml", tmp_path / f"m{level}"), values)
        assert_is(read(next((other / "GRANULE").glob(f"{level}*")), tmp_path / f"g{level}"), values)
    (other / "MTD_MSIL2A.xml").unlink()
    shutil.rmtree(next((other / "GRANULE").glob("L1C*")))
    with pytest.raises(UserError, match=r"MTD_MSIL1C\.xml: is of an L1C product, but its images are of L2A \(L2A_T50"):
        read(other, tmp_path / "mixed")


def test_two_tiles_are_not_mixed(tmp_path, copied):
    [granule] = (copied / "GRANULE").iterdir()
    second = shutil.copytree(granule, granule.with_name(granule.name.replace("SLD", "SLE")))
    with pytest.raises(UserError, match=r"holds 2 tiles, such as L2A_T50SLD_\S+ and L2A_T50SLE_\S+; name one's folder"):
        read(copied, tmp_path / "out")
    assert_is(read(second, tmp_path / "out"), BRIGHT)


def test_copies_of_metadata_masks_and_pictures_in_a_product_are_left_aside(tmp_path, copied):
    [granule] = (copied / "GRANULE").iterdir()
    for folder in (copied / "AUX_DATA", copied / "DATASTRIP" / "DS", granule / "AUX_DATA"):
        folder.mkdir(parents=True)
        shutil.copy(copied / "MTD_MSIL2A.xml", folder)
    shutil.copy(copied / "MTD_MSIL2A.xml", copied / "MTD_MSIL2A (1).xml")
    for place in ("QI_DATA/MSK_DETFOO_B04", "QI_DATA/T50SLD_PVI", "IMG_DATA/R10m/T50SLD_20230501T030541_TCI_10m"):
        jpeg2000(granule / f"{place}.jp2", dn(GROUND)[0])
    assert_is(read(copied, tmp_path / "out"), BRIGHT)


def test_the_scene_classification_of_a_product_becomes_its_mask(tmp_path, copied):
    [granule] = (copied / "GRANULE").iterdir()
    classes = np.full((24, 24), 4, np.uint8)
    classes[:2] = 9
    jpeg2000(granule / "IMG_DATA/R20m/T50SLD_20230501T030541_SCL_20m.jp2", classes, PLACE @ Affine.scale(2))
    read(copied, tmp_path / "out")
    mask = read_mask(tmp_path / "out" / "mask.tif")
    assert (mask[:4] == Mask.CLOUD).all() and (mask[4:] == Mask.CLEAR).all()


DOUBLE = b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(4072)


def test_what_macos_leaves_beside_files_is_not_there(tmp_path, copied):
    files = [path for path in copied.rglob("*") if path.is_file()]
    beside = {f"__MACOSX/{p.parent.relative_to(copied.parent).as_posix()}/._{p.name}": DOUBLE for p in files}
    assert_is(read(zipped(copied, beside), tmp_path / "zip"), BRIGHT)
    bands = tmp_path / "bands"
    for path in (*files, *(jpeg2000(bands / f"{ESA[b]}.jp2", v) for b, v in zip(BANDS, dn(GROUND), strict=True))):
        path.with_name(f"._{path.name}").write_bytes(DOUBLE)
    assert_is(read(copied, tmp_path / "folder"), BRIGHT)
    assert_is(read(bands, tmp_path / "read"), GROUND)


@pytest.mark.parametrize(
    "change", [str.upper, str.lower, lambda name: f"L2A_{name}", lambda name: name.replace("_10m", "")]
)
def test_images_are_found_whatever_was_done_to_their_names(tmp_path, copied, change):
    for path in list(copied.rglob("*_10m.jp2")):
        path.rename(path.with_name(change(path.name)))
    moved = copied.rename(copied.with_name("Sentinel {b} % 2"))
    assert_is(read(moved, tmp_path / "out"), BRIGHT)


def with_metadata(product, change):
    path = product / "MTD_MSIL2A.xml"
    content = change(path.read_text())
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return product


STATION = "<Station>密云站</Station><PROCESSING_BASELINE>"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("<PROCESSING_BASELINE>", STATION).replace("UTF-8", "GB2312").encode("gb2312"),
        lambda text: text.replace("<PROCESSING_BASELINE>", STATION).encode("gb18030"),
        lambda text: text.encode("utf-16"),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace(">10000<", "> 10000.0 <"),
    ],
)
def test_metadata_are_read_in_any_encoding(tmp_path, copied, change):
    assert_is(read(with_metadata(copied, change), tmp_path / "out"), BRIGHT)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        *((lambda text, q=q: text.replace(">10000<", f">{q}<"), f"BOA_QUANTIFICATION_VALUE '{q}', which cannot be; get")
          for q in ("0", "nan", "-10000", "1e400", "many")),
        (lambda text: text.replace(">10000<", ">1000<"), "median reflectance .* set scale"),
        (lambda text: text.replace(">-1000<", ">1000<"), "BOA_ADD_OFFSET '1000' of band B02, which cannot be; get it"),
        (lambda text: text.replace('"2">-1000', '"2">nan'), "BOA_ADD_OFFSET 'nan' of band B03, which cannot be"),
        (lambda text: re.sub(r'<BOA_ADD_OFFSET band_id="2">.*?</BOA_ADD_OFFSET>', "", text), "'' of band B03"),
        (lambda text: text.replace("?>", '?><!DOCTYPE x [<!ENTITY a "10000">]>', 1), "holds entities"),
        (lambda text: text[:200], "is not valid XML"),
        (lambda text: "", "is not valid XML"),
        (lambda text: text.replace("<Datatake>", f"<a>{'a' * 5_000_000}</a><Datatake>"), "is larger than"),
    ],
)  # fmt: skip
def test_metadata_that_cannot_be_are_named_in_one_line(tmp_path, copied, change, line):
    with pytest.raises(UserError, match=line) as caught:
        read(with_metadata(copied, change), tmp_path / "out")
    assert str(caught.value).isprintable() and "delete" not in str(caught.value)


def test_what_metadata_do_not_say_is_assumed_and_said(tmp_path, copied):
    found = read(with_metadata(copied, lambda text: re.sub(r"<BOA_QUANT.*?VALUE>", "", text)), tmp_path / "quant")
    assert_is(found, BRIGHT)
    assert "the metadata say no BOA_QUANTIFICATION_VALUE; taken as 10000" in found.assumed
    found = read(with_metadata(copied, lambda text: re.sub(r"<BOA_ADD.*?OFFSET>", "", text)), tmp_path / "offset")
    assert_is(found, BRIGHT)
    assert "taken as -1000, as processing baseline 05.09 has it" in found.assumed


def test_an_offset_that_dark_pixels_disprove_is_taken_back(tmp_path):
    found = read(safe(tmp_path / "in", GROUND, offset=0, baseline="05.09"), tmp_path / "out")
    assert_is(found, GROUND)
    assert "dark pixels show that the offset is applied already" in found.properties["crossres:radiometry"]


def test_a_product_without_its_metadata_is_read_by_the_baseline_in_its_name_and_that_is_said(tmp_path):
    product = safe(tmp_path / "in", BRIGHT, offset=0, baseline="02.14")
    (product / "MTD_MSIL2A.xml").unlink()
    found = read(product, tmp_path / "out")
    assert_is(found, BRIGHT)
    assert "of processing baseline 02.14, as the name says" in found.assumed


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda image: image.unlink(), r"has no 10 m file of band B08, which the model needs; get the product"),
        (lambda image: image.write_bytes(b""), r"_B08_10m\.jp2: is empty; get it again"),
        (lambda image: image.write_bytes(image.read_bytes()[:-2000]), r"_B08_10m\.jp2: is damaged or cut off"),
        (lambda image: image.write_bytes(image.read_bytes()[:300]), r"_B08_10m\.jp2: is damaged or cut off"),
        (lambda image: image.write_text("<html>"), r"_B08_10m\.jp2: is no GeoTIFF or JPEG 2000 image"),
        (lambda image: jpeg2000(image, dn(GROUND)[3], PLACE @ Affine.translation(0.5, 0)), "on different grids"),
        (lambda image: jpeg2000(image, coarser(dn(GROUND)[3], 2), PLACE @ Affine.scale(2)), "on different grids"),
        (lambda image: jpeg2000(image, dn(GROUND)[3, :30]), "bands blue and nir have 48 x 48 and 30 x 48 pixels"),
    ],
)
def test_an_image_that_is_missing_damaged_or_another_is_named(tmp_path, copied, change, line):
    change(next(copied.rglob("*_B08_10m.jp2")))
    with pytest.raises(UserError, match=line) as caught:
        read(copied, tmp_path / "out")
    assert str(caught.value).isprintable() and "delete" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_bands_at_another_pixel_size_alone_are_said(tmp_path):
    product = safe(tmp_path / "in", BRIGHT, sizes=(20,))
    with pytest.raises(UserError, match=r"has no 10 m file of band B02, which the model needs \(only at 20 m\)"):
        read(product, tmp_path / "out")
    assert_is_coarse = read(product, tmp_path / "20m", bands=BANDS[:3], gsd_m=20.0)
    np.testing.assert_allclose(assert_is_coarse.values, BRIGHT[:3].reshape(3, 24, 2, 24, 2).mean((2, 4)), atol=2e-4)


class TestZips:
    """Whatever packed a product."""

    def members(self, product):
        files = sorted(path for path in product.rglob("*") if path.is_file())
        return {path.relative_to(product.parent).as_posix(): path.read_bytes() for path in files}

    def packed(self, path, members, method=zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(path, "w", method) as out:
            for name, content in members:
                info = zipfile.ZipInfo("x")
                info.filename, info.compress_type = name, method
                out.writestr(info, content)
        return path

    @pytest.mark.parametrize("name", ["{}", "./{}", "/{}", "../../{}", "C:\\data\\{}", "数据/{}"])
    def test_names_from_any_system_lead_to_the_same(self, tmp_path, product, name):
        change = (lambda text: text.replace("/", "\\")) if "\\" in name else str
        members = [(name.format(change(inner)), content) for inner, content in self.members(product).items()]
        assert_is(read(self.packed(tmp_path / "a.zip", members), tmp_path / "out"), BRIGHT)
        assert {path.name for path in tmp_path.iterdir()} == {"a.zip", "out"}

    @pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_any_packing_is_read(self, tmp_path, product, method):
        path = self.packed(tmp_path / "a.zip", self.members(product).items(), method)
        assert_is(read(path, tmp_path / "out"), BRIGHT)

    def test_the_product_s_own_folder_may_be_missing(self, tmp_path, product):
        members = [(name.partition("/")[2], content) for name, content in self.members(product).items()]
        assert_is(read(self.packed(tmp_path / "a.zip", members), tmp_path / "out"), BRIGHT)

    def test_members_twice_are_one_if_they_are_the_same(self, tmp_path, product):
        members = list(self.members(product).items())
        assert_is(read(self.packed(tmp_path / "a.zip", members + members[-1:]), tmp_path / "out"), BRIGHT)
        members.append((next(name for name, _ in members if name.endswith("B04_10m.jp2")), members[0][1]))
        with pytest.raises(UserError, match=r"b\.zip: holds .*B04_10m\.jp2 twice, and not the same; unpack it first"):
            read(self.packed(tmp_path / "b.zip", members), tmp_path / "b")

    def test_a_zip_in_a_zip_is_named(self, tmp_path, product):
        inner = self.packed(tmp_path / "inner.zip", self.members(product).items())
        outer = self.packed(tmp_path / "outer.zip", [("inner.zip", inner.read_bytes())])
        with pytest.raises(UserError, match=r"outer\.zip: holds no image .*inner\.zip is another archive: unpack it"):
            read(outer, tmp_path / "out")

    def test_a_damaged_zip_is_said_wherever_it_is_cut_or_changed(self, tmp_path, product):
        members = self.members(product)
        content = self.packed(tmp_path / "a.zip", members.items(), zipfile.ZIP_STORED).read_bytes()
        image = next(content for name, content in members.items() if name.endswith("B04_10m.jp2"))
        changed = bytearray(content)
        changed[content.find(image) + len(image) // 2] ^= 255
        rng = np.random.default_rng(0)
        cuts = [0, 1, 21, 22, *rng.integers(0, len(content), 12), len(content) - 1]
        for broken in (*(content[:cut] for cut in cuts), bytes(changed)):
            (tmp_path / "a.zip").write_bytes(broken)
            with pytest.raises(UserError, match=r"a\.zip: a damaged zip; get it again"):
                read(tmp_path / "a.zip", tmp_path / "out")

    def test_a_member_that_is_no_image_or_too_large_is_named_by_its_own_name(self, tmp_path, product):
        members = self.members(product)
        name = next(name for name in members if name.endswith("B04_10m.jp2"))
        with pytest.raises(UserError, match=rf"a\.zip: {re.escape(name)}: is no GeoTIFF or JPEG 2000 image"):
            read(self.packed(tmp_path / "a.zip", {**members, name: bytes(9 << 20)}.items()), tmp_path / "out")
        with pytest.raises(UserError, match=rf"a\.zip: {re.escape(name)}: unpacks to 0\.2 GB; it is not read"):
            read(self.packed(tmp_path / "a.zip", {**members, name: bytes(200 << 20)}.items()), tmp_path / "out")

    def test_an_encrypted_zip_is_said(self, tmp_path, product):
        path = self.packed(tmp_path / "a.zip", self.members(product).items())
        content = bytearray(path.read_bytes())
        for place in re.finditer(b"PK\x01\x02", bytes(content)):
            content[place.start() + 8] |= 1
        path.write_bytes(content)
        with pytest.raises(UserError, match="is encrypted or packed in a rare way; unpack it first"):
            read(path, tmp_path / "out")
