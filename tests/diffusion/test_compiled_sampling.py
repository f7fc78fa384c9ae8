"""Sampling with a compiled network: few graphs for blocks of all shapes, and the same image but for roundings."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from test_scenes import dn, lr_scene, make_model, properties, run
from torch._dynamo.testing import CompileCounter

from crossres.diffusion.sample import render
from crossres.settings.sample import ArmSettings, TilingSettings

ARM = ArmSettings(steps=2, samples=2)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_graph_serves_blocks_of_all_shapes(tmp_path, monkeypatch, precision):
    torch._dynamo.reset()
    counter, compile_ = CompileCounter(), torch.compile
    monkeypatch.setattr(torch, "compile", lambda f, **how: compile_(f, backend=counter, fullgraph=True, **how))
    model, scene = make_model(tmp_path / "model", Fraction(4)), lr_scene(68, 95)
    plain, compiled = (
        run(tmp_path, scene, model, ARM, TilingSettings(block_px=100, precision=precision, compile=on), name=str(on))
        for on in (False, True)
    )
    assert counter.frame_count == 1
    assert [properties(output)["crossres:tiling"]["compile"] for output in (plain, compiled)] == [False, True]
    for part in ("mean", "std", "sample", "support"):
        apart = abs(dn(plain / f"{part}.tif") - dn(compiled / f"{part}.tif"))
        assert apart.max() <= (1 if precision == "float32" else 40) and np.mean(apart) < 3


@pytest.mark.parametrize(
    ("setting", "device", "one_block", "expected"),
    [("auto", "cpu", False, False), ("auto", "cuda", False, True), ("auto", "cuda", True, False),
     (True, "cpu", True, True), (False, "cuda", False, False)],
)  # fmt: skip
def test_auto_compiles_on_a_gpu_where_there_is_more_than_one_block(monkeypatch, setting, device, one_block, expected):
    monkeypatch.setattr(render, "_device", lambda: torch.device(device))
    assert render.compiles(TilingSettings(compile=setting), one_block) is expected
