"""Super-resolve one held-out scene by one arm, or by several of one model."""

import argparse
from dataclasses import replace
from pathlib import Path

from crossres.commands.options import add_model, add_path, add_settings, add_threads, section
from crossres.errors import UserError
from crossres.outputs import PRODUCT

OUTPUTS = (replace(PRODUCT, each_of="name"),)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    parser.add_argument("--name", required=True, nargs="+", metavar="NAME", help="which of sample.arms")
    add_path(parser, "--lr", help="LR scene (COG)", kind=".tif")
    text = "further LR dates of the scene (COG), as `dates` wrote them; for a model that knows several"
    parser.add_argument("--dates", type=Path, metavar="PATH", help=text)
    add_model(parser, "--model", "model folder")
    add_path(parser, "--output", help="folder to write; of several arms one is written into it for each, by its name")
    add_threads(parser)


def run(args: argparse.Namespace) -> None:
    from crossres.diffusion.sample.scenes import sample_scene

    sample = section(args, "sample")
    mtf = section(args, "grid").lr_mtf
    for name in args.name:
        if name not in sample.arms:
            raise UserError(f"--name: {name!r} is not one of sample.arms: {', '.join(sample.arms)}")
    for name in args.name:
        output = args.output if len(args.name) == 1 else args.output / name
        sample_scene(sample.arms[name], sample.tiling, name, args.lr, args.model, output, mtf, args.dates)
