"""What each command of `crossres` runs: it checks its settings, imports its stage and hands over what was asked for.

The function of a command has its name, and by that name the workflow knows its code (`code_version`).
"""

import argparse
from pathlib import Path
from typing import Any

import yaml

from crossres.errors import UserError
from crossres.files import read_json
from crossres.settings import config as configuration
from crossres.settings.model import ModelVariant


def _section(args: argparse.Namespace, name: str) -> Any:
    """Return one section of `--settings`, checked; a section that is not given has its defaults."""
    content = _settings(args.settings)
    model = configuration.Config.model_fields[name].annotation
    [section] = configuration.models_of(model)
    return configuration.parse(content.get(name) or {}, name, section)


def _settings(text: str | None) -> dict[str, Any]:
    if text is None or text.lstrip().startswith("{"):
        return _mapping(text)
    return configuration.load(Path(text)).model_dump(mode="json")


def _mapping(text: str | None) -> dict[str, Any]:
    """Return what a JSON text, or a YAML file of that name, holds; nothing for None."""
    if text is None:
        return {}
    try:
        content = yaml.safe_load(text if text.lstrip().startswith("{") else Path(text).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{text}: no such file") from None
    except yaml.YAMLError as error:
        raise UserError(f"not valid YAML or JSON: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise UserError(f"{text}: must hold settings as `key: value`")
    return content


def run_config(args: argparse.Namespace) -> None:
    from crossres.files import whole
    from crossres.settings.config import parse  # here too, for command_version

    content = parse(_settings(args.settings), "--settings").model_dump(mode="json")
    with whole(args.output) as part:
        part.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def run_schema(args: argparse.Namespace) -> None:
    from crossres.files import write_json

    write_json(args.output, configuration.schema())


def run_simulate(args: argparse.Namespace) -> None:
    from crossres.simulate.places import place_number
    from crossres.simulate.world import simulate_place

    simulate_place(_section(args, "simulate"), place_number(args.place), args.output)


def run_link_world(args: argparse.Namespace) -> None:
    from crossres.simulate.world import link_world

    link_world(_section(args, "simulate"), args.places, args.output)


def run_catalog(args: argparse.Namespace) -> None:
    from crossres.acquire.catalog import catalog_folder, catalog_gaofen2
    from crossres.settings.search import FolderSource

    if args.kind == "gaofen2":
        catalog_gaofen2(args.folder, args.output)
        return
    content = {"kind": "folder", "path": str(args.folder)} | _mapping(args.source)
    catalog_folder(configuration.parse(content, "--source", FolderSource), args.folder, args.output)


def run_chips(args: argparse.Namespace) -> None:
    from crossres.acquire.chips import place_chips

    place_chips(args.lr, args.hr, args.lr_gsd_m, args.output)


def run_search(args: argparse.Namespace) -> None:
    from crossres.acquire.search import search

    search(_section(args, "search"), _section(args, "grid"), args.lr, args.hr, args.output)


def run_download(args: argparse.Namespace) -> None:
    from crossres.acquire.download import download
    from crossres.acquire.lock.lock_file import read_lock

    acquire, grid = _section(args, "acquire"), _section(args, "grid")
    checksums = None
    if args.lock is not None:
        run = args.item.parents[2]  # items/scenes/<id>.json of the run's folder
        checksums = read_lock(args.lock).checksums(args.item.stem, run, acquire, grid)
    download(acquire, grid, args.item, args.dem, args.output, args.reference, checksums)


def run_lock(args: argparse.Namespace) -> None:
    from crossres.acquire.lock.lock_run import lock_run

    lock_run(args.run, args.output)


def run_coregister(args: argparse.Namespace) -> None:
    from crossres.align.coregister import coregister

    pair = read_json(args.pair)
    coregister(_section(args, "coregister"), _section(args, "grid"), pair, args.lr, args.hr, args.output)


def run_normalise(args: argparse.Namespace) -> None:
    from crossres.align.normalise import normalise

    settings, grid = _section(args, "normalise"), _section(args, "grid")
    normalise(settings, grid, args.lr, args.registered, args.registration, args.output)


def run_patches(args: argparse.Namespace) -> None:
    from crossres.pairs.extract import extract

    settings, grid = _section(args, "patches"), _section(args, "grid")
    extract(settings, grid, read_json(args.pair), args.aligned, args.patches, args.index)


def run_dataset(args: argparse.Namespace) -> None:
    from crossres.pairs.dataset import assemble

    settings, grid = _section(args, "dataset"), _section(args, "grid")
    assemble(settings, grid, args.pairs, args.patches, args.aligned, args.regions, args.output)


def run_held_out(args: argparse.Namespace) -> None:
    from crossres.pairs.held_out import held_out_mask

    held_out_mask(args.pair, args.mask, args.index, _section(args, "patches").lr_px, args.output)


def run_cache(args: argparse.Namespace) -> None:
    from crossres.pairs.cache import write_cache

    write_cache(args.dataset, args.index, args.output)


def run_train(args: argparse.Namespace) -> None:
    from crossres.diffusion.processes import share
    from crossres.diffusion.training import train

    model, settings = _section(args, "model"), _section(args, "train")
    content = _settings(args.settings)
    if "models" in content:  # a whole configuration: the model is chosen by its name
        config = configuration.parse(content)
        if args.name not in config.models:
            raise UserError(f"--name: {args.name!r} is not one of models: {', '.join(config.models)}")
        model, settings = config.variant(args.name)
    if share(settings.processes, args.arguments):
        return
    train(settings, model, args.dataset, args.index, args.summary, args.output, args.events)


def run_distill(args: argparse.Namespace) -> None:
    from crossres.diffusion.checkpoint import load_card
    from crossres.diffusion.distillation import distill
    from crossres.diffusion.processes import share

    settings = _section(args, "distill")
    if share(load_card(args.teacher).train.processes, args.arguments):
        return
    distill(settings, args.teacher, args.dataset, args.index, args.summary, args.output, args.events)


def run_sample(args: argparse.Namespace) -> None:
    from crossres.diffusion.scenes import sample_scene
    from crossres.settings.sample import ArmSettings, TilingSettings

    content = _settings(args.settings)
    if "sample" in content:  # a whole configuration: the arm is chosen by its name
        chosen = _section(args, "sample")
        if args.name not in chosen.arms:
            raise UserError(f"--name: {args.name!r} is not one of sample.arms: {', '.join(chosen.arms)}")
        arm, tiling = chosen.arms[args.name], chosen.tiling
    else:
        arm = configuration.parse(content.get("arm", {}), "arm", ArmSettings)
        tiling = configuration.parse(content.get("tiling", {}), "tiling", TilingSettings)
    sample_scene(arm, tiling, args.name, args.lr, None, args.model, args.output)


def run_super_resolve(args: argparse.Namespace) -> None:
    from crossres.diffusion.scenes import super_resolve
    from crossres.settings.sample import ArmSettings, TilingSettings

    arm = configuration.parse(
        {"start": args.start, "steps": args.steps, "samples": args.samples}, "super-resolve", ArmSettings
    )
    tiling = configuration.parse({"seed": args.seed, "consistency": args.consistency}, "super-resolve", TilingSettings)
    super_resolve(args.scene, args.checkpoint, args.output, arm, tiling)


def run_external(args: argparse.Namespace) -> None:
    from crossres.evaluate.external import take_external

    lr_scene = read_json(args.pair)["lr"]
    bands = _section(args, "grid").bands
    take_external(args.folder, args.pair.stem, lr_scene, args.hr, bands, args.output)


def run_evaluate(args: argparse.Namespace) -> None:
    from crossres.evaluate.scene import evaluate_scene

    arms = {path.name: path for path in args.arms}
    settings, grid = _section(args, "evaluate"), _section(args, "grid")
    evaluate_scene(settings, grid, args.pair, args.aligned, arms, args.output, args.mask, args.threads)


def run_summarise(args: argparse.Namespace) -> None:
    from crossres.evaluate.report_inputs import held_out
    from crossres.evaluate.summary import summarise

    summarise(_section(args, "evaluate"), held_out(args.dataset, args.scenes), args.primary, args.summary, args.table)


def run_claim(args: argparse.Namespace) -> None:
    from crossres.evaluate.claim_curves import claim

    given = _settings(args.settings).get("models") or {"main": {}}
    models = {name: configuration.parse(own, f"models.{name}", ModelVariant) for name, own in given.items()}
    arms = _section(args, "sample").arms
    claim(_section(args, "evaluate"), arms, models, args.table, args.output, args.curves, args.figure)


def run_figures(args: argparse.Namespace) -> None:
    from crossres.evaluate.figures import figures
    from crossres.evaluate.report_inputs import held_out

    arms = _section(args, "sample").model_dump(mode="json")["arms"]
    figures(arms, args.summary, held_out(args.dataset, args.scenes), args.output)


def run_report(args: argparse.Namespace) -> None:
    from crossres.evaluate.report import report
    from crossres.evaluate.report_inputs import ReportInputs

    inputs = ReportInputs.of_run(args.run, args.primary, args.model)
    report(_section(args, "report"), _mapping(str(args.run / "config.yaml")), inputs, args.output)


def run_compare(args: argparse.Namespace) -> None:
    from crossres.evaluate.compare import compare

    compare(args.runs, args.output)


def run_costs(args: argparse.Namespace) -> None:
    from crossres.evaluate.costs import costs

    costs(args.run, args.output)
