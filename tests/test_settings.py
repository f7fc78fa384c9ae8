"""Settings: refused when wrong, by name; documented and in step with their schema."""

import json
import runpy
from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from crossres.errors import UserError
from crossres.settings.config import Config, load, parse
from crossres.settings.explained import models_of
from crossres.settings.paths import expand
from crossres.settings.schema import schema

ROOT = Path(__file__).parents[1]
CONFIGS = sorted((ROOT / "config").glob("*.yaml"))
REAL = ROOT / "config" / "real"
COMPARED = [REAL / "claim.yaml", REAL / "product.yaml"]
REAL_SETS = sorted(set(REAL.glob("*.yaml")) - set(COMPARED))


def default():
    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text())


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.name)
def test_every_experiment_is_valid(path):
    assert load(path).run


@pytest.mark.parametrize("path", REAL_SETS, ids=lambda p: p.name)
@pytest.mark.parametrize("compared", COMPARED, ids=lambda p: p.name)
def test_what_is_compared_on_real_sets_goes_with_each_of_them(path, compared):
    content = yaml.safe_load(compared.read_text())
    update_config(content, yaml.safe_load(path.read_text()))
    config = parse(content)
    assert config.run == f"real_{path.stem}"
    assert config.dataset.folds
    assert "residual" in config.sample.curves()
    assert bool(config.sample.against()["residual"]) == (compared.name == "claim.yaml")


def test_the_product_is_trained_and_drawn_alike_in_both_comparisons_of_real_sets():
    claim, product = (yaml.safe_load(path.read_text()) for path in COMPARED)
    assert product["models"].items() <= claim["models"].items()
    assert product["train"] == claim["train"] and product["sample"]["arms"] == claim["sample"]["arms"]


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (["trian"], {}, "trian: unknown key; the nearest known one is 'train'"),
        (["train"], {"step": 3}, "train.step: unknown key; the nearest known one is 'steps'"),
        (["sample"], {"arms": {"lr_start": {"step": 3}}}, "nearest known one is 'steps'"),
        (["search", "lr", "herf"], "x", "search.lr.herf: unknown key; the nearest known one is 'href'"),
        (["train"], {"steps": "many"}, "train.steps: input should be a valid integer"),
        (["train"], {"steps": 0}, "train.steps: input should be greater than or equal to 1, not 0"),
        (
            ["train"],
            {"start_from": "pre"},
            "train.start_from: 'pre' is not one of models: main; a folder here is written ./pre",
        ),
        (
            ["models"],
            {"a": {"train": {"start_from": "b"}}, "b": {"train": {"start_from": "a"}}, "main": {}},
            "leads back to where it began (a -> b -> a); set it to null",
        ),
        (
            ["train"],
            {"start_from": "main"},
            "models.main.train.start_from: leads back to where it began (main -> main)",
        ),
        (["sample"], {"primary": "best"}, "sample.primary: 'best' is not one of sample.arms"),
        (["evaluate"], {"bootstrap": 4000}, "evaluate.bootstrap: intervals are Student's t now, without resampling"),
        (["evaluate"], {"lr_mtf": 0.3}, "evaluate.lr_mtf: there is one for all stages now: write it as grid.lr_mtf"),
        (["run"], "../x", "run: string should match"),
        (["search", "lr", "kind"], "ftp", "search.lr: input tag 'ftp'"),
    ],
)
def test_a_wrong_key_or_value_is_one_line_that_names_it(keys, value, message):
    content = default()
    inner = content
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    with pytest.raises(UserError) as error:
        parse(content, "config.yaml")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"normalise": {"direction": "lr-to-hr"}}, "normalise.direction: with search.lr_dates above 1 LR keeps"),
        ({"model": {"prior": "concat"}}, "models.main.model.prior: concat shows the network no LR date but the first"),
    ],
)
def test_what_does_not_go_with_several_lr_dates_is_refused(sections, message):
    one = default() | sections
    assert parse(one).search.lr_dates == 1
    with pytest.raises(UserError, match=message):
        parse(one | {"search": one["search"] | {"lr_dates": 2}})


@pytest.mark.parametrize(
    ("gres", "gpus"),
    [(None, 0), ("gpu", 1), ("gpu:4", 4), ("gpu:a100", 1), ("gpu:a100:8", 8), ("gpu:1g.10gb:2", 2)],
)
def test_gpus_are_counted_by_what_slurm_calls_them(gres, gpus):
    content = default() | {"jobs": {"train_gres": gres}}
    jobs = parse(content).jobs
    assert jobs.gpus(jobs.train_gres) == gpus


def test_settings_that_are_no_mapping_are_refused():
    with pytest.raises(UserError, match="must hold settings"):
        parse(["run"], "x.yaml")


def test_the_schema_in_the_repository_is_the_models():
    stored = json.loads((ROOT / "config" / "schema.json").read_text())
    assert stored == schema(), "run: crossres schema --output config/schema.json --overwrite"


def test_the_reference_in_the_repository_is_the_models():
    reference = runpy.run_path(str(ROOT / "config" / "reference.py"))["reference"]
    assert reference() in (ROOT / "config" / "README.md").read_text(), "run: python config/reference.py"


def test_every_key_has_a_description_and_every_number_bounds():
    def check(model, where):
        for name, field in model.model_fields.items():
            inner = models_of(field.annotation)
            for nested in inner:
                check(nested, f"{where}.{name}")
            if field.annotation in (int, float):
                assert field.metadata, f"{where}.{name} has no bounds"
            if not inner and name != "kind":
                assert field.description, f"{where}.{name} has no description"

    check(Config, "config")


def test_paths_expand_the_run_and_the_environment(monkeypatch):
    monkeypatch.setenv("ARCHIVE", "/data")
    assert expand("{run}/a", Path("results/x")) == "results/x/a"
    assert expand("${ARCHIVE}/a", Path("results/x")) == "/data/a"
    monkeypatch.delenv("ARCHIVE")
    with pytest.raises(UserError, match="environment variable"):
        expand("${ARCHIVE}/a", Path("results/x"))
