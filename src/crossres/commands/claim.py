"""Judge whether a start from the LR image saves steps."""

import argparse

from crossres.commands.options import add_path, add_settings, checked, section, settings


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    add_path(parser, "--table", help="the table that `summarise` wrote", kind=".parquet")
    add_path(parser, "--output", "--curves", "--figure", help="file to write: JSON, Parquet, PNG")


def run(args: argparse.Namespace) -> None:
    from crossres.evaluate.results.claim_curves import claim
    from crossres.settings.model import ModelVariant

    given = settings(args).get("models") or {"main": {}}
    models = {name: checked(own, f"models.{name}", ModelVariant) for name, own in given.items()}
    arms = section(args, "sample").arms
    claim(section(args, "evaluate"), arms, models, args.table, args.output, args.curves, args.figure)
