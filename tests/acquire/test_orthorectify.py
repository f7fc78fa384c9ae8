"""Real images line up on the ground when their RPCs are used."""

import warnings

import numpy as np
import rasterio
import yaml
from odc.geo.geobox import GeoBox
from pyproj import CRS
from rasterio.errors import NotGeoreferencedWarning
from rasterio.rpc import RPC
from rasterio.transform import from_origin
from rasterio.warp import reproject
from real_data import PMS1, ROOT, needs_real_data
from skimage.registration import phase_cross_correlation

from crossres.acquire.orthorectify import orthorectify
from crossres.acquire.regions import grid_region
from crossres.acquire.rpb import parse_rpb
from crossres.acquire.rpc import project, rescaled
from crossres.acquire.terrain import Terrain, terrain_for
from crossres.settings.acquire import AcquireSettings

pytestmark = needs_real_data


def browse_on(grid: GeoBox, image: str, step: int, height_m: float) -> np.ndarray:
    rpc = rescaled(parse_rpb((PMS1 / f"{PMS1.name}-{image}.rpb").read_text(), image), step, step)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(PMS1 / f"{PMS1.name}-{image}.jpg") as src:
            return orthorectify(src, rpc, grid, Terrain(None, height_m, height_m, "")).mean(axis=0)


def test_browse_images_of_pan_and_mss_line_up_although_their_rpcs_differ():
    grid = GeoBox((800, 800), from_origin(707_000, 1_953_000, 16, 16), "EPSG:32615")
    pan, mss = browse_on(grid, "PAN1", 10, 100.0), browse_on(grid, "MSS1", 5, 100.0)
    assert np.isfinite(pan).mean() > 0.99  # scattered black pixels of the JPEG (0.6 %) count as empty
    assert np.isfinite(mss).mean() > 0.999
    pan, mss = np.nan_to_num(pan), np.nan_to_num(mss)
    assert np.corrcoef(pan.ravel(), mss.ravel())[0, 1] > 0.96
    shift, *_ = phase_cross_correlation(pan, mss, upsample_factor=20)
    # No whole pixel of 16 m. A remainder of 0.3 (5 m) is there: how the JPEGs were decimated is not documented.
    assert np.abs(shift).max() < 0.5


def test_a_real_quickbird_scene_over_its_dem_is_as_gdal_makes_it_from_the_whole_image(tmp_path):
    record = yaml.safe_load((ROOT / "quickbird" / "rpc_param.yaml").read_text())["qb2_basic1b.tif"]["rpc"]
    rpc = RPC(**record)
    dem = str(ROOT / "quickbird" / "dem.tif")
    with rasterio.open(dem) as src:
        flat = CRS.from_wkt(src.crs.to_wkt()).to_2d().to_wkt()
    grid = GeoBox((500, 500), from_origin(-58_500, -3_726_500, 7, 7), flat)
    settings = AcquireSettings(dem_heights="orthometric", geoid_undulation_m=30.0)
    terrain = terrain_for(settings, dem, rpc, grid_region(grid), tmp_path)
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


def test_real_ground_control_shows_the_known_constant_bias():
    record = yaml.safe_load((ROOT / "quickbird" / "rpc_param.yaml").read_text())["qb2_basic1b.tif"]["rpc"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(ROOT / "quickbird" / "qb2_basic1b.tif") as src:
            points, _ = src.gcps
    seen = project(RPC(**record), *(np.array([getattr(p, axis) for p in points]) for axis in "xyz"))
    miss = np.stack([seen.row - [p.row for p in points], seen.col - [p.col for p in points]])
    assert miss.std(axis=1).max() < 0.35
    assert 3 < np.hypot(*miss.mean(axis=1)) < 6
