"""The reference of commands, written from the command line's own parser when the site is built."""

import argparse
import re
from functools import partial

from crossres.cli import _parser

PLACE = "<!-- commands -->"
WIDTH = 72


def fill_in(app, docname, source):
    """Replace the place holder of a page by a section for each command (Sphinx's event `source-read`)."""
    if PLACE in source[0]:
        source[0] = source[0].replace(PLACE, "\n".join(map(section, *zip(*commands().items()))))


def commands() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command by the command's name."""
    actions = _parser()._actions
    return next(action.choices for action in actions if isinstance(action, argparse._SubParsersAction))


def section(name: str, command: argparse.ArgumentParser) -> str:
    """Return a command's section: what it does, how it is called, and a table of its arguments."""
    command.formatter_class = partial(argparse.HelpFormatter, width=WIDTH)
    usage = command.format_usage().removeprefix("usage: ").strip()
    rows = [row(action) for action in command._actions if not isinstance(action, argparse._HelpAction)]
    table = ["| argument | | what it is |", "| --- | --- | --- |", *rows]
    return "\n".join([f"## {name}", "", command.description or "", "", "```text", usage, "```", "", *table, ""])


def row(action: argparse.Action) -> str:
    """Return a row of the table: an argument, whether it must be given, and its help."""
    value = action.metavar or (f"{{{','.join(map(str, action.choices))}}}" if action.choices else "")
    if not action.option_strings:
        shown = f"`{value or action.dest}`"
    else:
        takes = "" if action.nargs == 0 else f" {value or action.dest.upper()}"
        shown = ", ".join(f"`{option}{takes}`" for option in action.option_strings)
    required = "required" if action.required else ""
    help = re.sub(r"all of this machine, \d+", "all of the machine", (action.help or "").replace("%%", "%"))
    said = re.sub(r"[|<>{}]", lambda found: f"\\{found[0]}", help)
    return f"| {shown.replace('|', chr(92) + '|')} | {required} | {said} |"
