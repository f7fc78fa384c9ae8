"""Super-resolve one held-out scene by one arm."""

import argparse
from pathlib import Path

from crossres.commands.options import add_model, add_path, add_settings, add_threads, section
from crossres.errors import UserError
from crossres.outputs import PRODUCT

OUTPUTS = (PRODUCT,)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    parser.add_argument("--name", required=True, help="which of sample.arms")
    add_path(parser, "--lr", help="LR scene (COG)", kind=".tif")
    text = "further LR dates of the scene (COG), as `dates` wrote them; for a model that knows several"
    parser.add_argument("--dates", type=Path, metavar="PATH", help=text)
    add_model(parser, "--model", "model folder")
    add_path(parser, "--output", help="folder to write")
    add_threads(parser)


def run(args: argparse.Namespace) -> None:
    from crossres.diffusion.sample.block_store import blocks_beside, blocks_done
    from crossres.diffusion.sample.scenes import sample_scene
    from crossres.requeue import queued_again_on_sigusr1

    sample = section(args, "sample")
    if args.name not in sample.arms:
        raise UserError(f"--name: {args.name!r} is not one of sample.arms: {', '.join(sample.arms)}")
    arm, mtf = sample.arms[args.name], section(args, "grid").lr_mtf
    blocks = blocks_beside(args.output)
    before = blocks_done(blocks)
    with queued_again_on_sigusr1(lambda: blocks_done(blocks) > before):
        sample_scene(arm, sample.tiling, args.name, args.lr, args.model, args.output, mtf, args.dates)
