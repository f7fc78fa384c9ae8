"""Where a command may write: never over what it did not make itself, never over its own input.

A folder that a command writes as one must be absent, hold no file, or hold just an earlier product of the same
command, which is told by the names of its files and by what stands in them; `--overwrite` then replaces it. So it is
with a file.
"""

import argparse
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from crossres import earlier_products as earlier
from crossres.errors import UserError
from crossres.files import claim

KEPT_BY_SNAKEMAKE = ".snakemake_timestamp"


@dataclass(frozen=True)
class Output:
    """One output of a command; its module in `commands` has all of them as OUTPUTS."""

    argument: str = "output"
    folder: tuple[str, ...] = ()
    """The command writes a folder as one, of files with these names (`*` stands for a part of a name)."""
    inside: tuple[str, ...] = ()
    """The command writes these among other things into a folder."""
    is_own: Callable[[Path], bool] | None = None
    """Whether a folder with these names, or a file, is a product of the command; None where names tell enough."""
    each_of: str = ""
    """The argument that names several inputs, each with such an output in a folder of its own name."""


MODEL = Output(
    folder=("model.safetensors", "best.safetensors", "card.json", "history.csv", "curves.png"), is_own=earlier.is_model
)
PRODUCT = Output(
    folder=(
        *(f"{name}.{ending}" for name in ("mean", "std", "sample", "support") for ending in ("tif", "qml")),
        "item.json",
    ),
    is_own=earlier.is_product,
)
PAGE = Output(is_own=earlier.is_page)
NAMES_INPUTS = ("scenes", "dates", "lr", "hr", "dem", "model", "settings", "source")
"""Arguments that may name a file or folder, and may be something else."""


def guard(args: argparse.Namespace) -> None:
    """Raise `UserError` unless a command may write where it is told to; ask again before it replaces what is there.

    Everything is looked at before anything is begun. Links are followed: what they lead to is written, not the link.
    """
    taken = inputs(args)
    for output in args.outputs:
        if getattr(args, output.argument) is None:
            continue
        setattr(args, output.argument, _followed(getattr(args, output.argument)))
        for path in _paths(args, output):

            def check(path: Path = path, output: Output = output) -> None:
                _check(path, output, args.stage, args.overwrite, taken)

            check()
            claim(path, check)


def inputs(args: argparse.Namespace) -> list[Path]:
    """Return the files and folders that a command is given to read."""
    written = {output.argument for output in args.outputs} | {"events"}
    found: list[Path] = []
    for name, value in vars(args).items():
        for part in value if isinstance(value, list) else [value]:
            if name not in written and (isinstance(part, Path) or (name in NAMES_INPUTS and _is_path(part))):
                found.append(Path(part))
    return found


def scene_outputs(scenes: Sequence[str], output: Path, several: bool = False) -> list[tuple[str, Path]]:
    """Return each scene with the folder for its product: several go into folders of their own names.

    So does a single one of what may be `several`. Raises `UserError` where two have one name.
    """
    if len(scenes) == 1 and not several:
        return [(scenes[0], output)]
    named: dict[str, str] = {}
    for scene in scenes:
        name = _scene_name(scene)
        if name.casefold() in named:
            raise UserError(
                f"{scene}: has the name of {named[name.casefold()]}, {name!r}; give each an output of its own"
            )
        named[name.casefold()] = scene
    return [(scene, output / _scene_name(scene)) for scene in scenes]


def _scene_name(scene: str) -> str:
    """Return the name of a scene: the last part of its path or URL without its ending."""
    path = unquote(urlsplit(scene).path) if "://" in scene else os.path.realpath(scene)
    name = PurePosixPath(path).name
    stem = re.sub(r"\.(safe|zip|tar|tar\.gz|tgz|tiff?|jp2|vrt|json|geojson|safe\.zip)$", "", name, flags=re.IGNORECASE)
    stem = stem.lstrip(".-")
    if not stem:
        raise UserError(f"{scene}: has no name that a folder could have; give it alone, with an output of its own")
    return stem


def _is_path(value: object) -> bool:
    try:
        return isinstance(value, str) and os.path.lexists(value)
    except ValueError:
        return False


def _followed(path: Path) -> Path:
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _paths(args: argparse.Namespace, output: Output) -> Iterator[Path]:
    base: Path = getattr(args, output.argument)
    if output.inside:
        yield from (base / name for name in output.inside)
    elif output.each_of:
        yield from (path for _, path in scene_outputs(getattr(args, output.each_of), base, args.several))
    else:
        yield base


def _check(path: Path, output: Output, command: str, overwrite: bool, taken: Sequence[Path]) -> None:
    real = Path(os.path.realpath(path))
    if output.folder:
        _check_folder(path, real, output, command, overwrite, taken)
    else:
        _check_file(path, real, output, command, overwrite, taken)


def _check_folder(path: Path, real: Path, output: Output, command: str, overwrite: bool, taken: Sequence[Path]) -> None:
    for place, what in ((Path.cwd(), "the working directory"), (Path.home(), "your home directory")):
        if place.resolve().is_relative_to(real):
            raise UserError(f"{path}: is {what}, or holds it; name a folder of its own for the output")
    if not os.path.lexists(real):
        return
    if not real.is_dir():
        raise UserError(f"{path}: is a file; name a folder for the output")
    for given in taken:
        if Path(os.path.realpath(given)).is_relative_to(real):
            raise UserError(f"{path}: is or holds the input {given}; name another folder for the output")
    names = list(_files(real, output.folder, path, command))
    if not names:
        return
    if output.is_own is None or not output.is_own(real):
        raise UserError(
            f"{path}: holds {names[0]}, which is no earlier product of `crossres {command}`; name another folder"
        )
    for given in taken:
        if real.is_relative_to(os.path.realpath(given)) and given.is_dir():
            raise UserError(f"{path}: lies in the input {given}; name another folder for the output")
    if not overwrite:
        raise UserError(
            f"{path}: holds an earlier product of `crossres {command}`; name another folder, or replace it with "
            "--overwrite"
        )


def _files(folder: Path, patterns: Sequence[str], shown: Path, command: str) -> Iterator[str]:
    """Yield the names of all files in a folder; `UserError` at the first that none of the patterns knows."""

    def cannot(error: OSError) -> None:
        raise UserError(f"{error.filename}: {error.strerror}; name another folder for the output")

    for place, folders, files in os.walk(folder, onerror=cannot):
        links = [name for name in folders if Path(place, name).is_symlink()]
        for name in sorted([*files, *links]):
            inner = Path(place, name).relative_to(folder).as_posix()
            if inner == KEPT_BY_SNAKEMAKE:
                continue
            if name in links or not any(_fits(inner, pattern) for pattern in patterns):
                raise UserError(f"{shown}: holds {inner}, which `crossres {command}` did not make; name another folder")
            yield inner


def _fits(name: str, pattern: str) -> bool:
    parts, wanted = name.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def _check_file(path: Path, real: Path, output: Output, command: str, overwrite: bool, taken: Sequence[Path]) -> None:
    if any(os.path.realpath(given) == str(real) for given in taken):
        raise UserError(f"{path}: is an input; name another file for the output")
    if not os.path.lexists(real):
        return
    if real.is_dir() and path.suffix != ".zarr":
        raise UserError(f"{path}: is a folder; name a file for the output")
    if not real.is_dir() and not real.is_file():
        raise UserError(f"{path}: is no file that could be replaced; name another one for the output")
    if output.is_own is not None and not output.is_own(real):
        raise UserError(f"{path}: is no earlier output of `crossres {command}`; name another file")
    if output.is_own is None and any(
        given.is_dir() and real.is_relative_to(os.path.realpath(given)) for given in taken
    ):
        raise UserError(f"{path}: lies in a folder that is read; name another file for the output")
    if not overwrite:
        raise UserError(f"{path}: is there already; name another file, or replace it with --overwrite")
