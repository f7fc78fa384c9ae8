"""Bring another model's result to the HR grid, to be judged like an arm."""

import argparse

from crossres import earlier_products as earlier
from crossres.commands.options import add_path, add_run, add_settings, section
from crossres.outputs import Output

OUTPUTS = (Output(folder=("mean.tif", "std.tif", "sample.tif", "declined.json"), is_own=earlier.is_external),)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    add_path(parser, "--pair", help="the pair's JSON, as `search` wrote it", kind=".json")
    add_path(parser, "--folder", help="holds <pair>.tif or <LR scene>.tif", kind="folder")
    add_path(parser, "--hr", help="the aligned HR image", kind=".tif")
    add_path(parser, "--output", help="folder to write")
    add_run(parser, "folder")


def run(args: argparse.Namespace) -> None:
    from crossres.acquire.read.result import read_result
    from crossres.evaluate.external import take_external
    from crossres.files import read_json

    lr_scene = read_json(args.pair)["lr"]
    bands = section(args, "grid").bands
    take_external(args.folder, args.pair.stem, lr_scene, args.hr, bands, read_result, args.output)
