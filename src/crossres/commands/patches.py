"""Cut patch pairs from an aligned pair."""

import argparse
from pathlib import Path

from crossres.commands.options import add_path, add_settings, add_threads, section
from crossres.outputs import Output

OUTPUTS = (
    Output("patches"),
    Output("index"),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    add_path(parser, "--pair", help="the pair's JSON, as `search` wrote it", kind=".json")
    add_path(parser, "--aligned", help="folder that `coregister` and `normalise` wrote", kind="folder")
    text = "what `dates` wrote, where a model sees several LR dates"
    parser.add_argument("--dates", type=Path, metavar="PATH", help=text)
    add_path(parser, "--patches", "--index", help="file to write")
    add_threads(parser)


def run(args: argparse.Namespace) -> None:
    from crossres.files import read_json
    from crossres.pairs.extract import extract

    settings, grid = section(args, "patches"), section(args, "grid")
    extract(settings, grid, read_json(args.pair), args.aligned, args.patches, args.index, args.dates)
