"""Check a configuration and write it down with all defaults."""

import argparse

from crossres import earlier_products as earlier
from crossres.commands.options import add_path, add_settings, name_of_settings, settings
from crossres.outputs import Output

OUTPUTS = (Output(is_own=earlier.is_configuration),)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    add_path(parser, "--output", help="file to write")


def run(args: argparse.Namespace) -> None:
    import yaml

    from crossres.files import whole
    from crossres.settings.config import parse  # all settings are this command's code

    content = parse(settings(args), name_of_settings(args)).model_dump(mode="json")
    with whole(args.output) as part:
        part.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
