"""Write the report of a run as one page."""

import argparse

from crossres.commands.options import add_path, add_settings, section
from crossres.outputs import PAGE

OUTPUTS = (PAGE,)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    add_path(parser, "--run", help="the run's folder", kind="folder")
    parser.add_argument("--primary", required=True, help="the arm that is the product")
    parser.add_argument("--model", default="main", help="the model that it is drawn from (main)")
    add_path(parser, "--output", help="file to write")


def run(args: argparse.Namespace) -> None:
    from crossres.evaluate.report.inputs import ReportInputs
    from crossres.evaluate.report.run_report import report
    from crossres.layout import RunFolder
    from crossres.settings.config import load_record

    inputs = ReportInputs.of_run(args.run, args.primary, args.model)
    report(section(args, "report"), load_record(RunFolder(args.run).config), inputs, args.output)
