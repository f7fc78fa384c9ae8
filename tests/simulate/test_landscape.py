"""The landscape behaves as land does."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from crossres.sensors.gaofen2 import PMS1
from crossres.sensors.sentinel2 import BANDS_10M, S2A
from crossres.simulate.land.landscape import make_landscape, theme_of
from crossres.simulate.land.light import direct_light
from crossres.simulate.land.plan import THEMES
from crossres.simulate.land.spectra import Ground, Plant, ground_reflectance, plant_reflectance
from crossres.simulate.land.surface import Surface
from crossres.simulate.optics import mtf_sigma_px

SIZE = 1000


@pytest.fixture(scope="module", params=range(len(THEMES)), ids=lambda i: THEMES[i].name)
def land(request):
    return make_landscape([0, request.param, 0], theme_of(request.param), SIZE, 0.8, 0.04)


def bands(land, after_change=False, day=0.0, light=None):
    light = direct_light(land, 150.0, 60.0) if light is None else light
    surface = Surface(land, day, light, after_change)
    return {band: surface.reflectance(S2A, band) for band in BANDS_10M}


def test_reflectance_is_that_of_land(land):
    seen = bands(land)
    for values in seen.values():
        assert values.min() > -0.01 and np.quantile(values, 0.999) < 0.75
    assert 0.03 < np.median(seen["red"]) < 0.16
    assert 0.18 < np.median(seen["nir"]) < 0.45


def test_plants_are_bright_in_the_nir_and_water_is_dark(land):
    seen = bands(land, light=np.ones((SIZE, SIZE), np.float32))
    ndvi = (seen["nir"] - seen["red"]) / (seen["nir"] + seen["red"])
    trees = np.isin(land.plant, (Plant.BROADLEAF, Plant.POPLAR)) & (land.green > 0.9)
    assert np.median(ndvi[trees]) > 0.65
    water = np.isin(land.ground, (Ground.RIVER, Ground.POND)) & (land.green < 0.01)
    if water.any():
        assert np.median(ndvi[water]) < 0


def test_about_the_stated_share_changes_and_only_there(land):
    assert land.changed.mean() == pytest.approx(0.04, abs=0.02)
    before, after = bands(land)["nir"], bands(land, after_change=True)["nir"]
    assert np.array_equal(before[~land.changed], after[~land.changed])
    assert np.abs(before - after)[land.changed].mean() > 0.03


def test_fields_grow_between_dates_and_roofs_do_not(land):
    before, after = (bands(land, day=day)["nir"] for day in (0.0, -20.0))
    roofs = np.isin(land.ground, (Ground.RED_TILE, Ground.GREY_TILE, Ground.BLUE_STEEL)) & (land.green == 0)
    assert np.array_equal(before[roofs], after[roofs])
    assert np.abs(before - after)[land.growth != 0].mean() > 0.005


@pytest.fixture(scope="module")
def in_season():
    return make_landscape([0, 0, 0], theme_of(0), SIZE, 0.8, 0.0, seasons=True)


def ndvi_of(land, day):
    seen = bands(land, day=day, light=np.ones((SIZE, SIZE), np.float32))
    return (seen["nir"] - seen["red"]) / (seen["nir"] + seen["red"])


def test_with_seasons_a_fields_ndvi_moves_in_its_own_time_and_a_roofs_does_not(in_season):
    change = ndvi_of(in_season, 18.0) - ndvi_of(in_season, 0.0)
    roofs = np.isin(in_season.ground, (Ground.RED_TILE, Ground.GREY_TILE, Ground.BLUE_STEEL)) & (in_season.green == 0)
    assert roofs.any() and not change[roofs].any()
    wheat = (in_season.plant == Plant.WHEAT) & (in_season.green > 0.5)
    numbers = np.unique(in_season.seasons.cell[wheat])
    fields = np.array([np.median(change[wheat & (in_season.seasons.cell == n)]) for n in numbers])
    assert np.median(fields) < -0.15 and fields.std() > 0.05
    trees = np.isin(in_season.plant, (Plant.BROADLEAF, Plant.POPLAR, Plant.PINE)) & (in_season.green > 0.9)
    assert np.quantile(np.abs(change[trees]), 0.99) < 0.04


def test_ripening_is_told_by_the_red_edge_and_the_swir_before_the_nir(in_season):
    light = np.ones((SIZE, SIZE), np.float32)
    wheat = (in_season.plant == Plant.WHEAT) & (in_season.green > 0.7)
    early, late = (Surface(in_season, day, light, after_change=False) for day in (-40.0, 8.0))
    late.green = early.green
    share = {
        band: float((late.reflectance(S2A, band) / early.reflectance(S2A, band))[wheat].mean())
        for band in ("nir", "rededge1", "swir16", "swir22")
    }
    assert share["nir"] < 1.0 < share["rededge1"] < share["swir16"] < share["swir22"]


def test_rain_darkens_soil_and_the_swir_of_it_most_but_no_roof(in_season):
    light, rains = np.ones((SIZE, SIZE), np.float32), in_season.seasons.rains
    longest = int(np.argmax(np.diff(rains)))
    dry, wet = (Surface(in_season, day, light, False) for day in (rains[longest + 1] - 0.01, rains[longest + 1]))
    soil = (in_season.ground == Ground.LOAM) & (in_season.green < 0.02)
    roofs = np.isin(in_season.ground, (Ground.RED_TILE, Ground.BLUE_STEEL)) & (in_season.green == 0)
    share = {b: wet.reflectance(S2A, b) / dry.reflectance(S2A, b) for b in ("red", "swir16", "swir22")}
    assert np.median(share["swir22"][soil]) < np.median(share["swir16"][soil]) < np.median(share["red"][soil]) < 0.85
    assert all(np.array_equal(values[roofs], np.ones(roofs.sum())) for values in share.values())


def test_without_rain_and_ripeness_the_land_in_season_is_the_land_without_seasons(in_season):
    still = make_landscape([0, 0, 0], theme_of(0), SIZE, 0.8, 0.0)
    assert np.array_equal(still.green, in_season.green) and np.array_equal(still.ground, in_season.ground)
    roofs = (in_season.green == 0) & (in_season.object_m > 2)
    assert np.array_equal(bands(still)["red"][roofs], bands(in_season)["red"][roofs])


def test_water_is_black_in_the_swir_and_leaves_are_darker_there_than_soil():
    ground, plant = (
        dict(zip(S2A.bands, table(S2A).T, strict=True)) for table in (ground_reflectance, plant_reflectance)
    )
    assert ground["swir16"][[Ground.POND, Ground.RIVER]].max() < 0.015
    assert (plant["swir22"] < plant["swir16"]).all() and (plant["swir16"] < plant["nir08"]).all()
    assert (plant["rededge1"] < plant["rededge2"]).all() and (plant["rededge2"] < plant["rededge3"]).all()
    assert plant["swir16"].max() < ground["swir16"][[Ground.LOAM, Ground.SAND_SOIL, Ground.STRAW]].min()


def test_the_spectrum_falls_as_that_of_real_images(land):
    """Log power over log frequency between 7 and 80 m, seen through optics like Gaofen-2's MSS: real images of this
    pixel size lie between -2 and -3.2.
    """
    step = 4
    green = gaussian_filter(bands(land)["green"], mtf_sigma_px(0.25) * step)[::step, ::step]
    window = np.hanning(len(green))
    power = np.abs(np.fft.rfft2((green - green.mean()) * window[:, None] * window)) ** 2
    gsd = step * land.gsd_m
    f = np.hypot(np.fft.fftfreq(len(green), gsd)[:, None], np.fft.rfftfreq(len(green), gsd))
    edges = np.geomspace(1 / 80, 1 / 7, 11)
    level = [np.log(power[(f >= a) & (f < b)].mean()) for a, b in zip(edges[:-1], edges[1:], strict=True)]
    slope = np.polyfit(np.log(np.sqrt(edges[:-1] * edges[1:])), level, 1)[0]
    assert -3.2 < slope < -2.0


def test_shadows_fall_away_from_the_sun():
    land = make_landscape([0, 4, 0], theme_of(4), SIZE, 0.8, 0.0)
    south = direct_light(land, 180.0, 45.0) == 0
    tall = land.object_m > 10
    rows, cols = np.nonzero(tall[40:-40, 40:-40])
    north_side = south[rows + 40 - 8, cols + 40] & ~tall[rows + 40 - 8, cols + 40]
    south_side = south[rows + 40 + 8, cols + 40] & ~tall[rows + 40 + 8, cols + 40]
    assert north_side.mean() > 3 * south_side.mean()


def test_a_lower_sun_casts_longer_shadows(land):
    assert (direct_light(land, 150.0, 35.0) == 0).mean() > 1.3 * (direct_light(land, 150.0, 65.0) == 0).mean()


def test_both_sensors_see_the_same_materials_nearly_alike():
    for table in (ground_reflectance, plant_reflectance):
        difference = table(S2A)[:, :4] - table(PMS1)[:, :4]
        assert np.abs(difference).max() < 0.04
        assert np.abs(difference).max() > 0.001


def test_the_same_seed_is_the_same_land_and_another_is_not():
    first, again, other = (make_landscape([s, 0, 0], theme_of(0), 800, 0.8, 0.04) for s in (0, 0, 1))
    assert np.array_equal(first.ground, again.ground) and np.array_equal(first.green, again.green)
    assert (first.ground != other.ground).mean() > 0.1
