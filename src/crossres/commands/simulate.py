"""Simulate one place of the embedded default, seen by both sensors."""

import argparse

from crossres.commands.options import add_path, add_settings, section
from crossres.outputs import Output
from crossres.simulate import earlier_place

OUTPUTS = (Output(folder=earlier_place.FILES, is_own=earlier_place.is_place),)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    parser.add_argument("--place", required=True, help="name of the place: place00, place01, ...")
    add_path(parser, "--output", help="folder to write")


def run(args: argparse.Namespace) -> None:
    from crossres.simulate.place_names import place_number
    from crossres.simulate.world import simulate_place

    simulate_place(section(args, "simulate"), place_number(args.place), args.output)
