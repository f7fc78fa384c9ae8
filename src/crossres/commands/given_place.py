"""The clearest scenes over a place that a person gives by coordinates or a file: where they are searched, and read."""

import argparse
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from crossres.commands.options import checked, section, settings
from crossres.errors import UserError

if TYPE_CHECKING:
    from crossres.acquire.clearest import ClearScene
    from crossres.diffusion.model.card import Card
    from crossres.settings.search import SearchSettings

Read = Callable[[Path, Path], tuple[str, str]]
"""Reads a scene into a folder, for a product at a path; returns its id, and where it comes from."""
EARTH_SEARCH = {
    "kind": "stac-api",
    "url": "https://earth-search.aws.element84.com/v1",
    "collections": ["sentinel-2-c1-l2a", "sentinel-2-l2a"],
}
"""Where scenes are looked for unless something else is said: open, without an account."""
COLLECTION = "sentinel-2-l2a"
UNITS_M = {"m": 1.0, "km": 1000.0}


def origin(shown: str, output: Path) -> str:
    """Return the link from a product to what it was made of: a URL, or a relative path."""
    return shown if "://" in shown else Path(os.path.relpath(shown, output)).as_posix()


def searched(args: argparse.Namespace, scene: "ClearScene", card: "Card") -> Read:
    """Return what reads the window of a scene that was searched."""

    def read(folder: Path, output: Path) -> tuple[str, str]:
        from crossres.acquire.download import download
        from crossres.settings.grid import GridSettings

        grid = GridSettings(gsd_m=card.hr_gsd_m, bands=card.bands, lr_bands=card.lr_bands)
        download(section(args, "acquire"), grid, scene.item, None, folder)
        return scene.id, origin(scene.origin, output)

    return read


def clearest_scenes(args: argparse.Namespace, card: "Card", folder: Path) -> "list[ClearScene]":
    """Search the scenes of --at or --area; their items stand in `folder`. `UserError` when there is none."""
    from crossres.acquire.clearest import clearest
    from crossres.acquire.remote.addresses import name_host
    from crossres.acquire.search_area import read_area, square
    from crossres.settings.grid import GridSettings
    from crossres.settings.paths import expand

    for host in section(args, "acquire").private_hosts:
        name_host(host)
    search = _search_settings(args)
    catalogues = [expand(source.href, Path()) for source in search.lr if source.kind == "catalog"]
    area = square(*_place(args.at), _side_m(args.size or "5km")) if args.at else read_area(str(args.area), "--area")
    assert area is not None
    grid = GridSettings(gsd_m=card.hr_gsd_m, bands=card.bands, lr_bands=card.lr_bands)
    return clearest(search, grid, catalogues, area, args.count or 1, folder)


def _search_settings(args: argparse.Namespace) -> "SearchSettings":
    """Return the section `search` of the settings, of which LR sources and limits count, with what options say."""
    from crossres.acquire.stac.date_range import whole_days
    from crossres.settings.paths import expand
    from crossres.settings.search import SearchSettings

    content = dict(settings(args).get("search") or {})
    date = args.date or content.get("datetime")
    if date is None:
        raise UserError("--date: is missing; give the time to search in, such as 2024-06/2024-08")
    lr = content.get("lr") or EARTH_SEARCH
    if args.stac:
        lr = {"kind": "stac-api", "url": args.stac, "collections": args.collection or [COLLECTION]}
        if args.stac.lower().partition("?")[0].endswith(".json"):
            lr = {"kind": "catalog", "href": args.stac}
    sources = lr if isinstance(lr, list | tuple) else [lr]
    for source in sources:
        kind = source.get("kind") if isinstance(source, dict) else None
        if kind in ("degraded", "folder", "gaofen2", "dataset"):
            raise UserError(f"search.lr: a source of kind {kind} is not searched here; name its scenes, or give --stac")
    own = {"area": None, "datetime": whole_days(str(date), "--date"), "lock": None, "lr": lr, "hr": lr}
    found: SearchSettings = checked({**content, **own}, "search", SearchSettings)
    known = [
        one.model_copy(update={"url": expand(one.url, Path())}) if one.kind == "stac-api" else one for one in found.lr
    ]
    return found.model_copy(update={"lr": tuple(known)})


def _place(text: str) -> tuple[float, float]:
    number = r"\s*([+-]?\d+(?:\.\d*)?)\s*"
    found = re.fullmatch(f"{number},{number}", text)
    if found is None:
        raise UserError(f"--at: {text!r} is not LON,LAT in degrees, such as 115.3,35.2")
    lon, lat = float(found[1]), float(found[2])
    if not (-180 <= lon <= 180 and -90 < lat < 90):
        swapped = "; the longitude comes first" if -90 < lon < 90 and -180 <= lat <= 180 else ""
        raise UserError(f"--at: {text!r} is not LON,LAT in degrees{swapped}")
    return lon, lat


def _side_m(text: str) -> float:
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(k?m)\s*", text)
    side_m = float(found[1]) * UNITS_M[found[2]] if found else 0.0
    if not 100 <= side_m <= 200_000:
        raise UserError(f"--size: {text!r} is no length from 100m to 200km; write it as 5km")
    return side_m
