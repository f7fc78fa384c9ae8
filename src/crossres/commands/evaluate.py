"""Compare super-resolved images of one scene with the HR image."""

import argparse
from pathlib import Path

from crossres import earlier_products as earlier
from crossres.commands.options import add_path, add_settings, add_threads, section
from crossres.outputs import Output

FILES = (
    "metrics.json", "spectra.json", "calibration.json", "opensr_test.json", "spectrum.png", "crops.png", "overview.png",
    "hallucination.png", "boundaries.png", "view/*.png", "crops/*/*.png", "places/*/*.png",
)  # fmt: skip
OUTPUTS = (Output(folder=FILES, is_own=earlier.is_evaluation),)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    parser.add_argument("--pair", required=True, help="name of the pair")
    add_path(parser, "--aligned", help="folder with lr.tif, hr.tif and mask.tif", kind="folder")
    text = "what counts instead of mask.tif: see `held-out`"
    parser.add_argument("--mask", type=Path, metavar="FILE", help=text)
    add_path(parser, "--arms", help="folders that `sample` wrote, each named like its arm", many=True)
    add_path(parser, "--output", help="folder to write")
    add_threads(parser)


def run(args: argparse.Namespace) -> None:
    from crossres.evaluate.scene import evaluate_scene

    arms = {path.name: path for path in args.arms}
    settings, grid = section(args, "evaluate"), section(args, "grid")
    evaluate_scene(settings, grid, args.pair, args.aligned, arms, args.output, args.mask)
