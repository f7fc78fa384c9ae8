"""What the numbers of a file mean is checked against them: marks of no data are nodata, wrong scales are refused."""

import numpy as np
import pytest
import rasterio
from made_scenes import BANDS, CRS, PLACE, SIDE, Scene, assert_is, dn, planetary_computer, read, truth, write

from crossres.acquire.bands.numbers import Stated
from crossres.errors import UserError

GROUND = truth(1)
HOLE = GROUND.copy()
HOLE[:, :, :12] = np.nan
NONE = np.isnan(HOLE)
REFUSED = r"set scale and offset \(--scale and --offset"


def of_values(tmp_path, values, names=BANDS, numbers=None, **profile) -> Scene:
    return read(write(tmp_path / "a.tif", values, names=names, **profile), tmp_path / "out", numbers=numbers)


def filled(fill, reflectance, kind) -> np.ndarray:
    return np.where(NONE, fill, reflectance).astype(kind)


@pytest.mark.parametrize(
    "fill", [-9999, -999, -99, -1, -2, -32768, 255, 32767, 65535, 1e20, 9.96921e36, -3.4e38, np.inf, np.nan, 0]
)
def test_reflectance_has_no_data_where_no_surface_can_have_the_number(tmp_path, fill):
    found = of_values(tmp_path, filled(fill, GROUND, "float32"))
    assert_is(found, HOLE)
    assert "reflectance" in found.assumed and (not np.isfinite(fill) or len(found.assumed.splitlines()) == 2)


@pytest.mark.parametrize("fill", [-9999, -999, -1, 0, 32767])
@pytest.mark.parametrize("kind", ["int16", "float32"])
@pytest.mark.parametrize("offset", [0, 1000])
def test_numbers_of_sentinel_2_with_and_without_offset_have_no_data_at_marks(tmp_path, fill, kind, offset):
    assert_is(of_values(tmp_path, filled(fill, dn(GROUND, offset), kind)), HOLE)


@pytest.mark.parametrize("fill", [0, 9999, 65535, 64536, 55537])
def test_a_number_far_above_all_others_that_all_bands_share_is_a_mark(tmp_path, fill):
    assert_is(of_values(tmp_path, filled(fill, dn(GROUND), "uint16")), HOLE)


def test_one_dark_or_bright_band_is_no_mark(tmp_path):
    values = np.rint(GROUND * 1e4).astype(np.int16)
    values[3, :, :12] = -1
    values[0, :, 20:30] = 9999
    found = of_values(tmp_path, values)
    assert_is(found, np.where(values < 0, -1e-4, values * 1e-4))


@pytest.mark.parametrize(
    ("kind", "fill", "tag"), [("float32", -9999, -9999), ("float32", np.nan, -9999), ("float32", -9999, np.nan),
                              ("float32", 0, -9999), ("uint16", 0, 65535), ("float32", -3.4e38, -3.4e38)]
)  # fmt: skip
def test_a_tag_of_no_data_is_applied_and_does_not_hide_another_mark(tmp_path, kind, fill, tag):
    values = GROUND if kind == "float32" else dn(GROUND)
    assert_is(of_values(tmp_path, filled(fill, values, kind), nodata=tag), HOLE)


def test_nodata_that_is_said_to_be_applied_is_applied(tmp_path):
    """With another tag in the file, too: what is printed of 0 is what happens to 0."""
    values = dn(GROUND)
    values[:, :, :6], values[:, :, 6:12] = 0, 65535
    found = of_values(tmp_path, values, nodata=65535)
    assert_is(found, HOLE)
    assert "0 is nodata" in found.assumed


def test_zeros_beside_another_mark_do_not_pass_for_dark_ground(tmp_path):
    values = dn(GROUND).astype(np.float32)
    values[:, :, :6], values[:, :, 6:12] = 0, -9999
    assert_is(of_values(tmp_path, values, nodata=-9999), HOLE)


def test_a_mask_inside_the_file_and_its_tag_hold_both(tmp_path):
    values = GROUND.astype(np.float32)
    values[:, :, :6] = 0.5
    hidden = np.zeros((SIDE, SIDE), bool)
    hidden[:, 6:12] = True
    profile = dict(driver="GTiff", dtype="float32", count=4, height=SIDE, width=SIDE, crs=CRS, transform=PLACE)
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(tmp_path / "a.tif", "w", **profile, nodata=0.5) as dst,
    ):
        dst.write(values)
        dst.descriptions = BANDS
        dst.write_mask(~hidden)
    assert_is(read(tmp_path / "a.tif", tmp_path / "out"), HOLE)


def test_what_is_no_data_in_one_band_is_none_in_the_scene(tmp_path):
    values = dn(GROUND)
    values[1, :, :12] = 0
    assert_is(of_values(tmp_path, values, nodata=0), HOLE)


@pytest.mark.parametrize("kind", ["int32", "uint32", "int64", "float64"])
def test_every_kind_of_number_is_read(tmp_path, kind):
    assert_is(of_values(tmp_path, dn(GROUND).astype(kind)), GROUND)
    scaled = of_values(tmp_path / "scaled", dn(GROUND, 0).astype(kind), scale=(1e-4, 0.0))
    assert_is(scaled, GROUND)
    assert scaled.assumed == ""


@pytest.mark.parametrize("share", [0.005, 0.2])
def test_negative_numbers_that_16_bits_turned_into_large_ones_are_no_data_and_that_is_said(tmp_path, share):
    rng = np.random.default_rng(0)
    wrapped = rng.random((SIDE, SIDE)) < share
    numbers = np.rint(GROUND * 1e4).astype(np.int64)
    numbers[:, wrapped] = -rng.integers(1, 900, (4, wrapped.sum()))
    found = of_values(tmp_path, (numbers % 65536).astype(np.uint16))
    assert_is(found, np.where(wrapped, np.nan, GROUND))
    assert "numbers that no surface can have are taken as nodata: 6" in found.assumed


@pytest.mark.parametrize(
    ("scale", "kind"),
    [(255, "uint8"), (255, "uint16"), (127, "int8"), (1023, "uint16"), (100, "float32"), (255, "float32")],
)
def test_pictures_and_percent_are_refused_with_what_to_do(tmp_path, scale, kind):
    values = np.rint(GROUND * scale) if kind != "float32" else GROUND * scale
    with pytest.raises(UserError, match=REFUSED):
        of_values(tmp_path, values.astype(kind))
    assert_is(of_values(tmp_path / "b", (GROUND * 100).astype("f4"), numbers=Stated(scale=0.01)), GROUND)


def test_a_band_of_8_bits_among_others_is_refused(tmp_path):
    for band, values in zip(BANDS, dn(GROUND), strict=True):
        write(tmp_path / "bands" / f"{band}.tif", values)
    write(tmp_path / "bands" / "red.tif", np.rint(GROUND[2] * 255).astype(np.uint8))
    with pytest.raises(UserError, match=REFUSED):
        read(tmp_path / "bands", tmp_path / "out")


def test_16_bits_stretched_by_a_viewer_are_refused(tmp_path):
    stretched = (GROUND - GROUND.min()) / np.ptp(GROUND) * 65535
    with pytest.raises(UserError, match=REFUSED):
        of_values(tmp_path, stretched.astype(np.uint16))


def test_reflectance_of_a_product_whose_metadata_say_numbers_is_refused(tmp_path):
    """Else it would be -0.1 everywhere, and dark pixels would seem to show that this is right."""
    item = planetary_computer(tmp_path / "pc", GROUND)
    for path, values in zip(sorted(item.parent.glob("*.tif")), GROUND, strict=True):
        write(path, values.astype(np.float32))
    with pytest.raises(UserError, match=r"numbers end at 0\.\d+, as reflectance does.*05\.11"):
        read(item, tmp_path / "out")


def test_a_person_may_say_what_numbers_mean_and_what_is_no_data(tmp_path):
    values = np.where(NONE, 7, np.rint(GROUND * 5000) + 500).astype(np.uint16)
    found = of_values(tmp_path, values, numbers=Stated(scale=2e-4, offset=-0.1, nodata=7))
    assert_is(found, HOLE)
    assert found.assumed == ""


def test_a_scale_that_a_person_gives_is_taken_for_an_image_with_many_impossible_numbers(tmp_path):
    rng = np.random.default_rng(0)
    values = np.where(rng.random((SIDE, SIDE)) < 0.2, rng.integers(50_000, 60_000, (SIDE, SIDE)), dn(GROUND, 0))
    values = values.astype(np.uint16)
    with pytest.raises(UserError, match=REFUSED):
        of_values(tmp_path, values)
    found = of_values(tmp_path, values, numbers=Stated(scale=1e-4))
    assert_is(found, np.where((values > 49_999).any(0), np.nan, GROUND))


@pytest.mark.parametrize("kind", ["complex64", "complex_int16"])
def test_complex_numbers_are_refused(tmp_path, kind):
    with pytest.raises(UserError, match=r"a\.tif: holds complex numbers"):
        of_values(tmp_path, GROUND.astype("complex64"), dtype=kind)


@pytest.mark.parametrize("values", [0.0, -9999.0, np.nan])
def test_an_image_without_a_valid_pixel_is_refused(tmp_path, values):
    with pytest.raises(UserError, match="has no valid pixel"):
        of_values(tmp_path, np.full((4, SIDE, SIDE), values, np.float32))


@pytest.mark.parametrize("shape", [(1, 1), (1, 48), (7, 7), (48, 1)])
def test_the_smallest_scenes_are_read(tmp_path, shape):
    part = GROUND[:, : shape[0], : shape[1]]
    assert_is(of_values(tmp_path, dn(part), nodata=0), part)
    assert_is(of_values(tmp_path / "float", part.astype(np.float32)), part)


@pytest.mark.parametrize(
    "tags", [(0.0, 0.0), (np.nan, 0.0), (-1e-4, 0.0), (np.inf, 0.0), (1e-4, np.nan), (1e-4, -1000)]
)
def test_tags_that_cannot_be_are_refused_unless_a_person_says_what_is_right(tmp_path, tags):
    with pytest.raises(UserError, match=r"^item a: .*(mend its tags|set scale and offset)"):
        of_values(tmp_path, dn(GROUND), scale=tags, nodata=0)
    found = of_values(tmp_path, dn(GROUND), scale=tags, nodata=0, numbers=Stated(scale=1e-4, offset=-0.1))
    assert_is(found, GROUND)


@pytest.mark.parametrize("said", [{"scale": 0.0}, {"scale": -1e-4}, {"scale": np.nan}, {"offset": np.inf}])
def test_a_scale_by_which_nothing_is_reflectance_is_no_scale(said):
    with pytest.raises(UserError, match=r"^--(scale|offset): .* cannot be; reflectance = scale"):
        Stated(**said)
