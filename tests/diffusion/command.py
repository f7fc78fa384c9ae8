"""`crossres super-resolve` as a person types it, its one line of complaint as the error that it is."""

import json
from pathlib import Path

from crossres import cli
from crossres.outputs import guard


def super_resolve(scene: Path | str, model: Path, output: Path, *options: str, start: str = "bicubic") -> list[str]:
    """Run the command on one scene, and return what it says that it assumed."""
    given = ["super-resolve", str(scene), "--checkpoint", str(model), "--output", str(output)]
    args = cli._parser().parse_args([*given, "--start", start, "--samples", "1", *options])
    guard(args)
    args.run_stage(args)
    return json.loads((output / "item.json").read_text())["properties"]["crossres:assumed"]
