"""Reading patch pairs: the training cache, the zarr and GeoTIFF chips, in one run.

    python benchmarks/dataset.py [--patches 1024]

Pairs of 4 x 64 x 64 (LR) and 4 x 256 x 256 (HR) uint16, warm, one process. `read` gives uint16 arrays; `tensors` adds
the conversion to float32 torch tensors of reflectance; `training` is what training takes: crop, turn, shift,
standardisation, bicubic LR and weights. Rounds are interleaved, so that what else the machine does meets all alike.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import islice
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import torch
from scipy import ndimage
from shapely.geometry import box

from crossres.diffusion.model.standardise import Standard
from crossres.diffusion.train import data
from crossres.diffusion.train.batches import batches
from crossres.diffusion.train.data import Split
from crossres.imagery.numbers import OFFSET, SCALE
from crossres.pairs.cache import write_cache
from crossres.pairs.store import digest, write_zarr

NAMES = ("blue", "green", "red", "nir")
BANDS, LR_PX, HR_PX, FACTOR = len(NAMES), 64, 256, Fraction(4)
BATCH = 16
ROUNDS = 5
GPU_PAIRS_PER_SECOND = 1500


def write_all(root: Path, count: int) -> None:
    """Write the same patches as a zarr with its index, a cache and GeoTIFF chips."""
    rng = np.random.default_rng(0)
    rough = ndimage.gaussian_filter(rng.normal(size=(BANDS, 1024, 1024)), (0, 2, 2))
    ground = (2500 + 400 * rough / rough.std() + rng.normal(0, 20, rough.shape)).astype(np.uint16)

    def patch(k: int) -> dict[str, np.ndarray]:
        top, left = np.random.default_rng([1, k]).integers(0, 1024 - HR_PX, 2)
        hr = ground[:, top : top + HR_PX, left : left + HR_PX]
        lr = hr.reshape(BANDS, LR_PX, 4, LR_PX, 4).mean(axis=(2, 4)).astype(np.uint16)
        return {"lr": lr, "hr": np.ascontiguousarray(hr), "mask": np.zeros((LR_PX, LR_PX), np.uint8)}

    write_zarr(root / "dataset.zarr", map(patch, range(count)), count, patch(0), NAMES, NAMES)
    table = {"patch": range(count), "split": "train", "digest": [digest(patch(k)) for k in range(count)]}
    gpd.GeoDataFrame(table, geometry=[box(0, 0, 1, 1)] * count, crs=4326).to_parquet(root / "index.parquet")
    write_cache(root / "dataset.zarr", root / "index.parquet", root / "cache")
    for k in range(count):
        for name in ("lr", "hr"):
            values = patch(k)[name]
            profile = dict(driver="GTiff", dtype="uint16", count=BANDS, height=values.shape[1], width=values.shape[2])
            with rasterio.open(root / f"{name}{k}.tif", "w", compress="deflate", predictor=2, **profile) as dst:
                dst.write(values)


def rate(work: Callable[[np.ndarray], object], picks: list[np.ndarray]) -> tuple[float, float]:
    """Return pairs per second, by wall and by CPU time, of `work` on batches of patch numbers."""
    start, cpu = time.perf_counter(), time.process_time()
    for pick in picks:
        work(pick)
    done = sum(map(len, picks))
    return done / (time.perf_counter() - start), done / (time.process_time() - cpu)


def tensors(arrays: dict[str, np.ndarray]) -> list[torch.Tensor]:
    """Return (batch, ...) float32 reflectance of LR and HR, and the mask."""
    scaled = [torch.from_numpy(arrays[n]).to(torch.float32).mul_(SCALE).add_(OFFSET) for n in ("lr", "hr")]
    return [*scaled, torch.from_numpy(arrays["mask"])]


def main() -> None:
    """Print pairs per second by store and by what is done, and how many loader threads feed a GPU."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patches", type=int, default=1024)
    count = parser.parse_args().patches
    torch.set_num_threads(1)
    data.IN_MEMORY_BYTES = 0  # type: ignore[attr-defined]  # a zarr too large for memory is what a cache is for
    names = ("lr", "hr", "mask")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_all(root, count)
        standard = Standard((0.15,) * BANDS, (0.05,) * BANDS)
        split = {k: Split(root / p, root / "index.parquet", "train", FACTOR, standard)
                 for k, p in (("cache", "cache"), ("zarr", "dataset.zarr"))}  # fmt: skip

        def stacked(source: Split, pick: np.ndarray) -> dict[str, np.ndarray]:
            return {n: np.stack(source.read(n, pick)) for n in names}

        def chips(pick: np.ndarray) -> dict[str, np.ndarray]:
            read = {n: [] for n in ("lr", "hr")}
            for k in pick:
                for n, images in read.items():
                    with rasterio.open(root / f"{n}{k}.tif") as src:
                        images.append(src.read())
            return {n: np.stack(v) for n, v in read.items()} | {"mask": np.zeros((len(pick), LR_PX, LR_PX), np.uint8)}

        def training(source: Split, crop_px: int, pick: np.ndarray) -> object:
            return source.random_batch(pick, crop_px, 0.5, np.random.default_rng(int(pick[0])))

        raw = {
            "cache, read": lambda p: stacked(split["cache"], p),
            "zarr, read": lambda p: stacked(split["zarr"], p),
            "GeoTIFF chips, read": chips,
        }
        work: dict[str, Callable[[np.ndarray], object]] = raw | {
            name.replace("read", "tensors"): (lambda p, f=f: tensors(f(p))) for name, f in raw.items()
        }
        work |= {
            f"{k}, training, crop {c}": (lambda p, k=k, c=c: training(split[k], c, p))
            for k in split for c in (64, 128, 256)
        }  # fmt: skip
        rng = np.random.default_rng(0)
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in work}
        for turn in range(ROUNDS + 1):
            for name, f in work.items():
                share = count if name.startswith("cache") else count // 8
                picks = list(rng.permutation(count)[:share].reshape(-1, BATCH))
                if turn:  # the first round warms up
                    found[name].append(rate(f, picks))
                else:
                    rate(f, picks[:8] if "training" in name else picks)
        print(
            f"pairs/s, batches of {BATCH}, {count} pairs, one process; best and median of {ROUNDS} interleaved rounds"
        )
        for name, rates in found.items():
            wall, cpu = np.array(rates).T
            rates_shown = f"wall: best {wall.max():7.0f} median {np.median(wall):7.0f}"
            print(f"{name:28s} {rates_shown}   per CPU second {np.median(cpu):7.0f}")

        print(f"\nloader threads (training batches of {BATCH} from the cache, shift on): pairs/s")
        for crop in (64, 256):
            for workers in (0, 1, 2, 4):
                source = batches(split["cache"], BATCH, 10_000, crop, 0.5, 0, workers)
                next(source)
                start, cpu, steps = time.perf_counter(), time.process_time(), 60
                for _ in islice(source, steps):
                    pass
                wall, spent = time.perf_counter() - start, time.process_time() - cpu
                source.close()
                per_core = steps * BATCH / spent
                needed = f"{GPU_PAIRS_PER_SECOND / per_core:.1f} cores for {GPU_PAIRS_PER_SECOND} pairs/s"
                done = f"{steps * BATCH / wall:6.0f} wall, {per_core:6.0f} per CPU second"
                print(f"crop {crop:3d}, {workers} threads: {done}: {needed}", flush=True)


if __name__ == "__main__":
    main()
