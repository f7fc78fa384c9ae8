"""Train the model."""

import argparse
from pathlib import Path

from crossres.commands.options import add_path, add_settings, add_threads, section, settings, whole_settings
from crossres.errors import UserError


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    text = "the zarr that `dataset` wrote, or the folder that `cache` wrote"
    add_path(parser, "--dataset", help=text, kind="folder")
    add_path(parser, "--index", help="what `dataset` wrote", kind=".parquet")
    add_path(parser, "--summary", help="what `dataset` wrote", kind=".json")
    add_path(parser, "--output", help="model folder to write")
    parser.add_argument("--name", default="main", help="which of the models of a configuration file (main)")
    parser.add_argument("--events", type=Path, metavar="PATH", help="folder for TensorBoard's event files")
    # Its arrays are small, and when memory runs out it goes on with what it gave back.
    add_threads(parser, keep_memory=False)


def run(args: argparse.Namespace) -> None:
    from crossres.diffusion.train.processes import share
    from crossres.diffusion.train.training import train

    model, training = section(args, "model"), section(args, "train")
    content = settings(args)
    if "models" in content:  # a whole configuration: the model is chosen by its name
        config = whole_settings(args)
        if args.name not in config.models:
            raise UserError(f"--name: {args.name!r} is not one of models: {', '.join(config.models)}")
        model, training = config.variant(args.name)
    if share(training.processes, args.arguments):
        return
    train(training, model, args.dataset, args.index, args.summary, args.output, args.events)
