"""Train the model."""

import argparse
from pathlib import Path

from crossres.commands.options import add_path, add_run, add_settings, add_threads, of_model
from crossres.diffusion.train.stopping import nothing_to_save_yet
from crossres.errors import UserError
from crossres.outputs import MODEL

OUTPUTS = (MODEL,)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    text = "the zarr that `dataset` wrote, or the folder that `cache` wrote"
    add_path(parser, "--dataset", help=text, kind="folder")
    add_path(parser, "--index", help="what `dataset` wrote", kind=".parquet")
    add_path(parser, "--summary", help="what `dataset` wrote", kind=".json")
    add_path(parser, "--output", help="model folder to write")
    parser.add_argument("--name", default="main", help="which of models (main)")
    text = "model folder whose weights training starts from, where train.start_from names one"
    parser.add_argument("--start-from", type=Path, metavar="PATH", help=text)
    add_run(parser, "start_from")
    parser.add_argument("--events", type=Path, metavar="PATH", help="folder for TensorBoard's event files")
    # Its arrays are small, and when memory runs out it goes on with what it gave back.
    add_threads(parser, keep_memory=False)


def run(args: argparse.Namespace) -> None:
    nothing_to_save_yet()  # before the seconds that torch takes to load
    from crossres.diffusion.train.from_data import train
    from crossres.diffusion.train.processes import share

    model, training = of_model(args, args.name)
    if args.start_from is None and training.start_from is not None:
        raise UserError(f"train.start_from: is {training.start_from}; name that model's folder with --start-from")
    if share(training.processes, training.nodes, args.arguments):
        return
    train(training, model, args.dataset, args.index, args.summary, args.output, args.events, args.start_from)
