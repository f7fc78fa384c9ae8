"""The scenes that `super-resolve` is to read: by name, of a folder, catalogue or list, or the clearest of a place."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossres.commands.given_place import COLLECTION, Read, clearest_scenes, origin, searched
from crossres.errors import UserError
from crossres.unfinished import unfinished

if TYPE_CHECKING:
    from crossres.acquire.bands.numbers import Stated
    from crossres.acquire.stac.offered import Offered
    from crossres.diffusion.model.card import Card

OF_SEARCH = {"date": "--date", "count": "--scenes", "stac": "--stac", "collection": "--collection"}
NOT_SCENES = ("catalog.json", "collection.json")


@dataclass(frozen=True)
class ToRead:
    """A scene that is to be read."""

    name: str
    """What lines call it; its folder is named after it where there are several."""
    read: Read


def add_scenes(parser: argparse.ArgumentParser) -> None:
    """Add what names scenes, which `scenes_to_read` reads."""
    text = "SAFE or its zip, STAC item or its URL, GeoTIFF, folder of bands, Gaofen-2 package"
    parser.add_argument("scenes", metavar="SCENE", nargs="*", help=text)
    text = "instead of scenes: a place in degrees, over which the clearest is searched"
    parser.add_argument("--at", metavar="LON,LAT", help=text)
    parser.add_argument("--size", metavar="LENGTH", help="side of the square around --at, such as 800m (5km)")
    parser.add_argument("--area", type=Path, metavar="FILE", help="instead of --at: a vector file, such as GeoJSON")
    text = "time to search in, such as 2024-06-03, 2024-06 or 2024-06/2024-08"
    parser.add_argument("--date", metavar="DATES", help=text)
    parser.add_argument("--scenes", dest="count", type=int, metavar="N", help="how many dates, the clearest first (1)")
    text = "STAC API, or catalog.json, to search in (Earth Search)"
    parser.add_argument("--stac", metavar="URL", help=text)
    parser.add_argument("--collection", nargs="+", metavar="NAME", help=f"collections of --stac ({COLLECTION})")
    text = "instead of scenes: a folder of them, a STAC catalogue, or a text file with one a line"
    parser.add_argument("--input", metavar="FOLDER|CATALOG|LIST", help=text)
    parser.set_defaults(several=False)


def check_scenes(args: argparse.Namespace) -> None:
    """Raise `UserError` unless scenes are named in one way, with no option of another."""
    ways = {"scenes": bool(args.scenes), "--at": args.at, "--area": args.area, "--input": args.input}
    given = [way for way, value in ways.items() if value]
    if len(given) != 1:
        both = f"{given[0]} and {given[1]} name scenes: leave one out" if given else "there is no scene"
        raise UserError(f"{both}; name scenes, or give one of --at, --area, --input")
    searched = given[0] in ("--at", "--area")
    wrong = OF_SEARCH.values() if not searched else ()
    values = {option: getattr(args, name) for name, option in OF_SEARCH.items()}
    if found := [option for option in wrong if values[option] is not None]:
        raise UserError(f"{found[0]}: belongs to --at or --area, which are not given; leave it out")
    if args.size and not args.at:
        raise UserError("--size: belongs to --at, which is not given; leave it out")
    numbers = [name for name in ("scale", "offset", "nodata") if getattr(args, name) is not None]
    if searched and numbers:
        raise UserError(f"--{numbers[0]}: belongs to scenes that are named; a scene that is searched says it itself")
    if args.dates and not args.scenes:
        raise UserError("--dates: belongs to a scene that is named; leave it out")
    if args.collection and not args.stac:
        raise UserError("--collection: belongs to --stac, which is not given; give both")
    if args.count is not None and args.count < 1:
        raise UserError(f"--scenes: must be at least 1, not {args.count}")


@contextmanager
def scenes_to_read(args: argparse.Namespace, card: "Card") -> Iterator[tuple[list[ToRead], list[str]]]:
    """Yield the scenes that are asked for, and a line for each that an input has and cannot give.

    Raises `UserError` when there is none.
    """
    from crossres.acquire.bands.numbers import Stated

    numbers = Stated(scale=args.scale, offset=args.offset, nodata=args.nodata)
    if args.scenes:
        yield [ToRead(scene, named(scene, card, numbers)) for scene in args.scenes], []
    elif args.input:
        yield _of_input(args.input, card, numbers)
    else:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(args.output.with_name(f"{args.output.name}.search")) as folder:
            found = clearest_scenes(args, card, folder)
            yield [ToRead(scene.id, searched(args, scene, card)) for scene in found], []


def named(scene: str, card: "Card", numbers: "Stated") -> Read:
    """Return what reads a scene by its path or URL."""

    def read(folder: Path, output: Path) -> tuple[str, str]:
        from crossres.acquire.read.scene import read_any
        from crossres.acquire.stac.hrefs import without_signature

        fits = _fits(scene, card)
        name = read_any(scene, card.lr_bands, card.lr_gsd_m, folder, numbers, fits)
        return name, origin(without_signature(scene), output)

    return read


def _fits(scene: str, card: "Card") -> Callable[[Any], None]:
    from crossres.acquire.stac.hrefs import without_signature
    from crossres.diffusion.sample.lr_scene import check_gsd

    return partial(check_gsd, without_signature(scene), card.lr_gsd_m)


def _of_input(given: str, card: "Card", numbers: "Stated") -> tuple[list[ToRead], list[str]]:
    path = Path(given)
    if "://" in given or path.suffix.lower() == ".json":
        return _of_catalogue(given, card, numbers)
    if path.is_dir():
        names = [str(one) for one in sorted(path.iterdir()) if _may_be_scene(one)]
    else:
        from crossres.files import read_text

        lines = [line.strip() for line in read_text(path).splitlines()]
        names = [
            line if "://" in line else str(path.parent / line) for line in lines if line and not line.startswith("#")
        ]
    if not names:
        raise UserError(f"{given}: holds no scene; name a folder of them, a STAC catalogue, or a list")
    return [ToRead(name, named(name, card, numbers)) for name in names], []


def _may_be_scene(path: Path) -> bool:
    """Return whether something in a folder is looked at as a scene: any folder, and files that may be one."""
    from crossres.acquire.read.door import ARCHIVES, JSON
    from crossres.acquire.read.tree import SUFFIXES

    if path.name.startswith((".", "__")) or path.name in NOT_SCENES:
        return False
    return path.is_dir() or path.name.lower().endswith((*SUFFIXES, *ARCHIVES, *JSON, ".zip"))


def _of_catalogue(given: str, card: "Card", numbers: "Stated") -> tuple[list[ToRead], list[str]]:
    from crossres.acquire.remote.addresses import name_host
    from crossres.acquire.stac.items import safe_id
    from crossres.acquire.stac.offered import Unusable
    from crossres.acquire.stac.static_catalog import from_catalog

    if "://" in given:
        name_host(given)
    found: list[ToRead] = []
    failed = []
    for one in from_catalog(given):
        if isinstance(one, Unusable):
            failed.append(f"{one.id}: {one.reason}")
        else:
            found.append(ToRead(safe_id(str(one.item["id"])), _offered(one, card, numbers)))
    if not found:
        raise UserError(f"{given}: holds no item that can be used; {failed[0] if failed else 'it has none'}")
    return found, failed


def _offered(one: "Offered", card: "Card", numbers: "Stated") -> Read:
    def read(folder: Path, output: Path) -> tuple[str, str]:
        from crossres.acquire.read.scene import read_item

        name = read_item(one, card.lr_bands, card.lr_gsd_m, folder, numbers, _fits(one.base, card))
        return name, origin(one.base, output)

    return read
