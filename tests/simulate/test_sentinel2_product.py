"""Sentinel-2's products are what the real ones are, and show the landscape through the sensor's optics."""

import numpy as np
import pystac
import pytest
import rasterio
from scipy.ndimage import binary_dilation, gaussian_filter, map_coordinates

from crossres.files import read_json
from crossres.sensors.sentinel2 import BAND_IDS, BANDS_20M, S2A
from crossres.sensors.sun import sun_position
from crossres.simulate.land.landscape import make_landscape, theme_of
from crossres.simulate.land.surface import Surface
from crossres.simulate.optics import mtf_sigma_px
from crossres.simulate.schedule import sentinel2_passes
from crossres.simulate.sentinel2.clouds import draw_clouds
from crossres.simulate.sentinel2.product import NOISE, sample_msi, write_sentinel2
from crossres.simulate.sites import site


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


@pytest.mark.parametrize("band", ["nir", *BANDS_20M])
def test_a_wave_at_a_bands_nyquist_frequency_is_damped_by_its_own_mtf(band):
    index = S2A.bands.index(band)
    step, size, gsd = S2A.gsd_m[index], 24, 0.5
    fine = np.arange(1600) * gsd + gsd / 2
    first = (1600 * gsd - (size - 1) * step) / 2
    wave = np.cos(np.pi * (fine - first) / step)
    seen = sample_msi(np.tile(wave.astype(np.float32), (1600, 1)), gsd, S2A, band, size)
    np.testing.assert_allclose(seen, np.tile(S2A.mtf[index] * (-1.0) ** np.arange(size), (size, 1)), atol=2e-3)


SEED = [5, 0, 2, 1]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """What one pass writes with 20 m bands, clouds and a shift, and what it writes without; and what is true."""
    land = make_landscape([5, 0, 0], theme_of(0), 1000, 0.8, 0.0)
    seen = sentinel2_passes(0, 4)[3]
    folders = [tmp_path_factory.mktemp(name) for name in ("plain", "full", "shifted")]
    options = [{}, {"bands_20m": True}, {"bands_20m": True, "location_error_m": 3.0}]
    truths = [
        write_sentinel2(folder, SEED, site(0), land, seen, 640.0, **option)
        for folder, option in zip(folders, options, strict=True)
    ]
    return seen, [folder / truth.item_id for folder, truth in zip(folders, truths, strict=True)], truths


def test_the_20_m_bands_come_on_the_grid_of_scl_and_leave_the_others_as_they_are(written):
    _, (plain, full, _), _ = written
    item = pystac.Item.from_file(str(full / f"{full.name}.json"))
    with rasterio.open(full / "SCL.tif") as scl:
        for name in BANDS_20M:
            asset = item.assets[name]
            with rasterio.open(asset.get_absolute_href()) as src:
                assert (src.shape, src.transform, src.crs, src.dtypes) == (
                    (32, 32),
                    scl.transform,
                    scl.crs,
                    ("uint16",),
                )
                assert list(src.transform)[:6] == asset.extra_fields["proj:transform"]
            assert asset.extra_fields["eo:bands"][0]["name"] == BAND_IDS[name]
            assert asset.title.endswith("20m")
    assert {p.name for p in full.glob("*.tif")} - {p.name for p in plain.glob("*.tif")} == {
        f"{BAND_IDS[band]}.tif" for band in BANDS_20M
    }
    for path in plain.glob("*.tif"):
        assert path.read_bytes() == (full / path.name).read_bytes()


def test_the_mask_is_that_of_the_clouds_that_were_drawn(written):
    seen, (_, full, _), _ = written
    here = site(0)
    sun = sun_position(seen.time, here.longitude, here.latitude)
    drawn = draw_clouds(np.random.default_rng(SEED), 64, 10.0, seen.cloud_share, *sun)
    opacity, shadow = (layer.reshape(32, 2, 32, 2).mean(axis=(1, 3)) for layer in (drawn.opacity, drawn.shadow))
    scl = band(full, "SCL")
    cloud = np.isin(scl, (8, 9, 10))
    assert 0.03 < cloud.mean() < 0.4
    assert np.array_equal(cloud, opacity > 0.04)
    assert np.array_equal(scl == 3, (shadow > 0.25) & ~cloud)
    for name, thick in (("B05", 0.6), ("B11", 0.45)):
        assert band(full, name)[opacity > 0.99].mean() * 1e-4 - 0.1 == pytest.approx(thick, abs=0.06)


def test_an_acquisition_lies_where_its_truth_says_in_all_its_bands(written):
    _, (_, full, shifted), truths = written
    east, north = truths[2].shift_m
    assert truths[1].shift_m == (0.0, 0.0) and np.hypot(east, north) > 1
    cloudy = np.isin(band(full, "SCL"), (3, 8, 9, 10))
    for name, gsd in (("B04", 10.0), ("B08", 10.0), ("B07", 20.0), ("B11", 20.0)):
        before, after = (band(folder, name).astype(float) for folder in (full, shifted))  # with the same noise
        clear = ~binary_dilation(np.kron(cloudy, np.ones((len(before) // 32,) * 2, bool)), iterations=2)
        down, right = (-g[clear] / gsd for g in np.gradient(before))
        moved = np.linalg.lstsq(np.stack([right, -down], axis=1), (after - before)[clear], rcond=None)[0]
        assert moved == pytest.approx((east, north), abs=0.7)


@pytest.mark.parametrize("band", ["red", "swir22"])
def test_a_shift_is_to_the_east_and_to_the_north(band):
    fine = np.random.default_rng(0).random((400, 400), np.float32)
    seen = sample_msi(fine, 0.8, S2A, band, 8, shift_m=(1.6, -2.4))
    np.testing.assert_allclose(seen, sample_msi(np.roll(fine, (3, 2), (0, 1)), 0.8, S2A, band, 8), atol=1e-5)


def test_the_swir_tells_what_the_10_m_bands_do_not(written):
    """The best linear prediction from four bands, their squares and two ratios leaves far more than noise."""
    _, (_, full, _), _ = written
    clear = ~np.isin(band(full, "SCL"), (3, 8, 9, 10))
    four = [
        band(full, name).reshape(32, 2, 32, 2).mean(axis=(1, 3))[clear] * 1e-4 - 0.1
        for name in ("B02", "B03", "B04", "B08")
    ]
    known = np.stack([*four, *(f**2 for f in four), four[3] / four[2], four[2] / four[1], np.ones(clear.sum())], axis=1)
    for name in ("B11", "B12"):
        swir = band(full, name)[clear] * 1e-4 - 0.1
        left = swir - known @ np.linalg.lstsq(known, swir, rcond=None)[0]
        assert left.std() > 3 * NOISE
