"""Makes the lock file of a finished run."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crossres.acquire.declined import read_declined
from crossres.acquire.lock.checksums import checksum
from crossres.acquire.lock.lock_file import HELD, VERSION, with_hrefs
from crossres.acquire.stac.hrefs import is_remote, unsigned
from crossres.errors import UserError
from crossres.files import read_json, write_json
from crossres.imagery.items import Item
from crossres.layout import RunFolder
from crossres.settings.config import Config, load_record
from crossres.settings.paths import escaped, expand
from crossres.settings.search import CATALOGUED, CatalogSource

SCENE_FILES = ("reflectance.tif", "mask.tif")


def lock_run(run: Path, output: Path) -> None:
    """Write the lock file of a finished run; `UserError` when a scene of it has not been downloaded.

    Hrefs stand as the configuration names their source (`{run}`, environment variables), so that the lock holds in
    another checkout and on another machine. Signatures and passwords of URLs are left out.
    """
    items = RunFolder(run).items
    config = load_record(RunFolder(run).config)
    paths = sorted(items.scenes.glob("*.json"))
    if not paths:
        raise UserError(f"{run}: holds no items/scenes/*.json; name the folder of a finished run, such as results/demo")
    bases = _bases(config, run)
    content = {
        "crossres:lock": VERSION,
        "settings": unsigned({name: getattr(config, name).model_dump(mode="json") for name in HELD}),
        "scenes": {path.stem: _locked_scene(read_json(path), run, bases) for path in paths},
        "pairs": {path.stem: read_json(path) for path in sorted(items.pairs.glob("*.json"))},
        "declined": [[d.id, d.role, d.reason] for d in read_declined(items.declined)],
    }
    content["settings"]["search"]["lock"] = None
    write_json(output, content)


def _locked_scene(item: Item, run: Path, bases: list[tuple[str, str]]) -> dict[str, Any]:
    folder = RunFolder(run).items.scenes
    assets: dict[str, str] = {}

    def portable(href: str) -> str:
        if is_remote(href):
            return href
        target = os.path.realpath(folder / href)
        bases_and_run = [*bases, ("{run}", os.path.realpath(run))]
        text, base = next((b for b in bases_and_run if _inside(target, b[1])), bases_and_run[-1])
        named = f"{text}/{escaped(os.path.relpath(target, base))}"
        if Path(target).exists():
            assets[named] = checksum(Path(target))
        return named

    portable_item = with_hrefs(unsigned(item), portable)
    for part in (portable_item, *portable_item["properties"].get("crossres:mosaic", [])):
        assets |= {a["href"]: a["file:checksum"] for a in part["assets"].values() if "file:checksum" in a}
    scene = RunFolder(run).scene(item["id"])
    missing = [name for name in SCENE_FILES if not (scene / name).is_file()]
    if missing:
        raise UserError(f"{scene / missing[0]}: no such file; let the run finish before it is locked")
    return {"item": portable_item, "assets": assets, "files": {name: checksum(scene / name) for name in SCENE_FILES}}


def _bases(config: Config, run: Path) -> list[tuple[str, str]]:
    """Return the local folders of all sources, as the configuration writes them and where they are, deepest first."""

    def folders() -> Iterator[str]:
        for source in (*config.search.lr, *config.search.hr):
            if isinstance(source, CATALOGUED):
                text = source.href if isinstance(source, CatalogSource) else source.path
                if not is_remote(text):
                    yield text.rpartition("/")[0] or "." if isinstance(source, CatalogSource) else text.rstrip("/")

    found = {text: os.path.realpath(expand(text, run)) for text in folders()}
    return sorted(found.items(), key=lambda entry: (-len(entry[1]), entry[0]))


def _inside(target: str, base: str) -> bool:
    return Path(target).is_relative_to(base)
