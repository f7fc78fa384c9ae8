"""What the rules of a finished run wrote is known as an earlier product of their commands, and nothing beside it."""

import argparse
import importlib
import shutil

import pytest

from crossres.errors import UserError
from crossres.outputs import guard

pytestmark = pytest.mark.integration

WRITTEN = {
    "simulate": "world/places/*", "link-world": "world", "catalog": "catalogs/*", "search": "items",
    "download": "scenes/*", "coregister": "aligned/*", "normalise": "aligned/*", "dataset": "pairs", "train": "model/*",
    "sample": "sr/*/*", "evaluate": "evaluation/scenes/*", "figures": "evaluation/figures", "report": "report.html",
    "config": "config.yaml",
}  # fmt: skip


@pytest.mark.parametrize("command", WRITTEN)
def test_it_is_replaced_only_when_that_is_asked_for_and_only_where_nothing_was_added(small_run, tmp_path, command):
    found = [path for path in (small_run.folder / "results/small").glob(WRITTEN[command]) if path.name[0] != "."]
    assert found
    outputs = importlib.import_module(f"crossres.commands.{command.replace('-', '_')}").OUTPUTS
    for number, path in enumerate(found):
        mine = tmp_path / str(number) / path.name
        mine.parent.mkdir()
        (shutil.copytree if path.is_dir() else shutil.copy)(path, mine)
        asked = argparse.Namespace(stage=command, outputs=outputs, overwrite=True, output=mine)
        guard(asked)
        with pytest.raises(UserError, match="--overwrite"):
            guard(argparse.Namespace(stage=command, outputs=outputs, overwrite=False, output=mine))
        if command not in {"link-world", "coregister", "normalise", "dataset", "report", "config"}:
            (mine / "notes.txt").write_text("mine")
            with pytest.raises(UserError, match=r"holds notes\.txt"):
                guard(asked)
