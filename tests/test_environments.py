"""Conda environments: made from one list of versions, and with every package that the code of their stages imports."""

import importlib.util
import re
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


def test_the_container_is_built_on_an_image_of_one_version(make):
    for name in make.RECIPES:
        text = (ROOT / name).read_text()
        assert re.search(rf"^(FROM|From:) {re.escape(make.BASE_IMAGE)}$", text, re.M)
        assert re.fullmatch(r"[\w./-]+(:\d[\w.-]+|@sha256:[0-9a-f]{64})", make.BASE_IMAGE)


def test_the_cuda_variant_differs_in_the_cuda_build_alone(make):
    files = make.files()
    plain, cuda = dependencies(files["torch.yaml"]), dependencies(files["torch-cuda.yaml"])
    assert cuda == plain | {"pytorch-gpu": plain["pytorch"]}
