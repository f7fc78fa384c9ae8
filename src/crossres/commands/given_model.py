"""A model as a person names it: a folder, one file, or a URL with its SHA-256."""

import argparse
import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory

from crossres.errors import UserError
from crossres.files import whole
from crossres.secrets import without_signature

CACHE = "CROSSRES_CACHE"
"""Environment variable: the folder that models are kept in, instead of the user's cache."""
TEXT = "model folder, packed model (`crossres model pack`), or its https URL with #sha256=..."


def add_given_model(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add a model and its SHA-256, which `model_folder` reads; as an option where `names` begin with -."""
    if names[0].startswith("-"):
        parser.add_argument(*names, dest="model", required=True, metavar="MODEL", help=TEXT)
    else:
        parser.add_argument(*names, metavar="MODEL", help=TEXT)
    text = "SHA-256 of a packed model, where its URL does not end with it"
    parser.add_argument("--model-sha256", metavar="HEX", help=text)


def model_folder(model: str, sha256: str | None) -> Path:
    """Return the folder of a model; what is packed is unpacked, once, into the user's cache, by its SHA-256.

    Raises `UserError` for what is no model, for a URL without SHA-256, and for a file that has another one.
    """
    url, _, fragment = model.partition("#")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", model):
        return _kept(url, _digest(fragment.removeprefix("sha256=") if fragment else sha256, model))
    path = Path(model)
    if path.name in {"model.safetensors", "card.json"} and not path.is_dir():
        path = path.parent
    if path.is_dir():
        if sha256 is not None:
            raise UserError("--model-sha256: is that of a packed model, and a folder is named; leave it out")
        return path
    if not path.is_file():
        raise UserError(f"{path}: no such file or folder; name a model folder, a packed model or its URL")
    from crossres.diffusion.model.package import sha256_of

    found = sha256_of(path)
    if sha256 is not None and _digest(sha256, model) != found:
        raise UserError(f"{path}: has the SHA-256 {found}, not {sha256}; it is not the model that was meant")
    return _kept(model, found)


def _digest(text: str | None, model: str) -> str:
    shown = without_signature(model.partition("#")[0])
    if text is None:
        raise UserError(
            f"{shown}: a model from a server needs its SHA-256: write it behind the URL as #sha256=..., or give "
            "--model-sha256"
        )
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", text):
        raise UserError(f"{shown}: {text[:80]!r} is no SHA-256; it has 64 digits of 0-9 and a-f")
    return text.lower()


def _kept(model: str, sha256: str) -> Path:
    """Return the folder that a packed model, a file or a URL, is kept in; it is put there if it is not yet."""
    folder = _cache() / "models" / sha256
    if folder.is_dir():
        return folder
    from crossres.diffusion.model.package import LARGEST_BYTES, unpack

    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=".fetched-") as scratch:
        archive = Path(model)
        if "://" in model:
            from crossres.acquire.remote.pinned import fetch_pinned

            archive = Path(scratch) / "model.tar"
            fetch_pinned(model, sha256, archive, LARGEST_BYTES)
        with whole(folder) as part:
            part.mkdir()
            unpack(archive, part, without_signature(model))
    return folder


def _cache() -> Path:
    """Return the folder for what can be fetched again: that of CROSSRES_CACHE, else the user's own (XDG)."""
    own = os.environ.get(CACHE)
    if own:
        return Path(own)
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        return (xdg if xdg.is_absolute() else Path.home() / ".cache") / "crossres"
    except RuntimeError:
        raise UserError(f"there is no home directory to keep a model in; set {CACHE} to a folder") from None
