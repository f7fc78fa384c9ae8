"""Seconds per HR megapixel, ours over a whole scene through the command, against published networks on one tile.

    python benchmarks/sampling.py [--size base] [--scene 2048] [--factor 4] [--samples 4] [--steps 2] [--threads 1]

Ours is `crossres sample` over a scene of that many HR pixels a side, in a process of its own: all samples, reading and
writing, and whatever is computed twice where blocks meet, which is counted in the network itself. The published
networks, at their usual steps, run one tile for one sample, without the overlap that a scene would ask of them: their
cost is a lower bound. LDSR's 100 steps are extrapolated from a few (its steps are all alike). All compute in the same
precision, and take turns; the best of the repeats counts. No weights are trained: this measures what an image costs,
not what it is worth. `--factor 12.5` and `--no-others` measure ours alone at another scale.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from odc.geo.geobox import GeoBox
from own_process import report as report_process
from peer_networks import Decoder, Encoder, Rrdb, UNet, millions
from rasterio.transform import Affine
from scipy.ndimage import gaussian_filter

from crossres import cli
from crossres.diffusion.model import checkpoint
from crossres.diffusion.model.network import SIZES, Network
from crossres.diffusion.model.precision import in_bfloat16
from crossres.diffusion.model.standardise import Standard
from crossres.imagery.scene import make_scene, write_scene
from crossres.settings.model import ModelSettings
from crossres.settings.sample import ArmSettings, TilingSettings
from crossres.settings.train import TrainSettings

BANDS = ("blue", "green", "red", "nir")
PEERS_FACTOR = 4
PAPERS = {"ResShift U-Net": 118.59, "LDM-4 U-Net": 113.62, "VQ autoencoder": 55.32, "RRDB ESRGAN": 16.70}
"""Parameters in millions, as published."""
LDM_STEPS, LDM_MEASURED = 100, 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="base", choices=SIZES)
    parser.add_argument("--scene", type=int, default=2048, help="side of the scene, in HR pixels, about")
    parser.add_argument("--factor", type=Fraction, default=Fraction(4))
    parser.add_argument("--samples", type=int, default=ArmSettings().samples)
    parser.add_argument("--steps", type=int, default=ArmSettings().steps, help="our solver's steps")
    parser.add_argument("--block", type=int, default=TilingSettings().block_px, help="sample.tiling.block_px")
    parser.add_argument("--precision", default="auto", choices=["auto", "float32", "bfloat16"])
    parser.add_argument("--tile", type=int, default=256, help="side of the others' tile, in HR pixels")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--no-others", action="store_true")
    parser.add_argument("--words", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.words:
        return counted(args.words)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    half = in_bfloat16(args.precision, device)
    torch.set_num_threads(args.threads)
    others = {} if args.no_others else peers(args.tile, device)
    best: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        words, delivered = scene(args, Path(folder))
        for _ in range(args.repeats):
            command = [sys.executable, __file__, "--words", json.dumps(words)]
            said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
            seen, (wall, cpu, peak, _) = int(said[-2]), json.loads(said[-1])
            keep_best(best, "ours", (wall, cpu))
            with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=half):
                for name, function in others.items():
                    keep_best(best, name, timed(function, device))
    report(args, best, delivered / 1e6, seen / (delivered * args.samples * args.steps), peak, half, device)


def scene(args: argparse.Namespace, folder: Path) -> tuple[list[str], int]:
    """Write a model of random weights and a scene; return the command that samples it, and the scene's HR pixels."""
    torch.manual_seed(0)
    settings = ModelSettings(size=args.size)
    network = Network(settings, len(BANDS))
    for p in network.parameters():
        if not p.any():
            torch.nn.init.normal_(p, std=0.02)
    (folder / "model").mkdir()
    checkpoint.save(
        folder / "model", network, bands=BANDS, factor=args.factor, lr_gsd_m=10.0, hr_gsd_m=float(10 / args.factor),
        standard=Standard((0.15,) * 4, (0.1,) * 4), sigma=0.3, residual_rms=0.4, model=settings, train=TrainSettings(),
        data_sha256="0", code="0", metrics={},
    )  # fmt: skip
    side = round(args.scene / args.factor / args.factor.denominator) * args.factor.denominator
    noise = np.random.default_rng(0).normal(size=(len(BANDS), side, side)).astype(np.float32)
    image = (0.2 + 0.3 * gaussian_filter(noise, (0, 1.2, 1.2))).clip(0.01, 0.6)
    grid = GeoBox((side, side), Affine(10, 0, 500000, 0, -10, 4000000), "EPSG:32650")
    write_scene(folder / "lr.tif", make_scene(image, grid, BANDS, {"datetime": "2023-05-01T03:00:00Z"}))
    content = {
        "grid": {},
        "sample": {
            "arms": {"ours": {"steps": args.steps, "samples": args.samples}},
            "tiling": {"block_px": args.block, "precision": args.precision},
            "primary": "ours",
        },
    }
    words = ["sample", "--settings", json.dumps(content), "--name", "ours", "--threads", str(args.threads),
             "--lr", str(folder / "lr.tif"), "--model", str(folder / "model"),
             "--output", str(folder / "sr"), "--overwrite"]  # fmt: skip
    return words, int(side * args.factor) ** 2


def counted(words: list[str]) -> None:
    """Run a command in this process; print how many pixels went through the network, and `own_process.report`."""
    velocity, pixels = Network.velocity_given, []

    def counting(self: Network, x: torch.Tensor, *rest: object) -> torch.Tensor:
        pixels.append(x[:, 0].numel())
        return velocity(self, x, *rest)

    Network.velocity_given = counting

    def work() -> None:
        cli.main(words)
        print(sum(pixels))

    report_process(work)


def peers(tile: int, device: torch.device) -> dict[str, Callable[[], object]]:
    """Return each published network's work on one tile, as a function without arguments."""
    torch.manual_seed(0)
    side = tile // PEERS_FACTOR
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
    print("Parameters:", ", ".join(f"{name} {n:.2f} M (paper: {PAPERS[name]} M)" for name, n in found.items()))
    lr = torch.randn(1, 3, side, side, device=device)
    up = torch.randn(1, 3, tile, tile, device=device)
    time_embedding = torch.randn(1, 160, device=device)

    def sample(unet: UNet, steps: int, codes: torch.Tensor) -> torch.Tensor:
        for _ in range(steps):
            codes = unet(torch.cat([codes, lr], 1), time_embedding)
        return codes

    return {
        "ResShift, 4 steps": lambda: decoder(sample(resshift, 4, encoder(up))),
        "LDM-4 evaluations": lambda: sample(ldm, LDM_MEASURED, torch.randn_like(lr)),
        "VQ decoder": lambda: decoder(torch.randn_like(lr)),
        "ESRGAN, 1 step": lambda: rrdb(lr),
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


def keep_best(best: dict[str, tuple[float, float]], name: str, found: tuple[float, float]) -> None:
    """Keep the least wall and CPU seconds of each."""
    before = best.get(name, found)
    best[name] = min(found[0], before[0]), min(found[1], before[1])


def report(  # type: ignore[no-untyped-def]
    args, best, megapixels: float, per_pixel: float, peak_mb: float, half: bool, device: torch.device
) -> None:
    ours = tuple(seconds / megapixels for seconds in best.pop("ours"))
    rows = {
        f"ours, {args.samples} samples, the scene": ours,
        "ours, a sample of these": tuple(seconds / args.samples for seconds in ours),
    }
    if best:
        tile = args.tile**2 / 1e6
        rows |= {name: tuple(seconds / tile for seconds in found) for name, found in best.items()}
        steps, decoder = rows.pop("LDM-4 evaluations"), rows.pop("VQ decoder")
        rows["LDSR-like, 100 steps"] = tuple(s * LDM_STEPS / LDM_MEASURED + d for s, d in zip(steps, decoder))
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {args.threads} threads"
    print(f"{where}, {'bfloat16' if half else 'float32'}; best of {args.repeats}")
    print(f"Ours: {args.size}, {args.steps} steps, x{float(args.factor):g}, {megapixels:.2f} HR megapixels.")
    print(f"Pixels computed for one delivered, an evaluation: {per_pixel:.3f}; peak memory {peak_mb / 1e3:.2f} GB.")
    print("| method | s / HR megapixel | CPU s / HR megapixel | times a sample of ours (s, CPU s) |")
    print("| --- | --- | --- | --- |")
    for name, found in rows.items():
        ratios = ", ".join(f"{a / b:.1f}" for a, b in zip(found, rows["ours, a sample of these"], strict=True))
        print(f"| {name} | {found[0]:.2f} | {found[1]:.2f} | {ratios} |")
    if best:
        print(f"\nThe others: one tile of {args.tile} HR pixels, x{PEERS_FACTOR}, without overlap, one sample.")
        print(f"LDSR-like: {LDM_MEASURED} evaluations measured, {LDM_STEPS} extrapolated, one decoding added.")


if __name__ == "__main__":
    main()
