"""Where a training step's time goes, and what share of the machine it uses.

    python benchmarks/training.py [--size dense] [--batch 4] [--crop 64] [--steps 3]

On a GPU owner's machine: python benchmarks/training.py --batch 32 --crop 256 --steps 20

Times a step and its parts on random patches, with torch.compile and without, and says how many loader threads keep up.
On CUDA also the share of the GPU's peak in bfloat16 (model FLOP utilisation, with the operations counted that really
ran); elsewhere it says that this was not measured. `--json FILE` writes the numbers, too.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import zarr
from roofline import recorded
from torch import nn

from crossres.diffusion.model.network import SIZES, Network
from crossres.diffusion.model.standardise import Standard
from crossres.diffusion.paths import path_of
from crossres.diffusion.train.batches import batches, on_device
from crossres.diffusion.train.data import Split
from crossres.diffusion.train.ema import Ema
from crossres.diffusion.train.fit import BETAS, LOADERS
from crossres.diffusion.train.learning_step import CPU_CROPS, LearningStep
from crossres.diffusion.train.processes import Processes
from crossres.imagery.engine import computing
from crossres.settings.model import ModelSettings
from crossres.settings.train import TrainSettings

PEAK_TFLOPS = {"A100": 312, "H100": 989, "H200": 989, "L40S": 362, "RTX 4090": 165, "V100": 125}
"""Dense bfloat16 with float32 sums, by makers' data sheets."""
Step = Callable[[], object]
BANDS = 4
WARM_UP = 2
"""Steps that are not counted: the first compiles."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="dense", choices=SIZES)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--crop", type=int, default=64)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--compile", default="both", choices=["both", "yes", "no"])
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    cuda = device.type == "cuda"
    if not cuda:
        torch.set_num_threads(1)  # the crops' threads are the step's own
    where = torch.cuda.get_device_name() if cuda else f"CPU, {args.threads} threads"
    print(f"{where}; {args.size}, {args.batch} crops of {args.crop} x {args.crop} HR pixels, median of {args.steps}")
    columns = {}
    with tempfile.TemporaryDirectory() as folder, computing(args.threads):
        split = random_split(Path(folder), args.crop, 4 * args.batch)
        flops = operations(args, split, device)
        for compiled in {"both": (False, True), "yes": (True,), "no": (False,)}[args.compile]:
            columns["compiled" if compiled else "not compiled"] = measure(args, split, device, compiled, flops)
    print(f"{'':42s}" + "".join(f"{name:>14s}" for name in columns))
    for row in next(iter(columns.values())):
        print(f"{row:42s}" + "".join(f"{shown(column[row]):>14s}" for column in columns.values()))
    if not cuda:
        print("share of the GPU's peak: not measured, since torch sees no CUDA device here")
    print(f"(training uses {LOADERS} loader threads beside a GPU; train.loaders)")
    if args.json:
        args.json.write_text(json.dumps({"where": where, "columns": columns}))


def shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def random_split(folder: Path, crop: int, count: int) -> Split:
    """Return random x4 patches a quarter larger than a crop."""
    lr_side, rng = crop // 4 * 5 // 4, np.random.default_rng(0)
    group = zarr.open_group(folder / "dataset.zarr", mode="w")
    for name, side, bands in (("lr", lr_side, (BANDS,)), ("hr", 4 * lr_side, (BANDS,)), ("mask", lr_side, ())):
        dtype = np.uint16 if bands else np.uint8
        values = rng.integers(1000, 5000, (count, *bands, side, side)).astype(dtype) if bands else 0
        array = group.create_array(name, shape=(count, *bands, side, side), dtype=dtype, chunks=(1, *bands, side, side))
        array[:] = values
    pd.DataFrame({"patch": range(count), "split": "train"}).to_parquet(folder / "index.parquet")
    standard = Standard((0.2,) * BANDS, (0.1,) * BANDS)
    return Split(folder / "dataset.zarr", folder / "index.parquet", "train", Fraction(4), standard)


def learner(args: argparse.Namespace, split: Split, device: torch.device, compiled: bool) -> tuple[LearningStep, Step]:
    """Return what computes a step's gradients, and what is done with them, as `fit` has both."""
    settings = TrainSettings(batch=args.batch, crop_px=args.crop, compile=compiled)
    network = Network(ModelSettings(size=args.size), BANDS).to(device).to(memory_format=torch.channels_last).train()
    ema, path = Ema(network, settings.ema), path_of(settings, 0.5)
    optimiser = torch.optim.AdamW(network.parameters(), settings.learning_rate, betas=BETAS, fused=True)

    def end() -> None:
        nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
        optimiser.step()
        ema.update(network)

    step = LearningStep(
        settings, network, path, lambda batch, draws: path.example(batch.y, batch.hr, draws), split.preparation(device),
        torch.Generator(device).manual_seed(0), Processes(0, 1, device),
        args.batch if device.type == "cuda" else CPU_CROPS,
    )  # fmt: skip
    return step, end


def operations(args: argparse.Namespace, split: Split, device: torch.device) -> int:
    """Return the operations of a step, forward and backward."""
    step, _ = learner(args, split, device, compiled=False)
    step.at_once = 1  # what other threads compute is not counted
    batch = next(batches(split, args.batch, 1, args.crop, 0.0, 0)).to(device)
    return round(sum(layer.flops for layer in recorded(lambda: step.gradients(batch))))


def measure(
    args: argparse.Namespace, split: Split, device: torch.device, compiled: bool, flops: int
) -> dict[str, float | None]:
    """Return a column of the table, row by row; None where nothing was measured."""
    step, end = learner(args, split, device, compiled)
    cuda = device.type == "cuda"
    count = args.steps + WARM_UP
    source = batches(split, args.batch, 2 * count, args.crop, 0.0, 0, pin=cuda)
    raw = next(source)
    there = raw.to(device)
    step.gradients(there)
    found: dict[str, float | None] = {}
    parts: dict[str, Step] = {
        "a batch, by one loader (ms)": lambda: next(source),
        "its way to the device (ms)": lambda: raw.to(device),
        "standardise, upsample, turn (ms)": lambda: step.prepare(there),
        "gradients, the row above among them (ms)": lambda: step.gradients(there),
        "clip, optimiser, average (ms)": end,
    }
    for name, what in parts.items():
        found[name] = 1000 * timed(what, args.steps, device)
    # As training does it: nobody waits for the device between two steps.
    loaders = batches(split, args.batch, count, args.crop, 0.0, 0, workers=LOADERS if cuda else 0, pin=cuda)
    start = 0.0
    for k, batch in enumerate(on_device(loaders, device)):
        start = now(device) if k == WARM_UP else start
        step.gradients(batch)
        end()
    whole = 1000 * (now(device) - start) / args.steps
    found["a step as training takes it (ms)"] = whole
    found["loader threads that keep up"] = (found["a batch, by one loader (ms)"] or 0) / whole
    rate = flops / (whole / 1000) / 1e12
    found |= {"operations of a step (TFLOP)": flops / 1e12, "TFLOP a second": rate}
    peak = next((p for name, p in PEAK_TFLOPS.items() if cuda and name in torch.cuda.get_device_name()), None)
    found["share of the GPU's peak, bfloat16 (%)"] = 100 * rate / peak if peak else None
    found["GPU memory (GB)"] = torch.cuda.max_memory_allocated() / 1e9 if cuda else None
    return found


def timed(what: Step, steps: int, device: torch.device) -> float:
    """Return the median of so many times that it takes, in seconds."""
    times = []
    for _ in range(steps):
        start = now(device)
        what()
        times.append(now(device) - start)
    return float(np.median(times))


def now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
