"""Which band is which: by names, else by colours, else by the order asked for, and what is assumed is said."""

import json

import numpy as np
import pytest
import rasterio
from made_scenes import BANDS, ESA, PLACE, SIDE, assert_is, dn, read, truth, write
from rasterio.enums import ColorInterp as Colour
from rasterio.transform import from_origin
from rasterio.warp import transform_geom
from shapely.geometry import box, mapping

from crossres.acquire.download import download
from crossres.errors import UserError
from crossres.imagery.numbers import Mask
from crossres.imagery.raster import read_mask
from crossres.settings.acquire import AcquireSettings
from crossres.settings.grid import GridSettings

GROUND = truth(2)
HOLE = GROUND.copy()
HOLE[:, :, :12] = np.nan
OTHER = np.random.default_rng(0).uniform(0.1, 0.5, (SIDE, SIDE))
RGB = BANDS[2::-1]
ALL = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12")


def named(path, names, bands, **profile):
    """Write bands under names; of a name without a band something else."""
    values = np.stack([GROUND[BANDS.index(band)] if band else OTHER for band in bands])
    return write(path, dn(values), names=names, nodata=0, **profile)


def of_esa(name: str) -> str | None:
    return {"B2": "blue", "B3": "green", "B4": "red", "B8": "nir"}.get(name)


@pytest.mark.parametrize(
    "names",
    [
        ("B2", "B3", "B4", "B8"),
        ("Blue", "GREEN", "red", "Near-Infrared"),
        ("Band 2 - Blue", "Band 3 - Green", "Band 4 - Red", "Band 8 - NIR"),
        ("Band 1 - Blue", "Band 2 - Green", "Band 3 - Red", "Band 4 - NIR"),
        ("Band 2", "Band 3", "Band 4", "Band 8"),
        ("B2, central wavelength 490 nm", "B3 (560 nm)", "B4 (665 nm)", "B8, central wavelength 842 nm"),
        ("T50SLD_20230501T030541_B02_10m", "B03_10m", "S2A_B04", "x.B08.tif"),
        ("blue", "green", "red", "Near IR"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_names_of_all_kinds_say_which_band_is_which(tmp_path, names, turned):
    step = -1 if turned else 1
    found = read(named(tmp_path / "a.tif", names[::step], BANDS[::step]), tmp_path / "out")
    assert_is(found, GROUND)
    assert "order" not in found.assumed


@pytest.mark.parametrize(
    "names",
    [
        ALL,
        (*ALL, "AOT", "WVP", "SCL", "TCI_R", "TCI_G", "TCI_B", "MSK_CLDPRB", "QA60"),
        ("B2", "B3", "B4", "B8", "quality_aot", "quality_B2", "quality_cloud_confidence"),
        ("B2", "B3", "B4", "B8", "red edge", "NIR narrow", "Red Edge 4", "MSK_B02"),
    ],
)
def test_bands_are_found_among_many(tmp_path, names):
    assert_is(read(named(tmp_path / "a.tif", names, map(of_esa, names)), tmp_path / "out"), GROUND)


@pytest.mark.parametrize(
    "names", [("", "", "", ""), ("Band 1", "Band 2", "Band 3", "Band 4"), ("band_0", "band_1", "band_2", "band_3")]
)
def test_names_that_only_count_say_nothing_and_the_order_asked_for_is_assumed_and_said(tmp_path, names):
    found = read(named(tmp_path / "a.tif", names, BANDS), tmp_path / "out")
    assert_is(found, GROUND)
    assert found.assumed.startswith("bands have no names; taken in the order asked for: blue, green, red, nir")


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (("blue", "blue", "green", "red", "nir"), "'blue' and 'blue' could both be band blue; name them apart"),
        (("20230501_B02", "20230601_B02", "B03", "B04", "B08"), "could both be band blue"),
        (("blue", "green", "red", "narrow nir"), "has no band nir; its bands are blue, green, red, narrow nir; name"),
        (("B2", "B3", "B4", "B8A"), "has no band nir"),
        (("4", "3", "2", "8"), "has no band blue"),
        (("bleu", "vert", "rouge", "pir"), "has no band blue; its bands are bleu, vert, rouge, pir"),
        (("", "", "", "", ""), "has 5 bands without names, of which 4 .* are needed; name them"),
        (("", ""), "has 2 bands without names"),
    ],
)
def test_names_that_do_not_say_it_are_refused_with_what_to_do(tmp_path, names, line):
    path = named(tmp_path / "a.tif", names, [None] * len(names), photometric="MINISBLACK")
    with pytest.raises(UserError, match=line):
        read(path, tmp_path / "out")


def coloured(path, values, colours, names=None, **profile):
    write(path, values, names=names, **profile)
    with rasterio.open(path, "r+") as dst:
        dst.colorinterp = colours
    return path


def test_colours_go_before_the_order(tmp_path):
    colours = (Colour.red, Colour.green, Colour.blue, Colour.undefined)
    path = coloured(tmp_path / "a.tif", dn(GROUND[[2, 1, 0, 3]]), colours, nodata=0, photometric="RGB")
    found = read(path, tmp_path / "out")
    assert_is(found, GROUND)
    assert "red by their colours in the file, and the one without as nir" in found.assumed


def test_near_infrared_that_a_tiff_calls_alpha_is_a_band(tmp_path):
    path = write(tmp_path / "a.tif", dn(GROUND[[2, 1, 0, 3]]), photometric="RGB", alpha="YES", nodata=0)
    with rasterio.open(path) as src:
        assert src.colorinterp[3] == Colour.alpha
    assert_is(read(path, tmp_path / "out"), GROUND)


@pytest.mark.parametrize("names", [None, ("B2", "B3", "B4", "B8", "")])
def test_a_true_alpha_band_is_a_mask_whatever_stands_before_it(tmp_path, names):
    alpha = np.where(np.isnan(HOLE[:1]), 0, 65535).astype(np.uint16)
    undefined = (Colour.undefined,) * 4
    path = coloured(tmp_path / "a.tif", np.concatenate([dn(GROUND), alpha]), (*undefined, Colour.alpha), names)
    assert_is(read(path, tmp_path / "out"), HOLE)


def test_an_rgb_model_reads_an_image_with_alpha_and_one_that_wants_more_says_what_is_missing(tmp_path):
    alpha = np.where(np.isnan(HOLE[:1]), 0, 65535).astype(np.uint16)
    values = np.concatenate([dn(GROUND[[2, 1, 0]]), alpha])
    path = write(tmp_path / "a.tif", values, photometric="RGB", alpha="YES")
    assert_is(read(path, tmp_path / "out", bands=BANDS[:3]), HOLE[:3])
    with pytest.raises(UserError, match="has no band nir; its bands have no names but the colours red, green, blue"):
        read(path, tmp_path / "four")


def test_a_band_that_is_named_is_no_mask_although_it_is_called_alpha_and_holds_two_numbers(tmp_path):
    values = np.concatenate([np.rint(GROUND[[2, 1, 0]] * 255), np.where(np.isnan(HOLE[:1]), 0, 255)]).astype(np.uint8)
    path = write(
        tmp_path / "a.tif", values, names=("red", "green", "blue", "nir"), photometric="RGB", alpha="YES",
        scale=(1 / 250, 0.0),
    )  # fmt: skip
    assert np.isfinite(read(path, tmp_path / "out").values).all()


def test_a_table_of_colours_is_refused(tmp_path):
    path = write(tmp_path / "a.tif", np.rint(GROUND[0] * 255).astype(np.uint8), photometric="PALETTE")
    with rasterio.open(path, "r+") as dst:
        dst.write_colormap(1, {i: (i, i, i, 255) for i in range(256)})
    for bands in (BANDS, ("red",)):
        with pytest.raises(UserError, match="stand for colours of a table; write it with a band for each"):
            read(path, tmp_path / "out", bands=bands)


@pytest.mark.parametrize("alpha", [True, False])
@pytest.mark.parametrize("bands", [("red", "green", "blue", "nir"), ("red", "green", "blue")])
def test_water_of_an_aerial_image_stays_whose_near_infrared_a_tiff_calls_alpha(tmp_path, alpha, bands):
    """NAIP: red, green, blue and near infrared in 8 bits; where water has no near infrared it is no mask."""
    rng = np.random.default_rng(0)
    values = rng.integers(30, 200, (4, 80, 80)).astype(np.uint8)
    values[:3, 20:40, 20:60], values[3, 20:40, 20:60] = 40, 0
    profile = {"photometric": "RGB", "alpha": "YES"} if alpha else {"photometric": "MINISBLACK"}
    place = from_origin(PLACE.c, PLACE.f, 1, 1)
    path = write(tmp_path / "naip.tif", values, place, **profile)
    region = transform_geom("EPSG:32650", "EPSG:4326", mapping(box(PLACE.c, PLACE.f - 80, PLACE.c + 80, PLACE.f)))
    names = ("Red", "Green", "Blue", "NIR")
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": "naip", "geometry": region, "links": [],
        "properties": {"datetime": "2016-06-16T00:00:00Z", "gsd": 1.0},
        "assets": {"image": {"href": path.name, "roles": ["data"],
                             "eo:bands": [{"name": name, "common_name": name.lower()} for name in names]}},
    }  # fmt: skip
    (tmp_path / "naip.json").write_text(json.dumps(item))
    grid = GridSettings(bands=bands, gsd_m=1.0)
    download(AcquireSettings(), grid, tmp_path / "naip.json", None, tmp_path / "out")
    assert (read_mask(tmp_path / "out" / "mask.tif") == Mask.CLEAR).all()


@pytest.mark.parametrize(
    "name",
    [
        "{esa}.tif", "{band}.tif", "{upper}.TIF", "B{number}.tif", "Band_{number}.tif", "T50SLD_20230501_{esa}_10m.tif",
        "2023-05-01-00:00_Sentinel-2_L2A_{esa}_(Raw).tif", "scene {esa}.tif", "SENTINEL2A_L2A_T50SLD_FRE_B{number}.tif",
    ],
)  # fmt: skip
def test_files_of_bands_are_found_by_their_names_beside_others(tmp_path, name):
    folder = tmp_path / "bands"
    for band, values in zip(BANDS, dn(GROUND), strict=True):
        number = ESA[band][1:].lstrip("0")
        write(folder / name.format(esa=ESA[band], band=band, upper=band.upper(), number=number), values, nodata=0)
    for other in ("dem", "TCI", "preview", "T50SLD_AOT_10m", "MSK_CLDPRB_B04", "QA_B02", "B8A"):
        write(folder / f"{other}.tif", dn(OTHER))
    assert_is(read(folder, tmp_path / "out"), GROUND)


def test_what_is_in_a_band_s_file_besides_is_not_taken_for_it(tmp_path):
    for band, values in zip(BANDS, dn(GROUND), strict=True):
        write(tmp_path / "bands" / f"{ESA[band]}.tif", values, names=("reflectance",), nodata=0)
    assert_is(read(tmp_path / "bands", tmp_path / "out"), GROUND)
    both = dn(np.stack([OTHER, GROUND[0]]))
    write(tmp_path / "bands" / "B02.tif", both, names=("cloud probability", "B2"), nodata=0)
    assert_is(read(tmp_path / "bands", tmp_path / "named"), GROUND)
    write(tmp_path / "bands" / "B02.tif", both, nodata=0)
    with pytest.raises(UserError, match=r"B02\.tif: has 2 bands without names, of which 1 \(blue\)"):
        read(tmp_path / "bands", tmp_path / "two")


@pytest.mark.parametrize("places", [("T50SLD_20230501_{}_10m.tif", "T50SLD_20230511_{}_10m.tif"), ("a/{}", "b/{}")])
def test_two_scenes_in_one_folder_are_not_mixed(tmp_path, places):
    for place in places:
        for band, values in zip(BANDS, dn(GROUND), strict=True):
            write(tmp_path / "both" / place.format(f"{ESA[band]}.tif"), values, nodata=0)
    with pytest.raises(UserError, match=r"2 files could be band blue \(B02\), such as .* and .*; give"):
        read(tmp_path / "both", tmp_path / "out")
