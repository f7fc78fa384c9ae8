"""Assemble patches to one dataset, split by place."""

import argparse
from pathlib import Path

from crossres import earlier_products as earlier
from crossres.commands.options import add_path, add_run, add_settings, section
from crossres.outputs import Output

OUTPUTS = (
    Output(inside=("index.parquet", "left_out.parquet", "summary.json", "contact_sheet.png")),
    Output(inside=("dataset.zarr",), is_own=earlier.is_dataset),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    add_path(parser, "--pairs", help="folder of the pairs' JSON, as `search` wrote it", kind="folder")
    text = "folder of what `patches` wrote: <pair>.zip and <pair>.parquet"
    add_path(parser, "--patches", help=text, kind="folder")
    text = "folder of what `coregister` wrote: <pair>/registration.json"
    add_path(parser, "--aligned", help=text, kind="folder")
    parser.add_argument("--regions", type=Path, metavar="FILE", help="vector file of dataset.regions")
    add_path(parser, "--output", help="folder to write to: dataset.zarr, index.parquet and what tells of them")
    add_run(parser, "regions")


def run(args: argparse.Namespace) -> None:
    from crossres.pairs.dataset import assemble

    settings, grid = section(args, "dataset"), section(args, "grid")
    assemble(settings, grid, args.pairs, args.patches, args.aligned, args.regions, args.output)
