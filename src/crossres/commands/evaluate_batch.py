"""Compare super-resolved images of a batch's held-out scenes with their HR images."""

import argparse
import logging
from pathlib import Path
from tempfile import TemporaryDirectory

from crossres import earlier_products as earlier
from crossres.commands import evaluate
from crossres.commands.options import add_path, add_settings, add_threads, section
from crossres.errors import UserError
from crossres.outputs import Output

log = logging.getLogger(__name__)

OUTPUTS = (
    Output(
        folder=tuple(f"*/{name}" for name in evaluate.FILES), is_own=earlier.each_is(earlier.is_evaluation, depth=1)
    ),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    parser.add_argument("--held-out", required=True, nargs="+", metavar="NAME", help="names of the held-out scenes")
    add_path(parser, "--aligned", help="holds a folder of each pair with lr.tif, hr.tif and mask.tif", kind="folder")
    text = "what `dataset` wrote, where splits share a scene's ground: index.parquet, of several folds one each"
    parser.add_argument("--index", type=Path, default=[], nargs="*", metavar="FILE", help=text)
    add_path(parser, "--drawn", help="folders that `sample-batch` and `external-batch` wrote", many=True)
    parser.add_argument("--arms", required=True, nargs="+", metavar="NAME", help="names of the arms, in order")
    add_path(parser, "--output", help="folder to write: <scene>")
    add_threads(parser)


def run(args: argparse.Namespace) -> None:
    from crossres.evaluate.scene import evaluate_scene
    from crossres.files import whole
    from crossres.layout import fold_of, pair_of
    from crossres.pairs.held_out import held_out_mask

    settings, grid = section(args, "evaluate"), section(args, "grid")
    with whole(args.output) as part:
        part.mkdir()
        for number, scene in enumerate(args.held_out, 1):
            log.info("%s: %d of %d", scene, number, len(args.held_out))
            pair = pair_of(scene)
            aligned, arms = args.aligned / pair, {name: _drawn(args, scene, name) for name in args.arms}
            try:
                with TemporaryDirectory(dir=part) as scratch:
                    mask = Path(scratch, "mask.tif") if args.index else None
                    if mask is not None:
                        held_out_mask(pair, aligned / "mask.tif", args.index[fold_of(scene) or 0], mask)
                    evaluate_scene(settings, grid, scene, aligned, arms, part / scene, mask)
            except UserError as error:
                raise UserError(f"{scene}: {error}") from error


def _drawn(args: argparse.Namespace, scene: str, arm: str) -> Path:
    """Return where an arm's image of a scene stands; a result of others is one of the whole pair."""
    from crossres.layout import pair_of

    for folder in args.drawn:
        for name in (scene, pair_of(scene)):
            path: Path = folder / name / arm
            if path.is_dir():
                return path
    raise UserError(f"{scene}: --drawn: holds no {arm}")
