"""Put the metrics of all scenes together."""

import argparse

from crossres.commands.options import add_path
from crossres.outputs import Output

OUTPUTS = (
    Output("summary"),
    Output("table"),
    Output("opensr"),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    text = "the dataset's summary.json, which names the pairs held out"
    add_path(parser, "--dataset", help=text, kind=".json")
    text = "folder of the folders that `evaluate` wrote, one for each of these pairs"
    add_path(parser, "--scenes", help=text, kind="folder")
    parser.add_argument("--primary", required=True, help="the arm that is the product")
    add_path(parser, "--summary", "--table", "--opensr", help="file to write")


def run(args: argparse.Namespace) -> None:
    from crossres.evaluate.results.opensr_table import write_table
    from crossres.evaluate.results.scene_result import held_out
    from crossres.evaluate.results.summarise import summarise

    scenes = held_out(args.dataset, args.scenes)
    summarise(scenes, args.primary, args.summary, args.table)
    write_table(args.opensr, scenes)
