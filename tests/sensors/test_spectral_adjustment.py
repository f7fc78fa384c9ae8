"""The band adjustment is that of the published responses, and brings two sensors' views of the same ground together."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from published_responses import gaofen2_response, sentinel2_response

from crossres.sensors.band_integration import response
from crossres.sensors.gaofen2 import PMS1
from crossres.sensors.landsat import OLI, OLI2
from crossres.sensors.sensor import Sensor
from crossres.sensors.sentinel2 import S2A, S2B, S2C
from crossres.sensors.spectral_adjustment import (
    BANDS,
    FROM_GAOFEN2,
    WAVELENGTH_NM,
    band_adjustment,
    linear_map,
    mixtures,
)
from crossres.simulate.land.spectra import Ground, Plant, ground_reflectance, plant_reflectance


@pytest.mark.parametrize("unit", ["a", "b"])
def test_the_matrices_are_those_of_the_published_responses(real_data: Path, unit: str) -> None:
    gaofen2 = gaofen2_response(real_data, "PMS1", WAVELENGTH_NM)
    sentinel2 = sentinel2_response(real_data, unit, WAVELENGTH_NM)
    np.testing.assert_allclose(gaofen2 @ WAVELENGTH_NM, PMS1.centre_nm[:4], atol=0.1)
    np.testing.assert_allclose(sentinel2 @ WAVELENGTH_NM, S2A.centre_nm[:4], atol=1.0)
    found = linear_map(mixtures() @ gaofen2.T, mixtures() @ sentinel2.T)
    np.testing.assert_allclose(found, FROM_GAOFEN2[f"sentinel-2{unit}"], atol=2e-4)
    back = linear_map(mixtures() @ sentinel2.T, mixtures() @ gaofen2.T)
    np.testing.assert_allclose(back, band_adjustment(f"sentinel-2{unit}", "gaofen-2", BANDS), atol=0.006)


TWINS = ({"sentinel-2a", "sentinel-2b"}, {"sentinel-2c"}, {"landsat-8", "landsat-9"})


def four_bands(sensor: Sensor) -> Sensor:
    return replace(sensor, bands=BANDS, centre_nm=sensor.centre_nm[:4], fwhm_nm=sensor.fwhm_nm[:4])


@pytest.mark.parametrize(
    ("platform", "sensor"),
    [("sentinel-2a", S2A), ("sentinel-2b", S2B), ("sentinel-2c", S2C), ("landsat-8", OLI), ("landsat-9", OLI2)],
)
def test_the_matrices_are_nearly_those_of_the_bands_centroids_and_widths(platform: str, sensor: Sensor) -> None:
    """In blue and NIR, where they differ most, only those of the platform and its twin lead to what its bands see."""
    ours, theirs = (response(four_bands(s), WAVELENGTH_NM) for s in (PMS1, sensor))
    seen = mixtures() @ ours.T
    expected = seen @ linear_map(seen, mixtures() @ theirs.T).T
    error = {
        name: np.sqrt(((seen @ np.array(matrix).T - expected) ** 2).mean(axis=0))
        for name, matrix in FROM_GAOFEN2.items()
    }
    assert error[platform].max() < 0.002
    twins = next(names for names in TWINS if platform in names)
    assert {name for name, rms in error.items() if rms[[0, 3]].max() < 0.0005} == twins


def test_the_simulated_world_agrees_better_after_the_adjustment() -> None:
    """Its spectra and responses are not those that the adjustment was derived from; a gain a band cannot do as much."""
    sees = [np.concatenate([ground_reflectance(s)[:, :4], plant_reflectance(s)[:, :4]]) for s in (PMS1, S2A)]
    assert len(sees[0]) == len(Ground) + len(Plant)
    matrix = band_adjustment("Gaofen-2", "Sentinel-2A", BANDS)
    assert matrix is not None
    gain = (sees[0] * sees[1]).sum(axis=0) / (sees[0] ** 2).sum(axis=0)
    left = [np.sqrt(((image - sees[1]) ** 2).mean(axis=0)) for image in (sees[0] * gain, sees[0] @ matrix.T)]
    assert (left[1][:3] < 0.75 * left[0][:3]).all() and left[1].max() < 0.003


def test_bands_may_stand_in_any_order_and_unknown_sensors_are_left_alone() -> None:
    order = ("nir", "red", "green", "blue")
    one, other = (band_adjustment("gaofen-2", "sentinel-2b", bands) for bands in (BANDS, order))
    assert one is not None and other is not None
    np.testing.assert_array_equal(one[::-1, ::-1], other)
    assert band_adjustment("aerial", "sentinel-2a", BANDS) is None
    assert band_adjustment("gaofen-2", "sentinel-2a", ("red", "nir")) is None
