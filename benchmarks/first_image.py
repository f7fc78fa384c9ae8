"""The first image of a new user: 1.28 km from a file, and coordinates in, image out, from a server of this machine.

    python benchmarks/first_image.py results/demo FOLDER                     both
    python benchmarks/first_image.py results/demo FOLDER --before OLD/src    the file by older code, too, turn by turn

The scene of the server is an LR scene of the run, repeated to 1,500 pixels a side, as COGs of 16-bit numbers with a
classification; each answer waits for the latency. A command's time is all of it, from the start of Python; user and
system seconds are printed, too, since a busy machine lengthens only the first.
"""

import argparse
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.transform import from_origin
from shapely.geometry import box, mapping

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "acquire"))
from range_server import serve_files

from crossres.globe import LON_LAT, reproject
from crossres.grids import crs_of
from crossres.imagery.numbers import Encoding
from crossres.imagery.raster import write_cog
from crossres.imagery.scene import bands_of, open_scene

FILE_PX, SERVED_PX = 128, 1500
CLEAR = 4


def command(source: Path, *words: object) -> tuple[float, float, float]:
    """Run `crossres super-resolve`; return wall, CPU seconds and its largest memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "crossres", "super-resolve", *map(str, words)],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(source)},
    )  # fmt: skip
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(said[-3000:])
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def serve(folder: Path, latency_s: float, ready: multiprocessing.Queue) -> None:
    """Serve the scene, as files and as a STAC API, from a process of its own."""
    items: list[dict] = []
    with serve_files(folder, latency_s=latency_s, api_items=items) as server:
        items.append(item(folder, server.url))
        ready.put(server.url)
        time.sleep(3600)


def item(folder: Path, url: str) -> dict:
    """Return the item of the served scene."""
    bands = sorted(path.stem for path in folder.glob("*.tif") if path.stem != "scl")
    with rasterio.open(folder / f"{bands[0]}.tif") as src:
        footprint, grid = box(*src.bounds), GeoBox.from_rio(src)
    assets = {band: {"href": f"{url}/{band}.tif", "eo:bands": [{"common_name": band}]} for band in bands}
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": "S2A_served", "collection": "sentinel-2-l2a", "links": [],
        "geometry": mapping(reproject(footprint, crs_of(grid), LON_LAT)),
        "properties": {"datetime": "2024-07-10T10:00:00Z", "platform": "sentinel-2a", "eo:cloud_cover": 3,
                       "s2:processing_baseline": "05.00"},
        "assets": {**assets, "scl": {"href": f"{url}/scl.tif"}},
    }  # fmt: skip


def make(scene: Path, folder: Path) -> tuple[float, float]:
    """Write the file and what is served; return longitude and latitude of the middle of the latter."""
    lr = open_scene(scene)
    numbers = np.rint(np.nan_to_num(lr.reflectance.values, nan=0.2).clip(0, 1.5) * 10_000 + 1000).astype(np.uint16)
    grid: GeoBox = lr.odc.geobox
    encoding = Encoding("uint16", nodata=0)
    small = numbers[:, :FILE_PX, :FILE_PX]
    write_cog(folder / "file.tif", small, grid[:FILE_PX, :FILE_PX], bands_of(lr), Encoding("uint16", 0, 1e-4, -0.1))
    at = np.arange(SERVED_PX)
    served = numbers[:, (at % numbers.shape[1])[:, None], at % numbers.shape[2]]
    whole = GeoBox((SERVED_PX, SERVED_PX), grid.affine, grid.crs)
    for band, values in zip(bands_of(lr), served, strict=True):
        write_cog(folder / "server" / f"{band}.tif", values[None], whole, (band,), encoding)
    west, north = grid.affine.c, grid.affine.f
    classes = np.full((1, SERVED_PX // 2, SERVED_PX // 2), CLEAR, np.uint8)
    coarse = GeoBox(classes.shape[1:], from_origin(west, north, 20, 20), grid.crs)
    write_cog(folder / "server" / "scl.tif", classes, coarse, ("scl",), Encoding("uint8", nodata=0))
    half = 5 * SERVED_PX
    return Transformer.from_crs(str(grid.crs), 4326, always_xy=True).transform(west + half, north - half)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--rounds", type=int, default=5, help="of the file; 0: coordinates alone")
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    model = args.run / "model" / "main"
    scene = sorted((args.run / "scenes").glob("S2*"))[0] / "reflectance.tif"
    (args.folder / "server").mkdir(parents=True, exist_ok=True)
    lon, lat = make(scene, args.folder)
    output = args.folder / "sr"
    always = ["--checkpoint", model, "--output", output, "--threads", args.threads]
    own = Path(__file__).parents[1] / "src"
    sources = {"now": own} | ({"before": args.before} if args.before else {})
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in sources}
    for number in range(args.rounds + 1 if args.rounds else 0):
        for name, source in sources.items():
            shutil.rmtree(output, ignore_errors=True)
            figures = command(source, args.folder / "file.tif", *always)
            if number:  # the first fills the caches of files and of compiled Python
                found[name].append(figures)
    print("                          wall s   CPU s      MB   (medians)")
    for name, rounds in found.items() if args.rounds else ():
        show(f"1.28 km of a file, {name}", rounds)
    if args.before and args.rounds:
        for part, what in enumerate(("wall", "CPU", "memory")):
            now, before = (statistics.median(one[part] for one in found[name]) for name in ("now", "before"))
            print(f"now / before, {what}: {now / before:.2f}")
    ready: multiprocessing.Queue = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(args.folder / "server", args.latency, ready), daemon=True)
    server.start()
    url = ready.get()
    where = ["--at", f"{lon},{lat}", "--size", "5km", "--date", "2024-07", "--stac", url]
    shutil.rmtree(output, ignore_errors=True)
    show("5 km by coordinates, now", [command(own, *where, *always)])
    server.terminate()


def show(name: str, rounds: list[tuple[float, float, float]]) -> None:
    """Print the medians of some rounds."""
    wall, cpu, memory = (statistics.median(one[part] for one in rounds) for part in range(3))
    print(f"{name:26} {wall:6.1f} {cpu:7.1f} {memory:7.0f}", flush=True)


if __name__ == "__main__":
    main()
