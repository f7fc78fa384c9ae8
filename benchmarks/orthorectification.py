"""Orthorectification of the real QuickBird scene: this package, plain rasterio and orthority, in one run.

    python benchmarks/orthorectification.py [--orthority-python /path/to/venv/bin/python]

Seconds of CPU and of wall time, the best of three in turn, with what each needs to open and to write; and how far each
ortho lies from that of rasterio over the whole image at GDAL's exact DEM (tie points on their own grid), with the
correlation of their pixels. orthority is AGPL-3 and never a dependency. Imagery from CROSSRES_REAL_DATA.
"""

import argparse
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import rasterio
import yaml
from dask.array.core import normalize_chunks
from odc.geo.geobox import GeoBox
from pyproj import CRS
from rasterio.errors import NotGeoreferencedWarning
from rasterio.rpc import RPC
from rasterio.transform import from_origin
from rasterio.warp import reproject

from crossres.acquire.chip_matches import match
from crossres.acquire.orthorectification.image_file import ImageFile
from crossres.acquire.orthorectification.orthorectify import orthorectified
from crossres.acquire.orthorectification.terrain import terrain_for
from crossres.grids import grid_outline
from crossres.imagery.engine import computing, store
from crossres.imagery.lazy import CHUNK_PX
from crossres.imagery.numbers import Encoding
from crossres.imagery.raster import new_cog
from crossres.settings.acquire import AcquireSettings

UNDULATION_M = 28.0
ROUNDS = 3
ORTHORITY = """
import sys, yaml, rasterio
from orthority.camera import RpcCamera
from orthority.ortho import Ortho
image, dem, rpc, out, wkt = sys.argv[1:]
camera = RpcCamera((850, 1450), yaml.safe_load(open(rpc))["qb2_basic1b.tif"]["rpc"], crs=wkt)
make = Ortho(image, dem, camera, crs=wkt).process
make(out, resolution=(7, 7), interp="cubic", dem_interp="cubic", build_ovw=False, overwrite=True, write_mask=False,
     aligned_pixels=True)
"""


def main() -> None:
    """Print time and agreement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orthority-python", help="Python of an environment with orthority")
    args = parser.parse_args()
    root = os.environ.get("CROSSRES_REAL_DATA")
    if not root:
        sys.exit("CROSSRES_REAL_DATA is not set: this benchmark reads real imagery")
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    folder = Path(root, "quickbird")
    image, dem = folder / "qb2_basic1b.tif", folder / "dem.tif"
    rpc = RPC(**yaml.safe_load((folder / "rpc_param.yaml").read_text())["qb2_basic1b.tif"]["rpc"])
    with rasterio.open(dem) as src:
        flat = CRS.from_wkt(src.crs.to_wkt()).to_2d().to_wkt()
    grid = GeoBox((1100, 1000), from_origin(-60_004, -3_723_993, 7, 7), flat)

    with TemporaryDirectory() as scratch:
        here = Path(scratch)
        # Every one sees the same ellipsoidal heights.
        heights = here / "dem.tif"
        with rasterio.open(dem) as src:
            profile = {**src.profile, "driver": "GTiff", "crs": flat}
            with rasterio.open(heights, "w", **profile) as dst:
                dst.write(src.read() + np.float32(UNDULATION_M))

        def ours() -> np.ndarray:
            terrain = terrain_for(AcquireSettings(), str(heights), rpc, grid_outline(grid), here)
            chunks = normalize_chunks((CHUNK_PX, CHUNK_PX), grid.shape)
            ortho = orthorectified(ImageFile(image, image.name), rpc, grid, terrain, chunks)
            with (
                new_cog(here / "ours.tif", grid, ("pan",), Encoding("float32", np.nan)) as dst,
                computing(threads=1),
            ):
                store([ortho], [dst], "ours")
            return _read(here / "ours.tif", grid)

        def plain() -> np.ndarray:
            out = np.full(grid.shape, np.nan, np.float32)
            with rasterio.open(image) as src:
                numbers = src.read(1).astype(np.float32)
            reproject(
                numbers, out, rpcs=rpc, src_crs="EPSG:4326", src_nodata=0, dst_nodata=np.nan, resampling=2,
                dst_transform=grid.affine, dst_crs=flat, RPC_DEM=str(heights), RPC_DEMINTERPOLATION="cubic",
            )  # fmt: skip
            profile = dict(driver="GTiff", dtype="float32", count=1, height=grid.shape[0], width=grid.shape[1])
            with rasterio.open(here / "plain.tif", "w", crs=flat, transform=grid.affine, **profile) as dst:
                dst.write(out, 1)
            return out

        def orthority() -> np.ndarray:
            command = [args.orthority_python, "-c", ORTHORITY, image, heights, folder / "rpc_param.yaml"]
            subprocess.run([*map(str, command), str(here / "oty.tif"), flat], check=True, capture_output=True)
            return _read(here / "oty.tif", grid)

        ways = {"rasterio": plain, "crossres": ours}
        if args.orthority_python:
            ways["orthority"] = orthority
        else:
            print("--orthority-python is not given: orthority is left out")
        orthos, cpu, wall = _timed(ways)
    print(
        f"QuickBird, {grid.shape[0]} x {grid.shape[1]} pixels of 7 m\n{'':10s}  CPU s  wall s  off by px  correlation"
    )
    for name, ortho in orthos.items():
        both = np.isfinite(ortho) & np.isfinite(orthos["rasterio"])
        shift, _ = match(orthos["rasterio"][None, 100:900, 100:900], ortho[None, 100:900, 100:900], 8)
        alike = np.corrcoef(ortho[both], orthos["rasterio"][both])[0, 1]
        note = "   with the start of its Python" if name == "orthority" else ""
        print(f"{name:10s}  {cpu[name]:5.2f}  {wall[name]:6.2f}  {np.hypot(*shift):9.3f}  {alike:11.5f}{note}")


def _timed(
    ways: dict[str, Callable[[], np.ndarray]],
) -> tuple[dict[str, np.ndarray], dict[str, float], dict[str, float]]:
    """Run every way in turn, three times; return what it made and its least seconds of CPU and of wall time."""
    orthos: dict[str, np.ndarray] = {}
    cpu, wall = (dict.fromkeys(ways, np.inf) for _ in range(2))
    for _ in range(ROUNDS):
        for name, make in ways.items():
            before, start = os.times(), time.perf_counter()
            orthos[name] = make()
            after = os.times()
            used = sum(after[:4]) - sum(before[:4])
            cpu[name], wall[name] = min(cpu[name], used), min(wall[name], time.perf_counter() - start)
    return orthos, cpu, wall


def _read(path: Path, grid: GeoBox) -> np.ndarray:
    """Return an ortho on the grid of the comparison, whose pixels are its own: no interpolation."""
    out = np.full(grid.shape, np.nan, np.float32)
    with rasterio.open(path) as src:
        values = src.read(1).astype(np.float32)
        empty = np.isnan(values) | (values == (src.nodata if src.nodata is not None else np.nan)) | (values == 0)
        col, row = ~grid.affine @ (src.transform.c, src.transform.f)
    if max(abs(col - round(col)), abs(row - round(row))) > 1e-3:
        raise SystemExit(f"{path.name}: lies {col % 1:.3f}, {row % 1:.3f} pixels off the grid of the comparison")
    col, row = round(col), round(row)
    values[empty] = np.nan
    part = values[max(0, -row) :, max(0, -col) :][: grid.shape[0] - max(0, row), : grid.shape[1] - max(0, col)]
    out[max(0, row) :, max(0, col) :][: part.shape[0], : part.shape[1]] = part
    return out


if __name__ == "__main__":
    main()
