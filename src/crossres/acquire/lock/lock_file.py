"""Lock files: the scenes and pairs of a finished run, known before anything runs."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from crossres.acquire.declined import Declined, write_declined
from crossres.acquire.lock.checksums import Checksums
from crossres.acquire.remote.addresses import HOSTS, is_named, name_host
from crossres.acquire.stac.hrefs import is_remote, unsigned
from crossres.acquire.stac.items import safe_id
from crossres.errors import UserError
from crossres.files import json_text, read_json, whole
from crossres.imagery.items import Item, relative_href
from crossres.layout import ItemsFolder, RunFolder
from crossres.settings.acquire import AcquireSettings
from crossres.settings.grid import GridSettings
from crossres.settings.paths import expand
from crossres.settings.search import CatalogSource, SearchSettings, StacApiSource

VERSION = 1
HELD = ("search", "acquire", "grid")
"""Settings that a lock holds for."""


@dataclass(frozen=True)
class Lock:
    """The content of a lock file."""

    name: str
    settings: dict[str, Any]
    """The sections of `HELD`."""
    scenes: dict[str, dict[str, Any]]
    """By id: `item`, its hrefs remote or paths as in a configuration; `assets` and `files` with their multihashes."""
    pairs: dict[str, dict[str, Any]]
    declined: list[Declined]

    def item(self, scene: str, run: Path) -> Item:
        """Return a scene's item as `search` writes it into the folder of a run."""
        folder = RunFolder(run).items.scenes

        def here(href: str) -> str:
            return href if is_remote(href) else relative_href(Path(expand(href, run)), folder)

        return with_hrefs(self.scenes[scene]["item"], here)

    def checksums(self, scene: str, run: Path, acquire: AcquireSettings, grid: GridSettings) -> Checksums | None:
        """Return what a scene is held to: its files only under the settings that they were made with."""
        if scene not in self.scenes:
            return None
        entry = self.scenes[scene]
        try:
            before = AcquireSettings(**self.settings["acquire"]), GridSettings(**self.settings["grid"])
            role = entry["item"]["properties"].get("crossres:role")
            made, now = ((a, g.gsd_m, g.bands_of(role)) for a, g in (before, (acquire, grid)))
            same = made == now
        except ValidationError:  # keys of another version
            same = False
        assets = {expand(href, run): locked for href, locked in entry["assets"].items() if not is_remote(href)}
        return Checksums(self.name, assets, entry["files"] if same else None)


def read_lock(path: Path) -> Lock:
    """Read a lock file; `UserError` when it is none, or was made by another version that writes it differently."""
    content = read_json(path)
    try:
        version = content["crossres:lock"]
        lock = Lock(
            str(path), content["settings"], content["scenes"], content["pairs"],
            [Declined(*row) for row in content["declined"]],
        )  # fmt: skip
        used = {name for pair in lock.pairs.values() for name in _scenes_of(pair)}
        names = [*lock.scenes, *lock.pairs, *used]
        complete = {"item", "assets", "files"} <= set.intersection(*(set(s) for s in lock.scenes.values()))
    except (KeyError, TypeError, AttributeError):
        raise UserError(f"{path}: is no lock file; make one with `crossres lock`") from None
    if version != VERSION or not complete or not set(HELD) <= set(lock.settings):
        raise UserError(
            f"{path}: is a lock file of version {version}, not {VERSION}; make it again with `crossres lock`"
        )
    for name in names:
        if safe_id(str(name)) != name:
            raise UserError(f"{path}: {name!r} is no id of a scene or pair; make the lock again with `crossres lock`")
    if missing := used - set(lock.scenes):
        raise UserError(f"{path}: a pair names scene {min(missing)}, which is not in it; make the lock again")
    return lock


def _scenes_of(pair: dict[str, Any]) -> list[str]:
    return [pair["lr"], pair["hr"], *pair.get("further_dates", [])]


def write_locked(lock: Lock, settings: SearchSettings, output: Path) -> list[str]:
    """Write the `items` folder of a lock as the search wrote it; return which keys of `search` it does not hold for.

    Private hosts that the items are read from stay those that the configuration names, as a source or by themselves.
    """
    for source in (*settings.lr, *settings.hr):
        if isinstance(source, (StacApiSource, CatalogSource)):
            with suppress(UserError):  # a variable that is not set names nothing
                name_host(expand(source.url if isinstance(source, StacApiSource) else source.href, output.parent))
    name_host("localhost")
    with whole(output) as part:
        items = ItemsFolder(part)
        items.make()
        for scene in lock.scenes:
            item = lock.item(scene, output.parent)
            hosts = item["properties"].pop(HOSTS, [])
            if named := [host for host in hosts if is_named(str(host))]:  # by the lock alone they are not
                item["properties"][HOSTS] = named
            items.scene(scene).write_text(json_text(item), encoding="utf-8")
        for pair, content in lock.pairs.items():
            items.pair(pair).write_text(json_text(content), encoding="utf-8")
        write_declined(items.declined, lock.declined)
    asked = unsigned(settings.model_dump(mode="json", exclude={"lock"}))
    return sorted(key for key, value in asked.items() if lock.settings["search"].get(key) != value)


def with_hrefs(item: Item, change: Callable[[str], str]) -> Item:
    """Return an item, and the parts of its mosaic, with the href of each asset changed by a function."""
    assets = {key: {**asset, "href": change(asset["href"])} for key, asset in item["assets"].items()}
    properties = dict(item["properties"])
    if "crossres:mosaic" in properties:
        properties["crossres:mosaic"] = [with_hrefs(part, change) for part in properties["crossres:mosaic"]]
    return {**item, "assets": assets, "properties": properties}
