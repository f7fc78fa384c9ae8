"""Lay an experiment out in a folder (new), or run the workflow that this package brings (run)."""

import argparse
from pathlib import Path

OUTPUTS = ()


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    text = "lay an experiment out: config/config.yaml, a profile for SLURM and a README; nothing is replaced"
    new = actions.add_parser("new", help=text, description=text)
    new.add_argument("folder", type=Path, metavar="DIR", help="the experiment's folder, new or not")
    text = "which experiment of this package to begin from, such as folder, naip or gaofen2 (a simulated world)"
    new.add_argument("--like", default="config", metavar="NAME", help=text)
    text = "run Snakemake on this package's Snakefile in the working directory: all that follows is Snakemake's"
    # No word begins with this character: none is taken for an option of our own.
    own = actions.add_parser("run", help=text, description=text, prefix_chars="\0", add_help=False)
    own.add_argument("options", nargs=argparse.REMAINDER, help="options of Snakemake")


def run(args: argparse.Namespace) -> None:
    from crossres.workflow import lay_out, run_snakemake

    if args.action == "new":
        lay_out(args.folder, args.like)
    else:
        run_snakemake(args.options)
