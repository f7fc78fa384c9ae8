"""Freeze the scenes and pairs of a finished run with their checksums."""

import argparse
from pathlib import Path

from crossres import earlier_products as earlier
from crossres.commands.options import add_path
from crossres.outputs import Output

OUTPUTS = (Output(is_own=earlier.is_lock),)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN_FOLDER", help="folder of the run, such as results/demo")
    add_path(parser, "--output", help="lock file to write, for search.lock of a configuration")


def run(args: argparse.Namespace) -> None:
    from crossres.acquire.lock.lock_run import lock_run

    lock_run(args.run, args.output)
