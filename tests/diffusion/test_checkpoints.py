"""A model on disk: what was saved comes back, and nothing else is taken for it."""

import hashlib
import json
import re
import time
from fractions import Fraction
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from crossres.diffusion.model import checkpoint
from crossres.diffusion.model.network import Network
from crossres.diffusion.model.standardise import Standard
from crossres.errors import UserError
from crossres.settings.model import ModelSettings
from crossres.settings.train import TrainSettings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    checkpoint.save(
        tmp_path, Network(ModelSettings(), 2), bands=("red", "nir"), factor=Fraction(25, 2), lr_gsd_m=10.0,
        hr_gsd_m=0.8, standard=Standard((0.1, 0.2), (0.05, 0.1)), sigma=0.3, residual_rms=0.4, model=ModelSettings(),
        train=TrainSettings(), data_sha256="0", code="0", metrics={},
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
    network = checkpoint.load(folder).network
    checkpoint.save(
        folder, network, checkpoint.BestWeights(network, 7, "swd", 0.7, 1.1, {"swd": 1.0}), bands=card.bands,
        factor=card.scale, lr_gsd_m=10.0, hr_gsd_m=0.8, standard=card.standard, sigma=card.sigma, residual_rms=0.4,
        model=card.model, train=card.train, data_sha256="0", code="0", metrics={},
    )  # fmt: skip
    assert (folder / "best.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    best, last = checkpoint.load(folder, "best").card, checkpoint.load(folder).card
    assert (best.sigma, best.std_factor) == (0.7, 1.1) and (last.sigma, last.std_factor) == (0.3, 1.0)


def line_of(folder: Path) -> str:
    """Return the one line that a model is refused with, soon and without much memory."""
    started, before = time.process_time(), psutil.Process().memory_info().rss
    with pytest.raises(UserError) as error:
        checkpoint.load(folder)
    assert time.process_time() - started < 5 and psutil.Process().memory_info().rss - before < 500e6
    assert str(error.value).isprintable() and len(str(error.value)) < 500
    return str(error.value)


def rewrite(folder: Path, **fields) -> None:
    path = folder / "card.json"
    card = json.loads(path.read_text()) | fields
    path.write_text(re.sub(r'"(-?[0-9.]+e?[0-9]*|NaN|-?Infinity) as it stands"', r"\1", json.dumps(card)))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("factor", "1e99999999"),
        ("factor", "1/0"),
        ("factor", "1e9"),
        ("factor", "9999"),
        ("factor", "-3"),
        ("factor", "3/2\n"),
        ("factor", "٣/٢"),
        ("factor", 12.5),
        ("factor", "9" * 10_000),
        ("parameters", "9" * 10_000 + " as it stands"),
        ("parameters", "1e400 as it stands"),
        ("mean", ["NaN as it stands", 0.2]),
        ("mean", ["1e300 as it stands", 0.2]),
        ("mean", [0.1]),
        ("std", [0.0, 0.1]),
        ("std", [0.1, -0.1]),
        ("sigma", "NaN as it stands"),
        ("lr_gsd_m", "Infinity as it stands"),
        ("residual_rms", "1e30 as it stands"),
        ("bands", [f"b{i}" for i in range(5000)]),
        ("bands", ["red", "red"]),
        ("bands", ["r" * 100_000, "nir"]),
        ("bands", "red"),
        ("model", []),
        ("train", "straight"),
        ("best", 3),
        ("x\n\x1b[31m" * 1000, 1),
        ("bands", [["red"]] * 300_000),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_number_that_no_model_has_is_one_line_that_names_its_key(folder, key, value):
    rewrite(folder, **{key: value})
    line = line_of(folder)
    assert "card.json" in line and "delete" not in line


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[" * 100_000,
        b"[1]",
        b"null",
        b'"card"',
        b"\xff\xfe",
        b"\x89PNG\r\n\x1a\n" * 9,
        b'{"factor": "\\ud800"}',
        b" " * (2 << 20),
    ],
    ids=lambda content: str(content[:8]),
)
def test_what_is_no_card_is_one_line(folder, content):
    (folder / "card.json").write_bytes(content)
    assert "card.json" in line_of(folder)


def test_a_card_with_a_byte_order_mark_is_read(folder):
    path = folder / "card.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert checkpoint.load(folder).card.factor == "25/2"


def test_a_card_of_a_network_of_gigabytes_makes_none(folder):
    rewrite(folder, model={"size": "large", "width": 1024, "embedding": 4096})
    assert "do not fit the network" in line_of(folder)


def with_weights(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(content)
    rewrite(folder, weights_sha256=hashlib.sha256(content).hexdigest())


def test_weights_of_others_under_a_hash_that_is_right_are_one_line(folder):
    right = load_tensors((folder / "model.safetensors").read_bytes())
    name = next(iter(right))
    whole = save_tensors(right)
    wrong = {
        "a header of exabytes": (1 << 62).to_bytes(8, "little") + whole[8:],
        "a picture": b"\x89PNG\r\n\x1a\n" * 100,
        "nothing": b"",
        "half": whole[: len(whole) // 2],
        "other names": save_tensors({f"{k}\n": v for k, v in right.items()}),
        "one name less": save_tensors({k: v for k, v in right.items() if k != name}),
        "one name more": save_tensors(right | {"x": right[name].clone()}),
        "another shape": save_tensors(right | {name: right[name][None]}),
        "another type": save_tensors(right | {name: right[name].half()}),
        "no number": save_tensors(right | {name: torch.full_like(right[name], float("nan"))}),
        "twice the size": whole + bytes(len(whole) + (2 << 20)),
    }
    for what, content in wrong.items():
        with_weights(folder, content)
        assert "model.safetensors: " in line_of(folder), what
    with_weights(folder, whole)
    assert checkpoint.load(folder).card.factor == "25/2"


def test_a_file_in_place_of_a_model_is_one_line(folder):
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert "picture.png" in line_of(folder / "picture.png")
