"""The experiments of config/ are planned where there is no network, and say what they would need."""

import pytest
from made_gaofen2 import NAME, members, write_archive
from project import copy_project

pytestmark = pytest.mark.integration

# Nothing listens there: a plan that asked any server would fail.
NO_NETWORK = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https", "all")}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("plans"))


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    for name, value in NO_NETWORK.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GAOFEN2_ARCHIVE", raising=False)


def test_naip_names_both_servers(project):
    said = project.run("--dry-run", "--configfile", "config/naip.yaml")
    assert "(needs the network: earth-search.aws.element84.com, planetarycomputer.microsoft.com)" in said


def test_gaofen2_catalogues_the_archive_first(project, tmp_path, monkeypatch):
    monkeypatch.setenv("GAOFEN2_ARCHIVE", str(tmp_path))
    write_archive(tmp_path / f"{NAME}.tar.gz", members())
    said = project.run("--dry-run", "--configfile", "config/gaofen2.yaml")
    assert "(needs the network: earth-search.aws.element84.com)" in said
    as_written = "${GAOFEN2_ARCHIVE}"  # its value may be secret
    assert f"Make a static STAC catalogue of the folder '{as_written}'" in said


def test_gaofen2_without_its_archive_says_which_variable_to_set(project):
    done = project.snakemake("--dry-run", "--configfile", "config/gaofen2.yaml")
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "${GAOFEN2_ARCHIVE}: the environment variable GAOFEN2_ARCHIVE is not set; set it and run again" in said
