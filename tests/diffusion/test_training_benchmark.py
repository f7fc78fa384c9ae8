"""The table of where a training step's time goes: a script that is rarely run, and would rot."""

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "training.py"


def test_every_part_of_a_step_is_timed_with_a_compiler_and_without(tmp_path):
    small = ["--size", "demo", "--batch", "2", "--crop", "32", "--steps", "2", "--threads", "2"]
    done = subprocess.run(
        [sys.executable, SCRIPT, *small, "--json", tmp_path / "found.json"],
        capture_output=True, text=True, check=False,
        env=os.environ | {"TORCH_COMPILE_DISABLE": "1"},  # a minute, and tested with the step itself
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    columns = json.loads((tmp_path / "found.json").read_text())["columns"]
    assert columns.keys() == {"not compiled", "compiled"}
    for rows in columns.values():
        assert all(ms > 0 for row, ms in rows.items() if "(ms)" in row)
        parts = rows["gradients, the row above among them (ms)"] + rows["clip, optimiser, average (ms)"]
        assert 0.2 * parts < rows["a step as training takes it (ms)"] < 5 * parts
        assert rows["operations of a step (TFLOP)"] > 1e-4
        assert all(row in done.stdout for row in rows)
