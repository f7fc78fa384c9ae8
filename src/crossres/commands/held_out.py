"""Mask what is not held out of a scene whose ground is shared out among splits."""

import argparse

from crossres.commands.options import add_path
from crossres.outputs import Output

OUTPUTS = (Output(),)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pair", required=True, help="name of the pair")
    add_path(parser, "--mask", help="mask.tif of the aligned pair", kind=".tif")
    add_path(parser, "--index", help="what `dataset` wrote", kind=".parquet")
    add_path(parser, "--output", help="file to write")


def run(args: argparse.Namespace) -> None:
    from crossres.pairs.held_out import held_out_mask

    held_out_mask(args.pair, args.mask, args.index, args.output)
