"""A stage is given its part of the configuration, in the configuration's own shape, and reads it as it reads all."""

import argparse
import json
from pathlib import Path

import pytest
import yaml

from crossres.commands.options import of_model, section, settings
from crossres.errors import UserError
from crossres.settings.config import Config, load, parse
from crossres.settings.sample import ArmSettings
from crossres.settings.stages import READS, given, own_names

CONFIG = load(Path(__file__).parents[1] / "config" / "config.yaml").model_dump(mode="json")


def configured(**sections) -> Config:
    return parse(CONFIG | sections)


def asked(text: object) -> argparse.Namespace:
    return argparse.Namespace(settings=str(text))


def is_part(part, whole) -> bool:
    if isinstance(part, dict):
        return all(key in whole and is_part(value, whole[key]) for key, value in part.items())
    return part == whole


@pytest.mark.parametrize("rule", READS)
def test_what_a_rule_is_given_is_a_part_of_the_configuration(rule):
    config = configured(evaluate=CONFIG["evaluate"] | {"external": {"other": "there"}})
    own = {"model": "main", "arm": "lr_start", "external": "other"}
    part = json.loads(given(config, rule, **{name: own[name] for name in own_names(rule)}))
    assert is_part(part, config.model_dump(mode="json"))
    assert set(part) == {path.lstrip("-").partition(".")[0] for path in READS[rule]}


def test_a_job_is_given_its_own_arm_alone():
    config = configured(sample=CONFIG["sample"] | {"arms": {"lr_start": {}, "v1.5": {"start": "noise", "steps": 4}}})
    part = json.loads(given(config, "sample", arm="v1.5"))
    assert list(part["sample"]["arms"]) == ["v1.5"]
    assert part["sample"]["arms"]["v1.5"]["steps"] == 4


def test_what_one_model_has_of_its_own_is_given_to_it_and_not_to_others():
    models = {"main": {}, "other": {"train": {"steps": 7}, "model": {"prior": "concat"}}}
    before = configured(models=models)
    model, train = of_model(asked(given(before, "train", model="other")), "other")
    assert (model, train) == before.variant("other")
    assert (train.steps, model.prior) == (7, "concat")
    after = configured(models=models | {"other": {"train": {"steps": 8}}})
    assert given(after, "train", model="main") == given(before, "train", model="main")
    assert given(after, "train", model="other") != given(before, "train", model="other")
    longer = configured(models=models, train=CONFIG["train"] | {"steps": 999})
    assert given(longer, "train", model="other") == given(before, "train", model="other")


@pytest.mark.parametrize("how", ["file", "text", "part"])
def test_a_stage_reads_all_of_a_configuration_as_it_reads_its_part(tmp_path, how):
    config = configured(models={"main": {}, "other": {"train": {"steps": 7}}})
    text = {"part": given(config, "train", model="other")}.get(how, json.dumps(config.model_dump(mode="json")))
    if how == "file":
        (tmp_path / "own.yaml").write_text(yaml.safe_dump(json.loads(text)))
    args = asked(tmp_path / "own.yaml" if how == "file" else text)
    assert of_model(args, "other") == config.variant("other")


def test_a_whole_configuration_has_the_solvers_and_sweeps_that_it_leaves_unsaid():
    args = asked(json.dumps({**CONFIG, "sample": {"sweeps": {"main": {"nfe": [4]}}}}))
    arms = section(args, "sample").arms
    assert arms["main_lr_4"] == ArmSettings(start="lr", steps=4, samples=1, solver="ab2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"trian": {}}', "--settings: 'trian' is not one of run, simulate"),
        ('{"train": {"step": 1}}', "train: step: unknown key; the nearest known one is 'steps'"),
        ('{"models": {"a": {}}}', "--name: 'main' is not one of models: a"),
        ('{"models": {"main": {"train": {"step": 1}}}}', "models.main.train.step: unknown key"),
        ('{"run": "a"}', "--settings: search: field required"),
        ("none.yaml", "none.yaml: "),
    ],
)
def test_settings_of_a_person_that_are_wrong_are_one_line(text, message):
    with pytest.raises(UserError) as said:
        of_model(asked(text), "main")
    assert str(said.value).startswith(message)


def test_no_settings_are_the_defaults():
    assert settings(argparse.Namespace(settings=None)) == {}
    assert of_model(argparse.Namespace(settings=None), "main") == parse(
        {"run": "a", "search": {key: {"kind": "catalog", "href": "a"} for key in ("lr", "hr")}}
    ).variant("main")
