"""The command line: `crossres STAGE ...`, one subcommand per stage, usable without Snakemake.

The stages are in `commands`; here is what surrounds them: where they may write, errors, the log, the engine.
"""

import argparse
import atexit
import gc
import importlib
import logging
import os
import re
import sys
import traceback
from collections.abc import Sequence
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
    # What packages bring is no garbage: to look for it every 700 objects takes a fifth of the time to load them.
    gc.set_threshold(10_000)
    # Nor is what is there at the end of the process: to look through it takes half as long as to load torch.
    atexit.register(gc.freeze)
    arguments = sys.argv[1:] if arguments is None else arguments
    # The command that is named is the only one whose options count: a tenth of a second for all.
    asked = [name for name in arguments[:1] if name in commands.NAMES]
    args = _parser(asked or commands.NAMES).parse_args(_joined(arguments))
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


def _joined(arguments: list[str]) -> list[str]:
    """Return arguments as `--at=-71.1,42.4` where they were apart: a value that begins with - looks like an option."""
    found: list[str] = []
    for argument in arguments:
        if found and found[-1] == "--at" and re.match(r"-[\d.]", argument):
            found[-1] += f"={argument}"
        else:
            found.append(argument)
    return found


def _fill_in(args: argparse.Namespace) -> None:
    """Replace arguments by what they stand for: a model's weights for its folder, a configuration's text for a path."""
    if (name := getattr(args, "model_option", None)) is not None:
        model: Path = getattr(args, name)
        if model.name in {"model.safetensors", "card.json"} and not model.is_dir():
            setattr(args, name, model.parent)
        elif model.is_file():
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

    if args.keep_memory:
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


def _parser(names: Sequence[str] = commands.NAMES) -> argparse.ArgumentParser:
    """Return the parser of these commands."""
    parser = argparse.ArgumentParser(
        prog="crossres", description="Cross-sensor super-resolution of satellite images, stage by stage."
    )
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")
    for name in names:
        command = importlib.import_module(f"crossres.commands.{name.replace('-', '_')}")
        sub = stages.add_parser(name, help=command.__doc__, description=command.__doc__)
        sub.set_defaults(run_stage=command.run, outputs=command.OUTPUTS, kinds={})
        command.arguments(sub)
        if command.OUTPUTS:
            text = "replace an earlier product of this command, and nothing else"
            sub.add_argument("--overwrite", action="store_true", help=text)
    return parser
