"""What tells an earlier product of a command from anything else: what stands in its files.

JSON of this package is recognised to the byte: what somebody has changed by hand is theirs.
"""

import filecmp
from collections.abc import Callable
from pathlib import Path

from crossres.errors import UserError
from crossres.files import own_json, parse_json, read_text


def _holds(path: Path, *keys: str) -> bool:
    return set(keys) <= own_json(path).keys()


def is_catalogue(folder: Path) -> bool:
    """Whether `catalog` wrote a folder: its catalogue names just the items that are there."""
    content = own_json(folder / "catalog.json")
    links = content.get("links")
    if content.get("id") != content.get("description") or not isinstance(links, list):
        return False
    named = {link.get("href") for link in links if isinstance(link, dict) and link.get("rel") == "item"}
    items = list((folder / "items").glob("*.json"))
    return named == {f"./items/{path.name}" for path in items} and all(_holds(path, "assets") for path in items)


def are_chips(folder: Path) -> bool:
    """Whether `chips` wrote all images of a folder."""
    import rasterio

    from crossres.acquire.chips import NOTE

    with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"):
        try:
            for path in folder.iterdir():
                with rasterio.open(path, driver="GTiff") as image:
                    if image.tags().get("TIFFTAG_IMAGEDESCRIPTION") != NOTE:
                        return False
        except (rasterio.RasterioIOError, UnicodeError):
            return False
    return True


def are_items(folder: Path) -> bool:
    """Whether `search` wrote a folder; of an earlier lock Snakemake leaves those items that the next does not have."""
    declined = folder / "declined.csv"
    return (
        (_first_line(declined) == "id,role,reason" or not declined.exists())
        and all("crossres:region" in own_json(path).get("properties", {}) for path in folder.glob("scenes/*.json"))
        and all(_holds(path, "id", "lr", "hr") for path in folder.glob("pairs/*.json"))
    )


def _first_line(path: Path) -> str | None:
    try:
        return next(iter(read_text(path).splitlines()), None)
    except UserError:
        return None


def is_scene(folder: Path) -> bool:
    """Whether `download` wrote a folder."""
    assets = own_json(folder / "item.json").get("assets")
    return isinstance(assets, dict) and {"reflectance", "mask"} <= assets.keys()


def is_product(folder: Path) -> bool:
    """Whether `sample` or `super-resolve` wrote a folder."""
    properties = own_json(folder / "item.json").get("properties")
    return isinstance(properties, dict) and {"crossres:arm", "crossres:tiling"} <= properties.keys()


def is_model(folder: Path) -> bool:
    """Whether `train` or `distill` wrote a folder."""
    return _holds(folder / "card.json", "weights_sha256", "data_sha256", "hr_gsd_m")


def is_packed_model(path: Path) -> bool:
    """Whether `model pack` wrote a file: a tar that begins with the item of a model."""
    import tarfile

    try:
        with tarfile.open(path, "r:") as tar:
            return tar.getnames()[:3] == ["item.json", "card.json", "model.safetensors"]
    except (tarfile.TarError, OSError, EOFError):
        return False


def is_cache(folder: Path) -> bool:
    """Whether `cache` wrote a folder."""
    return _holds(folder / "cache.json", "index_sha256")


def is_dataset(folder: Path) -> bool:
    """Whether `dataset` wrote a zarr: a group of its arrays and nothing else."""
    try:
        content = parse_json(read_text(folder / "zarr.json"))
    except (UserError, ValueError):
        return False
    arrays = ("lr", "hr", "mask")
    files = (path.relative_to(folder).parts for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
    chunks = (parts[1:] for parts in files if parts != ("zarr.json",) and parts[0] in (*arrays, "zarr.json"))
    return (
        isinstance(content, dict)
        and content.get("node_type") == "group"
        and "bands" in (content.get("attributes") or {})
        and {path.name for path in folder.iterdir()} - {".snakemake_timestamp"} == {"zarr.json", *arrays}
        and all(parts == ("zarr.json",) or parts[0] == "c" for parts in chunks)
    )


def is_external(folder: Path) -> bool:
    """Whether `external` wrote a folder: a mean that is the sample, too, or why there is none."""
    names = {path.name for path in folder.iterdir()}
    if "declined.json" in names:
        return "mean.tif" not in names and _holds(folder / "declined.json", "reason")
    whole = {"mean.tif", "std.tif", "sample.tif"} <= names
    return whole and filecmp.cmp(folder / "mean.tif", folder / "sample.tif", shallow=False)


def each_is(is_own: Callable[[Path], bool], depth: int = 2) -> Callable[[Path], bool]:
    """Return whether all folders so deep inside of one are products that `is_own` tells."""

    def all_are(folder: Path) -> bool:
        return all(is_own(path) for path in folder.glob("/".join("*" * depth)) if path.is_dir())

    return all_are


def is_evaluation(folder: Path) -> bool:
    """Whether `evaluate` wrote a folder."""
    return _holds(folder / "metrics.json", "pair", "arm_order", "pictures", "mask_shares")


def are_figures(folder: Path) -> bool:
    """Whether `figures` wrote a folder."""
    always = ("metrics.png", "spectra.png", "calibration.png", "tradeoff.png")
    return all(_begins(folder / name, b"\x89PNG\r\n") for name in always)


def is_page(path: Path) -> bool:
    """Whether a file is a page of this package."""
    return _begins(path, b'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport"')


def is_lock(path: Path) -> bool:
    """Whether `lock` wrote a file."""
    return _holds(path, "crossres:lock")


def is_schema(path: Path) -> bool:
    """Whether `schema` wrote a file."""
    return _holds(path, "$schema", "$defs") and own_json(path).get("title") == "Config"


def is_configuration(path: Path) -> bool:
    """Whether `config` wrote a file."""
    import yaml

    from crossres.settings.config import Config
    from crossres.settings.yaml_text import read_mapping

    try:
        content = read_mapping(path)
        return set(content) == set(Config.model_fields) and yaml.safe_dump(content, sort_keys=False) == read_text(path)
    except UserError:
        return False


def _begins(path: Path, start: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(start)) == start
    except OSError:
        return False
