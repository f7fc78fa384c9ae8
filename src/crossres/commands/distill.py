"""Distil a trained model into one that samples in one step."""

import argparse
from pathlib import Path

from crossres.commands.options import add_model, add_path, add_settings, add_threads, section
from crossres.diffusion.train.stopping import nothing_to_save_yet
from crossres.outputs import MODEL

OUTPUTS = (MODEL,)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    add_model(parser, "--teacher", "model folder that `train` wrote")
    add_path(parser, "--dataset", help="what `dataset` wrote, as it was for the teacher", kind="folder")
    add_path(parser, "--index", help="what `dataset` wrote, as it was for the teacher", kind=".parquet")
    add_path(parser, "--summary", help="what `dataset` wrote, as it was for the teacher", kind=".json")
    add_path(parser, "--output", help="model folder to write")
    parser.add_argument("--events", type=Path, metavar="PATH", help="folder for TensorBoard's event files")
    add_threads(parser, keep_memory=False)  # as in training


def run(args: argparse.Namespace) -> None:
    nothing_to_save_yet()  # before the seconds that torch takes to load
    from crossres.diffusion.model.checkpoint import load_card
    from crossres.diffusion.train.distillation import distill
    from crossres.diffusion.train.processes import share

    settings = section(args, "distill")
    as_teacher = load_card(args.teacher).train
    if share(as_teacher.processes, as_teacher.nodes, args.arguments):
        return
    distill(settings, args.teacher, args.dataset, args.index, args.summary, args.output, args.events)
