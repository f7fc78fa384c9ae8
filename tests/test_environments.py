"""Conda environments: the versions of constraints.txt, and every package that the code of a stage imports."""

import ast
import sys
from pathlib import Path

import pytest
import yaml

from crossres import code_version as module

ROOT = Path(__file__).parents[1]
STAGES = {
    "geo": [
        "settings.config", "simulate.world", "acquire.catalog", "acquire.search", "acquire.download",
        "align.coregister", "align.normalise", "pairs.extract", "pairs.dataset",
    ],
    "torch": [
        "diffusion.training", "diffusion.scenes", "evaluate.scene", "evaluate.summary", "evaluate.figures",
        "evaluate.report",
    ],
}  # fmt: skip
NAMES = {"matplotlib": "matplotlib-base", "torch": "pytorch", "skimage": "scikit-image", "yaml": "pyyaml",
         "odc": "odc-geo", "PIL": "pillow", "pydantic_core": "pydantic", "affine": "rasterio",
         "planetary_computer": "planetary-computer", "pystac_client": "pystac-client",
         "requests_aws4auth": "requests-aws4auth"}  # fmt: skip


def constraints():
    lines = (ROOT / "constraints.txt").read_text().lower().splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    return pins | {"pytorch": pins["torch"], "matplotlib-base": pins["matplotlib"]}


def dependencies(name):
    listed = yaml.safe_load((ROOT / "envs" / f"{name}.yaml").read_text())["dependencies"]
    return dict(entry.split("=") for entry in listed)


@pytest.mark.parametrize("name", STAGES)
def test_an_environment_has_the_versions_of_the_constraints(name):
    pins = constraints()
    found = dependencies(name)
    assert found.pop("python") == "3.11"
    assert found == {package: pins[package] for package in found}


@pytest.mark.parametrize("name", STAGES)
def test_an_environment_has_every_package_that_its_stages_import(name):
    imported = set()
    for stage in STAGES[name]:
        for source in module.sources(f"crossres.{stage}"):
            for node in ast.walk(ast.parse(source.read_text())):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    imported.add((node.module or "").partition(".")[0])
    needed = {NAMES.get(package, package) for package in imported - set(sys.stdlib_module_names) - {"crossres"}}
    assert needed <= set(dependencies(name))


def test_every_rule_names_an_environment_that_is_there():
    for rules in (ROOT / "workflow" / "rules").glob("*.smk"):
        for line in rules.read_text().splitlines():
            if line.strip().startswith('"../../envs/'):
                assert (rules.parent / line.strip().strip('",')).resolve().is_file(), f"{rules.name}: {line}"
