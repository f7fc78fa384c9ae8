"""What is prepared for the short time that a GPU is at hand works without one, with the smallest sizes."""

import os
import subprocess
import sys

import pytest
from project import ROOT

pytestmark = pytest.mark.integration


def test_all_parts_of_the_gpu_benchmark_give_their_rows_on_a_cpu(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "gpu.py", tmp_path / "gpu", "--tiny"],
        capture_output=True, text=True, check=False, env=os.environ | {"TORCH_COMPILE_DISABLE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    rows = dict(line.strip("| ").split(" | ", 1) for line in (tmp_path / "gpu" / "table.md").read_text().splitlines())
    assert "FAILED" not in done.stdout
    [apart] = [value for what, value in rows.items() if "gone on: weights differ by at most" in what]
    assert float(apart) == 0
    assert rows["sampling here and on the CPU: reflectance differs by"] == "0, at most 0"
    for begin in ("training runs", "a step of demo", "dense, validation after 12", "base, validation after 12",
                  "dense, one sample of 2 evaluations, compiled", "places held out, demo", "claim on"):  # fmt: skip
        assert any(what.startswith(begin) for what in rows), begin
