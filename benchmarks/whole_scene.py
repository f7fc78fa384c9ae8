"""A whole Sentinel-2 tile and a whole Gaofen-2 scene through the stages behind the download.

    python benchmarks/whole_scene.py results/demo FOLDER                       all stages, two threads
    python benchmarks/whole_scene.py results/demo FOLDER --stages normalise --threads 1 2

Both scenes are made of a pair of the demo by repeating it: LR 10980 x 10980 x 4, HR 29200 x 27620 x 4 at 0.8 m on a
part of it. The model is the demo's. Each stage runs as the workflow runs it, in a process of its own; printed are wall
and CPU seconds and the largest memory, and the ratio to the first number of threads. What a stage wrote is kept in
FOLDER, so that later stages can be run again alone. `--share 0.5` makes both scenes half as wide and half as high.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine

from crossres.imagery.lazy import lazy_raster
from crossres.imagery.numbers import NODATA, REFLECTANCE_DN
from crossres.imagery.raster import grid_of, new_cog, write_mask
from crossres.imagery.scene import bands_of, open_scene

LR_PX, HR_SHAPE = 10980, (29200, 27620)
STAGES = ("coregister", "normalise", "patches", "sample", "evaluate")
STRIP = 2048
SETTINGS = {
    "grid": {"gsd_m": 2.5}, "coregister": {}, "normalise": {}, "patches": {}, "evaluate": {},
    "sample": {"arms": {"lr_start": {"samples": 1}}},
}  # fmt: skip


def repeated(path: Path, window: tuple[slice, slice], shape: tuple[int, int], grid: GeoBox, output: Path) -> None:
    """Write a window of a scene again and again until it fills a shape, and its mask of clear pixels."""
    numbers = lazy_raster(path)[:, *window].compute()
    cols = np.arange(shape[1]) % numbers.shape[2]
    empty = np.zeros(shape, np.uint8)
    scene = open_scene(path)
    with new_cog(output / "reflectance.tif", grid, bands_of(scene), REFLECTANCE_DN, dict(scene.attrs)) as file:
        for top in range(0, shape[0], STRIP):
            rows = np.arange(top, min(top + STRIP, shape[0])) % numbers.shape[1]
            part = numbers[:, rows[:, None], cols]
            empty[top : top + len(rows)] = (part == NODATA).any(axis=0)
            file.write(part, window=((top, top + len(rows)), (0, shape[1])))
    write_mask(output / "mask.tif", empty, grid)


def make(run: Path, folder: Path, share: float) -> None:
    """Make both scenes and the pair's JSON from the first pair of a run."""
    pair = json.loads(sorted((run / "items" / "pairs").glob("*.json"))[0].read_text())
    low, high = (run / "scenes" / pair[role] / "reflectance.tif" for role in ("lr", "hr"))
    lr, hr = grid_of(low), grid_of(high)
    side, step = lr.shape[0], lr.affine.a
    first = ~hr.affine @ (lr.affine.c, lr.affine.f)
    col, row = round(first[0]), round(first[1])
    period = round(side * step / hr.affine.a)
    origin = lr.affine.c, lr.affine.f
    (folder / "pair.json").write_text(json.dumps(pair | {"id": "whole"}))
    count = int(LR_PX * share)
    repeated(
        low, (slice(0, side), slice(0, side)), (count, count), GeoBox((count, count), lr.affine, lr.crs), folder / "lr"
    )
    shape = tuple(int(n * share) for n in HR_SHAPE)
    # Some periods inside of the tile, so that both repeat at the same places.
    place = hr.affine @ (col, row)
    inside = (count * step - max(shape) * hr.affine.a) // 2 // (side * step) * (side * step)
    moved = Affine(hr.affine.a, 0, place[0] + inside, 0, hr.affine.e, place[1] - inside)
    window = slice(max(row, 0), max(row, 0) + period), slice(max(col, 0), max(col, 0) + period)
    repeated(high, window, shape, GeoBox(shape, moved, hr.crs), folder / "hr")
    print(f"pair of {pair['lr']} and {pair['hr']}, repeated every {side} LR pixels from {origin}")


def command(stage: str, run: Path, folder: Path, threads: int) -> list[str]:
    aligned, product = folder / "aligned", folder / "sr" / "lr_start"
    own = {
        "coregister": ["--pair", folder / "pair.json", "--lr", folder / "lr", "--hr", folder / "hr",
                       "--output", aligned],
        "normalise": ["--lr", folder / "lr", "--registered", aligned / "registered.tif",
                      "--registration", aligned / "registration.json", "--output", aligned],
        "patches": ["--pair", folder / "pair.json", "--aligned", aligned, "--patches", folder / "patches.zip",
                    "--index", folder / "patches.parquet"],
        "sample": ["--name", "lr_start", "--lr", aligned / "lr.tif", "--model", run / "model" / "main",
                   "--output", product],
        "evaluate": ["--pair", "whole", "--aligned", aligned, "--arms", product, "--output", folder / "evaluation"],
    }[stage]  # fmt: skip
    return [
        sys.executable, "-m", "crossres", stage, "--settings", json.dumps(SETTINGS), "--overwrite",
        "--threads", str(threads), *map(str, own),
    ]  # fmt: skip


def measured(words: list[str]) -> tuple[float, float, float]:
    """Run a command; return wall seconds, CPU seconds and its largest memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(said[-3000:])
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--threads", nargs="+", type=int, default=[2])
    parser.add_argument("--share", type=float, default=1.0)
    args = parser.parse_args()
    if not (args.folder / "pair.json").exists():
        args.folder.mkdir(parents=True, exist_ok=True)
        # In a process of its own: the memory of this one would count as that of those that it starts.
        made = get_context("spawn").Process(target=make, args=(args.run, args.folder, args.share))
        made.start()
        made.join()
        if made.exitcode:
            raise SystemExit("the scenes could not be made")
    print(f"{'stage':12} threads   wall s    CPU s       MB   times faster")
    for stage in args.stages:
        first = 0.0
        for threads in args.threads:
            wall, cpu, memory = measured(command(stage, args.run, args.folder, threads))
            first = first or wall
            print(f"{stage:12} {threads:7} {wall:8.1f} {cpu:8.1f} {memory:8.0f} {first / wall:8.2f}", flush=True)


if __name__ == "__main__":
    main()
