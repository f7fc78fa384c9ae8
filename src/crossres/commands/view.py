"""Look at a run's images on a map, in a browser of this machine."""

import argparse
import tempfile
from pathlib import Path

from crossres.errors import UserError

OUTPUTS = ()


def arguments(parser: argparse.ArgumentParser) -> None:
    text = "folder of a run, such as results/demo, folder of a product (mean.tif), or GeoTIFF"
    parser.add_argument("paths", type=Path, metavar="PATH", nargs="+", help=text)
    parser.add_argument("--port", type=int, default=0, metavar="N", help="port to listen at (any that is free)")


def run(args: argparse.Namespace) -> None:
    from crossres.unfinished import unfinished
    from crossres.view.places import places_in

    places = places_in(args.paths)
    try:
        from crossres.view.server import ViewServer
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("crossres"):
            raise
        raise UserError(f"{error.name} is not installed; install it with: pip install 'crossres[view]'") from None
    with unfinished(Path(tempfile.gettempdir(), "crossres-view")) as folder:
        folder.mkdir()
        with ViewServer(places, folder, args.port) as server:
            print(f"{server.url} (until Ctrl-C)", flush=True)
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                print()
