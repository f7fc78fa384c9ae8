"""Scenes as labelled arrays: lazy, on their grid, the same on disk; and what goes through their pixels."""

import pickle
import subprocess
import sys
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from rasterio.windows import Window

import crossres
from crossres.errors import UserError
from crossres.imagery.engine import computing, each, per_block, places, store
from crossres.imagery.lazy import RasterSource, lazy_raster
from crossres.imagery.numbers import Encoding, Mask, to_dn
from crossres.imagery.raster import grid_of, new_cog, write_cog, write_mask
from crossres.imagery.scene import bands_of, crop, make_scene, open_scene, select, write_scene

BANDS = ("blue", "green", "red", "nir")
GRIDS = {
    "UTM": GeoBox((70, 90), Affine(0.8, 0, 369843.2, 0, -0.8, 3842115.2), "EPSG:32650"),
    "rotated": GeoBox((70, 90), Affine(2.5, 0.3, 300000, 0.3, -2.5, 4000000), "EPSG:32650"),
    "degrees": GeoBox((70, 90), Affine(8.983152841195215e-05, 0, 113.1, 0, -8.98e-05, 35.1), "EPSG:4326"),
}


def image(grid: GeoBox = GRIDS["UTM"], bands: int = 4) -> np.ndarray:
    values = np.random.default_rng(0).uniform(0.01, 0.6, (bands, *grid.shape)).astype(np.float32)
    values[:, :5, :9] = np.nan
    return values


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    grid = GRIDS["UTM"]
    write_scene(tmp_path / "reflectance.tif", make_scene(image(), grid, BANDS, {"sensor": "gaofen-2"}))
    write_mask(tmp_path / "mask.tif", np.where(np.isfinite(image()[0]), Mask.CLEAR, Mask.NODATA), grid)
    return tmp_path


def test_a_scene_is_opened_lazily_with_its_bands_grid_mask_and_provenance(folder):
    scene = crossres.open_scene(str(folder))
    assert dask.is_dask_collection(scene.reflectance.data) and dask.is_dask_collection(scene.mask.data)
    assert scene.reflectance.dims == ("band", "y", "x") and scene.mask.dims == ("y", "x")
    assert bands_of(scene) == BANDS and scene.attrs == {"sensor": "gaofen-2"}
    assert scene.odc.geobox == GRIDS["UTM"] == scene.mask.odc.geobox
    assert abs(scene.reflectance.values - image())[:, 5:].max() <= 0.5e-4 + 1e-7
    assert (np.isnan(scene.reflectance.values) == np.isnan(image())).all()
    red = scene.reflectance.sel(band="red")
    assert red.x.values[0] == pytest.approx(369843.6) and red.y.values[0] == pytest.approx(3842114.8)


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_a_part_of_a_scene_lies_on_just_that_part_of_its_grid(grid):
    scene = make_scene(image(grid), grid, BANDS, mask=np.zeros(grid.shape, np.uint8))
    part = crop(scene, Window(3, 4, 20, 10))
    assert part.odc.geobox == grid[4:14, 3:23]
    np.testing.assert_array_equal(part.reflectance.values, image(grid)[:, 4:14, 3:23])


def test_a_band_that_is_not_there_is_one_clear_line(folder):
    with pytest.raises(UserError, match="band 'pan' is not in the scene, which has blue, green, red, nir"):
        open_scene(folder, ["pan"])
    assert bands_of(select(open_scene(folder), ("nir", "blue"))) == ("nir", "blue")


@pytest.mark.parametrize(
    ("dtype", "scale", "offset", "nodata"),
    [("uint16", 1e-4, -0.1, 0), ("uint16", 1e-4, 0, None), ("int16", 1e-4, 0, -9999), ("float32", 1, 0, np.nan)],
)
def test_numbers_of_any_kind_become_reflectance_by_their_own_scale_and_nodata(tmp_path, dtype, scale, offset, nodata):
    numbers = np.random.default_rng(1).integers(1, 9000, (2, 40, 50)).astype(dtype)
    if nodata is not None:
        numbers[0, 3, 4] = nodata
    grid = GRIDS["UTM"][:40, :50]
    write_cog(tmp_path / "a.tif", numbers, grid, ("red", "nir"), Encoding(dtype, nodata, scale, offset))
    expected = (numbers * np.float64(scale) + offset).astype(np.float32)
    if nodata is not None:
        expected[0, 3, 4] = np.nan
    np.testing.assert_array_equal(open_scene(tmp_path / "a.tif", chunk_px=16).reflectance.values, expected)


def test_threads_and_chunks_leave_the_bytes_of_a_scene_as_they_are(tmp_path, folder, monkeypatch):
    contents = set()
    for number, (threads, chunk_px) in enumerate([(1, 1024), (1, 16), (2, 16), (4, 32)]):
        with computing(threads):
            write_scene(tmp_path / f"{number}.tif", open_scene(folder, chunk_px=chunk_px))
        contents.add((tmp_path / f"{number}.tif").read_bytes())
    assert len(contents) == 1 and contents == {(folder / "reflectance.tif").read_bytes()}


def test_a_source_of_pixels_reads_the_same_after_it_went_to_another_process(folder):
    source = RasterSource(folder / "reflectance.tif", [3, 1], "reflectance")
    key = slice(0, 2), slice(10, 30), slice(5, 40)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source))[key], source[key])


def test_arrays_that_share_work_are_computed_once_and_written_where_they_belong(tmp_path, folder):
    calls = []

    def counted(block):
        calls.append(block.shape)
        return block

    numbers = lazy_raster(folder / "reflectance.tif", chunk_px=32)
    shared = da.map_blocks(counted, numbers, dtype=numbers.dtype, meta=np.empty((0, 0, 0), numbers.dtype))
    grid = grid_of(folder / "reflectance.tif")
    about = grid, BANDS, Encoding("uint16")
    with new_cog(tmp_path / "a.tif", *about) as a, new_cog(tmp_path / "b.tif", *about) as b:
        store([shared, shared // 2], [a, b], "both")
    assert len(calls) == len(places(numbers)) == 3 * 3
    np.testing.assert_array_equal(lazy_raster(tmp_path / "a.tif").compute(), to_dn(image()))
    np.testing.assert_array_equal(lazy_raster(tmp_path / "b.tif").compute(), to_dn(image()) // 2)


def test_what_is_said_of_blocks_comes_in_their_order_with_their_place(folder):
    numbers = lazy_raster(folder / "reflectance.tif", chunk_px=32)
    mask = lazy_raster(folder / "mask.tif", [1], chunk_px=32)[0]
    with computing(2):
        [found] = dask.compute(per_block(lambda place, a, b: (place, a.shape, b.shape), numbers, mask, with_place=True))
    assert [place for place, *_ in found] == places(numbers)
    assert found[-1] == ((slice(64, 70), slice(64, 90)), (4, 6, 26), (6, 26))


def test_blocks_are_begun_one_after_another(folder):
    begun: list[int] = []
    numbers = lazy_raster(folder / "reflectance.tif", chunk_px=16)
    with computing(1):
        dask.compute(per_block(lambda place, block: begun.append(place[0].start), numbers, with_place=True))
        each(begun.append, range(70))
    assert begun[:30] == sorted(begun[:30]) and begun[30:] == list(range(70))


def test_a_whole_run_opens_as_one_tree(tmp_path, folder):
    run = tmp_path / "run"
    (run / "scenes").mkdir(parents=True)
    with pytest.raises(UserError, match="holds no imagery of a run"):
        crossres.open_run(run)
    folder_of_scene = run / "scenes" / "S2A"
    folder_of_scene.mkdir()
    for name in ("reflectance.tif", "mask.tif"):
        (folder_of_scene / name).write_bytes((folder / name).read_bytes())
    tree = crossres.open_run(run)
    assert tree["scenes/S2A"].reflectance.odc.geobox == GRIDS["UTM"]
    assert list(tree["scenes"].children) == ["S2A"]


def test_the_package_starts_without_the_libraries_of_pixels():
    code = "import sys, crossres.cli; print(sorted({'xarray', 'dask', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
