"""What commands share: the options that several take, and how they read `--settings`."""

import argparse
import os
from pathlib import Path
from typing import Any

from crossres.errors import UserError
from crossres.settings import config as configuration
from crossres.settings.base import Section
from crossres.settings.explained import models_of
from crossres.settings.layers import read_settings
from crossres.settings.model import ModelSettings, ModelVariant
from crossres.settings.train import TrainSettings
from crossres.settings.yaml_text import parse_mapping


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add `--settings`, which `section` and `settings` read."""
    text = "a configuration file, or JSON with this stage's sections"
    parser.add_argument("--settings", metavar="FILE|JSON", help=text)


def add_path(
    parser: argparse.ArgumentParser, *options: str, help: str = "", many: bool = False, kind: str = ""
) -> None:
    """Add required paths. `kind` says of an input what it is to be: "folder", or the ending of a format."""
    for option in options:
        parser.add_argument(option, type=Path, required=True, help=help, metavar="PATH", nargs="+" if many else None)
        if kind:
            parser.set_defaults(kinds=parser.get_default("kinds") | {option.lstrip("-"): kind})


def add_model(parser: argparse.ArgumentParser, option: str, help: str) -> None:
    """Add a required folder of a model, which may be named by a file of it."""
    add_path(parser, option, help=help, kind="folder")
    parser.set_defaults(model_option=option.lstrip("-"))


def add_threads(parser: argparse.ArgumentParser, keep_memory: bool = True) -> None:
    """Add `--threads`; with `keep_memory`, memory that large arrays gave back is used again."""
    every = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    text = f"CPU threads; the result does not depend on them (all of this machine, {every})"
    parser.add_argument("--threads", type=_at_least_one, default=every, metavar="N", help=text)
    parser.set_defaults(keep_memory=keep_memory)


def add_run(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add `--run`, the folder that {run} stands for in these arguments, which are as a configuration writes them."""
    text = (
        f"take {', '.join(names)} as a configuration writes them: {{run}} is this folder, ${{NAME}} an environment "
        "variable"
    )
    parser.set_defaults(configured=names)
    parser.add_argument("--run", type=Path, metavar="RUN_FOLDER", help=text)


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def section(args: argparse.Namespace, name: str) -> Any:
    """Return one section of `--settings`, checked; a section that is not given has its defaults."""
    [model] = models_of(configuration.Config.model_fields[name].annotation)
    return checked(settings(args).get(name) or {}, name, model)


def of_model(args: argparse.Namespace, name: str) -> tuple[ModelSettings, TrainSettings]:
    """Return the sections `model` and `train` of `--settings`, with what one of `models` has of its own."""
    models = settings(args).get("models") or {"main": {}}
    if name not in models:
        raise UserError(f"--name: {name!r} is not one of models: {', '.join(models)}")
    own = {name: checked(models[name], f"models.{name}", ModelVariant)}
    both = {key: section(args, key) for key in ("model", "train")}
    try:
        return configuration.Config.model_construct(**both, models=own).variant(name)
    except ValueError as error:
        raise UserError(str(error)) from None


def paths_of(args: argparse.Namespace) -> dict[str, str]:
    """Return the path that each of `models` of `--settings` was trained on."""
    return {name: of_model(args, name)[1].path for name in settings(args).get("models") or {"main": {}}}


def settings(args: argparse.Namespace) -> dict[str, Any]:
    """Return what `--settings` holds: all of a configuration, checked, or some of its sections."""
    content = mapping(args.settings)
    if "run" in content:
        return configuration.parse(content, name_of_settings(args)).model_dump(mode="json")
    known = configuration.Config.model_fields
    if unknown := [key for key in content if key not in known]:
        raise UserError(f"{name_of_settings(args)}: {unknown[0]!r} is not one of {', '.join(known)}")
    return content


def name_of_settings(args: argparse.Namespace) -> str:
    """Return what a line about `--settings` begins with: the name of the file, where it is one."""
    is_file = args.settings is not None and not args.settings.lstrip().startswith("{")
    return args.settings if is_file else "--settings"


def mapping(text: str | None) -> dict[str, Any]:
    """Return what a JSON text, or a YAML file of that name, holds; nothing for None."""
    if text is None:
        return {}
    return parse_mapping(text, "settings") if text.lstrip().startswith("{") else read_settings(Path(text))


def checked(content: dict[str, Any], name: str, model: type[Section]) -> Any:
    """Return settings checked against their model; `UserError` with one line for the first thing that is wrong."""
    return configuration.parse(content, name, model)
