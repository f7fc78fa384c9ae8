"""Apply a trained model to Sentinel-2: scenes by name, all of a folder, or the clearest over a place."""

import argparse
import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from crossres.commands.given_model import add_given_model, model_folder
from crossres.commands.given_scenes import ToRead, add_scenes, check_scenes, named, scenes_to_read
from crossres.commands.options import add_path, add_settings, add_threads, checked
from crossres.errors import UserError
from crossres.outputs import PRODUCT, guard, scene_outputs

if TYPE_CHECKING:
    from crossres.diffusion.model.card import Card
    from crossres.settings.sample import ArmSettings, TilingSettings

log = logging.getLogger(__name__)

OUTPUTS = (replace(PRODUCT, folder=(*PRODUCT.folder, "quicklook.png"), each_of="scenes"),)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_scenes(parser)
    text = "further scenes of the place, of other dates, the best first: for a model that knows several LR dates"
    parser.add_argument("--dates", metavar="SCENE", nargs="+", default=[], help=text)
    add_given_model(parser, "--model", "--checkpoint")
    text = "folder to write; of several scenes, each goes into a folder of its own name in it"
    add_path(parser, "--output", help=text)
    for number, text in (("scale", "reflectance = scale * DN + offset"), ("offset", "see --scale"), ("nodata", "DN")):
        text = f"{text}, for all bands; where a scene does not say it, or says it wrong"
        parser.add_argument(f"--{number}", type=float, metavar="NUMBER", help=text)
    starts = ["lr", "noise", "one-step", "regression", "bicubic", "nearest"]
    parser.add_argument("--start", choices=starts, default="lr")
    parser.add_argument("--steps", type=int, default=2, help="solver steps (2)")
    parser.add_argument("--samples", type=int, default=4, help="samples; mean and std are over them (4)")
    parser.add_argument("--consistency", choices=["none", "soft", "hard"], default="none")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise field (0)")
    add_settings(parser)
    add_threads(parser)


def run(args: argparse.Namespace) -> None:
    from crossres.diffusion.model.checkpoint import load_card
    from crossres.settings.sample import ArmSettings, TilingSettings

    start = {"start": args.start, "steps": args.steps, "samples": args.samples}
    arm = checked(start, "super-resolve", ArmSettings)
    tiling = checked({"seed": args.seed, "consistency": args.consistency}, "super-resolve", TilingSettings)
    check_scenes(args)
    model = model_folder(args.model, args.model_sha256)
    card = load_card(model)
    if args.dates and len(args.scenes) > 1:
        raise UserError("--dates: belongs to one scene, and several are given; run it for each of them")
    if len(args.dates) >= card.lr_dates:
        raise UserError(
            f"--dates: {len(args.dates)} further scenes, and the model has learnt from {card.lr_dates - 1}; name fewer"
        )
    with scenes_to_read(args, card) as (scenes, failed):
        count = len(scenes) + len(failed)
        args.scenes = [scene.name for scene in scenes]
        args.several = bool(args.input) or (args.count or 1) > 1
        if not args.input:
            guard(args)  # of scenes that were searched the names are known just now
        goes_on = args.several or len(scenes) > 1
        outputs = scene_outputs(args.scenes, args.output, args.several)
        for number, (scene, (_, output)) in enumerate(zip(scenes, outputs, strict=True), 1):
            if goes_on:
                log.info("%s (%d of %d)", scene.name, number, len(scenes))
            try:
                if args.input and not args.overwrite and _stands(output, arm, tiling, card):
                    log.info("%s: stands already, of the same model and settings", output)
                    continue
                if args.input:
                    guard(argparse.Namespace(**{**vars(args), "scenes": [scene.name]}))
                _write(args, scene, output, model, card, arm, tiling)
            except Exception as error:
                if not goes_on:
                    raise
                failed.append(_why(error, scene.name, output))
                log.error("failed: %s", failed[-1])
    if failed:
        raise UserError(f"{len(failed)} of {count} scenes failed, the first: {failed[0]}")


def _write(
    args: argparse.Namespace, scene: ToRead, output: Path, model: Path, card: "Card", arm: "ArmSettings",
    tiling: "TilingSettings",
) -> None:  # fmt: skip
    """Read a scene, and further dates of it, as `download` reads, and once; write its product."""
    from crossres.acquire.bands.numbers import Stated
    from crossres.diffusion.sample.scenes import super_resolve

    numbers = Stated(scale=args.scale, offset=args.offset, nodata=args.nodata)
    readers = [scene.read, *(named(date, card, numbers) for date in args.dates)]
    folders = [output.with_name(f".{output.name}.crossres-scene{n or ''}") for n in range(len(readers))]
    dates = output.with_name(f".{output.name}.crossres-dates.tif") if args.dates else None
    try:
        found = [read(folder, output) for read, folder in zip(readers, folders, strict=True)]
        names, origins = ([one[part] for one in found] for part in (0, 1))
        if dates is not None:
            from crossres.align.registration.given_dates import lay_over  # registration, a second to load

            lay_over(folders[0], folders[1:], names[1:], card.bands, card.lr_bands, dates)
        super_resolve(folders[0], names[0], origins[0], model, output, arm, tiling, dates, origins[1:])
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        if dates is not None:
            dates.unlink(missing_ok=True)


def _stands(output: Path, arm: "ArmSettings", tiling: "TilingSettings", card: "Card") -> bool:
    """Whether a folder holds a product of the same model and settings, so that a run that failed can be run again."""
    from crossres.earlier_products import is_product
    from crossres.files import own_json

    if not is_product(output):
        return False
    said = own_json(output / "item.json")["properties"]
    weights = card.weights_sha256 if arm.has_network else None
    asked = {
        "crossres:settings": arm.model_dump(include={"start", "steps", "samples"}),
        "crossres:tiling": tiling.model_dump(include={"seed", "consistency"}),
    }
    same = all(said[key].get(name) == value for key, wanted in asked.items() for name, value in wanted.items())
    return same and said.get("crossres:weights_sha256") == weights


def _why(error: Exception, scene: str, output: Path) -> str:
    """Say in one line, which names the scene, why it has no product."""
    from crossres.damaged import blamed

    if isinstance(error, UserError):
        why = str(error)
    else:
        log.debug("%s", scene, exc_info=error)
        why = blamed(error, [path for path in [Path(scene)] if path.exists()], {}) or f"{type(error).__name__}: {error}"
    return why if scene in why else f"{scene}: {why}"
