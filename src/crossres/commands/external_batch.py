"""Bring another model's results of a batch's held-out pairs to the HR grid, to be judged like an arm."""

import argparse
import logging

from crossres import earlier_products as earlier
from crossres.commands import external
from crossres.commands.options import add_path, add_run, add_settings, section
from crossres.errors import UserError
from crossres.outputs import Output

log = logging.getLogger(__name__)

OUTPUTS = tuple(
    Output(folder=tuple(f"*/*/{name}" for name in one.folder), is_own=earlier.each_is(earlier.is_external))
    for one in external.OUTPUTS
)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    parser.add_argument("--name", required=True, help="which of evaluate.external")
    parser.add_argument("--held-out", required=True, nargs="+", metavar="NAME", help="names of the held-out pairs")
    add_path(parser, "--items", help="what `search` wrote", kind="folder")
    add_path(parser, "--folder", help="holds <pair>.tif or <LR scene>.tif", kind="folder")
    add_path(parser, "--aligned", help="holds a folder of each pair with hr.tif", kind="folder")
    add_path(parser, "--output", help="folder to write: <pair>/<name>")
    add_run(parser, "folder")


def run(args: argparse.Namespace) -> None:
    from crossres.acquire.read.result import read_result
    from crossres.evaluate.external import take_external
    from crossres.files import read_json, whole
    from crossres.layout import ItemsFolder

    bands = section(args, "grid").bands
    with whole(args.output) as part:
        part.mkdir()
        for number, pair in enumerate(args.held_out, 1):
            log.info("%s: %d of %d", pair, number, len(args.held_out))
            lr_scene = read_json(ItemsFolder(args.items).pair(pair))["lr"]
            hr, output = args.aligned / pair / "hr.tif", part / pair / args.name
            try:
                take_external(args.folder, pair, lr_scene, hr, bands, read_result, output)
            except UserError as error:
                raise UserError(f"{pair}: {error}") from error
