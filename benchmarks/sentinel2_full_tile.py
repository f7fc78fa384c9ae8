"""Time and memory of one whole Sentinel-2 tile, 10980 x 10980 in four bands with its classification, from a server.

Prints the peak resident memory of `crossres download` (a process of its own), its time, and the megabytes read.
Needs 2 GB of scratch space: `python benchmarks/sentinel2_full_tile.py FOLDER`.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.shutil import copy
from rasterio.transform import from_origin
from rasterio.windows import Window

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "acquire"))
from range_server import serve_files

from crossres.acquire.stac.items import parse_time
from crossres.grids import grid_outline
from crossres.imagery.items import new_item

SIDE = 10980
BANDS = ("blue", "green", "red", "nir")


def write_band(path: Path, seed: int) -> None:
    """Write a band as Earth Search has it: a COG of 1024 x 1024 blocks; smooth ground with 6 bits of noise."""
    rng = np.random.default_rng(seed)
    grid = dict(crs="EPSG:32632", transform=from_origin(600_000, 5_500_000, 10, 10))
    raw = path.with_suffix(".raw")
    profile = dict(driver="GTiff", dtype="uint16", count=1, width=SIDE, height=SIDE, nodata=0, **grid)
    with rasterio.open(raw, "w", tiled=True, **profile) as dst:
        for row in range(0, SIDE, 512):
            height = min(512, SIDE - row)
            y, x = np.mgrid[row : row + height, 0:SIDE]
            ground = 2000 + 600 * np.sin(x / 97.0 + seed) * np.cos(y / 131.0)
            noise = rng.integers(0, 64, ground.shape)
            dst.write((ground + noise).astype(np.uint16), 1, window=Window(0, row, SIDE, height))
    copy(raw, path, driver="COG", compress="DEFLATE", predictor="YES", blocksize=1024, level=1, num_threads=2)
    raw.unlink()


def write_tile(folder: Path) -> None:
    """Write four bands and a classification of all clear ground."""
    folder.mkdir(parents=True)
    for i, band in enumerate(BANDS):
        write_band(folder / f"{band}.tif", i)
    profile = dict(driver="COG", dtype="uint8", count=1, width=SIDE // 2, height=SIDE // 2, compress="DEFLATE",
                   crs="EPSG:32632", transform=from_origin(600_000, 5_500_000, 20, 20), blocksize=1024)  # fmt: skip
    with rasterio.open(folder / "scl.tif", "w", **profile) as dst:
        dst.write(np.full((SIDE // 2, SIDE // 2), 4, np.uint8), 1)


def main(folder: Path) -> None:
    """Make the tile once, and download it from a local server."""
    if not (folder / "www").exists():
        write_tile(folder / "www")
    region = grid_outline(GeoBox((SIDE, SIDE), from_origin(600_000, 5_500_000, 10, 10), "EPSG:32632"))
    with serve_files(folder / "www") as server:
        assets = {key: {"href": f"{server.url}/{key}.tif"} for key in (*BANDS, "scl")}
        properties = {"platform": "sentinel-2a", "s2:processing_baseline": "05.00"}
        item = new_item("tile", region, parse_time("2021-06-01T10:00:00Z", "tile"), properties, assets)
        (folder / "tile.json").write_text(json.dumps(item))
        start = time.perf_counter()
        command = ["download", "--item", str(folder / "tile.json"), "--output", str(folder / "out")]
        subprocess.run([sys.executable, "-m", "crossres", *command], check=True)
        wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"whole tile: {server.sent / 1e6:.0f} MB in {wall:.0f} s ({used.ru_utime + used.ru_stime:.0f} s of CPU), "
        f"peak resident memory {used.ru_maxrss / 1024**2:.2f} GB"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
