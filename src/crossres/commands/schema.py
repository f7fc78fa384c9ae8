"""Write the JSON schema of the configuration."""

import argparse

from crossres.commands.options import add_path


def arguments(parser: argparse.ArgumentParser) -> None:
    add_path(parser, "--output", help="file to write")


def run(args: argparse.Namespace) -> None:
    from crossres.files import write_json
    from crossres.settings.config import schema

    write_json(args.output, schema())
