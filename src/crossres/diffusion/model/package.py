"""A model as one file that travels: a tar of its weights, its card and its STAC item, and nothing else.

What comes out of one is numbers and JSON: no member of another name, no link, no path, nothing that is run.
"""

import hashlib
import io
import tarfile
from pathlib import Path

from crossres.diffusion.model.card import Card
from crossres.diffusion.model.checkpoint import BEST, CARD, LARGEST_CARD, WEIGHTS, load, load_card
from crossres.diffusion.model.stac_item import ITEM, LARGEST_ITEM, Stated, model_item, stated_in
from crossres.errors import UserError
from crossres.files import json_text, whole

LARGEST_BYTES = 4 << 30
"""Of a packed model; the largest network that settings can describe has less."""
LARGEST = {ITEM: LARGEST_ITEM, CARD: LARGEST_CARD, WEIGHTS: LARGEST_BYTES, BEST: LARGEST_BYTES}
"""The members that a packed model may have, in their order, and their most bytes."""
NEEDED = (CARD, WEIGHTS)


def pack(folder: Path, output: Path, name: str, stated: Stated) -> str:
    """Write a model's folder as a tar, the same bytes for the same model and words; return its SHA-256.

    Its item is made anew: of the card, and of what is `stated`. Raises `UserError` for a model that is not whole.
    """
    card = load(folder).card
    if card.best is not None:
        load(folder, "best")
    files = [file for file in (WEIGHTS, BEST) if (folder / file).is_file()]
    item = model_item(name, card, stated, {file: (folder / file).stat().st_size for file in files})
    with whole(output) as part:
        with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as tar:
            _add(tar, ITEM, json_text(item).encode())
            _add(tar, CARD, (folder / CARD).read_bytes())
            for file in files:
                _add(tar, file, (folder / file).read_bytes())
        return sha256_of(part)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    tar.addfile(member, io.BytesIO(content))


def unpack(archive: Path, folder: Path, shown: str) -> Card:
    """Write the members of a packed model into an empty folder; return its card. Lines for people call it `shown`.

    Raises `UserError` for an archive with anything else in it, or with a model that is not whole.
    """
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                name = member.name.removeprefix("./")
                if name not in LARGEST or member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
                    raise UserError(
                        f"{shown}: holds {ascii(member.name[:80])[1:-1]}, which no packed model has; it is not used"
                    )
                if member.size > LARGEST[name] or (folder / name).exists():
                    why = "twice" if (folder / name).exists() else f"of {member.size} bytes"
                    raise UserError(f"{shown}: holds {name} {why}; it is not used")
                file = tar.extractfile(member)
                assert file is not None
                with (folder / name).open("wb") as out:
                    while piece := file.read(1 << 20):
                        out.write(piece)
    except (tarfile.TarError, EOFError) as error:
        raise UserError(f"{shown}: is no packed model (`crossres model pack`): {str(error)[:100]}") from None
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise UserError(f"{shown}: has no {missing[0]}; a packed model holds {' and '.join(NEEDED)}")
    try:
        card = load_card(folder)
        stated_in(folder)
        _check(folder / WEIGHTS, card.weights_sha256)
        if card.best is not None:
            _check(folder / BEST, card.best.weights_sha256)
    except UserError as error:
        raise UserError(f"{shown}: {str(error).replace(f'{folder}/', '')}") from None
    return card


def _check(path: Path, sha256: str) -> None:
    if not path.is_file() or sha256_of(path) != sha256:
        raise UserError(f"{path}: not the weights that {CARD} describes; get the model again")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
