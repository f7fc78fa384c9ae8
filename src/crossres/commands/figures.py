"""Draw the figures of all scenes together."""

import argparse

from crossres import earlier_products as earlier
from crossres.commands.options import add_path, add_settings, paths_of, section
from crossres.outputs import Output

OUTPUTS = (
    Output(
        folder=("metrics.png", "spectra.png", "calibration.png", "tradeoff.png", "nfe.png"),
        is_own=earlier.are_figures,
    ),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    add_path(parser, "--summary", help="what `summarise` wrote", kind=".json")
    text = "the dataset's summary.json, which names the pairs held out"
    add_path(parser, "--dataset", help=text, kind=".json")
    text = "folder of the folders that `evaluate` wrote, one for each of these pairs"
    add_path(parser, "--scenes", help=text, kind="folder")
    add_path(parser, "--output", help="folder to write")


def run(args: argparse.Namespace) -> None:
    from crossres.evaluate.charts.over_scenes import figures
    from crossres.evaluate.results.scene_result import held_out

    sample, scenes = section(args, "sample"), held_out(args.dataset, args.scenes)
    figures(sample, args.summary, scenes, args.output, sample.one_ode(paths_of(args)))
