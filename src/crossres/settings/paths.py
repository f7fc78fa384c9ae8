"""Paths and URLs as a configuration writes them."""

import os
import re
from pathlib import Path

from crossres.errors import UserError
from crossres.secrets import is_harmless

_FILLED_IN = re.compile(r"\{run\}|\$\$|\$(?:(\w+)|\{([^{}]*)\})")
_AUTHORITY = re.compile(r"://([^/?#\s]*)([^\s#]*)")


def expand(path: str, run_folder: Path) -> str:
    """Fill in `{run}` and environment variables; `$$` is a `$`. `UserError` when a variable is not set."""

    def value(found: re.Match[str]) -> str:
        if found[0] in {"{run}", "$$"}:
            return run_folder.as_posix() if found[0] == "{run}" else "$"
        name = found[1] or found[2]
        if name not in os.environ:
            raise UserError(f"{path}: the environment variable {name} is not set; set it and run again")
        return os.environ[name]

    return _FILLED_IN.sub(value, path)


def escaped(path: str) -> str:
    """Return a path as `expand` takes it for itself."""
    return path.replace("$", "$$")


def find_result(folder: Path, pair: str, lr_scene: str) -> Path | None:
    """Return `<pair>.tif` or `<LR scene>.tif` in a folder of `evaluate.external`; None without either."""
    candidates = (folder / f"{name}{suffix}" for name in (pair, lr_scene) for suffix in (".tif", ".tiff"))
    return next((path for path in candidates if path.exists()), None)


def holds_secret(text: str) -> bool:
    """Whether a URL in a text has a user, password or value of a query written out and no `${NAME}`.

    What a query asks for (`?f=json`) is no secret.
    """
    for found in _AUTHORITY.finditer(text):
        user, at, host = found[1].rpartition("@")
        port = host.rpartition("]")[2].partition(":")[2]
        # What looks like a port may be a password that holds a slash.
        if (at and _written(user)) or (_written(port) and not port.isdigit() and "@" in found[2]):
            return True
        pairs = [pair.partition("=") for pair in found[2].partition("?")[2].split("&")]
        if any(_written(value if is_ else key) and not is_harmless(key, value) for key, is_, value in pairs):
            return True
    return False


def _written(text: str) -> bool:
    return bool(_FILLED_IN.sub("", text).strip(":"))
