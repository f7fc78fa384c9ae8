"""Give ready-made pairs of images without georeference a place."""

import argparse

from crossres import earlier_products as earlier
from crossres.commands.options import add_path
from crossres.outputs import Output

OUTPUTS = (Output(folder=("*_lr.tif", "*_hr.tif"), is_own=earlier.are_chips),)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_path(parser, "--lr", "--hr", help="folder of PNG, TIFF or other images, those of a pair of one name")
    parser.add_argument("--lr-gsd-m", type=float, required=True, help="pixel size of the LR images, in metres")
    add_path(parser, "--output", help="folder to write: <name>_lr.tif and <name>_hr.tif")


def run(args: argparse.Namespace) -> None:
    from crossres.acquire.chips import place_chips

    place_chips(args.lr, args.hr, args.lr_gsd_m, args.output)
