"""Sentinel-2's products are what the real ones are, and show the landscape through the sensor's optics."""

import numpy as np
import pystac
import pytest
import rasterio
from scipy.ndimage import gaussian_filter, map_coordinates

from crossres.files import read_json
from crossres.sensors.sentinel2 import S2A
from crossres.simulate.land.landscape import make_landscape, theme_of
from crossres.simulate.land.surface import Surface
from crossres.simulate.optics import mtf_sigma_px
from crossres.simulate.sentinel2.clouds import draw_clouds
from crossres.simulate.sentinel2.product import NOISE, sample_msi


def scenes(place):
    return sorted((place / "sentinel2").iterdir())


def band(scene, name):
    with rasterio.open(scene / f"{name}.tif") as src:
        return src.read(1)


def test_every_scene_has_the_bands_on_one_10_m_grid_and_scl_at_20_m(place, settings):
    for scene in scenes(place):
        for name in ("B02", "B03", "B04", "B08"):
            with rasterio.open(scene / f"{name}.tif") as src:
                assert src.shape == (64, 64) and src.res == (10, 10) and src.dtypes == ("uint16",) and src.nodata == 0
                assert src.bounds.left % 20 == 0 and src.bounds.top % 20 == 0
                bounds, crs = src.bounds, src.crs
        with rasterio.open(scene / "SCL.tif") as src:
            assert (src.bounds, src.crs, src.res) == (bounds, crs, (20, 20))
    assert len(scenes(place)) == settings.lr_dates


def test_zero_means_no_data_only_and_dark_pixels_lie_near_the_offset(place):
    for scene in scenes(place):
        for name in ("B02", "B03", "B04", "B08"):
            dn = band(scene, name)
            assert dn.min() > 0
            assert 1000 - 50 < dn.min() < 1600


def test_items_validate_and_lead_to_their_rasters(place):
    for scene in scenes(place):
        item = pystac.Item.from_file(str(scene / f"{scene.name}.json"))
        assert item.id == scene.name
        assert item.collection_id == "sentinel-2-c1-l2a"
        for key in ("blue", "green", "red", "nir", "scl"):
            href = item.assets[key].get_absolute_href()
            with rasterio.open(href) as src:
                assert list(src.shape) == item.assets[key].extra_fields["proj:shape"]
                assert list(src.transform)[:6] == item.assets[key].extra_fields["proj:transform"]
                assert f"EPSG:{src.crs.to_epsg()}" == item.properties["proj:code"]
        raster = item.assets["red"].extra_fields["raster:bands"][0]
        assert (raster["scale"], raster["offset"], raster["nodata"]) == (1e-4, -0.1, 0)


def test_the_item_says_when_where_and_how_cloudy(place):
    for scene in scenes(place):
        properties = read_json(scene / f"{scene.name}.json")["properties"]
        platform, tile, start, level = scene.name.split("_")
        assert platform[-1].lower() == properties["platform"][-1] and level == "L2A"
        assert tile[1:] == properties["s2:mgrs_tile"] == properties["grid:code"].removeprefix("MGRS-")
        assert start[:8] == properties["datetime"][:10].replace("-", "")
        cloudy = np.isin(band(scene, "SCL"), (8, 9, 10)).mean()
        assert properties["eo:cloud_cover"] == pytest.approx(100 * cloudy)


def test_one_date_is_near_and_clear_and_one_is_mostly_cloud(place):
    cover = [read_json(s / f"{s.name}.json")["properties"]["eo:cloud_cover"] for s in scenes(place)]
    assert min(cover) < 3 and max(cover) > 55


def test_cloud_is_in_the_image_where_the_classification_says(place):
    cloudy = max(scenes(place), key=lambda s: np.isin(band(s, "SCL"), (8, 9)).mean())
    scl = np.repeat(np.repeat(band(cloudy, "SCL"), 2, 0), 2, 1)
    blue = band(cloudy, "B02") * 1e-4 - 0.1
    assert blue[scl == 9].mean() > 0.4
    assert np.median(blue[~np.isin(scl, (8, 9, 10))]) < 0.25


def test_shadows_lie_away_from_the_sun():
    rng = np.random.default_rng(0)
    clouds = draw_clouds(rng, 200, 10.0, 0.1, sun_azimuth=180.0, sun_elevation=45.0)
    # The Sun in the south at 45 degrees: the shadow of a cloud at 900 m falls 900 m to the north.
    assert np.array_equal(clouds.shadow[:110], clouds.opacity[90:])


def test_sentinel2_is_the_land_through_a_gaussian_with_the_bands_mtf():
    land = make_landscape([1, 0, 0], theme_of(0), 900, 0.8, 0.0)
    red = Surface(land, 0.0, np.ones((900, 900), np.float32), after_change=False).reflectance(S2A, "red")
    seen = sample_msi(red, 0.8, S2A, "red", 64)
    blurred = gaussian_filter(red, mtf_sigma_px(S2A.mtf[2]) * 10.0 / 0.8, truncate=6)
    centre = (np.arange(64) - 31.5) * 12.5 + 449.5
    expected = map_coordinates(blurred, np.meshgrid(centre, centre, indexing="ij"), order=3)
    assert np.abs(seen - expected).max() < NOISE
