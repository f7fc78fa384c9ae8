"""Register further LR dates of a pair to its first, for a model that sees several."""

import argparse
from pathlib import Path

from crossres.commands.options import add_path, add_settings, add_threads, section
from crossres.outputs import Output

OUTPUTS = (Output(inside=("dates.tif", "dates.json", "dates.png")),)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    add_path(parser, "--pair", help="the pair's JSON, as `search` wrote it", kind=".json")
    add_path(parser, "--lr", help="scene folder of the pair's LR scene, the first date", kind="folder")
    text = "scene folders of the pair's further_dates, in their order"
    parser.add_argument("--further", type=Path, nargs="*", default=[], metavar="PATH", help=text)
    text = "search.lr_dates: how many dates there are, the first one too"
    parser.add_argument("--lr-dates", type=int, required=True, metavar="N", help=text)
    add_path(parser, "--registration", help="what `coregister` wrote", kind=".json")
    add_path(parser, "--output", help="folder to write to")
    add_threads(parser)


def run(args: argparse.Namespace) -> None:
    from crossres.align.registration.dates import register_dates
    from crossres.files import read_json

    settings, grid, pair = section(args, "coregister"), section(args, "grid"), read_json(args.pair)
    register_dates(settings, grid, args.lr_dates, pair, args.lr, args.further, args.registration, args.output)
