"""Apply a trained model to any Sentinel-2 scene."""

import argparse
import os
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

from crossres.commands.options import add_model, add_path, add_threads, checked
from crossres.outputs import PRODUCT

OUTPUTS = (replace(PRODUCT, each_of="scenes"),)


def arguments(parser: argparse.ArgumentParser) -> None:
    text = "SAFE or its zip, STAC item or its URL, GeoTIFF, folder of bands, Gaofen-2 package"
    parser.add_argument("scenes", metavar="SCENE", nargs="+", help=text)
    add_model(parser, "--checkpoint", "model folder (model.safetensors and card.json)")
    text = "folder to write; of several scenes, each goes into a folder of its own name in it"
    add_path(parser, "--output", help=text)
    for number, text in (("scale", "reflectance = scale * DN + offset"), ("offset", "see --scale"), ("nodata", "DN")):
        text = f"{text}, for all bands; where a scene does not say it, or says it wrong"
        parser.add_argument(f"--{number}", type=float, metavar="NUMBER", help=text)
    starts = ["lr", "noise", "one-step", "regression", "bicubic", "nearest"]
    parser.add_argument("--start", choices=starts, default="lr")
    parser.add_argument("--steps", type=int, default=2, help="solver steps (2)")
    parser.add_argument("--samples", type=int, default=4, help="samples; mean and std are over them (4)")
    parser.add_argument("--consistency", choices=["none", "soft", "hard"], default="none")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise field (0)")
    add_threads(parser)


def run(args: argparse.Namespace) -> None:
    from crossres.acquire.bands.numbers import Stated
    from crossres.acquire.read.scene import read_any
    from crossres.acquire.stac.hrefs import is_remote, without_signature
    from crossres.diffusion.model.checkpoint import load_card
    from crossres.diffusion.sample.lr_scene import check_gsd
    from crossres.diffusion.sample.scenes import super_resolve
    from crossres.outputs import scene_outputs
    from crossres.settings.sample import ArmSettings, TilingSettings

    start = {"start": args.start, "steps": args.steps, "samples": args.samples}
    arm = checked(start, "super-resolve", ArmSettings)
    tiling = checked({"seed": args.seed, "consistency": args.consistency}, "super-resolve", TilingSettings)
    card = load_card(args.checkpoint)
    numbers = Stated(scale=args.scale, offset=args.offset, nodata=args.nodata)
    for scene, output in scene_outputs(args.scenes, args.output):
        # Read as `download` reads, and once: what is sampled is a scene of ours, whatever was given.
        read = output.with_name(f".{output.name}.crossres-scene")
        try:
            shown = without_signature(scene)
            fits = partial(check_gsd, shown, card.lr_gsd_m)
            name = read_any(scene, card.lr_bands, card.lr_gsd_m, read, numbers, fits)
            origin = shown if is_remote(scene) else Path(os.path.relpath(scene, output)).as_posix()
            super_resolve(read, name, origin, args.checkpoint, output, arm, tiling)
        finally:
            shutil.rmtree(read, ignore_errors=True)
