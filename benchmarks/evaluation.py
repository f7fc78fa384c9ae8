"""What evaluating a large scene costs: wall time, CPU time and peak memory of every weight-free metric.

    python benchmarks/evaluation.py [ROWS] [COLS] [--arms N] [--threads N]

A procedural landscape of ROWS x COLS pixels (4096 x 4096; COLS as ROWS) and 4 bands is seen at a quarter of the
resolution; arms of known quality are judged against it, mean and one sample each, with all pictures. Larger ones repeat
a square of 2048 pixels. Nothing is read but what the stage reads. The bars: 6 GB for a whole Gaofen-2 scene at 2.5 m,
9344 x 8840, and two threads 1.7 times as fast as one.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from scipy.ndimage import gaussian_filter

from crossres.imagery.numbers import STD_DN, Mask
from crossres.imagery.raster import write_cog, write_mask
from crossres.imagery.scene import make_scene, write_scene
from crossres.operators import enlarged, to_lr

BANDS, FACTOR, MTF = ("blue", "green", "red", "nir"), Fraction(4), (0.25,) * 4
REPEATED_PX = 2048


def landscape(side: int) -> np.ndarray:
    """Return a random field with detail at several scales, (band, row, column) reflectance around 0.2."""
    rng = np.random.default_rng(0)
    field = np.zeros((len(BANDS), side, side), np.float32)
    for sigma, weight in ((20, 1.0), (6, 0.6), (2, 0.4), (0.8, 0.25)):
        for band in field:
            layer = gaussian_filter(rng.standard_normal((side, side), np.float32), sigma)
            band += weight * layer / layer.std()
    return np.maximum(0.2 + 0.03 * field, 0.01)


def write_world(root: Path, rows: int, cols: int, arms: int) -> None:
    """Write an aligned pair of which a tenth is cloud, and arms between bicubic and HR."""
    rng = np.random.default_rng(1)
    side = min(max(rows, cols), REPEATED_PX) if max(rows, cols) > 4096 else max(rows, cols)
    truth = landscape(side)
    low = to_lr(truth, FACTOR, MTF)
    lr = low + rng.normal(0, 0.002, low.shape).astype(np.float32)
    small = int(rows / FACTOR), int(cols / FACTOR)
    fine, coarse = (
        GeoBox(shape, Affine(gsd, 0, 5e5, 0, -gsd, 4.4e6), "EPSG:32650")
        for shape, gsd in (((rows, cols), 2.5), (small, 10.0))
    )

    def write(name: str, image: np.ndarray, grid: GeoBox) -> None:
        write_scene(root / name, make_scene(_repeated(image, grid.shape), grid, BANDS))

    mask = np.zeros(small, np.uint8)
    mask[: small[0] // 3, : small[1] // 3] = Mask.CLOUD
    write("aligned/lr.tif", lr, coarse)
    write("aligned/hr.tif", truth, fine)
    write_mask(root / "aligned/mask.tif", mask, coarse)
    up = enlarged(lr, FACTOR)
    for i in range(arms):
        half = up + 0.5 * (truth - up)
        write(f"arm{i}/mean.tif", half, fine)
        write(f"arm{i}/sample.tif", half + 0.01 * rng.standard_normal(half.shape, np.float32), fine)
        std = np.full((len(BANDS), rows, cols), 100, np.uint16)
        write_cog(root / f"arm{i}/std.tif", std, fine, BANDS, STD_DN)


def _repeated(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    times = (-(-n // side) for n, side in zip(shape, image.shape[1:], strict=True))
    return np.tile(image, (1, *times))[:, : shape[0], : shape[1]]


def main() -> None:
    """Write the world in one process, judge it in another, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int, nargs="?", default=4096)
    parser.add_argument("cols", type=int, nargs="?")
    parser.add_argument("--arms", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--world", type=Path, help="folder to keep the images in, or to take them from")
    parser.add_argument("--output", type=Path, help="folder to keep the evaluation in")
    args = parser.parse_args()
    cols = args.cols or args.rows
    with tempfile.TemporaryDirectory() as scratch:
        world = args.world or Path(scratch) / "world"
        if not (world / "aligned/mask.tif").exists():
            write = [sys.executable, "-c", "import sys; sys.path.insert(0, sys.argv[1]); import evaluation, pathlib"]
            write[2] += "; evaluation.write_world(pathlib.Path(sys.argv[2]), *map(int, sys.argv[3:]))"
            sizes = map(str, (args.rows, cols, args.arms))
            subprocess.run([*write, Path(__file__).parent, world, *sizes], check=True)
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
    print(f"{args.rows} x {cols} x {len(BANDS)}, {args.arms} arm(s), mean and sample, {args.threads} thread(s):")
    print(f"wall {wall:.1f} s, CPU {used.ru_utime:.1f} + {used.ru_stime:.1f} s (user + system)", end="")
    print(f", peak {used.ru_maxrss / 2**20:.2f} GB")


if __name__ == "__main__":
    main()
