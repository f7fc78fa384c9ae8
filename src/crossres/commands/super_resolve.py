"""Apply a trained model to any Sentinel-2 scene."""

import argparse
import os
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

from crossres.commands.options import add_model, add_path, add_threads, checked
from crossres.errors import UserError
from crossres.outputs import PRODUCT

OUTPUTS = (replace(PRODUCT, each_of="scenes"),)


def arguments(parser: argparse.ArgumentParser) -> None:
    text = "SAFE or its zip, STAC item or its URL, GeoTIFF, folder of bands, Gaofen-2 package"
    parser.add_argument("scenes", metavar="SCENE", nargs="+", help=text)
    text = "further scenes of the place, of other dates, the best first: for a model that knows several LR dates"
    parser.add_argument("--dates", metavar="SCENE", nargs="+", default=[], help=text)
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
    if args.dates and len(args.scenes) > 1:
        raise UserError("--dates: belongs to one scene, and several are given; run it for each of them")
    if len(args.dates) >= card.lr_dates:
        raise UserError(
            f"--dates: {len(args.dates)} further scenes, and the model has learnt from {card.lr_dates - 1}; name fewer"
        )
    for scene, output in scene_outputs(args.scenes, args.output):
        # Read as `download` reads, and once: what is sampled are scenes of ours, whatever was given.
        read = [output.with_name(f".{output.name}.crossres-scene{n or ''}") for n in range(1 + len(args.dates))]
        dates = output.with_name(f".{output.name}.crossres-dates.tif") if args.dates else None
        try:
            names, origins = [], []
            for given, folder in zip([scene, *args.dates], read, strict=True):
                shown = without_signature(given)
                fits = partial(check_gsd, shown, card.lr_gsd_m)
                names.append(read_any(given, card.lr_bands, card.lr_gsd_m, folder, numbers, fits))
                origins.append(shown if is_remote(given) else Path(os.path.relpath(given, output)).as_posix())
            if dates is not None:
                from crossres.align.registration.given_dates import lay_over  # registration, a second to load

                lay_over(read[0], read[1:], names[1:], card.bands, card.lr_bands, dates)
            super_resolve(read[0], names[0], origins[0], args.checkpoint, output, arm, tiling, dates, origins[1:])
        finally:
            for folder in read:
                shutil.rmtree(folder, ignore_errors=True)
            if dates is not None:
                dates.unlink(missing_ok=True)
