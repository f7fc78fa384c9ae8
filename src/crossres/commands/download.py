"""Fetch one scene as reflectance on its own grid."""

import argparse
from pathlib import Path

from crossres import earlier_products as earlier
from crossres.commands.options import add_path, add_run, add_settings, add_threads, section
from crossres.outputs import Output

OUTPUTS = (Output(folder=("reflectance.tif", "mask.tif", "item.json"), is_own=earlier.is_scene),)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    add_path(parser, "--item", help="the scene's STAC item, as `search` wrote it", kind=".json")
    parser.add_argument("--dem", metavar="RASTER", help="elevation model for orthorectification")
    text = "folder of a scene to refine the RPCs of a Gaofen-2 package with"
    parser.add_argument("--reference", metavar="SCENE", type=Path, help=text)
    text = "folder of the HR scene that a degraded LR scene is made of"
    parser.add_argument("--hr", metavar="SCENE", type=Path, help=text)
    text = "lock file that sources and result are checked against"
    parser.add_argument("--lock", type=Path, metavar="FILE", help=text)
    add_path(parser, "--output", help="folder to write")
    add_run(parser, "dem", "lock")
    add_threads(parser)


def run(args: argparse.Namespace) -> None:
    from crossres.acquire.download import download
    from crossres.acquire.lock.lock_file import read_lock
    from crossres.layout import RunFolder
    from crossres.settings.paths import expand

    acquire, grid = section(args, "acquire"), section(args, "grid")
    checksums = None
    if args.lock is not None:
        run = RunFolder.of_item(args.item).folder
        checksums = read_lock(args.lock).checksums(args.item.stem, run, acquire, grid)
    acquire = acquire.model_copy(update={"dem_api": expand(acquire.dem_api, Path())})
    download(acquire, grid, args.item, args.dem, args.output, args.reference, checksums, args.hr, args.run)
