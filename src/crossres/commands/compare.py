"""Put several runs side by side on one page."""

import argparse
from pathlib import Path

from crossres.commands.options import add_path
from crossres.outputs import PAGE

OUTPUTS = (PAGE,)


def arguments(parser: argparse.ArgumentParser) -> None:
    text = "result folders, such as results/demo"
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help=text)
    add_path(parser, "--output", help="page to write")


def run(args: argparse.Namespace) -> None:
    from crossres.evaluate.report.compare import compare

    compare(args.runs, args.output)
