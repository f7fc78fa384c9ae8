"""Tell what a run took in time and memory, on one page."""

import argparse
from pathlib import Path

from crossres.commands.options import add_path
from crossres.outputs import PAGE

OUTPUTS = (PAGE,)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="result folder, such as results/demo")
    add_path(parser, "--output", help="page to write")


def run(args: argparse.Namespace) -> None:
    from crossres.evaluate.report.costs import costs

    costs(args.run, args.output)
