"""Sentinel-2's 20 m bands beside those of 10 m: interpolated between the centres of their own pixels."""

import json

import numpy as np
import pytest
from made_scenes import BANDS, PLACE, SIDE, dn, earth_search_v1, jpeg2000, read, safe, truth, write
from pyproj import CRS
from rasterio.transform import Affine
from scipy.ndimage import map_coordinates
from shapely.geometry import box, mapping
from web import serve

from crossres.acquire.download import download
from crossres.acquire.regions import LON_LAT, reproject
from crossres.errors import UserError
from crossres.imagery.scene import bands_of, open_scene
from crossres.settings.acquire import AcquireSettings
from crossres.settings.grid import GridSettings

GROUND = truth(3)
HALF = SIDE // 2
SWIR = np.random.default_rng(5).uniform(0.05, 0.35, (HALF, HALF)).round(4)
COARSE = PLACE @ Affine.scale(2)
GRID = GridSettings(lr_bands=("swir16", *BANDS))


def expected() -> np.ndarray:
    """Return SWIR on the 10 m grid, by another hand: linear between centres, the outermost repeated."""
    at = (np.arange(SIDE) + 0.5) / 2 - 0.5
    return map_coordinates(SWIR, np.meshgrid(at, at, indexing="ij"), order=1, mode="nearest")


def with_swir(item, numbers=None, name="swir16", **asset):
    """Add the 20 m band to an item in the role of LR; return the item."""
    write(item.parent / f"{name}.tif", dn(SWIR) if numbers is None else numbers, COARSE, nodata=0)
    content = json.loads(item.read_text())
    band = {
        "eo:bands": [{"name": name, "common_name": name}],
        "raster:bands": [{"nodata": 0, "spatial_resolution": 20}],
    }
    content["assets"][name] = {"href": f"{name}.tif", **band, **asset}
    content["properties"] |= {"crossres:role": "lr", "proj:shape": [SIDE, SIDE]}
    item.write_text(json.dumps(content))
    return item


def window(item, col, row, width, height):
    """Set what is read of an item, in pixels."""
    (left, top), (right, bottom) = PLACE @ (col, row), PLACE @ (col + width, row + height)
    content = json.loads(item.read_text())
    content["properties"]["crossres:region"] = mapping(
        reproject(box(left, bottom, right, top), CRS.from_epsg(32650), LON_LAT)
    )
    item.write_text(json.dumps(content))
    return item


def test_a_20_m_band_lies_on_the_10_m_grid_between_the_centres_of_its_pixels(tmp_path):
    item = with_swir(earth_search_v1(tmp_path / "in", GROUND, 1000))
    found = read(item, tmp_path / "out", (*BANDS, "swir16"))
    np.testing.assert_allclose(found.values[:4], GROUND, atol=1e-4)
    np.testing.assert_allclose(found.values[4], expected(), atol=1.1e-4)
    assert np.abs(found.values[4] - np.kron(SWIR, np.ones((2, 2)))).mean() > 0.01, "it is not the nearest pixel"


@pytest.mark.parametrize("served", [False, True])
def test_any_window_of_it_is_a_part_of_the_whole_and_only_lr_has_the_band(tmp_path, served):
    item = window(with_swir(earth_search_v1(tmp_path / "in", GROUND, 1000)), 9, 5, 21, 30)
    with serve(tmp_path / "in") as url:
        if served:
            content = json.loads(item.read_text())
            for key, asset in content["assets"].items():
                asset["href"] = f"{url}/{key}.tif"
            item.write_text(json.dumps(content))
        settings = AcquireSettings(private_hosts=("127.0.0.1", "localhost"))
        download(settings, GRID, item, None, tmp_path / "lr")
        content = json.loads(item.read_text())
        content["properties"]["crossres:role"] = "hr"
        item.write_text(json.dumps(content))
        download(settings, GRID, item, None, tmp_path / "hr")
    low, high = (open_scene(tmp_path / name) for name in ("lr", "hr"))
    assert bands_of(low) == (*BANDS, "swir16")
    assert bands_of(high) == BANDS
    np.testing.assert_allclose(low.reflectance.values[4], expected()[5:35, 9:30], atol=1.1e-4)


def test_what_a_20_m_pixel_without_data_touches_has_none(tmp_path):
    numbers = dn(SWIR)
    numbers[7, 9] = 0
    found = read(
        with_swir(earth_search_v1(tmp_path / "in", GROUND, 1000), numbers), tmp_path / "out", (*BANDS, "swir16")
    )
    rows, cols = np.nonzero(np.isnan(found.values[0]))
    assert (rows.min(), rows.max(), cols.min(), cols.max(), len(rows)) == (13, 16, 17, 20, 16)
    seen = ~np.isnan(found.values[4])
    np.testing.assert_allclose(found.values[4][seen], expected()[seen], atol=1.1e-4)


def test_a_product_s_20_m_band_has_its_own_files_and_offset(tmp_path):
    product = safe(tmp_path / "in", GROUND)
    images = next(product.glob("GRANULE/*/IMG_DATA"))
    for size in (20, 60):
        values = dn(SWIR) if size == 20 else np.full((8, 8), 3000, np.uint16)
        jpeg2000(
            images / f"R{size}m" / f"T50SLD_20230501T030541_B11_{size}m.jp2", values, PLACE @ Affine.scale(size // 10)
        )
    found = read(product, tmp_path / "out", (*BANDS, "swir16"))
    np.testing.assert_allclose(found.values[4], expected(), atol=1.1e-4)


def test_a_folder_s_20_m_band_is_told_from_its_copy_of_60_m(tmp_path):
    for band, values in zip(("B02", "B03", "B04", "B08"), dn(GROUND), strict=True):
        write(tmp_path / "in" / f"{band}_10m.tif", values, nodata=0)
    write(tmp_path / "in" / "B11_20m.tif", dn(SWIR), COARSE, nodata=0)
    write(tmp_path / "in" / "B11_60m.tif", np.full((8, 8), 3000, np.uint16), PLACE @ Affine.scale(6), nodata=0)
    found = read(tmp_path / "in", tmp_path / "out", (*BANDS, "swir16"))
    np.testing.assert_allclose(found.values[4] - found.values[4].min(), expected() - expected().min(), atol=2.1e-4)


def test_a_20_m_band_that_begins_elsewhere_is_on_another_grid(tmp_path):
    item = with_swir(earth_search_v1(tmp_path / "in", GROUND, 1000))
    write(item.parent / "swir16.tif", dn(SWIR), COARSE @ Affine.translation(0.25, 0), nodata=0)
    with pytest.raises(UserError, match="bands blue and swir16 are on different grids"):
        read(item, tmp_path / "out", (*BANDS, "swir16"))


def test_a_band_that_a_scene_lacks_is_one_line(tmp_path):
    item = with_swir(earth_search_v1(tmp_path / "in", GROUND, 1000))
    with pytest.raises(UserError, match=r"has no band 'swir22' \(B12\) of blue, green, red, nir, swir22"):
        read(item, tmp_path / "out", (*BANDS, "swir22"))
