"""Unpack a patch dataset that is too large for memory, for training."""

import argparse

from crossres import earlier_products as earlier
from crossres.commands.options import add_path
from crossres.outputs import Output

OUTPUTS = (Output(folder=("cache.json", "lr.npy", "hr.npy", "mask.npy"), is_own=earlier.is_cache),)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_path(parser, "--dataset", help="what `dataset` wrote", kind="folder")
    add_path(parser, "--index", help="what `dataset` wrote", kind=".parquet")
    add_path(parser, "--output", help="folder to write")


def run(args: argparse.Namespace) -> None:
    from crossres.pairs.cache import write_cache

    write_cache(args.dataset, args.index, args.output)
