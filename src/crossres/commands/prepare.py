"""Fetch, align and cut many small pairs in one process: what `download` to `patches` do of one."""

import argparse
import logging
import shutil
from pathlib import Path
from typing import Any

from crossres.commands.options import add_path, add_run, add_settings, add_threads, section
from crossres.errors import UserError
from crossres.outputs import Output

log = logging.getLogger(__name__)

OUTPUTS = (
    Output(folder=("scenes/*/*", "aligned/*/*", "patches/*"), is_own=lambda folder: (folder / "aligned").is_dir()),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    add_path(parser, "--items", help="what `search` wrote", kind="folder")
    parser.add_argument("--pairs", nargs="+", required=True, metavar="NAME", help="which pairs")
    parser.add_argument("--dem", metavar="RASTER", help="elevation model for orthorectification")
    text = "lock file that sources and result are checked against"
    parser.add_argument("--lock", type=Path, metavar="FILE", help=text)
    parser.add_argument("--lr-dates", type=int, default=1, metavar="N", help="search.lr_dates (1)")
    add_path(parser, "--output", help="folder to write: scenes, aligned and patches")
    add_run(parser, "dem", "lock")
    add_threads(parser)


def run(args: argparse.Namespace) -> None:
    from crossres.damaged import blamed
    from crossres.files import DISK_ERRORS, read_json, whole
    from crossres.layout import ItemsFolder

    items = ItemsFolder(args.items)
    with whole(args.output) as part:
        part.mkdir()
        for number, name in enumerate(args.pairs, 1):
            pair = read_json(items.pair(name))
            names = [pair["lr"], pair["hr"], *pair.get("further_dates", [])[: args.lr_dates - 1]]
            files = _files(items, names)
            try:
                _prepare(args, pair, items, part)
            except Exception as error:
                # A server that does not answer and a disk that is full are no fault of the pair.
                cause = error if isinstance(error, OSError) else error.__cause__
                of_disk = isinstance(cause, OSError) and cause.errno in DISK_ERRORS
                if files is None or of_disk:
                    raise
                why = str(error) if isinstance(error, UserError) else blamed(error, files, {})
                if why is None:
                    raise
                _decline(part, name, why)
            log.info("%s: %d of %d", name, number, len(args.pairs))


def _prepare(args: argparse.Namespace, pair: dict[str, Any], items: Any, part: Path) -> None:
    """Do what the rules `download`, `coregister`, `dates`, `normalise` and `patches` do, in their order."""
    from crossres.align.radiometry.normalise import normalise
    from crossres.align.registration.coregister import coregister
    from crossres.align.registration.dates import register_dates
    from crossres.pairs.extract import extract

    grid, registration = section(args, "grid"), section(args, "coregister")
    scenes, name = part / "scenes", pair["id"]
    aligned, patches = part / "aligned" / name, part / "patches"
    further = pair.get("further_dates", [])[: args.lr_dates - 1]
    _fetch(args, pair, items, [pair["lr"], pair["hr"], *further], scenes)
    lr = scenes / pair["lr"]
    coregister(registration, grid, pair, lr, scenes / pair["hr"], aligned)
    if args.lr_dates > 1:
        others = [scenes / scene for scene in further]
        register_dates(registration, grid, args.lr_dates, pair, lr, others, aligned / "registration.json", aligned)
    normalise(section(args, "normalise"), grid, lr, aligned / "registered.tif", aligned / "registration.json", aligned)
    dates = aligned / "dates.tif" if args.lr_dates > 1 else None
    index = patches / f"{name}.parquet"
    extract(section(args, "patches"), grid, pair, aligned, patches / f"{name}.zip", index, dates)


def _fetch(args: argparse.Namespace, pair: dict[str, Any], items: Any, names: list[str], scenes: Path) -> None:
    from crossres.acquire.degrade import DEGRADED_FROM
    from crossres.acquire.download import download
    from crossres.acquire.lock.lock_file import read_lock
    from crossres.files import read_json
    from crossres.layout import RunFolder
    from crossres.settings.paths import expand

    acquire, grid = section(args, "acquire"), section(args, "grid")
    lock = read_lock(args.lock) if args.lock is not None else None
    expanded = acquire.model_copy(update={"dem_api": expand(acquire.dem_api, Path())})
    contents = {name: read_json(items.scene(name)) for name in names}
    # An HR scene is refined with the LR scene, or an LR scene is made of it: which one goes first.
    made = DEGRADED_FROM in contents[pair["lr"]]["properties"]
    for name in [pair["hr"], pair["lr"]] if made else names:
        if (scenes / name).exists():
            continue
        refined = acquire.refine_rpc and "package" in contents[name]["assets"] and not made
        item, of_run = items.scene(name), RunFolder.of_item(items.scene(name)).folder
        checksums = lock.checksums(name, of_run, acquire, grid) if lock is not None else None
        hr = scenes / pair["hr"] if DEGRADED_FROM in contents[name]["properties"] else None
        reference = scenes / pair["lr"] if refined else None
        download(expanded, grid, item, args.dem, scenes / name, reference, checksums, hr)


def _files(items: Any, names: list[str]) -> list[Path] | None:
    """Return the files on disk that scenes are made of; None where one comes from a server."""
    from crossres.files import read_json

    hrefs = []
    for name in names:
        item = read_json(items.scene(name))
        for piece in (item, *item["properties"].get("crossres:mosaic", [])):
            hrefs += [asset["href"] for asset in piece["assets"].values()]
    return None if any("://" in href for href in hrefs) else [items.scenes / href for href in hrefs]


def _decline(part: Path, name: str, why: str) -> None:
    """Leave a pair out, with the reason: it has no scenes, no images and no patches."""
    from crossres.files import write_json
    from crossres.pairs.extract import write_none

    log.warning("%s: declined: %s", name, why)
    shutil.rmtree(part / "aligned" / name, ignore_errors=True)
    write_json(part / "aligned" / name / "registration.json", {"accepted": False, "reason": why, "model": None})
    write_json(part / "aligned" / name / "radiometry.json", {"accepted": False, "normalised": False})
    write_none(part / "patches" / f"{name}.zip", part / "patches" / f"{name}.parquet")
