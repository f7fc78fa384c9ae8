"""Link simulated places to one static STAC catalogue and one DEM."""

import argparse

from crossres.commands.options import add_path, add_settings, section
from crossres.outputs import Output

OUTPUTS = (Output(inside=("catalog.json", "dem.vrt")),)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    add_path(parser, "--places", help="folders that `simulate` wrote", many=True)
    add_path(parser, "--output", help="folder to write to: catalog.json and dem.vrt")


def run(args: argparse.Namespace) -> None:
    from crossres.simulate.world import link_world

    link_world(section(args, "simulate"), args.places, args.output)
