"""Models of others with something wrong in their card or their weights."""

import hashlib
import json
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from mutations import fuzz, mutated_bytes, mutated_json_text

from crossres.diffusion.model import checkpoint
from crossres.diffusion.model.network import Network
from crossres.diffusion.model.standardise import Standard
from crossres.settings.model import ModelSettings
from crossres.settings.train import TrainSettings


@pytest.fixture(scope="module")
def model(bounded):
    """A model that the smallest network is, in the folder that everything is tried in."""
    torch.manual_seed(0)
    small = ModelSettings(width=4, embedding=8, prior="concat")
    checkpoint.save(
        bounded.folder, Network(small, 2), bands=("red", "nir"), factor=Fraction(25, 2), lr_gsd_m=10.0, hr_gsd_m=0.8,
        standard=Standard((0.1, 0.2), (0.05, 0.1)), sigma=0.3, residual_rms=0.4, model=small, train=TrainSettings(),
        data_sha256="0", code="0", metrics={"psnr": 30.0, "swd": None},
    )  # fmt: skip
    return bounded.folder


def test_cards(bounded, model):
    path = model / "card.json"
    original = path.read_bytes()

    @settings(fuzz, max_examples=250)
    @given(mutated_json_text(json.loads(original)))
    def check(content):
        path.write_bytes(content)
        card = bounded(lambda: checkpoint.load_card(model))
        if card is not None:
            numbers = [
                card.lr_gsd_m,
                card.hr_gsd_m,
                card.sigma,
                card.residual_rms,
                float(card.scale),
                *card.mean,
                *card.std,
            ]
            assert np.isfinite(numbers).all() and len(card.bands) == len(card.mean) == len(card.std)
            bounded(lambda: checkpoint.load(model))

    try:
        check()
    finally:
        path.write_bytes(original)


def test_weights_under_a_hash_that_is_right(bounded, model):
    path, card = model / "model.safetensors", json.loads((model / "card.json").read_text())
    original = path.read_bytes()
    head = int.from_bytes(original[:8], "little") + 8

    @settings(fuzz, max_examples=60)
    @given(mutated_bytes(original[:head], most=2))
    def check(start):
        content = start + original[head:]
        path.write_bytes(content)
        card["weights_sha256"] = hashlib.sha256(content).hexdigest()
        (model / "card.json").write_text(json.dumps(card))
        loaded = bounded(lambda: checkpoint.load(model))
        assert loaded is None or all(p.isfinite().all() for p in loaded.network.parameters())

    check()
