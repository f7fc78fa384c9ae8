"""Where scenes come from: the sources of the `search` section as inputs of rules.

Needs: common.smk and PLACES of simulate.smk. Gives: functions only.
"""


def source(role):
    return getattr(CONFIG.search, role)


# Said before anything runs, and in one line.
for _role in ("lr", "hr"):
    if source(_role).kind in {"folder", "gaofen2"} and "{run}" not in source(_role).path:
        if not Path(expand_path(source(_role).path)).is_dir():
            raise WorkflowError(f"search.{_role}.path: {expand_path(source(_role).path)}: no such folder")


def source_files(wildcards):
    """Return the files of a folder source, so that a new or changed file makes a new catalogue."""
    folder = Path(expand_path(source(wildcards.role).path))
    if PLACES and folder.is_relative_to(f"{RUN}/world"):
        return expand(f"{RUN}/world/places/{{place}}", place=PLACES)
    if source(wildcards.role).kind == "folder":
        return sorted(str(path) for path in folder.glob(source(wildcards.role).pattern))
    return sorted(str(path) for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def catalogue(role):
    """Return the catalogue to search: one made from a folder, one that exists, or none for an API."""
    match source(role).kind:
        case "folder" | "gaofen2":
            return f"{RUN}/catalogs/{role}"
        case "catalog":
            return expand_path(source(role).href)
    return []


def is_remote(href):
    return isinstance(href, str) and "://" in href


def local_catalogues(role):
    href = catalogue(role)
    return [] if is_remote(href) else href


def catalogue_options():
    """Return the catalogues to search as options of the command; a made one is a folder that holds catalog.json."""
    hrefs = {role: catalogue(role) for role in ("lr", "hr")}
    made = {role: source(role).kind != "catalog" for role in hrefs}
    return [
        f"--{role} {shlex.quote(f'{href}/catalog.json' if made[role] else href)}"
        for role, href in hrefs.items()
        if href
    ]


def local_assets(wildcards):
    """Return the files on disk that a scene's item names: they are this scene's input as much as the item is."""
    path = items() / "scenes" / f"{wildcards.scene}.json"
    hrefs = [asset["href"] for asset in json.loads(path.read_text())["assets"].values()]
    return sorted(os.path.normpath(path.parent / href) for href in hrefs if not is_remote(href))


def dem(wildcards):
    href = CONFIG.acquire.dem and expand_path(CONFIG.acquire.dem)
    return href if href and not is_remote(href) else []


def rpc_reference(wildcards):
    """Return the LR scene that refines the RPCs of a Gaofen-2 scene: each belongs to one pair."""
    if source("hr").kind != "gaofen2" or not CONFIG.acquire.refine_rpc:
        return []
    pairs = (json.loads(path.read_text()) for path in sorted((items() / "pairs").glob("*.json")))
    return [f"{RUN}/scenes/{pair['lr']}" for pair in pairs if pair["hr"] == wildcards.scene]
