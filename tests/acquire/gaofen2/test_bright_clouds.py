"""Simulated clouds are masked, bright roofs and fields are not."""

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from crossres.acquire.gaofen2.bright_clouds import cloud_mask, is_bright
from crossres.simulate.sentinel2.clouds import draw_clouds

BANDS = ("blue", "green", "red", "nir")
SIDE = 400
LAND = np.array([0.10, 0.11, 0.13, 0.28])[:, None, None]
NOT_SATURATED = np.zeros((4, SIDE, SIDE), bool)


def land(seed=0):
    return LAND * np.random.default_rng(seed).uniform(0.5, 1.5, (1, SIDE, SIDE))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_most_of_thick_simulated_cloud_is_masked_and_little_else(seed):
    clouds = draw_clouds(np.random.default_rng(seed), SIDE, 3.2, 0.2, 150.0, 50.0)
    top = np.stack([clouds.over(band, name) for band, name in zip(land(seed), BANDS, strict=True)])
    found = cloud_mask(is_bright(top, NOT_SATURATED))
    thick = binary_erosion(clouds.opacity > 0.7, iterations=12)
    assert found[thick].mean() > 0.95
    assert found[clouds.opacity == 0].mean() < 0.1  # the margin


def test_a_saturated_cloud_is_masked_though_its_blue_can_be_no_brighter():
    top = land()
    top[:, 100:200, 100:200] = np.array([0.24, 0.31, 0.45, 0.5])[:, None, None]
    saturated = np.zeros((4, SIDE, SIDE), bool)
    assert not cloud_mask(is_bright(top, saturated)).any()
    saturated[:2, 100:200, 100:200] = True
    found = cloud_mask(is_bright(top, saturated))
    assert found[100:200, 100:200].all()
    assert found.mean() < 0.1


def test_roofs_roads_and_bare_fields_are_no_clouds():
    top = land()
    top[:, 50:65, 50:68] = 0.5  # a hall of 48 x 58 m
    top[:, 200:206] = 0.4  # a road of 19 m
    top[:, 250:380, 100:300] = np.array([0.26, 0.33, 0.42, 0.5])[:, None, None]  # dry soil: bright, not white
    assert not cloud_mask(is_bright(top, NOT_SATURATED)).any()


def test_where_there_is_no_data_there_is_no_cloud():
    top = np.full((4, SIDE, SIDE), np.nan)
    assert not cloud_mask(is_bright(top, NOT_SATURATED)).any()
