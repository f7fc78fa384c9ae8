"""The table of what a GPU can reach: its counts are those of layers that one counts by hand."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize(("groups", "kind"), [(1, "3 x 3 convolution"), (8, "depthwise convolution")])
def test_a_convolution_counts_what_it_multiplies_forward_and_backward(monkeypatch, groups, kind):
    monkeypatch.syspath_prepend(BENCHMARKS)
    from roofline import recorded

    x = torch.randn(2, 8, 10, 12, requires_grad=True)
    conv = torch.nn.Conv2d(8, 8, 3, padding=1, groups=groups)
    layers = [layer for layer in recorded(lambda: conv(x).sum().backward()) if layer.flops]
    forward = 2 * 2 * 10 * 12 * 8 * (8 // groups) * 9
    assert [(layer.kind, layer.flops) for layer in layers] == [(kind, forward), (kind, 2 * forward)]
    weights = 8 * (8 // groups) * 9 + 8
    assert layers[0].moved == 4 * (2 * x.numel() + weights)


def test_dense_blocks_compute_more_for_each_byte_than_naf_blocks():
    command = [
        sys.executable,
        BENCHMARKS / "roofline.py",
        "--batch",
        "2",
        "--sizes",
        "base",
        "dense",
        "--layers",
        "base",
    ]
    table = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = {cells[1]: cells for cells in ([cell.strip() for cell in line.split("|")] for line in table if "`" in line)}
    base, dense = ([float(n) for n in rows[f"`{size}`"][4].split(",")] for size in ("base", "dense"))
    assert all(many > 5 * few for few, many in zip(base, dense, strict=True))
    assert any("depthwise convolution" in line for line in table)
