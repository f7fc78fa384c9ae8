"""Where scenes come from: the sources of the section `search`, or a lock file, as inputs of rules.

Needs: common.smk, and PLACES of simulate.smk.
Gives: LOCK, MADE (the sources that a catalogue is made of) and functions for `input` and `params`.
"""

import functools
from urllib.parse import urlsplit

from crossres.secrets import without_signature

# With a lock file scenes and pairs are known before anything runs, and the search is no checkpoint.
LOCK = None
if CONFIG.search.lock:
    from crossres.acquire.lock.lock_file import read_lock  # loads what plans without a lock do not need

    _lock = expand_path(CONFIG.search.lock)
    try:
        LOCK = read_lock(Path(_lock))
    except UserError as error:
        _said = str(error).replace(_lock, CONFIG.search.lock)
        raise WorkflowError(f"search.lock: {_said}")


def sources(role):
    return getattr(CONFIG.search, role)


def catalogue_name(role, number):
    return role if number == 0 else f"{role}-{number + 1}"


MADE = {
    catalogue_name(role, number): source
    for role in ("lr", "hr")
    for number, source in enumerate(sources(role))
    if source.kind in stages.CATALOGUE_IS_MADE
}

# Said before anything runs, and in one line. A run from a lock file reads no source but what its
# scenes name.
for _name, _source in MADE.items() if LOCK is None else ():
    if "{run}" not in _source.path and not Path(expand_path(_source.path)).is_dir():
        raise WorkflowError(f"search.{_name.partition('-')[0]}.path: {_source.path}: no such folder")


if CONFIG.search.degraded and CONFIG.search.degraded.mtf != CONFIG.grid.lr_mtf:
    raise WorkflowError("search.lr.mtf and grid.lr_mtf: are of one sensor; give both the same number, or neither")


def source_files(wildcards):
    """Return the files of a folder source, so that a new or changed file makes a new catalogue."""
    source = MADE[wildcards.source]
    folder = Path(expand_path(source.path))
    if PLACES and folder.is_relative_to(f"{RUN}/world"):
        return expand(f"{RUN}/world/places/{{place}}", place=PLACES)
    if source.kind == "folder":
        images = list(folder.glob(source.pattern))
        masks = [mask for path in images if (mask := source.sensor.mask_file(path)) and mask.is_file()]
        return sorted({os.path.normpath(path) for path in (*images, *masks)})
    return sorted(str(path) for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def is_remote(href):
    return "://" in href


def catalogues(role):
    """Return the catalogues to search, in order and as they are written; an API has none."""
    found = []
    for number, source in enumerate(sources(role)):
        if source.kind in stages.CATALOGUE_IS_MADE:
            found.append(f"{RUN}/catalogs/{catalogue_name(role, number)}/catalog.json")
        elif source.kind == "catalog":
            found.append(source.href)
    return found


def local_catalogues(role):
    """Return the catalogues as inputs of a rule: of one that a rule makes its folder."""
    made = f"{RUN}/catalogs/"
    there = map(expand_path, catalogues(role))
    return [os.path.dirname(c) if c.startswith(made) else c for c in there if not is_remote(c)]


def remote_catalogues():
    """Return what tells remote catalogues apart, but for signatures, secret or new each day."""
    there = map(expand_path, [*catalogues("lr"), *catalogues("hr")])
    return digest([without_signature(href) for href in there if is_remote(href)])


def catalogue_options():
    """Return the catalogues to search as options of the command."""
    found = {role: " ".join(as_written(here(path)) for path in catalogues(role)) for role in ("lr", "hr")}
    return [f"--{role} {options}" for role, options in found.items() if options]


def area_file():
    """Return the file that the area of interest stands in, where there is one."""
    path = CONFIG.search.area
    if not isinstance(path, str):
        return []
    if not Path(path).is_file():
        raise WorkflowError(f"search.area: {path}: no such file")
    return [path]


def regions_file():
    """Return the file that the splits' regions stand in, where there is one."""
    return [expand_path(CONFIG.dataset.regions)] if CONFIG.dataset.regions else []


def asked_servers():
    """Say which servers a search asks, for those who plan a run where there is no network.

    By host, without user and password, or by the variable that holds the URL.
    """
    hrefs = []
    for source in (*sources("lr"), *sources("hr")):
        match source.kind:
            case "stac-api":
                hrefs.append(source.url)
            case "catalog":
                if is_remote(expand_path(source.href)):
                    hrefs.append(source.href)
            case "sentinelhub":
                from crossres.acquire.sentinelhub.service import URLS

                hrefs.append(URLS.get(source.endpoint, ["https://that of SH_PROFILE"])[0])
    found = [urlsplit(href).netloc.rpartition("@")[2] if is_remote(href) else href for href in hrefs]
    return f" (needs the network: {', '.join(dict.fromkeys(found))})" if found else ""


def local_assets(wildcards):
    """Return the files on disk that a scene's item names, inputs of the scene as the item is."""
    return files_of_scene(wildcards.scene)


def files_of_scene(scene):
    item = scene_item(scene)
    parts = [item, *item["properties"].get("crossres:mosaic", [])]
    hrefs = [asset["href"] for part in parts for asset in part["assets"].values()]
    named = [os.path.normpath(Path(HERE, "items/scenes", href)) for href in hrefs if not is_remote(href)]
    paths = [RUN + path.removeprefix(HERE) if path.startswith(f"{HERE}/") else path for path in named]
    # What is simulated may not be there yet when a lock file already names it.
    places = {place: f"{RUN}/world/places/{place}" for place in PLACES}
    made = {path: folder for path in paths for folder in places.values() if Path(path).is_relative_to(folder)}
    return sorted({made.get(path, path) for path in paths} if LOCK is not None else paths)


def locked_checksums(wildcards):
    """Return what a lock file holds a scene to: when that changes, the scene is read again."""
    return json.dumps([LOCK.scenes[wildcards.scene][key] for key in ("assets", "files")]) if LOCK is not None else ""


def dem():
    """Return the elevation model as inputs, where it is a file; that of the simulated world with what it is made of."""
    href = CONFIG.acquire.dem and expand_path(CONFIG.acquire.dem)
    if not href or is_remote(href) or href == "cop-dem-glo-30":
        return []
    if href != f"{RUN}/world/dem.vrt":
        return [href]
    places = [f"{RUN}/world/places/{place}" for place in PLACES]
    return [href, *(places if LOCK is not None else [f"{place}/dem.tif" for place in places])]


def rpc_reference(wildcards):
    """Return the LR scene that a Gaofen-2 package's RPCs are refined with: that of its pair."""
    if not CONFIG.acquire.refine_rpc or "package" not in scene_item(wildcards.scene)["assets"]:
        return []
    return [f"{RUN}/scenes/{lr}" for lr in lr_of_hr().get(wildcards.scene, []) if not hr_of(lr)]


def degraded_from(wildcards):
    """Return the HR scene that an LR scene is made of, where it is made of one."""
    hr = hr_of(wildcards.scene)
    return [f"{RUN}/scenes/{hr}"] if hr else []


def hr_of(lr):
    return scene_item(lr)["properties"].get("crossres:degraded_from")


def lr_of_hr():
    """Return the LR scenes by the HR scene that they are paired with, read once for each search."""
    written = 0 if LOCK is not None else (items() / "pairs").stat().st_mtime_ns
    return _lr_of_hr(written)


@functools.lru_cache(maxsize=1)
def _lr_of_hr(written):
    found = {}
    for pair in map(pair_content, pair_ids()):
        found.setdefault(pair["hr"], []).append(pair["lr"])
    return found
