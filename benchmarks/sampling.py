"""Seconds per HR megapixel at x4, ours against published networks at their usual steps, random weights, in one run.

    python benchmarks/sampling.py [--tile 256] [--size base] [--steps N] [--threads 1] [--repeats 1]

Ours takes as many steps as the settings do by default, unless told. All run one tile, in turns; the best of the repeats
counts. The networks have no weights worth having: this measures what an evaluation costs, not what it gives. LDSR's 100
steps are extrapolated from a few (its steps are all alike). FLOPs are counted from the operations that run, and do not
depend on how busy the machine is.
"""

import argparse
import time
from collections.abc import Callable
from contextlib import nullcontext
from fractions import Fraction

import torch
from peer_networks import Decoder, Encoder, Rrdb, UNet, millions
from torch.utils.flop_counter import FlopCounterMode

from crossres.diffusion.model.network import Network
from crossres.diffusion.model.upsample import View
from crossres.diffusion.paths.residual import Residual
from crossres.diffusion.sample.arms import Arm, chain_of
from crossres.settings.model import ModelSettings
from crossres.settings.sample import ArmSettings, TilingSettings

FACTOR = 4
OURS = "ours, LR start"
PAPERS = {"ResShift U-Net": 118.59, "LDM-4 U-Net": 113.62, "VQ autoencoder": 55.32, "RRDB ESRGAN": 16.70}
"""Parameters in millions, as published."""
LDM_STEPS, LDM_MEASURED = 100, 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tile", type=int, default=256, help="side of the tile, in HR pixels; a multiple of 256")
    parser.add_argument("--size", default="base", choices=["demo", "base", "large"])
    parser.add_argument("--steps", type=int, default=ArmSettings().steps, help="our solver's steps")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    methods = build(args, device)
    half = torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext()
    best: dict[str, tuple[float, float]] = {}
    flops = {}
    with torch.inference_mode():
        for name, (function, _) in build(args, torch.device("meta")).items():
            with FlopCounterMode(display=False) as counter:
                function()
            flops[name] = counter.get_total_flops()
            print(f"{name}: {flops[name] / 1e9:.0f} GFLOP a tile", flush=True)
    with torch.inference_mode(), half:
        for _ in range(args.repeats):
            for name, (function, _) in methods.items():
                wall, cpu = timed(function, device)
                before = best.get(name, (float("inf"), float("inf")))
                best[name] = min(wall, before[0]), min(cpu, before[1])
    report(methods, best, flops, args.tile**2 / 1e6, args, device)


def build(args: argparse.Namespace, device: torch.device) -> dict[str, tuple[Callable[[], object], str]]:
    """Return each method as a function without arguments over the same tile, and what it stands for."""
    torch.manual_seed(0)
    tile, lr_side = args.tile, args.tile // FACTOR
    settings = ModelSettings(size=args.size)
    network = Network(settings, 4).to(device).to(memory_format=torch.channels_last).eval()
    lr4 = torch.randn(1, 4, lr_side, lr_side, device=device)
    view = View.whole(Fraction(FACTOR), lr_side, lr_side)
    path = Residual(0.5)

    def ours(steps: int) -> Callable[[], object]:
        arm = ArmSettings(steps=steps, samples=1)
        tiling = TilingSettings(tile_px=max(tile, 32), batch=1)
        ready = Arm(arm, tiling, network, path, chain_of("ours", arm, path, 0.3, distilled=False))
        return lambda: ready.run(lr4, view, 0, 0)

    resshift, ldm, encoder, decoder, rrdb = (
        network.to(device).to(memory_format=torch.channels_last).eval()
        for network in (UNet(6, 3, True), UNet(6, 3, False), Encoder(3), Decoder(3), Rrdb(3))
    )
    found = {
        "ResShift U-Net": millions(resshift), "LDM-4 U-Net": millions(ldm),
        "VQ autoencoder": millions(encoder, decoder), "RRDB ESRGAN": millions(rrdb),
    }  # fmt: skip
    for name, paper in PAPERS.items():
        assert abs(found[name] - paper) < 0.01 * paper, f"{name}: {found[name]:.2f} M, the paper has {paper} M"
    if device.type == "meta":
        print("Parameters:", ", ".join(f"{name} {n:.2f} M (paper: {PAPERS[name]} M)" for name, n in found.items()))
        print(f"ours, {args.size}: {millions(network):.2f} M")
    lr = torch.randn(1, 3, lr_side, lr_side, device=device)
    up = torch.randn(1, 3, tile, tile, device=device)
    time_embedding = torch.randn(1, 160, device=device)

    def sample(unet: UNet, steps: int, codes: torch.Tensor) -> torch.Tensor:
        for _ in range(steps):
            codes = unet(torch.cat([codes, lr], 1), time_embedding)
        return codes

    return {
        OURS: (ours(args.steps), "LR start"),
        "ours, one step": (ours(1), "the distilled model"),
        "ResShift, 4 steps": (lambda: decoder(sample(resshift, 4, encoder(up))), "encoder, 4 evaluations, decoder"),
        "LDM-4 evaluations": (lambda: sample(ldm, LDM_MEASURED, torch.randn_like(lr)), f"{LDM_MEASURED} evaluations"),
        "VQ decoder": (lambda: decoder(torch.randn_like(lr)), "part of LDSR"),
        "ESRGAN, 1 step": (lambda: rrdb(lr), "RRDB"),
    }


def timed(function: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """Return seconds of wall clock and of CPU."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - wall, time.process_time() - cpu


def report(methods, best, flops, megapixels, args, device) -> None:  # type: ignore[no-untyped-def]
    rows = {name: (*best[name], flops[name]) for name in methods}
    steps, decoder = rows.pop("LDM-4 evaluations"), rows.pop("VQ decoder")
    rows["LDSR-like, 100 steps"] = tuple(s * LDM_STEPS / LDM_MEASURED + d for s, d in zip(steps, decoder, strict=True))
    first = rows[OURS]
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {args.threads} threads"
    print(f"{where}; one tile of {args.tile} x {args.tile} HR pixels, x{FACTOR}; best of {args.repeats}")
    print(f"Ours: {args.size}, {args.steps} steps.")
    print("| method | s / HR megapixel | CPU s / HR megapixel | TFLOP / HR megapixel | times ours (s, CPU s, FLOP) |")
    print("| --- | --- | --- | --- | --- |")
    for name, (wall, cpu, operations) in rows.items():
        ratios = ", ".join(f"{a / b:.1f}" for a, b in zip((wall, cpu, operations), first, strict=True))
        shown = f"{wall / megapixels:.2f} | {cpu / megapixels:.2f} | {operations / megapixels / 1e12:.2f}"
        print(f"| {name} | {shown} | {ratios} |")
    print(f"\nLDSR-like: {LDM_MEASURED} evaluations measured, {LDM_STEPS} extrapolated, one decoding added.")


if __name__ == "__main__":
    main()
