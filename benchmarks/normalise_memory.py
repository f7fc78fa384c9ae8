"""Memory and time of normalising one pair, by the size of its scene, at x4 and four bands.

    python benchmarks/normalise_memory.py [--sides 500 1250]

The scenes are noise with texture, written block by block; each size is normalised by a process of its own.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox
from own_process import report, reported
from rasterio.transform import Affine
from rasterio.windows import Window
from scipy import ndimage

from crossres.grids import fine_grid, scale_factor
from crossres.imagery.numbers import REFLECTANCE_DN, to_dn
from crossres.imagery.raster import new_cog, write_mask

BANDS = ("blue", "green", "red", "nir")
TILE = 250
"""LR pixels that repeat over the scene."""


def write_pair(root: Path, side: int) -> None:
    """Write an LR scene folder, a registered HR image and its registration, `side` LR pixels a side."""
    rng = np.random.default_rng(0)
    rough = ndimage.gaussian_filter(rng.normal(size=(4, 4 * TILE, 4 * TILE)), (0, 4, 4), mode="wrap")
    high = 0.2 + 0.04 * rough / rough.std()
    low = high.reshape(4, TILE, 4, TILE, 4).mean(axis=(2, 4)) * 1.1 + 0.01
    grid = GeoBox((side, side), Affine(10, 0, 500_000, 0, -10, 4_000_000), "EPSG:32650")
    for path, on, tile in (
        (root / "lr" / "reflectance.tif", grid, low),
        (root / "registered.tif", fine_grid(grid, scale_factor(10, 2.5)), high),
    ):
        step, noise = tile.shape[1], np.random.default_rng(1)
        with new_cog(path, on, BANDS, REFLECTANCE_DN) as dst:
            for top in range(0, on.shape[0], step):
                for left in range(0, on.shape[1], step):
                    part = to_dn(tile + noise.normal(0, 0.002, tile.shape))
                    part = part[:, : on.shape[0] - top, : on.shape[1] - left]
                    dst.write(part, window=Window(left, top, part.shape[2], part.shape[1]))
    write_mask(root / "lr" / "mask.tif", np.zeros(grid.shape, np.uint8), grid)
    state = {"pair": "p", "accepted": True, "lr_window": [0, 0, side, side]}
    (root / "registration.json").write_text(json.dumps(state))


def normalise_here(root: Path) -> None:
    """Normalise in this process and report its time and memory."""
    from crossres.align.radiometry.normalise import normalise
    from crossres.settings.grid import GridSettings
    from crossres.settings.normalise import NormaliseSettings

    inputs = root / "lr", root / "registered.tif", root / "registration.json"
    report(lambda: normalise(NormaliseSettings(), GridSettings(gsd_m=2.5, bands=BANDS), *inputs, root / "out"))


def main() -> None:
    """Print one line for each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[500, 1250], help="LR pixels")
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.root:
        normalise_here(args.root)
        return
    print("LR side px  HR side px   wall s    CPU s   peak MB   of which at start MB")
    for side in args.sides:
        root = Path(tempfile.mkdtemp(prefix="normalise-"))
        try:
            write_pair(root, side)
            wall, cpu, peak, bare = reported(__file__, root)
            print(f"{side:10d} {4 * side:11d} {wall:8.1f} {cpu:8.1f} {peak:9.0f} {bare:10.0f}", flush=True)
        finally:
            shutil.rmtree(root)


if __name__ == "__main__":
    main()
