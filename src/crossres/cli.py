"""The command line: `crossres STAGE ...`, one subcommand per stage, usable without Snakemake.

Every stage takes `--settings`: a configuration file, or JSON with the sections it needs (what the workflow passes).
What they run is in `commands`.
"""

import argparse
import logging
import sys
from pathlib import Path
from typing import NoReturn

from crossres import commands
from crossres.damaged import damaged
from crossres.errors import UserError
from crossres.files import to_delete

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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="crossres", description="Cross-sensor super-resolution of satellite images, stage by stage."
    )
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")

    def stage(name: str, summary: str, settings: bool = True) -> argparse.ArgumentParser:
        sub = stages.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        # By name, as code_version finds it.
        sub.set_defaults(run_stage=getattr(commands, f"run_{name.replace('-', '_')}"))
        if settings:
            sub.add_argument(
                "--settings", metavar="FILE|JSON", help="a configuration file, or JSON with this stage's sections"
            )
        return sub

    def path(sub: argparse.ArgumentParser, *options: str, help: str = "", many: bool = False) -> None:
        for option in options:
            sub.add_argument(option, type=Path, required=True, help=help, metavar="PATH", nargs="+" if many else None)

    sub = stage("simulate", "simulate one place of the embedded default, seen by both sensors")
    sub.add_argument("--place", required=True, help="name of the place: place00, place01, ...")
    path(sub, "--output", help="folder to write")

    sub = stage("link-world", "link simulated places to one static STAC catalogue and one DEM")
    path(sub, "--places", help="folders that `simulate` wrote", many=True)
    path(sub, "--output", help="folder to write to: catalog.json and dem.vrt")

    sub = stage("catalog", "make a static STAC catalogue of a folder of scenes", settings=False)
    sub.add_argument("kind", choices=["folder", "gaofen2"], help="GeoTIFFs, or Gaofen-2 L1A packages")
    sub.add_argument("folder", type=Path, metavar="FOLDER")
    sub.add_argument(
        "--source", metavar="FILE|JSON", help="settings of a source of kind folder: its sensor, its pattern"
    )
    path(sub, "--output", help="folder to write")

    sub = stage("chips", "give ready-made pairs of images without georeference a place", settings=False)
    path(sub, "--lr", "--hr", help="folder of PNG, TIFF or other images, those of a pair of one name")
    sub.add_argument("--lr-gsd-m", type=float, required=True, help="pixel size of the LR images, in metres")
    path(sub, "--output", help="folder to write: <name>_lr.tif and <name>_hr.tif")

    sub = stage("search", "search for scenes and pair them")
    for role in ("lr", "hr"):
        text = f"static catalogues of {role.upper()} scenes, one per source that has one (none for an API)"
        sub.add_argument(f"--{role}", metavar="CATALOG", nargs="+", help=text)
    path(sub, "--output", help="folder of items to write")

    sub = stage("download", "fetch one scene as reflectance on its own grid")
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

    sub = stage("lock", "freeze the scenes and pairs of a finished run with their checksums", settings=False)
    sub.add_argument("run", type=Path, metavar="RUN_FOLDER", help="folder of the run, such as results/demo")
    path(sub, "--output", help="lock file to write, for search.lock of a configuration")

    sub = stage("coregister", "register an HR scene to an LR scene")
    path(sub, "--pair", help="the pair's JSON, as `search` wrote it")
    path(sub, "--lr", "--hr", help="scene folder")
    path(sub, "--output", help="folder to write to")

    sub = stage("normalise", "bring the two images of a pair to one radiometry")
    path(sub, "--lr", help="LR scene folder")
    path(sub, "--registered", "--registration", help="what `coregister` wrote")
    path(sub, "--output", help="folder to write to")

    sub = stage("patches", "cut patch pairs from an aligned pair")
    path(sub, "--pair", help="the pair's JSON, as `search` wrote it")
    path(sub, "--aligned", help="folder that `coregister` and `normalise` wrote")
    path(sub, "--patches", "--index", help="file to write")

    sub = stage("dataset", "assemble patches to one dataset, split by place")
    path(sub, "--pairs", help="folder of the pairs' JSON, as `search` wrote it")
    path(sub, "--patches", help="folder of what `patches` wrote: <pair>.npz and <pair>.parquet")
    path(sub, "--aligned", help="folder of what `coregister` wrote: <pair>/registration.json")
    sub.add_argument("--regions", type=Path, metavar="FILE", help="vector file of dataset.regions")
    path(sub, "--output", help="folder to write to: dataset.zarr, index.parquet and what tells of them")

    sub = stage("held-out", "mask what is not held out of a scene whose ground is shared out among splits")
    sub.add_argument("--pair", required=True, help="name of the pair")
    path(sub, "--mask", help="mask.tif of the aligned pair")
    path(sub, "--index", help="what `dataset` wrote")
    path(sub, "--output", help="file to write")

    sub = stage("cache", "unpack a patch dataset that is too large for memory, for training", settings=False)
    path(sub, "--dataset", "--index", help="what `dataset` wrote")
    path(sub, "--output", help="folder to write")

    sub = stage("train", "train the model")
    path(sub, "--dataset", help="the zarr that `dataset` wrote, or the folder that `cache` wrote")
    path(sub, "--index", "--summary", help="what `dataset` wrote")
    path(sub, "--output", help="model folder to write")
    sub.add_argument("--name", default="main", help="which of the models of a configuration file (main)")
    sub.add_argument("--events", type=Path, metavar="PATH", help="folder for TensorBoard's event files")

    sub = stage("distill", "distil a trained model into one that samples in one step")
    path(sub, "--teacher", help="model folder that `train` wrote")
    path(sub, "--dataset", "--index", "--summary", help="what `dataset` wrote, as it was for the teacher")
    path(sub, "--output", help="model folder to write")
    sub.add_argument("--events", type=Path, metavar="PATH", help="folder for TensorBoard's event files")

    sub = stage("sample", "super-resolve one held-out scene by one arm")
    sub.add_argument("--name", required=True, help="name of the arm")
    path(sub, "--lr", help="LR scene (COG)")
    path(sub, "--model", help="model folder")
    path(sub, "--output", help="folder to write")

    sub = stage("super-resolve", "apply a trained model to any Sentinel-2 scene", settings=False)
    sub.add_argument("scene", type=Path, metavar="SCENE", help="SAFE or its zip, STAC item, GeoTIFF, folder of bands")
    path(sub, "--checkpoint", help="model folder (model.safetensors and card.json)")
    path(sub, "--output", help="folder to write")
    sub.add_argument("--start", choices=["lr", "noise", "one-step", "regression", "bicubic", "nearest"], default="lr")
    sub.add_argument("--steps", type=int, default=2, help="solver steps (2)")
    sub.add_argument("--samples", type=int, default=4, help="samples; mean and std are over them (4)")
    sub.add_argument("--consistency", choices=["none", "soft", "hard"], default="none")
    sub.add_argument("--seed", type=int, default=0, help="seed of the noise field (0)")

    sub = stage("external", "bring another model's result to the HR grid, to be judged like an arm")
    path(sub, "--pair", help="the pair's JSON, as `search` wrote it")
    path(sub, "--folder", help="holds <pair>.tif or <LR scene>.tif")
    path(sub, "--hr", help="the aligned HR image")
    path(sub, "--output", help="folder to write")

    sub = stage("evaluate", "compare super-resolved images of one scene with the HR image")
    sub.add_argument("--pair", required=True, help="name of the pair")
    path(sub, "--aligned", help="folder with lr.tif, hr.tif and mask.tif")
    sub.add_argument("--mask", type=Path, metavar="FILE", help="what counts instead of mask.tif: see `held-out`")
    path(sub, "--arms", help="folders that `sample` wrote, each named like its arm", many=True)
    sub.add_argument("--threads", type=int, default=1, help="CPU threads; the result does not depend on them (1)")
    path(sub, "--output", help="folder to write")

    sub = stage("summarise", "put the metrics of all scenes together")
    path(sub, "--dataset", help="the dataset's summary.json, which names the pairs held out")
    path(sub, "--scenes", help="folder of the folders that `evaluate` wrote, one for each of these pairs")
    sub.add_argument("--primary", required=True, help="the arm that is the product")
    path(sub, "--summary", "--table", help="file to write")

    sub = stage("claim", "judge whether a start from the LR image saves steps")
    path(sub, "--table", help="the table that `summarise` wrote")
    path(sub, "--output", "--curves", "--figure", help="file to write: JSON, Parquet, PNG")

    sub = stage("figures", "draw the figures of all scenes together")
    path(sub, "--summary", help="what `summarise` wrote")
    path(sub, "--dataset", help="the dataset's summary.json, which names the pairs held out")
    path(sub, "--scenes", help="folder of the folders that `evaluate` wrote, one for each of these pairs")
    path(sub, "--output", help="folder to write")

    sub = stage("report", "write the report of a run as one page")
    path(sub, "--run", help="the run's folder")
    sub.add_argument("--primary", required=True, help="the arm that is the product")
    sub.add_argument("--model", default="main", help="the model that it is drawn from (main)")
    path(sub, "--output", help="file to write")

    sub = stage("compare", "put several runs side by side on one page", settings=False)
    sub.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="result folders, such as results/demo")
    path(sub, "--output", help="page to write")

    sub = stage("costs", "tell what a run took in time and memory, on one page", settings=False)
    sub.add_argument("run", type=Path, metavar="RUN", help="result folder, such as results/demo")
    path(sub, "--output", help="page to write")

    sub = stage("config", "check a configuration and write it down with all defaults")
    path(sub, "--output", help="file to write")

    sub = stage("schema", "write the JSON schema of the configuration", settings=False)
    path(sub, "--output", help="file to write")
    return parser
