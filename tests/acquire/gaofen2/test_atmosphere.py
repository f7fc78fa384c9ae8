"""Corrections of the atmosphere: haze is what dark pixels show; molecules alone are physics."""

from functools import reduce
from operator import add

import numpy as np
import pytest

from crossres.acquire.gaofen2.atmosphere import DarkPixels, dark_object, no_correction, rayleigh
from crossres.imagery.numbers import to_dn

CENTRE_NM = np.array([490.0, 556.0, 660.0, 829.0])


def path_reflectance(reflectance, centre_nm):
    parts = [DarkPixels.of(rows) for rows in np.array_split(to_dn(reflectance), 3, axis=1)]
    return dark_object(reduce(add, parts).reflectance(), centre_nm).path


def test_haze_is_found_band_by_band():
    rng = np.random.default_rng(0)
    surface = rng.uniform(0.01, 0.4, (4, 200, 200)).astype(np.float32)
    haze = np.array([0.07, 0.05, 0.03, 0.015])
    found = path_reflectance(surface + haze[:, None, None].astype(np.float32), CENTRE_NM)
    np.testing.assert_allclose(found, haze, atol=2e-3)


def test_a_forest_keeps_its_near_infrared():
    rng = np.random.default_rng(0)
    surface = np.stack([rng.uniform(lo, hi, (200, 200)) for lo, hi in ((0.02, 0.1),) * 3 + ((0.25, 0.5),)])
    found = path_reflectance(surface + 0.05, CENTRE_NM)
    assert found[3] < 0.03
    assert found[0] == pytest.approx(0.06, abs=2e-3)


def test_nothing_is_taken_from_a_desert_or_from_too_few_pixels():
    assert not path_reflectance(np.full((4, 100, 100), 0.3), CENTRE_NM).any()
    assert not path_reflectance(np.full((4, 10, 10), 0.05), CENTRE_NM).any()
    gaps = np.full((4, 100, 100), 0.06)
    gaps[:, :50] = np.nan
    assert path_reflectance(gaps, CENTRE_NM)[0] == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize(
    ("nm", "sea_level_depth"),
    # Bodhaine et al. 1999, table 3 and Bucholtz 1995, table 3: optical depth of the standard atmosphere at 1013 hPa
    [(450.0, 0.2208), (550.0, 0.0975), (650.0, 0.0496), (850.0, 0.0168)],
)
def test_molecules_scatter_as_much_as_published(nm, sea_level_depth):
    air = rayleigh(np.array([nm]), 0.0, 0.0, 0.0, 0.0, 0.0)
    # The transmittance of a thin layer is 1 - tau / 2, straight down and up: 1 - tau.
    assert -np.log(air.transmittance[0]) == pytest.approx(sea_level_depth, rel=0.06)


def test_light_scattered_twice_counts():
    air = rayleigh(CENTRE_NM, 0.0, 0.0, 0.0, 0.0, 0.0)
    depth = -np.log(air.transmittance)
    once = 1.5 * (1 - np.exp(-2 * depth)) / 8  # straight back the phase function is 1.5
    more = air.path / once - 1
    assert 0.1 < more[0] < 0.35
    assert 0 < more[3] < 0.1
    assert (np.diff(more) < 0).all()


def test_a_surface_under_molecules_is_found_again():
    air = rayleigh(CENTRE_NM, 40.0, 150.0, 15.0, 280.0, 100.0)
    surface = np.array([0.05, 0.1, 0.2, 0.4])
    top = air.path + air.transmittance * surface / (1 - air.albedo * surface)
    found = air.surface(air.below_haze(top[:, None, None]))
    np.testing.assert_allclose(found[:, 0, 0], surface, rtol=1e-5)
    assert (np.diff(air.path) < 0).all()
    assert (np.diff(air.transmittance) > 0).all()
    assert 0.05 < air.path[0] < 0.09
    assert rayleigh(CENTRE_NM, 40.0, 150.0, 15.0, 280.0, 4000.0).path[0] < 0.7 * air.path[0]
    assert "no aerosol" in air.label


def test_nothing_is_changed_without_a_correction():
    values = np.array([0.1, 0.2, 0.3, 0.4])[:, None, None]
    air = no_correction(4)
    np.testing.assert_allclose(air.surface(air.below_haze(values)), values, rtol=1e-6)
