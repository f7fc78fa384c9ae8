"""The command line: `crossres STAGE ...`, one subcommand per stage, usable without Snakemake.

Every stage takes `--settings`: a configuration file, or JSON with the sections it needs (what the workflow passes).
What they run is in `commands`.
"""

import argparse
import logging
import os
import sys
import traceback
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NoReturn

# Before numpy and GDAL are loaded, which read these once. Blocks go through threads of our own; a library that starts
# as many again in each would only wait. Training says by itself how many it takes.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
os.environ.setdefault("GDAL_CACHEMAX", "128")  # MB; its own default is a share of the machine's memory

from crossres import commands
from crossres.damaged import blamed
from crossres.errors import UserError
from crossres.outputs import guard, inputs
from crossres.secrets import without_secrets
from crossres.settings.paths import expand
from crossres.unfinished import leave_nothing_when_terminated

log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> None:
    """Run one stage; a `UserError`, or an input that cannot be read, ends as one line on stderr and exit status 1."""
    arguments = sys.argv[1:] if arguments is None else arguments
    args = _parser().parse_args(arguments)
    args.arguments = arguments
    _log_without_secrets()
    leave_nothing_when_terminated()
    try:
        _fill_in(args)
        guard(args)
        with _engine(args):
            args.run_stage(args)
    except UserError as error:
        _end(args.stage, error)
    except KeyboardInterrupt:
        print(f"crossres {args.stage}: stopped", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        log.info("crossres %s failed; reading its inputs, should one be damaged", args.stage)
        why = blamed(error, inputs(args), {getattr(args, name): kind for name, kind in args.kinds.items()})
        if why is None:
            raise
        _end(args.stage, why)
    log.info("peak memory: %d MB", _peak_memory_mb())


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def _fill_in(args: argparse.Namespace) -> None:
    """Replace arguments by what they stand for: a model's weights for its folder, a configuration's text for a path."""
    for name in ("checkpoint", "model", "teacher"):
        model = getattr(args, name, None)
        if isinstance(model, Path) and model.name in {"model.safetensors", "card.json"} and not model.is_dir():
            setattr(args, name, model.parent)
        elif isinstance(model, Path) and model.is_file():
            raise UserError(f"{model}: is a file; name the model's folder (model.safetensors and card.json)")
    if getattr(args, "configured", None) and args.run is not None:
        for name in args.configured:
            value = getattr(args, name)
            if isinstance(value, list):
                setattr(args, name, [expand(text, args.run) for text in value])
            elif value is not None:
                setattr(args, name, type(value)(expand(str(value), args.run)))


def _engine(args: argparse.Namespace) -> AbstractContextManager[None]:
    if not hasattr(args, "threads"):
        return nullcontext()
    from crossres.imagery.engine import computing, keep_memory

    # Training's arrays are small, and when memory runs out it goes on with what it gave back.
    if args.stage not in ("train", "distill"):
        keep_memory()
    return computing(args.threads)


class _WithoutSecrets(logging.Formatter):
    """What libraries log holds URLs as they were asked for."""

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


def _log_without_secrets() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_WithoutSecrets("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # Where it is a fault of this package, too, what it was doing may name a URL.
    sys.excepthook = lambda *error: print(without_secrets("".join(traceback.format_exception(*error))), file=sys.stderr)
    # What GDAL says of a damaged file may be in no encoding; rasterio cannot pass that on, and nothing hangs on it.
    sys.unraisablehook = lambda ignored: log.info("ignored: %s", ignored.exc_value)


def _end(stage: str, why: object) -> NoReturn:
    line = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in str(why))
    print(f"crossres {stage}: error: {without_secrets(line)}", file=sys.stderr)
    sys.exit(1)


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
        sub.set_defaults(run_stage=getattr(commands, f"run_{name.replace('-', '_')}"), kinds={})
        if settings:
            sub.add_argument(
                "--settings", metavar="FILE|JSON", help="a configuration file, or JSON with this stage's sections"
            )
        sub.add_argument(
            "--overwrite", action="store_true", help="replace an earlier product of this command, and nothing else"
        )
        return sub

    def path(sub: argparse.ArgumentParser, *options: str, help: str = "", many: bool = False, kind: str = "") -> None:
        for option in options:
            sub.add_argument(option, type=Path, required=True, help=help, metavar="PATH", nargs="+" if many else None)
            if kind:
                kinds = sub.get_default("kinds")
                sub.set_defaults(kinds=kinds | {option.lstrip("-"): kind})

    def threads(sub: argparse.ArgumentParser) -> None:
        every = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        text = f"CPU threads; the result does not depend on them (all of this machine, {every})"
        sub.add_argument("--threads", type=_at_least_one, default=every, metavar="N", help=text)

    def configured(sub: argparse.ArgumentParser, *names: str) -> None:
        sub.set_defaults(configured=names)
        sub.add_argument(
            "--run",
            type=Path,
            metavar="RUN_FOLDER",
            help=f"take {', '.join(names)} as a configuration writes them: {{run}} is this folder, ${{NAME}} an "
            "environment variable",
        )

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
    configured(sub, "folder")

    sub = stage("chips", "give ready-made pairs of images without georeference a place", settings=False)
    path(sub, "--lr", "--hr", help="folder of PNG, TIFF or other images, those of a pair of one name")
    sub.add_argument("--lr-gsd-m", type=float, required=True, help="pixel size of the LR images, in metres")
    path(sub, "--output", help="folder to write: <name>_lr.tif and <name>_hr.tif")

    sub = stage("search", "search for scenes and pair them")
    for role in ("lr", "hr"):
        text = f"static catalogues of {role.upper()} scenes, one per source that has one (none for an API)"
        sub.add_argument(f"--{role}", metavar="CATALOG", nargs="+", help=text)
    path(sub, "--output", help="folder of items to write")
    configured(sub, "lr", "hr")

    sub = stage("download", "fetch one scene as reflectance on its own grid")
    path(sub, "--item", help="the scene's STAC item, as `search` wrote it", kind=".json")
    sub.add_argument("--dem", metavar="RASTER", help="elevation model for orthorectification")
    sub.add_argument(
        "--reference",
        metavar="SCENE",
        type=Path,
        help="folder of a scene to refine the RPCs of a Gaofen-2 package with",
    )
    sub.add_argument("--lock", type=Path, metavar="FILE", help="lock file that sources and result are checked against")
    path(sub, "--output", help="folder to write")
    configured(sub, "dem", "lock")
    threads(sub)

    sub = stage("lock", "freeze the scenes and pairs of a finished run with their checksums", settings=False)
    sub.add_argument("run", type=Path, metavar="RUN_FOLDER", help="folder of the run, such as results/demo")
    path(sub, "--output", help="lock file to write, for search.lock of a configuration")

    sub = stage("coregister", "register an HR scene to an LR scene")
    path(sub, "--pair", help="the pair's JSON, as `search` wrote it", kind=".json")
    path(sub, "--lr", "--hr", help="scene folder", kind="folder")
    path(sub, "--output", help="folder to write to")
    threads(sub)

    sub = stage("normalise", "bring the two images of a pair to one radiometry")
    path(sub, "--lr", help="LR scene folder", kind="folder")
    path(sub, "--registered", help="what `coregister` wrote", kind=".tif")
    path(sub, "--registration", help="what `coregister` wrote", kind=".json")
    path(sub, "--output", help="folder to write to")
    threads(sub)

    sub = stage("patches", "cut patch pairs from an aligned pair")
    path(sub, "--pair", help="the pair's JSON, as `search` wrote it", kind=".json")
    path(sub, "--aligned", help="folder that `coregister` and `normalise` wrote", kind="folder")
    path(sub, "--patches", "--index", help="file to write")
    threads(sub)

    sub = stage("dataset", "assemble patches to one dataset, split by place")
    path(sub, "--pairs", help="folder of the pairs' JSON, as `search` wrote it", kind="folder")
    path(sub, "--patches", help="folder of what `patches` wrote: <pair>.zip and <pair>.parquet", kind="folder")
    path(sub, "--aligned", help="folder of what `coregister` wrote: <pair>/registration.json", kind="folder")
    sub.add_argument("--regions", type=Path, metavar="FILE", help="vector file of dataset.regions")
    path(sub, "--output", help="folder to write to: dataset.zarr, index.parquet and what tells of them")
    configured(sub, "regions")

    sub = stage("held-out", "mask what is not held out of a scene whose ground is shared out among splits")
    sub.add_argument("--pair", required=True, help="name of the pair")
    path(sub, "--mask", help="mask.tif of the aligned pair", kind=".tif")
    path(sub, "--index", help="what `dataset` wrote", kind=".parquet")
    path(sub, "--output", help="file to write")

    sub = stage("cache", "unpack a patch dataset that is too large for memory, for training", settings=False)
    path(sub, "--dataset", help="what `dataset` wrote", kind="folder")
    path(sub, "--index", help="what `dataset` wrote", kind=".parquet")
    path(sub, "--output", help="folder to write")

    sub = stage("train", "train the model")
    path(sub, "--dataset", help="the zarr that `dataset` wrote, or the folder that `cache` wrote", kind="folder")
    path(sub, "--index", help="what `dataset` wrote", kind=".parquet")
    path(sub, "--summary", help="what `dataset` wrote", kind=".json")
    path(sub, "--output", help="model folder to write")
    sub.add_argument("--name", default="main", help="which of the models of a configuration file (main)")
    sub.add_argument("--events", type=Path, metavar="PATH", help="folder for TensorBoard's event files")
    threads(sub)

    sub = stage("distill", "distil a trained model into one that samples in one step")
    path(sub, "--teacher", help="model folder that `train` wrote", kind="folder")
    path(sub, "--dataset", help="what `dataset` wrote, as it was for the teacher", kind="folder")
    path(sub, "--index", help="what `dataset` wrote, as it was for the teacher", kind=".parquet")
    path(sub, "--summary", help="what `dataset` wrote, as it was for the teacher", kind=".json")
    path(sub, "--output", help="model folder to write")
    sub.add_argument("--events", type=Path, metavar="PATH", help="folder for TensorBoard's event files")
    threads(sub)

    sub = stage("sample", "super-resolve one held-out scene by one arm")
    sub.add_argument("--name", required=True, help="name of the arm")
    path(sub, "--lr", help="LR scene (COG)", kind=".tif")
    path(sub, "--model", help="model folder", kind="folder")
    path(sub, "--output", help="folder to write")
    threads(sub)

    sub = stage("super-resolve", "apply a trained model to any Sentinel-2 scene", settings=False)
    sub.add_argument(
        "scenes",
        metavar="SCENE",
        nargs="+",
        help="SAFE or its zip, STAC item or its URL, GeoTIFF, folder of bands, Gaofen-2 package",
    )
    path(sub, "--checkpoint", help="model folder (model.safetensors and card.json)", kind="folder")
    path(sub, "--output", help="folder to write; of several scenes, each goes into a folder of its own name in it")
    for number, text in (("scale", "reflectance = scale * DN + offset"), ("offset", "see --scale"), ("nodata", "DN")):
        help = f"{text}, for all bands; where a scene does not say it, or says it wrong"
        sub.add_argument(f"--{number}", type=float, metavar="NUMBER", help=help)
    sub.add_argument("--start", choices=["lr", "noise", "one-step", "regression", "bicubic", "nearest"], default="lr")
    sub.add_argument("--steps", type=int, default=2, help="solver steps (2)")
    sub.add_argument("--samples", type=int, default=4, help="samples; mean and std are over them (4)")
    sub.add_argument("--consistency", choices=["none", "soft", "hard"], default="none")
    sub.add_argument("--seed", type=int, default=0, help="seed of the noise field (0)")
    threads(sub)

    sub = stage("external", "bring another model's result to the HR grid, to be judged like an arm")
    path(sub, "--pair", help="the pair's JSON, as `search` wrote it", kind=".json")
    path(sub, "--folder", help="holds <pair>.tif or <LR scene>.tif", kind="folder")
    path(sub, "--hr", help="the aligned HR image", kind=".tif")
    path(sub, "--output", help="folder to write")
    configured(sub, "folder")

    sub = stage("evaluate", "compare super-resolved images of one scene with the HR image")
    sub.add_argument("--pair", required=True, help="name of the pair")
    path(sub, "--aligned", help="folder with lr.tif, hr.tif and mask.tif", kind="folder")
    sub.add_argument("--mask", type=Path, metavar="FILE", help="what counts instead of mask.tif: see `held-out`")
    path(sub, "--arms", help="folders that `sample` wrote, each named like its arm", many=True)
    path(sub, "--output", help="folder to write")
    threads(sub)

    sub = stage("summarise", "put the metrics of all scenes together")
    path(sub, "--dataset", help="the dataset's summary.json, which names the pairs held out", kind=".json")
    path(
        sub, "--scenes", help="folder of the folders that `evaluate` wrote, one for each of these pairs", kind="folder"
    )
    sub.add_argument("--primary", required=True, help="the arm that is the product")
    path(sub, "--summary", "--table", help="file to write")

    sub = stage("claim", "judge whether a start from the LR image saves steps")
    path(sub, "--table", help="the table that `summarise` wrote", kind=".parquet")
    path(sub, "--output", "--curves", "--figure", help="file to write: JSON, Parquet, PNG")

    sub = stage("figures", "draw the figures of all scenes together")
    path(sub, "--summary", help="what `summarise` wrote", kind=".json")
    path(sub, "--dataset", help="the dataset's summary.json, which names the pairs held out", kind=".json")
    path(
        sub, "--scenes", help="folder of the folders that `evaluate` wrote, one for each of these pairs", kind="folder"
    )
    path(sub, "--output", help="folder to write")

    sub = stage("report", "write the report of a run as one page")
    path(sub, "--run", help="the run's folder", kind="folder")
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
