"""Real images line up on the ground when their RPCs are used."""

import json
import warnings

import numpy as np
import pytest
import rasterio
import yaml
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.rpc import RPC
from rasterio.transform import Affine, from_bounds, from_origin
from rasterio.warp import reproject
from rasterio.windows import Window
from real_data import PMS1, ROOT, needs_real_data
from scipy.ndimage import zoom
from shapely.geometry import box
from skimage.registration import phase_cross_correlation

from crossres.acquire.chip_matches import match_chips
from crossres.acquire.gaofen2.rpb import parse_rpb
from crossres.acquire.orthorectification.image_file import ImageFile
from crossres.acquire.orthorectification.orthorectify import orthorectified, orthorectify
from crossres.acquire.orthorectification.rpc import project, rescaled
from crossres.acquire.orthorectification.rpc_refine import refine_rpc
from crossres.acquire.orthorectification.terrain import Terrain, terrain_for
from crossres.grids import crop, grid_outline, whole_window
from crossres.imagery.scene import open_scene
from crossres.settings.acquire import AcquireSettings

pytestmark = needs_real_data


def browse_on(grid: GeoBox, image: str, height_m: float) -> np.ndarray:
    """Return a browse image on a grid: 6908 rows became 1381, so its pixels are 5.002 by 5 of the image's."""
    full = {"PAN1": (27620, 29200), "MSS1": (6908, 7300)}[image]
    rpc = parse_rpb((PMS1 / f"{PMS1.name}-{image}.rpb").read_text(), image)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(PMS1 / f"{PMS1.name}-{image}.jpg") as src:
            rpc = rescaled(rpc, full[0] / src.height, full[1] / src.width)
            ortho = orthorectify(src, rpc, grid, Terrain(None, height_m, height_m, ""))
    return ortho.mean(axis=0, keepdims=True)


def test_browse_images_of_pan_and_mss_line_up_within_a_fifth_of_a_pixel():
    grid = GeoBox((1300, 1300), from_origin(704_000, 1_957_000, 16.2, 16.2), "EPSG:32615")
    pan, mss = (browse_on(grid, image, 100.0) for image in ("PAN1", "MSS1"))
    both = np.isfinite(pan[0]) & np.isfinite(mss[0])
    assert both.mean() > 0.8
    assert np.corrcoef(pan[0][both], mss[0][both])[0, 1] > 0.95

    ties = match_chips(lambda _: mss, lambda _: pan, grid, 64, 6, 21)
    good = ties.reliability > 0.5
    assert good.sum() > 200
    residual = ties.shifts[good]
    assert np.hypot(*np.median(residual, axis=0)) < 0.15
    assert np.quantile(np.hypot(*residual.T), 0.5) < 0.2


def test_a_real_quickbird_scene_over_its_dem_is_as_gdal_makes_it_from_the_whole_image(tmp_path):
    record = yaml.safe_load((ROOT / "quickbird" / "rpc_param.yaml").read_text())["qb2_basic1b.tif"]["rpc"]
    rpc = RPC(**record)
    dem = str(ROOT / "quickbird" / "dem.tif")
    with rasterio.open(dem) as src:
        flat = CRS.from_wkt(src.crs.to_wkt()).to_2d().to_wkt()
    grid = GeoBox((500, 500), from_origin(-58_500, -3_726_500, 7, 7), flat)
    settings = AcquireSettings(dem_heights="orthometric", geoid_undulation_m=30.0)
    terrain = terrain_for(settings, dem, rpc, grid_outline(grid), tmp_path)
    assert 300 < terrain.highest_m - terrain.lowest_m < 900
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(ROOT / "quickbird" / "qb2_basic1b.tif") as src:
            ours = orthorectify(src, rpc, grid, terrain)[0]
            numbers = src.read(1).astype(np.float32)
    whole = np.full(grid.shape, np.nan, np.float32)
    reproject(
        numbers, whole, rpcs=rpc, src_crs="EPSG:4326", src_nodata=np.nan, dst_nodata=np.nan, resampling=2,
        dst_transform=grid.affine, dst_crs=flat, RPC_DEM=dem, RPC_DEMINTERPOLATION="cubic", RPC_HEIGHT="30",
        RPC_DEM_APPLY_VDATUM_SHIFT="NO",
    )  # fmt: skip
    both = np.isfinite(ours) & np.isfinite(whole) & (whole > 0)
    assert both.mean() > 0.9
    assert np.corrcoef(ours[both], whole[both])[0, 1] > 0.999
    assert (
        np.abs(phase_cross_correlation(ours[100:400, 100:400], whole[100:400, 100:400], upsample_factor=50)[0]).max()
        < 0.05
    )


def quickbird_rpc() -> RPC:
    return RPC(**yaml.safe_load((ROOT / "quickbird" / "rpc_param.yaml").read_text())["qb2_basic1b.tif"]["rpc"])


def bias_from_ground_control(rpc: RPC) -> np.ndarray:
    """Return how far each point lies from where the RPC puts it, (point, 2) rows and columns.

    Its pixel coordinates count from the centre of the first pixel, as an RPC's do: so says the tool that recorded them.
    """
    points = json.loads((ROOT / "quickbird" / "gcps.geojson").read_text())["features"]
    seen = project(rpc, *np.array([p["geometry"]["coordinates"] for p in points]).T)
    col, row = np.array([p["properties"]["ji"] for p in points]).T + 0.5
    return np.stack([row - seen.row, col - seen.col], axis=1)


def test_real_ground_control_shows_a_constant_bias():
    bias = bias_from_ground_control(quickbird_rpc())
    assert bias.std(axis=0).max() < 0.12
    np.testing.assert_allclose(bias.mean(axis=0), (-2.09, -2.98), atol=0.02)


def refined_on(reference: str, folder):
    """Refine the QuickBird RPC on a real image at 10 m; return RPC, refinement, tie points before and after."""
    scene = open_scene(ROOT / "pair_s2_ngi" / reference)
    values = scene.reflectance.values.mean(axis=0, keepdims=True)
    step = round(10 / scene.odc.geobox.affine.a)
    rows, cols = (n // step for n in scene.odc.geobox.shape)
    values = values[:, : rows * step, : cols * step].reshape(1, rows, step, cols, step).mean((2, 4))
    grid = GeoBox((rows, cols), scene.odc.geobox.affine @ Affine.scale(step), scene.odc.geobox.crs)
    with rasterio.open(ROOT / "quickbird" / "dem.tif") as src:
        west, south, east, north = src.bounds
        window = whole_window(grid, box(west, max(south, north - 10_000), east, north).buffer(-150))
    part = crop(grid, window)
    settings = AcquireSettings(dem_heights="orthometric", geoid_undulation_m=28.0)
    terrain = terrain_for(settings, str(ROOT / "quickbird" / "dem.tif"), quickbird_rpc(), grid_outline(part), folder)

    def chip(of: GeoBox) -> np.ndarray:
        col, row = ~grid.affine @ (of.affine.c, of.affine.f)
        return values[:, round(row) :, round(col) :][:, : of.shape[0], : of.shape[1]]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        src = ImageFile(ROOT / "quickbird" / "qb2_basic1b.tif", "qb2_basic1b.tif")

        def image(rpc: RPC):
            return lambda of: orthorectify(src, rpc, of, terrain, Resampling.average)

        found = refine_rpc(quickbird_rpc(), src.shape, image, chip, part, terrain)
        refined = found.applied(quickbird_rpc(), src.shape, terrain)
        ties = [match_chips(image(rpc), chip, part, 64, 12, 8) for rpc in (quickbird_rpc(), refined)]
    return refined, found, ties


@pytest.mark.parametrize("frame", [1, 3])
def test_tie_points_with_a_real_aerial_image_find_the_bias_of_ground_control(tmp_path, frame):
    refined, found, _ = refined_on(f"ngi_rgb_byte_{frame}.tif", tmp_path)
    assert found.tie_points > 60
    assert found.after_px < 0.5 < 3 < found.before_px
    assert np.hypot(*bias_from_ground_control(refined).mean(axis=0)) < 0.5


def test_the_ortho_fits_a_real_sentinel2_scene_better_after_refinement(tmp_path):
    refined, _, (before, after) = refined_on("sentinel2_b432_byte.tif", tmp_path)
    before, after = (np.median(np.hypot(*t.shifts[t.reliability > 0.3].T)) for t in (before, after))
    assert before > 2  # Sentinel-2 pixels of 10 m
    assert after < 0.3
    # This scene of 2015 itself lies 5 m off the aerial images, which agree with ground control.
    assert np.hypot(*bias_from_ground_control(refined).mean(axis=0)) < 1.0


class WhereItLies:
    """An image of PAN's size that shows where each of its pixels lies: rows in one band, columns in the other."""

    count, shape = 2, (27620, 29200)

    def read(self, *, window: Window) -> np.ndarray:
        rows, cols = (np.arange(part.start, part.stop) + 0.5 for part in window.toslices())
        return np.stack(np.meshgrid(rows, cols, indexing="ij"))


def test_blocks_join_without_a_seam_over_hills(tmp_path):
    rpc = parse_rpb((PMS1 / f"{PMS1.name}-PAN1.rpb").read_text(), "PAN1")
    block, side = 512, 1024
    to_utm = Transformer.from_crs("EPSG:4326", "EPSG:32615", always_xy=True)
    x, y = to_utm.transform(rpc.long_off, rpc.lat_off)
    grid = GeoBox((side, side), from_origin(x, y, 0.8, 0.8), "EPSG:32615")
    hills = zoom(np.random.default_rng(1).uniform(0, 200, (12, 12)), 10, order=3).astype(np.float32)
    west, south, east, north = grid.geographic_extent.boundingbox
    path = tmp_path / "hills.tif"
    with rasterio.open(
        path, "w", driver="GTiff", dtype="float32", count=1, height=120, width=120, crs="EPSG:4326",
        transform=from_bounds(west - 0.002, south - 0.002, east + 0.002, north + 0.002, 120, 120),
    ) as dst:  # fmt: skip
        dst.write(hills, 1)
    terrain = Terrain(path, float(hills.min()), float(hills.max()), "")

    sizes = (block,) * (side // block)
    made = orthorectified(WhereItLies(), rpc, grid, terrain, (sizes, sizes)).compute(scheduler="sync")
    cols, rows = np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5)
    lon, lat = to_utm.transform(*(grid.affine @ (cols, rows)), direction="INVERSE")
    exact = project(rpc, lon, lat, terrain.height_m(lon, lat))
    off = made - np.stack([exact.row, exact.col])
    assert np.hypot(*off).max() < 0.14
    for axis in (1, 2):
        jumps = np.hypot(*np.diff(off, axis=axis))
        border, rest = jumps.take(block - 1, axis=axis - 1), np.delete(jumps, block - 1, axis=axis - 1)
        assert border.max() < 0.05
        assert border.max() < 1.5 * rest.max()
