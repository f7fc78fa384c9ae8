"""Super-resolve the held-out scenes of a batch by all arms of one model."""

import argparse
import logging

from crossres import earlier_products as earlier
from crossres.commands.options import add_model, add_path, add_settings, add_threads, section
from crossres.errors import UserError
from crossres.outputs import PRODUCT, Output

log = logging.getLogger(__name__)

OUTPUTS = (Output(folder=tuple(f"*/*/{name}" for name in PRODUCT.folder), is_own=earlier.each_is(earlier.is_product)),)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    parser.add_argument("--names", required=True, nargs="+", metavar="NAME", help="which of sample.arms")
    parser.add_argument("--held-out", required=True, nargs="+", metavar="NAME", help="names of the held-out scenes")
    add_path(parser, "--aligned", help="holds a folder of each pair with lr.tif", kind="folder")
    text = "which of the arms show their network dates.tif, too"
    parser.add_argument("--dated", default=[], nargs="*", metavar="NAME", help=text)
    add_model(parser, "--model", "model folder")
    add_path(parser, "--output", help="folder to write: <scene>/<arm>")
    add_threads(parser)


def run(args: argparse.Namespace) -> None:
    from crossres.diffusion.sample.block_store import blocks_beside, blocks_done, remove_blocks_within
    from crossres.diffusion.sample.scenes import sample_scene
    from crossres.files import whole
    from crossres.layout import pair_of
    from crossres.requeue import queued_again_on_sigusr1

    sample = section(args, "sample")
    mtf = section(args, "grid").lr_mtf
    for name in args.names:
        if name not in sample.arms:
            raise UserError(f"--names: {name!r} is not one of sample.arms: {', '.join(sample.arms)}")
    # What is drawn of a scene stays until all are drawn: a job that is stopped goes on with the next one.
    blocks = blocks_beside(args.output)
    before = blocks_done(blocks)
    with queued_again_on_sigusr1(lambda: blocks_done(blocks) > before), whole(args.output) as part:
        part.mkdir()
        for number, scene in enumerate(args.held_out, 1):
            log.info("%s: %d of %d", scene, number, len(args.held_out))
            aligned = args.aligned / pair_of(scene)
            for name in args.names:
                arm, dates = sample.arms[name], aligned / "dates.tif" if name in args.dated else None
                own, output = blocks / scene / name, part / scene / name
                try:
                    sample_scene(arm, sample.tiling, name, aligned / "lr.tif", args.model, output, mtf, dates, own)
                except UserError as error:
                    raise UserError(f"{scene}: {error}") from error
    remove_blocks_within(blocks)
