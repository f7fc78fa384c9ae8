"""Check a configuration and write it down with all defaults."""

import argparse

from crossres.commands.options import add_path, add_settings, settings


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    add_path(parser, "--output", help="file to write")


def run(args: argparse.Namespace) -> None:
    import yaml

    from crossres.files import whole
    from crossres.settings.config import parse  # all settings are this command's code

    content = parse(settings(args), "--settings").model_dump(mode="json")
    with whole(args.output) as part:
        part.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
