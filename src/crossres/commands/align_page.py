"""Write how well the pairs of a run lie on each other as one page."""

import argparse

from crossres.commands.options import add_path
from crossres.outputs import PAGE

OUTPUTS = (PAGE,)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_path(parser, "--run", help="the run's folder", kind="folder")
    add_path(parser, "--output", help="file to write")


def run(args: argparse.Namespace) -> None:
    from crossres.evaluate.report.align_page import align_page
    from crossres.layout import RunFolder

    align_page(RunFolder(args.run), args.output)
