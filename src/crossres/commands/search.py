"""Search for scenes and pair them."""

import argparse
from pathlib import Path
from typing import Any

from crossres import earlier_products as earlier
from crossres.commands.options import add_path, add_run, add_settings, section
from crossres.outputs import Output

OUTPUTS = (Output(folder=("declined.csv", "pairs/*.json", "scenes/*.json"), is_own=earlier.are_items),)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    for role in ("lr", "hr"):
        text = f"static catalogues of {role.upper()} scenes, one per source that has one (none for an API)"
        parser.add_argument(f"--{role}", metavar="CATALOG", nargs="+", help=text)
    add_path(parser, "--output", help="folder of items to write")
    add_run(parser, "lr", "hr")


def run(args: argparse.Namespace) -> None:
    from crossres.acquire.remote.addresses import name_host
    from crossres.acquire.remote.headers import give_headers
    from crossres.acquire.search import search

    acquire = section(args, "acquire")
    for host in acquire.private_hosts:
        name_host(host)
    give_headers(acquire.headers)
    settings = section(args, "search")
    if settings.lock is None:
        known = {role: tuple(map(_with_url, getattr(settings, role))) for role in ("lr", "hr")}
        settings = settings.model_copy(update=known)
    search(settings, section(args, "grid"), args.lr, args.hr, args.output)


def _with_url(source: Any) -> Any:
    """Return a source with the environment variables of its URL filled in, which no job is told."""
    from crossres.settings.paths import expand

    return source.model_copy(update={"url": expand(source.url, Path())}) if source.kind == "stac-api" else source
