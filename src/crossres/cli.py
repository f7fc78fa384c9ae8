"""The command line: `crossres STAGE ...`, one subcommand per stage, usable without Snakemake.

Every stage takes `--settings`: a configuration file, or JSON with the sections it needs (what the workflow passes).
A subcommand imports its stage only when it runs.
"""

import argparse
import logging
import sys
from pathlib import Path
from typing import Any, NoReturn

import yaml

from crossres.damaged import damaged
from crossres.errors import UserError
from crossres.files import read_json, to_delete
from crossres.settings import config as configuration
from crossres.settings.model import ModelVariant

log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> None:
    """Run one stage; a `UserError`, or a damaged input, ends as one line on stderr and exit status 1."""
    arguments = sys.argv[1:] if arguments is None else arguments
    args = _parser().parse_args(arguments)
    args.arguments = arguments
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        args.run_stage(args)
    except UserError as error:
        _end(args.stage, error)
    except Exception:
        log.info("crossres %s failed; reading its inputs, should one be damaged", args.stage)
        broken = damaged(_inputs(args))
        if broken is None:
            raise
        _end(args.stage, f"{broken}: damaged; delete {to_delete(broken)} and run again")
    log.info("peak memory: %d MB", _peak_memory_mb())


def _end(stage: str, why: object) -> NoReturn:
    print(f"crossres {stage}: error: {why}", file=sys.stderr)
    sys.exit(1)


def _inputs(args: argparse.Namespace) -> list[Path]:
    given = [value for name, value in vars(args).items() if name != "output"]
    flat = [part for value in given for part in (value if isinstance(value, list) else [value])]
    return [part for part in flat if isinstance(part, Path)]


def _peak_memory_mb() -> float:
    """Return the largest resident memory so far, of this process or of one that it started."""
    import resource  # not on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(who).ru_maxrss for who in both) * unit / 1e6


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


def _config(args: argparse.Namespace) -> None:
    from crossres.files import whole
    from crossres.settings.config import parse  # here too, for command_version

    content = parse(_settings(args.settings), "--settings").model_dump(mode="json")
    with whole(args.output) as part:
        part.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _schema(args: argparse.Namespace) -> None:
    from crossres.files import write_json

    write_json(args.output, configuration.schema())


def _simulate(args: argparse.Namespace) -> None:
    from crossres.simulate.places import place_number
    from crossres.simulate.world import simulate_place

    simulate_place(_section(args, "simulate"), place_number(args.place), args.output)


def _link_world(args: argparse.Namespace) -> None:
    from crossres.simulate.world import link_world

    link_world(_section(args, "simulate"), args.places, args.output)


def _catalog(args: argparse.Namespace) -> None:
    from crossres.acquire.catalog import catalog_folder, catalog_gaofen2
    from crossres.settings.search import FolderSource

    if args.kind == "gaofen2":
        catalog_gaofen2(args.folder, args.output)
        return
    content = {"kind": "folder", "path": str(args.folder)} | _mapping(args.source)
    catalog_folder(configuration.parse(content, "--source", FolderSource), args.folder, args.output)


def _chips(args: argparse.Namespace) -> None:
    from crossres.acquire.chips import place_chips

    place_chips(args.lr, args.hr, args.lr_gsd_m, args.output)


def _search(args: argparse.Namespace) -> None:
    from crossres.acquire.search import search

    search(_section(args, "search"), _section(args, "grid"), args.lr, args.hr, args.output)


def _download(args: argparse.Namespace) -> None:
    from crossres.acquire.download import download
    from crossres.acquire.lock.lock_file import read_lock

    acquire, grid = _section(args, "acquire"), _section(args, "grid")
    checksums = None
    if args.lock is not None:
        run = args.item.parents[2]  # items/scenes/<id>.json of the run's folder
        checksums = read_lock(args.lock).checksums(args.item.stem, run, acquire, grid)
    download(acquire, grid, args.item, args.dem, args.output, args.reference, checksums)


def _lock(args: argparse.Namespace) -> None:
    from crossres.acquire.lock.lock_run import lock_run

    lock_run(args.run, args.output)


def _coregister(args: argparse.Namespace) -> None:
    from crossres.align.coregister import coregister

    pair = read_json(args.pair)
    coregister(_section(args, "coregister"), _section(args, "grid"), pair, args.lr, args.hr, args.output)


def _normalise(args: argparse.Namespace) -> None:
    from crossres.align.normalise import normalise

    settings, grid = _section(args, "normalise"), _section(args, "grid")
    normalise(settings, grid, args.lr, args.registered, args.registration, args.output)


def _patches(args: argparse.Namespace) -> None:
    from crossres.pairs.extract import extract

    settings, grid = _section(args, "patches"), _section(args, "grid")
    extract(settings, grid, read_json(args.pair), args.aligned, args.patches, args.index)


def _dataset(args: argparse.Namespace) -> None:
    from crossres.pairs.dataset import assemble

    settings, grid = _section(args, "dataset"), _section(args, "grid")
    assemble(settings, grid, args.pairs, args.patches, args.aligned, args.regions, args.output)


def _held_out(args: argparse.Namespace) -> None:
    from crossres.pairs.held_out import held_out_mask

    held_out_mask(args.pair, args.mask, args.index, _section(args, "patches").lr_px, args.output)


def _cache(args: argparse.Namespace) -> None:
    from crossres.pairs.cache import write_cache

    write_cache(args.dataset, args.index, args.output)


def _train(args: argparse.Namespace) -> None:
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


def _distill(args: argparse.Namespace) -> None:
    from crossres.diffusion.checkpoint import load_card
    from crossres.diffusion.distillation import distill
    from crossres.diffusion.processes import share

    settings = _section(args, "distill")
    if share(load_card(args.teacher).train.processes, args.arguments):
        return
    distill(settings, args.teacher, args.dataset, args.index, args.summary, args.output, args.events)


def _sample(args: argparse.Namespace) -> None:
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


def _super_resolve(args: argparse.Namespace) -> None:
    from crossres.diffusion.scenes import super_resolve
    from crossres.settings.sample import ArmSettings, TilingSettings

    arm = configuration.parse(
        {"start": args.start, "steps": args.steps, "samples": args.samples}, "super-resolve", ArmSettings
    )
    tiling = configuration.parse({"seed": args.seed, "consistency": args.consistency}, "super-resolve", TilingSettings)
    super_resolve(args.scene, args.checkpoint, args.output, arm, tiling)


def _external(args: argparse.Namespace) -> None:
    from crossres.evaluate.external import take_external

    lr_scene = read_json(args.pair)["lr"]
    bands = _section(args, "grid").bands
    take_external(args.folder, args.pair.stem, lr_scene, args.hr, bands, args.output)


def _evaluate(args: argparse.Namespace) -> None:
    from crossres.evaluate.scene import evaluate_scene

    arms = {path.name: path for path in args.arms}
    settings, grid = _section(args, "evaluate"), _section(args, "grid")
    evaluate_scene(settings, grid, args.pair, args.aligned, arms, args.output, args.mask, args.threads)


def _summarise(args: argparse.Namespace) -> None:
    from crossres.evaluate.report_inputs import held_out
    from crossres.evaluate.summary import summarise

    summarise(_section(args, "evaluate"), held_out(args.dataset, args.scenes), args.primary, args.summary, args.table)


def _claim(args: argparse.Namespace) -> None:
    from crossres.evaluate.claim_curves import claim

    given = _settings(args.settings).get("models") or {"main": {}}
    models = {name: configuration.parse(own, f"models.{name}", ModelVariant) for name, own in given.items()}
    arms = _section(args, "sample").arms
    claim(_section(args, "evaluate"), arms, models, args.table, args.output, args.curves, args.figure)


def _figures(args: argparse.Namespace) -> None:
    from crossres.evaluate.figures import figures
    from crossres.evaluate.report_inputs import held_out

    arms = _section(args, "sample").model_dump(mode="json")["arms"]
    figures(arms, args.summary, held_out(args.dataset, args.scenes), args.output)


def _report(args: argparse.Namespace) -> None:
    from crossres.evaluate.report import report
    from crossres.evaluate.report_inputs import ReportInputs

    inputs = ReportInputs.of_run(args.run, args.primary, args.model)
    report(_section(args, "report"), _mapping(str(args.run / "config.yaml")), inputs, args.output)


def _compare(args: argparse.Namespace) -> None:
    from crossres.evaluate.compare import compare

    compare(args.runs, args.output)


def _costs(args: argparse.Namespace) -> None:
    from crossres.evaluate.costs import costs

    costs(args.run, args.output)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="crossres", description="Cross-sensor super-resolution of satellite images, stage by stage."
    )
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")

    def stage(name: str, run: Any, summary: str, settings: bool = True) -> argparse.ArgumentParser:
        sub = stages.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        sub.set_defaults(run_stage=run)
        if settings:
            sub.add_argument(
                "--settings", metavar="FILE|JSON", help="a configuration file, or JSON with this stage's sections"
            )
        return sub

    def path(sub: argparse.ArgumentParser, *options: str, help: str = "", many: bool = False) -> None:
        for option in options:
            sub.add_argument(option, type=Path, required=True, help=help, metavar="PATH", nargs="+" if many else None)

    sub = stage("simulate", _simulate, "simulate one place of the embedded default, seen by both sensors")
    sub.add_argument("--place", required=True, help="name of the place: place00, place01, ...")
    path(sub, "--output", help="folder to write")

    sub = stage("link-world", _link_world, "link simulated places to one static STAC catalogue and one DEM")
    path(sub, "--places", help="folders that `simulate` wrote", many=True)
    path(sub, "--output", help="folder to write to: catalog.json and dem.vrt")

    sub = stage("catalog", _catalog, "make a static STAC catalogue of a folder of scenes", settings=False)
    sub.add_argument("kind", choices=["folder", "gaofen2"], help="GeoTIFFs, or Gaofen-2 L1A packages")
    sub.add_argument("folder", type=Path, metavar="FOLDER")
    sub.add_argument(
        "--source", metavar="FILE|JSON", help="settings of a source of kind folder: its sensor, its pattern"
    )
    path(sub, "--output", help="folder to write")

    sub = stage("chips", _chips, "give ready-made pairs of images without georeference a place", settings=False)
    path(sub, "--lr", "--hr", help="folder of PNG, TIFF or other images, those of a pair of one name")
    sub.add_argument("--lr-gsd-m", type=float, required=True, help="pixel size of the LR images, in metres")
    path(sub, "--output", help="folder to write: <name>_lr.tif and <name>_hr.tif")

    sub = stage("search", _search, "search for scenes and pair them")
    for role in ("lr", "hr"):
        text = f"static catalogues of {role.upper()} scenes, one per source that has one (none for an API)"
        sub.add_argument(f"--{role}", metavar="CATALOG", nargs="+", help=text)
    path(sub, "--output", help="folder of items to write")

    sub = stage("download", _download, "fetch one scene as reflectance on its own grid")
    path(sub, "--item", help="the scene's STAC item, as `search` wrote it")
    sub.add_argument("--dem", metavar="RASTER", help="elevation model for orthorectification")
    sub.add_argument(
        "--reference",
        metavar="SCENE",
        type=Path,
        help="folder of a scene to refine the RPCs of a Gaofen-2 package with",
    )
    sub.add_argument("--lock", type=Path, metavar="FILE", help="lock file that sources and result are checked against")
    path(sub, "--output", help="folder to write")

    sub = stage("lock", _lock, "freeze the scenes and pairs of a finished run with their checksums", settings=False)
    sub.add_argument("run", type=Path, metavar="RUN_FOLDER", help="folder of the run, such as results/demo")
    path(sub, "--output", help="lock file to write, for search.lock of a configuration")

    sub = stage("coregister", _coregister, "register an HR scene to an LR scene")
    path(sub, "--pair", help="the pair's JSON, as `search` wrote it")
    path(sub, "--lr", "--hr", help="scene folder")
    path(sub, "--output", help="folder to write to")

    sub = stage("normalise", _normalise, "bring the two images of a pair to one radiometry")
    path(sub, "--lr", help="LR scene folder")
    path(sub, "--registered", "--registration", help="what `coregister` wrote")
    path(sub, "--output", help="folder to write to")

    sub = stage("patches", _patches, "cut patch pairs from an aligned pair")
    path(sub, "--pair", help="the pair's JSON, as `search` wrote it")
    path(sub, "--aligned", help="folder that `coregister` and `normalise` wrote")
    path(sub, "--patches", "--index", help="file to write")

    sub = stage("dataset", _dataset, "assemble patches to one dataset, split by place")
    path(sub, "--pairs", help="folder of the pairs' JSON, as `search` wrote it")
    path(sub, "--patches", help="folder of what `patches` wrote: <pair>.npz and <pair>.parquet")
    path(sub, "--aligned", help="folder of what `coregister` wrote: <pair>/registration.json")
    sub.add_argument("--regions", type=Path, metavar="FILE", help="vector file of dataset.regions")
    path(sub, "--output", help="folder to write to: dataset.zarr, index.parquet and what tells of them")

    sub = stage("held-out", _held_out, "mask what is not held out of a scene whose ground is shared out among splits")
    sub.add_argument("--pair", required=True, help="name of the pair")
    path(sub, "--mask", help="mask.tif of the aligned pair")
    path(sub, "--index", help="what `dataset` wrote")
    path(sub, "--output", help="file to write")

    sub = stage("cache", _cache, "unpack a patch dataset that is too large for memory, for training", settings=False)
    path(sub, "--dataset", "--index", help="what `dataset` wrote")
    path(sub, "--output", help="folder to write")

    sub = stage("train", _train, "train the model")
    path(sub, "--dataset", help="the zarr that `dataset` wrote, or the folder that `cache` wrote")
    path(sub, "--index", "--summary", help="what `dataset` wrote")
    path(sub, "--output", help="model folder to write")
    sub.add_argument("--name", default="main", help="which of the models of a configuration file (main)")
    sub.add_argument("--events", type=Path, metavar="PATH", help="folder for TensorBoard's event files")

    sub = stage("distill", _distill, "distil a trained model into one that samples in one step")
    path(sub, "--teacher", help="model folder that `train` wrote")
    path(sub, "--dataset", "--index", "--summary", help="what `dataset` wrote, as it was for the teacher")
    path(sub, "--output", help="model folder to write")
    sub.add_argument("--events", type=Path, metavar="PATH", help="folder for TensorBoard's event files")

    sub = stage("sample", _sample, "super-resolve one held-out scene by one arm")
    sub.add_argument("--name", required=True, help="name of the arm")
    path(sub, "--lr", help="LR scene (COG)")
    path(sub, "--model", help="model folder")
    path(sub, "--output", help="folder to write")

    sub = stage("super-resolve", _super_resolve, "apply a trained model to any Sentinel-2 scene", settings=False)
    sub.add_argument("scene", type=Path, metavar="SCENE", help="SAFE or its zip, STAC item, GeoTIFF, folder of bands")
    path(sub, "--checkpoint", help="model folder (model.safetensors and card.json)")
    path(sub, "--output", help="folder to write")
    sub.add_argument("--start", choices=["lr", "noise", "one-step", "regression", "bicubic", "nearest"], default="lr")
    sub.add_argument("--steps", type=int, default=2, help="solver steps, of two evaluations of the network each (2)")
    sub.add_argument("--samples", type=int, default=4, help="samples; mean and std are over them (4)")
    sub.add_argument("--consistency", choices=["none", "soft", "hard"], default="none")
    sub.add_argument("--seed", type=int, default=0, help="seed of the noise field (0)")

    sub = stage("external", _external, "bring another model's result to the HR grid, to be judged like an arm")
    path(sub, "--pair", help="the pair's JSON, as `search` wrote it")
    path(sub, "--folder", help="holds <pair>.tif or <LR scene>.tif")
    path(sub, "--hr", help="the aligned HR image")
    path(sub, "--output", help="folder to write")

    sub = stage("evaluate", _evaluate, "compare super-resolved images of one scene with the HR image")
    sub.add_argument("--pair", required=True, help="name of the pair")
    path(sub, "--aligned", help="folder with lr.tif, hr.tif and mask.tif")
    sub.add_argument("--mask", type=Path, metavar="FILE", help="what counts instead of mask.tif: see `held-out`")
    path(sub, "--arms", help="folders that `sample` wrote, each named like its arm", many=True)
    sub.add_argument("--threads", type=int, default=1, help="CPU threads; the result does not depend on them (1)")
    path(sub, "--output", help="folder to write")

    sub = stage("summarise", _summarise, "put the metrics of all scenes together")
    path(sub, "--dataset", help="the dataset's summary.json, which names the pairs held out")
    path(sub, "--scenes", help="folder of the folders that `evaluate` wrote, one for each of these pairs")
    sub.add_argument("--primary", required=True, help="the arm that is the product")
    path(sub, "--summary", "--table", help="file to write")

    sub = stage("claim", _claim, "judge whether a start from the LR image saves steps")
    path(sub, "--table", help="the table that `summarise` wrote")
    path(sub, "--output", "--curves", "--figure", help="file to write: JSON, Parquet, PNG")

    sub = stage("figures", _figures, "draw the figures of all scenes together")
    path(sub, "--summary", help="what `summarise` wrote")
    path(sub, "--dataset", help="the dataset's summary.json, which names the pairs held out")
    path(sub, "--scenes", help="folder of the folders that `evaluate` wrote, one for each of these pairs")
    path(sub, "--output", help="folder to write")

    sub = stage("report", _report, "write the report of a run as one page")
    path(sub, "--run", help="the run's folder")
    sub.add_argument("--primary", required=True, help="the arm that is the product")
    sub.add_argument("--model", default="main", help="the model that it is drawn from (main)")
    path(sub, "--output", help="file to write")

    sub = stage("compare", _compare, "put several runs side by side on one page", settings=False)
    sub.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="result folders, such as results/demo")
    path(sub, "--output", help="page to write")

    sub = stage("costs", _costs, "tell what a run took in time and memory, on one page", settings=False)
    sub.add_argument("run", type=Path, metavar="RUN", help="result folder, such as results/demo")
    path(sub, "--output", help="page to write")

    sub = stage("config", _config, "check a configuration and write it down with all defaults")
    path(sub, "--output", help="file to write")

    sub = stage("schema", _schema, "write the JSON schema of the configuration", settings=False)
    path(sub, "--output", help="file to write")
    return parser
