"""Judge whether a start from the LR image saves steps."""

import argparse

from crossres.commands.options import add_path, add_settings, paths_of, section
from crossres.outputs import Output

OUTPUTS = (
    Output(),
    Output("curves"),
    Output("figure"),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    add_path(parser, "--table", help="the table that `summarise` wrote", kind=".parquet")
    add_path(parser, "--output", "--curves", "--figure", help="file to write: JSON, Parquet, PNG")


def run(args: argparse.Namespace) -> None:
    from crossres.drawing import save
    from crossres.evaluate.charts.claim import draw_claim
    from crossres.evaluate.results.claim_curves import judge_kinds, one_sample, without_steps, write_claim

    sample = section(args, "sample")
    values = one_sample(args.table)
    kinds = judge_kinds(sample.curves(), sample.against(), values)
    write_claim(kinds, args.output, args.curves)
    save(draw_claim(kinds, without_steps(sample.arms, values), sample.one_ode(paths_of(args))), args.figure)
