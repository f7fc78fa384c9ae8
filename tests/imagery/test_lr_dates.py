"""Further dates come back from their raster as they were put into it."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from rasterio.windows import Window

from crossres.imagery.lr_dates import LrDate, bands_of_dates, dates_in, read_dates, write_dates
from crossres.imagery.numbers import NODATA

BANDS = ("blue", "nir")
GRID = GeoBox((6, 5), Affine(10, 0, 500_000, 0, -10, 4_000_000), "EPSG:32650")


def made(seed: int) -> LrDate:
    rng = np.random.default_rng(seed)
    values = rng.uniform(-0.05, 0.9, (2, 6, 5)).astype(np.float32)
    offsets = rng.uniform(-0.5, 0.5, (2, 6, 5)).astype(np.float32)
    values[:, 2, 3] = np.nan
    return LrDate(values, offsets)


def test_dates_come_back_to_half_a_number_and_a_gap_is_one_in_all_bands(tmp_path: Path) -> None:
    second, fourth = made(1), made(2)
    write_dates(tmp_path / "dates.tif", GRID, BANDS, [second, None, fourth])
    with rasterio.open(tmp_path / "dates.tif") as src:
        assert src.descriptions == bands_of_dates(BANDS, 4)
        assert src.descriptions[:5] == ("blue@2", "nir@2", "row@2", "col@2", "blue@3")
        numbers = src.read()
    assert (numbers[4:8] == NODATA).all()  # the third
    assert (numbers[:, 2, 3] == NODATA).all()
    assert numbers[2:4].max() <= 16000 and numbers[2:4][numbers[2:4] > 0].min() >= 6000

    back = read_dates(tmp_path / "dates.tif", len(BANDS))
    for date, found in ((second, back[0]), (fourth, back[2])):
        np.testing.assert_allclose(found.values, date.values, atol=5.1e-5)
        seen = np.isfinite(date.values[0])
        np.testing.assert_allclose(found.offsets[:, seen], date.offsets[:, seen], atol=5.1e-5)
        assert np.isnan(found.offsets[:, ~seen]).all()
    assert np.isnan(back[1].values).all() and np.isnan(back[1].offsets).all()
    part = read_dates(tmp_path / "dates.tif", len(BANDS), Window(1, 2, 3, 4))
    np.testing.assert_array_equal(part[0].values, back[0].values[:, 2:6, 1:4])


def test_the_number_of_dates_follows_from_the_channels() -> None:
    assert [dates_in(4 + n * 6, 4) for n in range(3)] == [1, 2, 3]
    with pytest.raises(ValueError, match="11 channels"):
        dates_in(11, 4)
