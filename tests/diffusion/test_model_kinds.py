"""Every path and every kind of prior trains and is sampled; arms that do not fit their model are refused."""

import numpy as np
import pytest
import torch
import yaml
from test_scenes import lr_scene, run

from crossres.diffusion.model import checkpoint
from crossres.diffusion.model.network import Network
from crossres.diffusion.train.from_data import train
from crossres.errors import UserError
from crossres.imagery.scene import open_scene
from crossres.settings.config import parse
from crossres.settings.model import ModelSettings
from crossres.settings.sample import ArmSettings
from crossres.settings.train import TrainSettings

FEW = TrainSettings(steps=2, batch=2, crop_px=32, validate_every=2)
TINY = ModelSettings(width=8, embedding=16)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a function that trains a model of some path once."""
    from fractions import Fraction

    from small_world import write_dataset

    folder = tmp_path_factory.mktemp("paths")
    dataset = write_dataset(folder, Fraction(4), 16, 2, 1)

    def of(path: str):
        if not (folder / path).exists():
            train(FEW.model_copy(update={"path": path}), TINY, *dataset, folder / path)
        return folder / path

    return of


@pytest.mark.parametrize(
    ("path", "arm"),
    [
        ("residual", dict(start="noise")),
        ("residual", dict(start="lr", solver="midpoint", sigma=0.2)),
        ("straight", dict(start="noise", solver="midpoint")),
        ("vp", dict(start="noise")),
        ("vp", dict(start="noise", solver="dpm++2m")),
        ("vp", dict(start="lr")),
        ("vp", dict(start="lr", eta=0.5, sigma=0.9)),
        ("resshift", dict(start="lr")),
    ],
    ids=str,
)
def test_a_model_of_every_path_is_trained_and_sampled_to_finite_values(tmp_path, trained, path, arm):
    model = trained(path)
    assert checkpoint.load_card(model).train.path == path
    output = run(tmp_path, lr_scene(16, 20), model, ArmSettings(steps=3, samples=2, **arm))
    assert np.isfinite(open_scene(output / "mean.tif").reflectance.values).all()
    if path != "resshift":  # its last step is a prediction of HR, for a network that has learnt nothing always the same
        assert open_scene(output / "std.tif").reflectance.values.max() > 0


def test_samples_of_a_chain_with_fresh_noise_do_not_depend_on_blocks(tmp_path, trained):
    from crossres.settings.sample import TilingSettings

    arm = ArmSettings(start="lr", steps=3, samples=1)
    tilings = {str(px): TilingSettings(block_px=px, precision="float32") for px in (64, 512)}
    results = [
        open_scene(
            run(tmp_path, lr_scene(48, 40), trained("vp"), arm, tiling, name=name) / "mean.tif"
        ).reflectance.values
        for name, tiling in tilings.items()
    ]
    assert np.abs(results[0] - results[1]).max() <= 1.01e-4


@pytest.mark.parametrize(
    ("path", "arm", "message"),
    [
        ("resshift", dict(start="noise"), "path resshift, which has no noise start; use start lr"),
        ("straight", dict(solver="ddim"), "solver ddim does not fit .* use midpoint or euler or ab2"),
        ("vp", dict(solver="euler"), "use ddim or dpm"),
        ("straight", dict(eta=1.0), "eta belongs to solver ddim"),
    ],
)
def test_an_arm_that_does_not_fit_its_model_is_one_clear_line(tmp_path, trained, path, arm, message):
    with pytest.raises(UserError, match=message) as error:
        run(tmp_path, lr_scene(16, 16), trained(path), ArmSettings(**arm))
    assert "\n" not in str(error.value) and "sample.arms.arm" in str(error.value)
    assert not (tmp_path / "sr" / "place" / "arm").exists()


def test_without_a_prior_the_network_sees_lr_at_its_start_alone():
    torch.manual_seed(0)
    x, y, other = torch.randn(3, 1, 2, 16, 16)
    t = torch.tensor([0.5])
    for prior, differs in (("none", False), ("concat", True)):
        network = Network(ModelSettings(prior=prior), 2)
        for p in network.parameters():
            if not p.any():
                torch.nn.init.normal_(p, std=0.1)
        assert torch.equal(network(x, y, t, t), network(x, other, t, t)) is not differs


def parameters(**settings) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in Network(ModelSettings(**settings), 4).parameters())


def test_priors_of_the_ablation_have_the_same_number_of_parameters():
    content = yaml.safe_load(ABLATION)
    config = parse(content)
    counts = {name: parameters(**config.variant(name)[0].model_dump()) for name in config.models}
    assert len(counts) == 3
    assert max(counts.values()) / min(counts.values()) < 1.005


ABLATION = """
run: ablation
search: {lr: {kind: catalog, href: a}, hr: {kind: catalog, href: b}}
models:
  main: {}
  concat: {model: {prior: concat, width: 43, embedding: 72}}
  none: {model: {prior: none, width: 47, embedding: 48}, train: {path: straight}}
"""


def test_a_card_of_the_first_version_still_says_whether_there_is_a_prior():
    assert ModelSettings(prior=True).prior == "module" and ModelSettings(prior=False).prior == "concat"


@pytest.mark.parametrize(
    ("models", "arms", "message"),
    [
        ({"main": {"train": {"pth": "vp"}}}, {}, r"models\.main\.train\.pth: unknown key; the nearest.* 'path'"),
        ({"main": {"model": {"size": "big"}}}, {}, r"models\.main\.model\.size: input should be"),
        ({"main": {}}, {"lr_start": {"model": "vp"}}, r"arms\.lr_start\.model: 'vp' is not one of models: main"),
        ({"main": {"model": {"prior": "none"}}}, {}, r"models\.main\.model\.prior: none .* set train\.path: straight"),
        ({"../x": {}}, {}, "no name for a folder"),
    ],
)  # fmt: skip
def test_models_and_arms_that_do_not_fit_are_one_clear_line(models, arms, message):
    content = yaml.safe_load(ABLATION) | {"models": models} | ({"sample": {"arms": arms}} if arms else {})
    with pytest.raises(UserError, match=message) as error:
        parse(content)
    assert "\n" not in str(error.value)
