"""Where another model's result of a pair is found."""

from pathlib import Path

SUFFIXES = (".tif", ".tiff")


def find_result(folder: Path, pair: str, lr_scene: str) -> Path | None:
    """Return `<pair>.tif` or `<LR scene>.tif` in a folder, in that order; None without either."""
    candidates = (folder / f"{name}{suffix}" for name in (pair, lr_scene) for suffix in SUFFIXES)
    return next((path for path in candidates if path.exists()), None)
