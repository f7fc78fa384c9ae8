"""A band is found by ESA's, STAC's and other names, and by none of another band."""

import pytest

from crossres.errors import UserError
from crossres.sensors.band_names import common_name, esa_name, find_band
from crossres.sensors.sentinel2 import BAND_IDS

BANDS = tuple(BAND_IDS)


@pytest.mark.parametrize(
    "names",
    [
        BANDS,
        tuple(BAND_IDS.values()),
        tuple(f"T50SKE_20210503T030541_{esa}_20m" for esa in BAND_IDS.values()),
        tuple(f"{band.capitalize()} - 10m" for band in BANDS),
    ],
    ids=["STAC", "ESA", "files", "titles"],
)
def test_each_of_ten_bands_is_found_among_all(names):
    assert [find_band(names, band, "here") for band in BANDS] == list(range(10))
    assert [common_name(name) for name in names] == list(BANDS)
    assert [esa_name(band) for band in BANDS] == list(BAND_IDS.values())


def test_what_stac_calls_three_bands_means_none_of_them_alone():
    assert common_name("rededge") is None
    assert find_band(["rededge"], "rededge2", "here") == 0
    with pytest.raises(UserError, match="could both be band rededge1"):
        find_band(["rededge", "rededge"], "rededge1", "here")


@pytest.mark.parametrize("name", ["B5", "B6", "B7", "SR_B5", "Band 5 - Near Infrared (NIR)"])
def test_landsats_band_numbers_are_not_taken_for_sentinel2s(name):
    assert common_name(name) in (None, "nir")


@pytest.mark.parametrize("band", ["red", "nir", "blue", "green"])
def test_a_20_m_band_is_not_a_10_m_band(band):
    assert find_band([*BANDS[4:], "B8A", "narrow nir", "red edge 1"], band, "here") is None
