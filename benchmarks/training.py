"""Where a training step's time goes, and what share of the machine it uses.

    python benchmarks/training.py [--size base] [--batch 4] [--crop 64] [--steps 3]

On a GPU owner's machine: python benchmarks/training.py --batch 32 --crop 256 --steps 20

Times the step's parts (a batch made by one loader, forward and backward, optimiser and averaged weights) on random
patches, and how many loader threads keep up with it. On CUDA also the share of the GPU's peak in bfloat16 (model FLOP
utilisation, with the operations counted that really ran); elsewhere it says that this was not measured.
"""

import argparse
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import zarr
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from crossres.diffusion.model.network import Network
from crossres.diffusion.model.standardise import Standard
from crossres.diffusion.paths import path_of
from crossres.diffusion.train.batches import batches
from crossres.diffusion.train.data import Split
from crossres.diffusion.train.ema import Ema
from crossres.diffusion.train.fit import BETAS, LOADERS
from crossres.diffusion.train.learning_step import LearningStep
from crossres.diffusion.train.processes import Processes
from crossres.settings.model import ModelSettings
from crossres.settings.train import TrainSettings

PEAK_TFLOPS = {"A100": 312, "H100": 989, "H200": 989, "L40S": 362, "RTX 4090": 165, "V100": 125}
"""Dense bfloat16 with float32 sums, by makers' data sheets."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="base", choices=["demo", "base", "large"])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--crop", type=int, default=64)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    settings = TrainSettings(batch=args.batch, crop_px=args.crop, steps=args.steps + 2, threads=args.threads)
    with tempfile.TemporaryDirectory() as folder:
        split = random_split(Path(folder), args.crop, 4 * args.batch)
        measure(args, settings, split, device)


def random_split(folder: Path, crop: int, count: int) -> Split:
    """Return random x4 patches a quarter larger than a crop."""
    lr_side, rng = crop // 4 * 5 // 4, np.random.default_rng(0)
    group = zarr.open_group(folder / "dataset.zarr", mode="w")
    for name, side, bands in (("lr", lr_side, (4,)), ("hr", 4 * lr_side, (4,)), ("mask", lr_side, ())):
        dtype = np.uint16 if bands else np.uint8
        values = rng.integers(1000, 5000, (count, *bands, side, side)).astype(dtype) if bands else 0
        array = group.create_array(name, shape=(count, *bands, side, side), dtype=dtype, chunks=(1, *bands, side, side))
        array[:] = values
    pd.DataFrame({"patch": range(count), "split": "train"}).to_parquet(folder / "index.parquet")
    return Split(
        folder / "dataset.zarr", folder / "index.parquet", "train", Fraction(4), Standard((0.2,) * 4, (0.1,) * 4)
    )


def measure(args: argparse.Namespace, settings: TrainSettings, split: Split, device: torch.device) -> None:
    half = device.type == "cuda"
    network = Network(ModelSettings(size=args.size), 4).to(device).to(memory_format=torch.channels_last).train()
    ema, path = Ema(network, settings.ema), path_of(settings)
    if half:
        network.velocity = torch.compile(network.velocity)  # type: ignore[method-assign]
    optimiser = torch.optim.AdamW(network.parameters(), settings.learning_rate, betas=BETAS, fused=True)
    step = LearningStep(
        settings, network, path, lambda batch, draws: path.example(batch.y, batch.hr, draws), split.factor,
        split.standard, torch.Generator(device).manual_seed(0), Processes(0, 1, device), half, settings.batch,
    )  # fmt: skip
    source = batches(split, settings.batch, settings.steps, settings.crop_px, 0.0, 0)
    parts: dict[str, list[float]] = {"batch": [], "forward, backward": [], "optimiser, average": []}
    flops = 0
    for k in range(args.steps + 2):
        marks = [now(device)]
        batch = next(source)
        marks.append(now(device))
        if k == 0:
            eager, network.velocity = network.velocity, Network.velocity.__get__(network)  # type: ignore[method-assign]
            with FlopCounterMode(display=False) as counter:
                step.gradients(batch)
            flops, network.velocity = counter.get_total_flops(), eager  # type: ignore[method-assign]
        else:
            step.gradients(batch)
        marks.append(now(device))
        nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
        optimiser.step()
        ema.update(network)
        marks.append(now(device))
        if k > 1:  # the first counts, the second compiles
            for name, a, b in zip(parts, marks[:-1], marks[1:], strict=True):
                parts[name].append(b - a)
    best = {name: min(times) for name, times in parts.items()}
    compute = best["forward, backward"] + best["optimiser, average"]
    where = torch.cuda.get_device_name() if half else f"CPU, {args.threads} threads"
    print(f"{where}; {args.size}, {args.batch} crops of {args.crop} x {args.crop} HR pixels, best of {args.steps}")
    for name, seconds in best.items():
        print(f"  {name}: {1000 * seconds:.1f} ms")
    print(f"  operations: {flops / 1e9:.1f} GFLOP a step, {flops / compute / 1e12:.3f} TFLOP/s")
    print(f"  loaders that keep up: {best['batch'] / compute:.2f} (training uses {LOADERS} threads beside a GPU)")
    if half:
        peak = next((p for name, p in PEAK_TFLOPS.items() if name in where), None)
        share = f"{100 * flops / compute / (peak * 1e12):.1f} % of {peak} TFLOP/s" if peak else "unknown peak"
        print(f"  model FLOP utilisation: {share}")
    else:
        print("  model FLOP utilisation: not measured, since torch sees no CUDA device here")


def now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
