"""Write the JSON schema of the configuration."""

import argparse

from crossres import earlier_products as earlier
from crossres.commands.options import add_path
from crossres.outputs import Output

OUTPUTS = (Output(is_own=earlier.is_schema),)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_path(parser, "--output", help="file to write")


def run(args: argparse.Namespace) -> None:
    from crossres.files import write_json
    from crossres.settings.schema import schema

    write_json(args.output, schema())
