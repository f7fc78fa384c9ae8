"""Facts about sensors: calibration by year, optics, band integration, the Sun."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest
from published_responses import sentinel2_response

from crossres.errors import UserError
from crossres.operators import mtf_sigma
from crossres.sensors.band_integration import band_reflectance, response
from crossres.sensors.gaofen2 import BANDS, GAIN, OFFSET, PMS1, PMS2, calibration
from crossres.sensors.landsat import OLI, OLI2
from crossres.sensors.mtf import lr_mtf
from crossres.sensors.sentinel2 import BAND_IDS, S2A, S2B, S2C, offset_dn
from crossres.sensors.sun import earth_sun_distance_au, sun_position


def test_calibration_is_that_of_the_sensor_and_the_year():
    assert calibration("PMS1", 2020).gain["blue"] == 0.1378
    assert calibration("PMS2", 2020).gain["pan"] == 0.2025
    assert calibration("PMS1", 2014).offset["red"] == -0.7652
    assert set(calibration("PMS1", 2016).offset.values()) == {0.0}


def test_a_year_without_figures_takes_the_latest_and_says_so(caplog):
    latest = calibration("PMS1", 2024)
    assert latest.year_used == 2021 and latest.gain == calibration("PMS1", 2021).gain
    assert "2024" in caplog.text and "2021" in caplog.text


def test_the_gain_that_was_never_published_is_an_error_and_not_a_gain():
    with pytest.raises(UserError, match=r"PMS2.*pan gain of 2015"):
        calibration("PMS2", 2015)
    assert calibration("PMS2", 2015, BANDS[:4]).gain["red"] == 0.1677


@pytest.mark.parametrize(("sensor", "year"), [("PMS3", 2020), ("PMS1", 2013)])
def test_what_never_flew_has_no_calibration(sensor, year):
    with pytest.raises(UserError, match="no calibration"):
        calibration(sensor, year)


def test_the_table_is_the_published_one(real_data):
    path = real_data / "gaofen2" / "calibration_coefficients.json"
    published = json.loads(path.read_text())["Parameter"]["GF2"]
    for sensor in ("PMS1", "PMS2"):
        for year in range(2014, 2022):
            figures = published[sensor][str(year)]
            assert GAIN[sensor][year] == (*figures["MSS"]["gain"], *figures["PAN"]["gain"])
            offset = (*figures["MSS"]["offset"], *figures["PAN"]["offset"])
            assert OFFSET[sensor].get(year, (0.0,) * 5) == offset


@pytest.mark.parametrize("mtf", [0.15, 0.233, 0.304])
def test_the_gaussian_has_the_stated_mtf_at_nyquist(mtf):
    sigma = mtf_sigma(mtf)
    x = np.arange(-20, 20, 0.01)
    psf = np.exp(-0.5 * (x / sigma) ** 2)
    assert (psf * np.cos(np.pi * x)).sum() / psf.sum() == pytest.approx(mtf, rel=1e-3)


@pytest.mark.parametrize("name", ["sentinel-2a", "Sentinel-2B", "SENTINEL-2C", "S2A", "sentinel2b_msi"])
def test_a_known_sensor_has_its_own_mtf_whatever_its_name_looks_like(name):
    assert lr_mtf(None, name, ("red", "blue", "pan")) == (S2A.mtf[2], S2A.mtf[0], 0.25)
    assert lr_mtf(None, name, ("swir16", "rededge1")) == (0.22, 0.38)
    assert lr_mtf(0.3, name, ("red", "blue")) == (0.3, 0.3)


def test_an_image_has_the_mtf_of_the_sensor_that_it_was_degraded_to():
    assert lr_mtf(None, "gaofen-2 degraded to Sentinel-2", ("red", "blue")) == (S2A.mtf[2], S2A.mtf[0])
    assert lr_mtf(None, "sentinel-2a degraded to Landsat 8", ("red", "blue")) == (0.25, 0.25)


@pytest.mark.parametrize("name", [None, "", "landsat-8", "gaofen-2", "sentinel-3a"])
def test_an_unknown_sensor_has_the_usual_mtf(name):
    assert lr_mtf(None, name, ("red", "blue")) == (0.25, 0.25)


@pytest.mark.parametrize("sensor", [S2A, S2B, S2C, OLI, OLI2, PMS1, PMS2])
def test_bands_see_a_flat_spectrum_as_it_is_and_a_slope_at_their_centre(sensor):
    wavelength = np.arange(300.0, 2600.0, 1.0)
    assert response(sensor, wavelength).sum(axis=1) == pytest.approx(np.ones(len(sensor.bands)))
    spectra = np.stack([np.full_like(wavelength, 0.3), wavelength / 1000])
    seen = band_reflectance(spectra, wavelength, sensor)
    assert seen[0] == pytest.approx(np.full(len(sensor.bands), 0.3))
    assert seen[1] == pytest.approx(np.array(sensor.centre_nm) / 1000, abs=1e-3)


@pytest.mark.parametrize(("sensor", "unit"), [(S2A, "a"), (S2B, "b")])
def test_centres_and_widths_of_sentinel2_are_those_of_the_published_responses(real_data, sensor, unit):
    wavelength = np.arange(300.0, 2601.0)
    seen = sentinel2_response(real_data, unit, wavelength, tuple(b.replace("B0", "B") for b in BAND_IDS.values()))
    np.testing.assert_allclose(seen @ wavelength, sensor.centre_nm, atol=0.1)
    width = [np.ptp(wavelength[row >= row.max() / 2]) for row in seen]
    np.testing.assert_allclose(width, sensor.fwhm_nm, atol=2.0)


def test_the_offset_came_with_baseline_04_00():
    assert [offset_dn(b) for b in ("02.14", "03.01", "04.00", "05.11")] == [0, 0, -1000, -1000]


def test_the_sun_stands_where_real_images_say():
    # SolarAzimuth and SolarZenith of two real Gaofen-2 products.
    assert sun_position(datetime(2020, 5, 10, 17, 3, 20, tzinfo=UTC), -90.99, 17.60) == pytest.approx(
        (86.69, 90 - 13.57), abs=0.1
    )
    assert sun_position(datetime(2023, 2, 13, 14, 17, 10, tzinfo=UTC), -72.31, -36.69) == pytest.approx(
        (68.81, 90 - 43.81), abs=0.1
    )


def test_earth_is_nearest_to_the_sun_in_january():
    distance = {month: earth_sun_distance_au(datetime(2021, month, 4, tzinfo=UTC)) for month in range(1, 13)}
    assert min(distance, key=distance.__getitem__) == 1 and distance[1] == pytest.approx(0.9833, abs=2e-4)
    assert max(distance, key=distance.__getitem__) == 7 and distance[7] == pytest.approx(1.0167, abs=2e-4)
