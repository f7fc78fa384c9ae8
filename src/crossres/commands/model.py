"""Pack a model into one file that travels, or show what a model is."""

import argparse
from pathlib import Path

from crossres import earlier_products as earlier
from crossres.commands.given_model import add_given_model, model_folder
from crossres.errors import UserError
from crossres.outputs import Output

OUTPUTS = (Output(is_own=earlier.is_packed_model),)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["pack", "show"], help="what to do with it")
    add_given_model(parser, "model")
    parser.add_argument("output", type=Path, metavar="FILE", nargs="?", help="of pack: the tar to write")
    parser.add_argument("--name", help="of pack: what the model is called (crossres- and the name of the file)")
    parser.add_argument("--licence", metavar="SPDX", help="of pack: its licence, such as CC-BY-4.0")
    parser.add_argument("--citation", metavar="TEXT", help="of pack: how it is to be cited")
    parser.add_argument("--doi", help="of pack: the DOI of what is to be cited")
    parser.add_argument("--trained-on", metavar="TEXT", help="of pack: sensors, places and times that it learnt from")


def run(args: argparse.Namespace) -> None:
    import logging
    from dataclasses import replace

    from crossres.diffusion.model.checkpoint import load_card
    from crossres.diffusion.model.package import pack
    from crossres.diffusion.model.shown import lines
    from crossres.diffusion.model.stac_item import Stated, stated_in

    folder = model_folder(args.model, args.model_sha256)
    if args.action == "show":
        print("\n".join(lines(load_card(folder), stated_in(folder))))
        return
    if args.output is None:
        raise UserError("pack: needs the name of a file to write, such as model.tar")
    said = {key: getattr(args, key) for key in vars(Stated()) if getattr(args, key) is not None}
    stated = replace(stated_in(folder), **said)
    sha256 = pack(folder, args.output, args.name or f"crossres-{args.output.stem}", stated)
    log = logging.getLogger(__name__)
    if stated.licence is None:
        log.warning("%s: states no licence, so that nobody may use or pass it on; give --licence", args.output)
    print(f"{args.output}: put it on a server, and name it as URL/{args.output.name}#sha256={sha256}")
