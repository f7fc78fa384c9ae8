"""A model on disk: what was saved comes back, and nothing else is taken for it."""

import json
from pathlib import Path

import pytest
import torch

from crossres.diffusion import checkpoint
from crossres.diffusion.network import Network
from crossres.errors import UserError
from crossres.settings.model import ModelSettings
from crossres.settings.train import TrainSettings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    checkpoint.save(
        tmp_path, Network(ModelSettings(), 2), bands=("red", "nir"), factor="25/2", lr_gsd_m=10.0, hr_gsd_m=0.8,
        mean=(0.1, 0.2), std=(0.05, 0.1), sigma=0.3, residual_rms=0.4, model=ModelSettings(), train=TrainSettings(),
        data_sha256="0", code="0", metrics={},
    )  # fmt: skip
    return tmp_path


def test_weights_and_card_come_back(folder):
    loaded = checkpoint.load(folder)
    torch.manual_seed(0)
    for a, b in zip(loaded.network.parameters(), Network(ModelSettings(), 2).parameters(), strict=True):
        assert torch.equal(a, b)
    assert loaded.card.scale == 12.5 and loaded.card.bands == ("red", "nir")


def test_a_model_folder_holds_no_pickle(folder):
    assert {p.name for p in folder.iterdir()} == {"model.safetensors", "best.safetensors", "card.json"}
    content = (folder / "model.safetensors").read_bytes()
    json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])  # a plain JSON header and raw numbers


def test_damaged_weights_are_refused(folder):
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"model\.safetensors.*hashes differ"):
        checkpoint.load(folder)


def test_a_card_of_another_network_is_refused(folder):
    path = folder / "card.json"
    card = json.loads(path.read_text())
    card["model"]["prior"] = False
    path.write_text(json.dumps(card))
    with pytest.raises(UserError, match="do not fit the network"):
        checkpoint.load(folder)


def test_a_card_that_names_no_path_is_of_the_straight_one(folder):
    path = folder / "card.json"
    card = json.loads(path.read_text())
    del card["train"]["path"]
    path.write_text(json.dumps(card))
    assert checkpoint.load_card(folder).train.path == "straight"


@pytest.mark.parametrize("content", ["{", "{}", '{"factor": "no"}', "[]"])
def test_a_broken_card_is_one_clear_line(folder, content):
    (folder / "card.json").write_text(content)
    with pytest.raises(UserError, match=r"card\.json") as error:
        checkpoint.load(folder)
    assert "\n" not in str(error.value)


def test_missing_weights_are_one_clear_line(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="no such file"):
        checkpoint.load(folder)


def test_best_weights_stand_beside_the_last_and_missing_ones_are_one_clear_line(folder, tmp_path):
    with pytest.raises(UserError, match="weights 'best' need a model that was validated"):
        checkpoint.load(folder, "best")
    card = checkpoint.load_card(folder)
    about = {"step": 7, "by": "swd", "sigma": 0.7, "metrics": {"swd": 1.0}}
    fields = card.model_dump(exclude={"best", "parameters", "weights_sha256"})
    network = checkpoint.load(folder).network
    checkpoint.save(folder, network, (network, about), **fields)
    assert (folder / "best.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert checkpoint.load(folder, "best").card.sigma == 0.7 and checkpoint.load(folder).card.sigma == 0.3
