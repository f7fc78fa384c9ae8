"""What evaluating a large scene costs: wall time, CPU time and peak memory of every weight-free metric.

    python benchmarks/evaluation.py [SIDE] [--arms N]

A procedural landscape of SIDE x SIDE pixels (4096) and 4 bands is seen at a quarter of the resolution; arms of known
quality are judged against it, mean and one sample each, with all pictures. Nothing is read but what the stage reads.
The bar is 60 s and 4 GB for one arm on 2 cores.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from scipy.ndimage import gaussian_filter

from crossres.evaluate.resampling import bicubic, to_lr
from crossres.imagery.numbers import Mask
from crossres.imagery.raster import write_cog
from crossres.imagery.scene import write_mask
from crossres.rasters import Scene, write_scene

BANDS, FACTOR = ("blue", "green", "red", "nir"), 4


def landscape(side: int) -> np.ndarray:
    """Return a random field with detail at several scales, (band, row, column) reflectance around 0.2."""
    rng = np.random.default_rng(0)
    field = np.zeros((len(BANDS), side, side), np.float32)
    for sigma, weight in ((20, 1.0), (6, 0.6), (2, 0.4), (0.8, 0.25)):
        for band in field:
            layer = gaussian_filter(rng.standard_normal((side, side), np.float32), sigma)
            band += weight * layer / layer.std()
    return np.maximum(0.2 + 0.03 * field, 0.01)


def write_world(root: Path, side: int, arms: int) -> None:
    """Write an aligned pair of which a tenth is cloud, and arms between bicubic and HR."""
    rng = np.random.default_rng(1)
    truth = landscape(side)
    small = side // FACTOR
    lr = to_lr(truth, (small, small), 0.25) + rng.normal(0, 0.002, (len(BANDS), small, small)).astype(np.float32)
    fine, coarse = (
        GeoBox((n, n), Affine(g, 0, 5e5, 0, -g, 4.4e6), "EPSG:32650") for n, g in ((side, 2.5), (small, 10.0))
    )
    mask = np.zeros((small, small), np.uint8)
    mask[: small // 3, : small // 3] = Mask.CLOUD
    write_scene(root / "aligned/lr.tif", Scene(lr, coarse, BANDS))
    write_scene(root / "aligned/hr.tif", Scene(truth, fine, BANDS))
    write_mask(root / "aligned/mask.tif", mask, coarse)
    up = bicubic(lr, (side, side))
    for i in range(arms):
        half = up + 0.5 * (truth - up)
        sample = half + 0.01 * rng.standard_normal(half.shape, np.float32)
        for name, image in (("mean", half), ("sample", sample)):
            write_scene(root / f"arm{i}/{name}.tif", Scene(image, fine, BANDS))
        std = np.full(truth.shape, 100, np.uint16)
        write_cog(root / f"arm{i}/std.tif", std, fine, bands=BANDS, nodata=65535, scale=1e-4)


def main() -> None:
    """Write the world in one process, judge it in another, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", type=int, nargs="?", default=4096)
    parser.add_argument("--arms", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--world", type=Path, help="folder to keep the images in, or to take them from")
    parser.add_argument("--output", type=Path, help="folder to keep the evaluation in")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        world = args.world or Path(scratch) / "world"
        if not (world / "aligned/mask.tif").exists():
            write = [sys.executable, "-c", "import sys; sys.path.insert(0, sys.argv[1]); import evaluation, pathlib"]
            write[2] += "; evaluation.write_world(pathlib.Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))"
            subprocess.run([*write, Path(__file__).parent, world, str(args.side), str(args.arms)], check=True)
        output = args.output or Path(scratch) / "evaluation"
        stage = [sys.executable, "-m", "crossres", "evaluate", "--pair", "scene", "--output", output]
        stage += ["--aligned", world / "aligned", "--arms", *(world / f"arm{i}" for i in range(args.arms))]
        stage += ["--threads", str(args.threads)]
        start = time.perf_counter()
        process = subprocess.Popen(stage)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    if status:
        sys.exit("the evaluation failed")
    print(f"{args.side} x {args.side} x {len(BANDS)}, {args.arms} arm(s), mean and sample, {args.threads} thread(s):")
    print(f"wall {wall:.1f} s, CPU {used.ru_utime:.1f} + {used.ru_stime:.1f} s (user + system)", end="")
    print(f", peak {used.ru_maxrss / 2**20:.2f} GB")


if __name__ == "__main__":
    main()
