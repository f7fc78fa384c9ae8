"""Conda environments: made from one list of versions, and with every package that the code of their stages imports."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from crossres.settings.stages import COMMANDS

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def make():
    spec = importlib.util.spec_from_file_location("make_environments", ROOT / "envs" / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def dependencies(content):
    return {entry.partition("=")[0]: entry.partition("=")[2] for entry in yaml.safe_load(content)["dependencies"]}


def test_the_environments_in_the_repository_are_what_the_stages_import_at_the_versions_of_the_constraints(make):
    stored = {path.name: path.read_text() for path in (ROOT / "envs").glob("*.yaml")}
    assert stored == make.files(), "run: python envs/make.py"


def test_every_rule_has_an_environment(make):
    assert make.environment_of_rules().keys() == COMMANDS.keys()
    assert set(make.environment_of_rules().values()) == set(make.ABOUT)


def test_an_environment_is_small(make):
    contents = {name: set(dependencies(text)) for name, text in make.files().items()}
    assert not {"acquire.yaml", "geo.yaml"} & {name for name, packages in contents.items() if "pytorch" in packages}
    assert [name for name, packages in contents.items() if "sentinelhub" in packages] == ["acquire.yaml"]


def test_jpeg_2000_is_read_where_scenes_are_read(make):
    """conda-forge's GDAL has it in a package of its own, which has GDAL's version and so none here."""
    found = {name: dependencies(text) for name, text in make.files().items()}
    assert found["acquire.yaml"]["libgdal-jp2openjpeg"] == ""
    assert all(version for packages in found.values() for name, version in packages.items() if "jp2" not in name)


def test_the_recipe_of_the_container_has_what_the_wheel_is_built_of():
    recipe = (ROOT / "envs" / "Containerfile").read_text()
    copied = set(re.findall(r"^COPY (.+) /src", recipe, re.M))
    named = {name for line in copied for name in line.split()}
    built_of = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = built_of["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert named == {*wheel, "src", "pyproject.toml", "constraints.txt", "README.md", "LICENSE"}
    assert re.search(r"^ARG BASE=\S+:\d+\.\d+\S*$", recipe, re.M), "the base image has no version of its own"
    assert re.search(r"\b(torch==\S+)$", recipe, re.M)[1] in (ROOT / "constraints.txt").read_text().splitlines()


def test_the_cuda_variant_differs_in_the_cuda_build_alone(make):
    files = make.files()
    plain, cuda = dependencies(files["torch.yaml"]), dependencies(files["torch-cuda.yaml"])
    assert cuda == plain | {"pytorch-gpu": plain["pytorch"]}
