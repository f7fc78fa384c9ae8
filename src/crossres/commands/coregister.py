"""Register an HR scene to an LR scene."""

import argparse

from crossres.commands.options import add_path, add_settings, add_threads, section
from crossres.outputs import Output

OUTPUTS = (Output(inside=("registered.tif", "registration.json", "tie_points.parquet", "registration.png")),)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    add_path(parser, "--pair", help="the pair's JSON, as `search` wrote it", kind=".json")
    add_path(parser, "--lr", "--hr", help="scene folder", kind="folder")
    add_path(parser, "--output", help="folder to write to")
    add_threads(parser)


def run(args: argparse.Namespace) -> None:
    from crossres.align.registration.coregister import coregister
    from crossres.files import read_json

    pair = read_json(args.pair)
    coregister(section(args, "coregister"), section(args, "grid"), pair, args.lr, args.hr, args.output)
