"""What is asked of a lazy raster is what its pixels give: dask hands steps and single pixels on to the file."""

from pathlib import Path

import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine

from crossres.imagery.lazy import lazy_raster
from crossres.imagery.raster import write_cog

ASKED = [
    np.s_[:, ::3, ::5], np.s_[1, 5:70:7, 3], np.s_[::2, 10, :], np.s_[[0, 2], :, ::-1], np.s_[:, 3:3, :],
    np.s_[:, ::-2, 90:110],
]  # fmt: skip


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_slices_are_those_of_the_whole(tmp_path: Path, asked: tuple[slice | int | list[int], ...]) -> None:
    values = np.random.default_rng(0).integers(0, 999, (3, 100, 130)).astype(np.uint16)
    grid = GeoBox((100, 130), Affine(10, 0, 5e5, 0, -10, 4.4e6), "EPSG:32650")
    write_cog(tmp_path / "a.tif", values, grid, ("a", "b", "c"))
    assert np.array_equal(lazy_raster(tmp_path / "a.tif", chunk_px=64)[asked].compute(), values[asked])
