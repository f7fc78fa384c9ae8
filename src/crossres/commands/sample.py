"""Super-resolve one held-out scene by one arm."""

import argparse

from crossres.commands.options import add_path, add_settings, add_threads, checked, section, settings
from crossres.errors import UserError


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    parser.add_argument("--name", required=True, help="name of the arm")
    add_path(parser, "--lr", help="LR scene (COG)", kind=".tif")
    add_path(parser, "--model", help="model folder", kind="folder")
    add_path(parser, "--output", help="folder to write")
    add_threads(parser)


def run(args: argparse.Namespace) -> None:
    from crossres.diffusion.sample.scenes import sample_scene
    from crossres.settings.sample import ArmSettings, TilingSettings

    content = settings(args)
    if "sample" in content:  # a whole configuration: the arm is chosen by its name
        chosen = section(args, "sample")
        if args.name not in chosen.arms:
            raise UserError(f"--name: {args.name!r} is not one of sample.arms: {', '.join(chosen.arms)}")
        arm, tiling = chosen.arms[args.name], chosen.tiling
    else:
        arm = checked(content.get("arm", {}), "arm", ArmSettings)
        tiling = checked(content.get("tiling", {}), "tiling", TilingSettings)
    mtf = section(args, "grid").lr_mtf
    sample_scene(arm, tiling, args.name, args.lr, args.model, args.output, mtf)
