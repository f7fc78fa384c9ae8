"""Memory and time of a Gaofen-2 scene of full size, 29200 x 27620 PAN pixels, from unpacked package to scene.

    python benchmarks/gaofen2_full_scene.py [--threads 2] [--share 0.5] [--method mtf-glp]

The images are texture made here (any content costs the same), the geometry is that of a real package: its RPCs and XML
from CROSSRES_REAL_DATA. `--share` takes that share of each side. The peak is the process's own, children included.
"""

import argparse
import logging
import os
import resource
import shutil
import sys
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import from_bounds
from rasterio.windows import Window
from scipy.ndimage import gaussian_filter, zoom

from crossres.acquire.catalog import catalog_gaofen2
from crossres.acquire.download import download
from crossres.files import read_json, write_json
from crossres.imagery.engine import computing, keep_memory
from crossres.imagery.raster import write_cog
from crossres.settings.acquire import AcquireSettings
from crossres.settings.grid import GridSettings

SCENE = "GF2_PMS1_W91.0_N17.6_20200510_L1A0004793969"
STRIP = 512


def make_image(path: Path, bands: int, rows: int, cols: int, smooth_px: float) -> None:
    """Write texture strip by strip."""
    rng = np.random.default_rng(0)
    tile = gaussian_filter(rng.standard_normal((STRIP, 4096)), smooth_px, mode="wrap")
    tile = (300 + 60 * tile / tile.std()).clip(1, 1023).astype(np.uint16)
    strip = np.tile(tile, (1, -(-cols // tile.shape[1])))[:, :cols]
    profile = dict(driver="GTiff", dtype="uint16", count=bands, height=rows, width=cols, interleave="band")
    with rasterio.open(path, "w", **profile) as dst:
        for row in range(0, rows, STRIP):
            height = min(STRIP, rows - row)
            for band in range(bands):
                dst.write(strip[:height], band + 1, window=Window(0, row, cols, height))


def make_package(folder: Path, real: Path, share: float) -> None:
    """Write a package with a real one's geometry; with a smaller share, its upper left part."""
    for kind, (rows, cols), bands, smooth in (("PAN", (27620, 29200), 1, 2.0), ("MSS", (6905, 7300), 4, 1.0)):
        rows, cols = round(rows * share), round(cols * share)
        stem = f"{SCENE}-{kind}1"
        shutil.copyfile(real / f"{stem}.rpb", folder / f"{stem}.rpb")
        text = (real / f"{stem}.xml").read_text()
        for tag, old, new in (("Height", ("27620", "6908"), rows), ("Width", ("29200", "7300"), cols)):
            for number in old:
                text = text.replace(f"<{tag}InPixels>{number}<", f"<{tag}InPixels>{new}<")
        (folder / f"{stem}.xml").write_text(text)
        make_image(folder / f"{stem}.tiff", bands, rows, cols, smooth)


def make_dem(path: Path, bounds: tuple[float, float, float, float]) -> None:
    """Write hills of 30 m pixels around a region in degrees."""
    west, south, east, north = (v + d for v, d in zip(bounds, (-0.02, -0.02, 0.02, 0.02), strict=True))
    shape = (round((north - south) * 3600), round((east - west) * 3600))
    hills = zoom(np.random.default_rng(1).uniform(0, 400, (12, 12)), np.array(shape) / 12, order=3)
    grid = GeoBox(hills.shape, from_bounds(west, south, east, north, *hills.shape[::-1]), "EPSG:4326")
    write_cog(path, hills[None].astype(np.float32), grid, ("height",))


def main() -> None:
    """Make the scene and print size, time and peak."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--method", default=AcquireSettings().pansharpen)
    parser.add_argument("--scratch", type=Path, default=None)
    args = parser.parse_args()
    root = os.environ.get("CROSSRES_REAL_DATA")
    if not root:
        sys.exit("CROSSRES_REAL_DATA is not set: this benchmark needs a real package's geometry")
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    with TemporaryDirectory(dir=args.scratch) as folder:
        package = Path(folder, "archive", SCENE)
        package.mkdir(parents=True)
        make_package(package, Path(root, "gaofen2", SCENE), args.share)
        catalog_gaofen2(package.parent, Path(folder, "catalog"))
        item = Path(folder, "catalog", "items", f"{SCENE}.json")
        content = read_json(item)
        make_dem(Path(folder, "dem.tif"), tuple(content["bbox"]))
        write_json(item, content)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        wall, cpu = time.perf_counter(), time.process_time()
        settings = AcquireSettings(pansharpen=args.method)
        keep_memory()
        with computing(args.threads):
            download(settings, GridSettings(gsd_m=0.8), item, str(Path(folder, "dem.tif")), Path(folder, "scene"))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        with rasterio.open(Path(folder, "scene", "reflectance.tif")) as src:
            pixels = src.width * src.height / 1e6
            note = src.tags()["orthorectification"]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{args.method}, {args.threads} threads: {pixels:.0f} Mpx of 0.8 m and 4 bands from {args.share:g} of each "
        f"side; {note}"
    )
    print(
        f"peak {peak:.2f} GiB (before the scene {before:.2f}); {wall:.0f} s wall, {cpu:.0f} s CPU: "
        f"{cpu / pixels:.2f} CPU s per Mpx"
    )


if __name__ == "__main__":
    main()
