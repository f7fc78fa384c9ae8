"""Another model's result goes by blocks: neither their number nor threads show, and nothing temporary is left."""

from pathlib import Path

import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine

from crossres.acquire.read.result import read_result
from crossres.evaluate.external import take_external
from crossres.imagery.engine import computing
from crossres.imagery.lazy import CHUNK_PX
from crossres.imagery.scene import make_scene, open_scene, write_scene

BANDS = ("red", "nir")
HR = GeoBox((CHUNK_PX + 200, CHUNK_PX + 90), Affine(2.5, 0, 5e5, 0, -2.5, 4.4e6), "EPSG:32650")


def noise(grid: GeoBox) -> np.ndarray:
    return np.random.default_rng(3).uniform(0.05, 0.5, (2, *grid.shape)).astype(np.float32)


@pytest.fixture
def hr(tmp_path: Path) -> Path:
    write_scene(tmp_path / "hr.tif", make_scene(noise(HR), HR, BANDS))
    return tmp_path / "hr.tif"


@pytest.mark.parametrize("pixel", [0.8, 1.0])
def test_threads_do_not_show_and_temporary_files_go(hr: Path, tmp_path: Path, pixel: float):
    shape = tuple(round(n / pixel) + 20 for n in HR.shape)
    own = GeoBox(shape, HR.affine @ Affine.translation(-4, -5) @ Affine.scale(pixel), HR.crs)
    write_scene(tmp_path / "theirs/north.tif", make_scene(noise(own), own, BANDS))
    for threads in (1, 3):
        with computing(threads):
            output = tmp_path / f"{threads}"
            take_external(tmp_path / "theirs", "north", "LR", hr, BANDS, read_result, output)
        assert sorted(path.name for path in output.iterdir()) == ["mean.tif", "sample.tif", "std.tif"]
    for name in ("mean.tif", "sample.tif", "std.tif"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "3" / name).read_bytes()
    mean, std = (open_scene(tmp_path / "1" / f"{name}.tif").reflectance.values for name in ("mean", "std"))
    assert np.isfinite(mean).all() and not std.any()


def test_a_gap_in_one_block_is_counted_where_hr_has_pixels(hr: Path, tmp_path: Path):
    values = noise(HR)
    values[0, -110:, :] = np.nan  # nine in a hundred, in the last row of blocks and in one band
    write_scene(tmp_path / "theirs/north.tif", make_scene(values, HR, BANDS))
    take_external(tmp_path / "theirs", "north", "LR", hr, BANDS, read_result, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["declined.json"]
    assert "covers 91 % of the HR image; 99 % is needed" in (tmp_path / "out/declined.json").read_text()
    seen = open_scene(hr).reflectance.values
    seen[:, -110:, :] = np.nan
    write_scene(tmp_path / "hr_of_less.tif", make_scene(seen, HR, BANDS))
    take_external(tmp_path / "theirs", "north", "LR", tmp_path / "hr_of_less.tif", BANDS, read_result, tmp_path / "in")
    found = open_scene(tmp_path / "in/std.tif").reflectance.values
    assert np.isnan(found[:, -110:]).all() and (found[:, :-110] == 0).all()
