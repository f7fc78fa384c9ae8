"""Bring the two images of a pair to one radiometry."""

import argparse

from crossres.commands.options import add_path, add_settings, add_threads, section
from crossres.outputs import Output

OUTPUTS = (Output(inside=("lr.tif", "hr.tif", "mask.tif", "pifs.tif", "radiometry.json", "radiometry.png")),)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    add_path(parser, "--lr", help="LR scene folder", kind="folder")
    add_path(parser, "--registered", help="what `coregister` wrote", kind=".tif")
    add_path(parser, "--registration", help="what `coregister` wrote", kind=".json")
    add_path(parser, "--output", help="folder to write to")
    add_threads(parser)


def run(args: argparse.Namespace) -> None:
    from crossres.align.radiometry.normalise import normalise

    settings, grid = section(args, "normalise"), section(args, "grid")
    normalise(settings, grid, args.lr, args.registered, args.registration, args.output)
