"""What each command of `crossres` runs: it checks its settings, imports its stage and hands over what was asked for.

The function of a command has its name, and by that name the workflow knows its code (`code_version`).
"""

import argparse
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from crossres.errors import UserError
from crossres.files import read_json
from crossres.settings import config as configuration
from crossres.settings.model import ModelVariant
from crossres.settings.paths import expand
from crossres.settings.yaml_text import parse_mapping, read_mapping


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
    return parse_mapping(text, "settings") if text.lstrip().startswith("{") else read_mapping(Path(text))


def run_config(args: argparse.Namespace) -> None:
    import yaml

    from crossres.files import whole
    from crossres.settings.config import parse  # here too, for command_version

    content = parse(_settings(args.settings), "--settings").model_dump(mode="json")
    with whole(args.output) as part:
        part.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def run_schema(args: argparse.Namespace) -> None:
    from crossres.files import write_json

    write_json(args.output, configuration.schema())


def run_simulate(args: argparse.Namespace) -> None:
    from crossres.simulate.place_names import place_number
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
    from crossres.acquire.remote.addresses import name_host
    from crossres.acquire.search import search

    for host in _section(args, "acquire").private_hosts:
        name_host(host)
    settings = _section(args, "search")
    if settings.lock is None:
        known = {role: tuple(map(_with_url, getattr(settings, role))) for role in ("lr", "hr")}
        settings = settings.model_copy(update=known)
    search(settings, _section(args, "grid"), args.lr, args.hr, args.output)


def _with_url(source: Any) -> Any:
    """Return a source with the environment variables of its URL filled in, which no job is told."""
    return source.model_copy(update={"url": expand(source.url, Path())}) if source.kind == "stac-api" else source


def run_download(args: argparse.Namespace) -> None:
    from crossres.acquire.download import download
    from crossres.acquire.lock.lock_file import read_lock

    acquire, grid = _section(args, "acquire"), _section(args, "grid")
    checksums = None
    if args.lock is not None:
        run = args.item.parents[2]  # items/scenes/<id>.json of the run's folder
        checksums = read_lock(args.lock).checksums(args.item.stem, run, acquire, grid)
    acquire = acquire.model_copy(update={"dem_api": expand(acquire.dem_api, Path())})
    download(acquire, grid, args.item, args.dem, args.output, args.reference, checksums)


def run_lock(args: argparse.Namespace) -> None:
    from crossres.acquire.lock.lock_run import lock_run

    lock_run(args.run, args.output)


def run_coregister(args: argparse.Namespace) -> None:
    from crossres.align.registration.coregister import coregister

    pair = read_json(args.pair)
    coregister(_section(args, "coregister"), _section(args, "grid"), pair, args.lr, args.hr, args.output)


def run_normalise(args: argparse.Namespace) -> None:
    from crossres.align.radiometry.normalise import normalise

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
    from crossres.diffusion.train.processes import share
    from crossres.diffusion.train.training import train

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
    from crossres.diffusion.model.checkpoint import load_card
    from crossres.diffusion.train.distillation import distill
    from crossres.diffusion.train.processes import share

    settings = _section(args, "distill")
    if share(load_card(args.teacher).train.processes, args.arguments):
        return
    distill(settings, args.teacher, args.dataset, args.index, args.summary, args.output, args.events)


def run_sample(args: argparse.Namespace) -> None:
    from crossres.diffusion.sample.scenes import sample_scene
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
    mtf = _section(args, "grid").lr_mtf
    sample_scene(arm, tiling, args.name, args.lr, args.model, args.output, mtf)


def run_super_resolve(args: argparse.Namespace) -> None:
    from crossres.acquire.bands.numbers import Stated
    from crossres.acquire.read.scene import read_any
    from crossres.acquire.stac.hrefs import is_remote, without_signature
    from crossres.diffusion.model.checkpoint import load_card
    from crossres.diffusion.sample.lr_scene import check_gsd
    from crossres.diffusion.sample.scenes import super_resolve
    from crossres.outputs import scene_outputs
    from crossres.settings.sample import ArmSettings, TilingSettings

    arm = configuration.parse(
        {"start": args.start, "steps": args.steps, "samples": args.samples}, "super-resolve", ArmSettings
    )
    tiling = configuration.parse({"seed": args.seed, "consistency": args.consistency}, "super-resolve", TilingSettings)
    card = load_card(args.checkpoint)
    numbers = Stated(scale=args.scale, offset=args.offset, nodata=args.nodata)
    for scene, output in scene_outputs(args.scenes, args.output):
        # Read as `download` reads, and once: what is sampled is a scene of ours, whatever was given.
        read = output.with_name(f".{output.name}.crossres-scene")
        try:
            shown = without_signature(scene)
            fits = partial(check_gsd, shown, card.lr_gsd_m)
            name = read_any(scene, card.bands, card.lr_gsd_m, read, numbers, fits)
            origin = shown if is_remote(scene) else Path(os.path.relpath(scene, output)).as_posix()
            super_resolve(read, name, origin, args.checkpoint, output, arm, tiling)
        finally:
            shutil.rmtree(read, ignore_errors=True)


def run_external(args: argparse.Namespace) -> None:
    from crossres.acquire.read.result import read_result
    from crossres.evaluate.external import take_external

    lr_scene = read_json(args.pair)["lr"]
    bands = _section(args, "grid").bands
    take_external(args.folder, args.pair.stem, lr_scene, args.hr, bands, read_result, args.output)


def run_evaluate(args: argparse.Namespace) -> None:
    from crossres.evaluate.scene import evaluate_scene

    arms = {path.name: path for path in args.arms}
    settings, grid = _section(args, "evaluate"), _section(args, "grid")
    evaluate_scene(settings, grid, args.pair, args.aligned, arms, args.output, args.mask)


def run_summarise(args: argparse.Namespace) -> None:
    from crossres.evaluate.report.inputs import held_out
    from crossres.evaluate.results.summary import summarise

    summarise(_section(args, "evaluate"), held_out(args.dataset, args.scenes), args.primary, args.summary, args.table)


def run_claim(args: argparse.Namespace) -> None:
    from crossres.evaluate.results.claim_curves import claim

    given = _settings(args.settings).get("models") or {"main": {}}
    models = {name: configuration.parse(own, f"models.{name}", ModelVariant) for name, own in given.items()}
    arms = _section(args, "sample").arms
    claim(_section(args, "evaluate"), arms, models, args.table, args.output, args.curves, args.figure)


def run_figures(args: argparse.Namespace) -> None:
    from crossres.evaluate.charts.over_scenes import figures
    from crossres.evaluate.report.inputs import held_out

    arms = _section(args, "sample").model_dump(mode="json")["arms"]
    figures(arms, args.summary, held_out(args.dataset, args.scenes), args.output)


def run_report(args: argparse.Namespace) -> None:
    from crossres.evaluate.report.inputs import ReportInputs
    from crossres.evaluate.report.run_report import report

    inputs = ReportInputs.of_run(args.run, args.primary, args.model)
    report(_section(args, "report"), _mapping(str(args.run / "config.yaml")), inputs, args.output)


def run_compare(args: argparse.Namespace) -> None:
    from crossres.evaluate.report.compare import compare

    compare(args.runs, args.output)


def run_costs(args: argparse.Namespace) -> None:
    from crossres.evaluate.report.costs import costs

    costs(args.run, args.output)
