"""Download against a plain odc-stac loop: the same windows of the same scenes, from the same slow server, to COGs.

    python benchmarks/download.py FOLDER [--latency 0.05] [--rate 0] [--side 2000] [--rounds 3]

Each answer of the local server waits for the latency, and a connection carries no more than the rate (MB/s, 0: any).
Both write uint16 reflectance as a COG by the same code. The contestants take turns; the ratio is that of the medians,
in wall time, and in CPU time of this process.
"""

import argparse
import json
import logging
import multiprocessing
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import dask
import numpy as np
import odc.stac
import pystac
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from rasterio.transform import from_origin
from sentinel2_full_tile import BANDS, SIDE, write_tile
from shapely.geometry import mapping, shape

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "acquire"))
from range_server import serve_files

from crossres.acquire.download import download
from crossres.acquire.regions import to_geojson
from crossres.acquire.stac.items import parse_time
from crossres.grids import grid_outline
from crossres.imagery.items import new_item
from crossres.imagery.numbers import REFLECTANCE_DN, to_dn
from crossres.imagery.raster import write_cog
from crossres.settings.acquire import AcquireSettings
from crossres.settings.grid import GridSettings

TILE = from_origin(600_000, 5_500_000, 10, 10)


def serve(folder: Path, latency_s: float, rate_mb: float, ready: multiprocessing.Queue) -> None:
    """Serve a folder from a process of its own, so that it does not share the contestants' interpreter."""
    with serve_files(folder, latency_s=latency_s, bytes_per_s=1e6 * rate_mb) as server:
        ready.put(server.url)
        time.sleep(3600)


def make_item(url: str, side: int, query: str) -> dict:
    """Return the item of the tile with a region of `side` pixels in its middle."""
    grids = dict.fromkeys(BANDS, (SIDE, 10)) | {"scl": (SIDE // 2, 20)}
    assets = {
        key: {
            "href": f"{url}/{key}.tif{query}",
            "proj:shape": [px, px], "proj:transform": [m, 0, 600_000, 0, -m, 5_500_000],
            "type": "image/tiff; application=geotiff; profile=cloud-optimized", "roles": ["data"],
            "raster:bands": [{"data_type": "uint8" if key == "scl" else "uint16", "nodata": 0}],
        }
        for key, (px, m) in grids.items()
    }  # fmt: skip
    properties = {"platform": "sentinel-2a", "s2:processing_baseline": "05.00", "proj:code": "EPSG:32632"}
    start = (SIDE - side) // 2
    middle = GeoBox((side, side), TILE @ TILE.translation(start, start), "EPSG:32632")
    properties["crossres:region"] = to_geojson(grid_outline(middle))
    region = grid_outline(GeoBox((SIDE, SIDE), TILE, "EPSG:32632"))
    return new_item("tile", region, parse_time("2021-06-01T10:00:00Z", "tile"), properties, assets)


def with_crossres(item: dict, folder: Path) -> None:
    """Download with this package."""
    (folder / "tile.json").write_text(json.dumps(item))
    download(AcquireSettings(), GridSettings(bands=BANDS), folder / "tile.json", None, folder / "crossres")


def with_odc_stac(item: dict, folder: Path, chunks: dict | None) -> None:
    """Load with odc-stac, apply the scale, write the same COGs."""
    region = Geometry(mapping(shape(item["properties"]["crossres:region"])), "EPSG:4326")
    found = odc.stac.load(
        [pystac.Item.from_dict(item)], bands=[*BANDS, "scl"], geopolygon=region, crs="EPSG:32632", resolution=10,
        resampling={"*": "nearest"}, chunks=chunks,
    )  # fmt: skip
    if chunks is not None:
        with dask.config.set(scheduler="threads", num_workers=8):
            found = found.compute()
    raw = np.stack([found[band].values[0] for band in BANDS])
    reflectance = np.where(raw == 0, np.nan, raw * np.float32(1e-4) - np.float32(0.1))
    write_cog(folder / "odc.tif", to_dn(reflectance), found.odc.geobox, BANDS, REFLECTANCE_DN)
    write_cog(folder / "odc-scl.tif", found["scl"].values, found.odc.geobox, ("scl",))


def main() -> None:
    """Let the contestants take turns and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--side", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    if not (args.folder / "www").exists():
        write_tile(args.folder / "www")
    odc.stac.configure_rio(cloud_defaults=True)
    ready: multiprocessing.Queue = multiprocessing.Queue()
    server = multiprocessing.Process(
        target=serve, args=(args.folder / "www", args.latency, args.rate, ready), daemon=True
    )
    server.start()
    url = ready.get()
    contestants: dict[str, Callable[[dict], None]] = {
        "crossres": lambda item: with_crossres(item, args.folder),
        "odc-stac loop": lambda item: with_odc_stac(item, args.folder, None),
        "odc-stac with dask, 8 threads": lambda item: with_odc_stac(item, args.folder, {"x": 1024, "y": 1024}),
    }
    wall: dict[str, list[float]] = {name: [] for name in contestants}
    cpu: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(args.rounds):
        for name, run in contestants.items():
            # Another address each time: GDAL keeps what it has read of one.
            item = make_item(url, args.side, f"?{number}-{list(contestants).index(name)}")
            start = time.perf_counter(), time.process_time()
            run(item)
            wall[name].append(time.perf_counter() - start[0])
            cpu[name].append(time.process_time() - start[1])
    server.terminate()
    print(
        f"{args.side} x {args.side} pixels, 4 bands and classification, {1000 * args.latency:.0f} ms an answer, "
        f"{args.rate:g} MB/s a connection"
    )
    for name in contestants:
        times = statistics.median(wall[name]), statistics.median(cpu[name])
        ratios = [times[i] / statistics.median(of["crossres"]) for i, of in enumerate((wall, cpu))]
        print(f"{name:30} {times[0]:6.2f} s ({ratios[0]:.2f} x)   CPU {times[1]:6.2f} s ({ratios[1]:.2f} x)")


if __name__ == "__main__":
    main()
