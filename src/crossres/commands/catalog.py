"""Make a static STAC catalogue of a folder of scenes."""

import argparse
from pathlib import Path

from crossres import earlier_products as earlier
from crossres.commands.options import add_path, add_run, checked, mapping
from crossres.outputs import Output

OUTPUTS = (
    Output(folder=("catalog.json", "declined.csv", "items/*.json", "images/*.tif"), is_own=earlier.is_catalogue),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    text = "GeoTIFFs, Gaofen-2 L1A packages, or a published set of pairs"
    parser.add_argument("kind", choices=["folder", "gaofen2", "dataset"], help=text)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    text = "settings of a source of kind folder: its sensor, its pattern; of kind dataset: its name, its subset"
    parser.add_argument("--source", metavar="FILE|JSON", help=text)
    parser.add_argument("--role", choices=["lr", "hr"], help="which images of a published set")
    add_path(parser, "--output", help="folder to write")
    add_run(parser, "folder")


def run(args: argparse.Namespace) -> None:
    from crossres.acquire.catalog import catalog_folder, catalog_gaofen2
    from crossres.acquire.published.catalogue import catalog_dataset
    from crossres.errors import UserError
    from crossres.settings.published import DatasetSource
    from crossres.settings.search import FolderSource

    if args.kind == "gaofen2":
        catalog_gaofen2(args.folder, args.output)
        return
    if args.kind == "dataset":
        if args.role is None:
            raise UserError("--role: is missing; name lr or hr, the images of the set to take")
        content = {"kind": "dataset", "path": str(args.folder)} | mapping(args.source)
        catalog_dataset(checked(content, "--source", DatasetSource), args.role, args.folder, args.output)
        return
    content = {"kind": "folder", "path": str(args.folder)} | mapping(args.source)
    catalog_folder(checked(content, "--source", FolderSource), args.folder, args.output)
