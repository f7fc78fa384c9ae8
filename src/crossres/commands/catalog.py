"""Make a static STAC catalogue of a folder of scenes."""

import argparse
from pathlib import Path

from crossres import earlier_products as earlier
from crossres.commands.options import add_path, add_run, checked, mapping
from crossres.outputs import Output

OUTPUTS = (Output(folder=("catalog.json", "declined.csv", "items/*.json"), is_own=earlier.is_catalogue),)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=["folder", "gaofen2"], help="GeoTIFFs, or Gaofen-2 L1A packages")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    text = "settings of a source of kind folder: its sensor, its pattern"
    parser.add_argument("--source", metavar="FILE|JSON", help=text)
    add_path(parser, "--output", help="folder to write")
    add_run(parser, "folder")


def run(args: argparse.Namespace) -> None:
    from crossres.acquire.catalog import catalog_folder, catalog_gaofen2
    from crossres.settings.search import FolderSource

    if args.kind == "gaofen2":
        catalog_gaofen2(args.folder, args.output)
        return
    content = {"kind": "folder", "path": str(args.folder)} | mapping(args.source)
    catalog_folder(checked(content, "--source", FolderSource), args.folder, args.output)
