"""Whatever folders and files are called, the workflow reads them; what is in a variable stands in no line of it."""

import json
import re

import numpy as np
import pytest
import rasterio
import yaml
from project import copy_project, write_config
from rasterio.transform import from_origin

pytestmark = pytest.mark.integration
ODD = '-it\'s "a$HOME" #1 {a b}{c,d}{{x}}{run 湖ü %s'
SECRET = "hunter2"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("names"))


def raster(path, gsd):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(0).integers(1000, 4000, (1, 200, 200)).astype("uint16")
    place = {"crs": "EPSG:32650", "transform": from_origin(500000, 4000000, gsd, gsd)}
    with rasterio.open(path, "w", driver="GTiff", width=200, height=200, count=1, dtype="uint16", **place) as target:
        target.write(values)


def test_folders_and_files_of_any_name_are_read_and_read_again_when_they_change(project):
    for name, gsd in (("l", 10.0), ("h", 5.0)):
        raster(project.folder / ODD / f"{name}{ODD}.tif", gsd)
    west, south, east, north = 116, 35, 118, 37
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    area = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    for name in ("area", "regions"):
        (project.folder / f"{name}{ODD}.geojson").write_text(json.dumps(area))
    raster(project.folder / f"dem{ODD}.tif", 30.0)
    written = ODD.replace("$", "$$")

    def source(kind):
        sensor = {"bands": ["red"], "scale": 1e-4, "datetime": "2020-05-01T00:00:00Z"}
        return {"kind": "folder", "path": written, "pattern": f"{kind}*", "sensor": sensor}

    config = write_config(
        project, "odd.yaml", run="odd", simulate=None, grid={"gsd_m": 5, "bands": ["red"]},
        search={"lr": source("l"), "hr": source("h"), "area": f"area{ODD}.geojson"},
        acquire={"dem": f"dem{written}.tif"}, evaluate={"external": {"other": written}},
        dataset={"split": "region", "regions": f"regions{written}.geojson"},
    )  # fmt: skip
    ids = [re.sub(r"[^A-Za-z0-9_.-]+", "_", f"{kind}{ODD}") for kind in "lh"]
    scenes = [f"results/odd/scenes/{name}" for name in ids]
    project.run(*scenes, "--configfile", config)
    assert all((project.folder / scene / "reflectance.tif").exists() for scene in scenes)
    assert project.planned("--configfile", config, "--nolock", *scenes) == {}
    raster(project.folder / ODD / f"l{ODD}.tif", 10.0)
    assert project.planned("--configfile", config, "--nolock", *scenes)["catalog"] == 1


def test_a_clone_whose_folder_snakemake_would_take_for_a_wildcard_says_so(tmp_path):
    done = copy_project(tmp_path / "{clone}").snakemake("--dry-run")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "has a brace in its name" in said
    assert "Traceback" not in said


@pytest.fixture
def secrets():
    url = f"https://me:{SECRET}@one.invalid"
    return {"A_CATALOGUE": f"{url}/catalog.json?sig={SECRET}", "AN_API": url, "A_DEM": f"{url}/dem.tif", "S": SECRET}


def test_what_is_in_a_variable_is_in_no_line_no_file_and_no_record(project, secrets):
    hr = [
        {"kind": "catalog", "href": "https://${S}:${S}@two.invalid/catalog.json?sig=${S}"},
        {"kind": "stac-api", "url": "${AN_API}", "collections": ["a"]},
    ]
    config = write_config(
        project, "secret.yaml", run="secret", simulate=None, acquire={"dem": "${A_DEM}"},
        search={"lr": {"kind": "catalog", "href": "${A_CATALOGUE}"}, "hr": hr, "area": [0, 0, 1, 1]},
    )  # fmt: skip
    done = project.snakemake("--dry-run", "--printshellcmds", "--configfile", config, environment=secrets)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-3000:]
    assert "needs the network: ${A_CATALOGUE}, two.invalid, ${AN_API}" in said
    made = project.snakemake("results/secret/config.yaml", "--configfile", config, environment=secrets)
    assert made.returncode == 0
    assert "${A_DEM}" in (project.folder / "results/secret/config.yaml").read_text()
    assert SECRET not in said + made.stdout + made.stderr
    files = [p for top in (".snakemake", "results/secret") for p in (project.folder / top).rglob("*") if p.is_file()]
    assert any("metadata" in p.parts for p in files)
    assert not [p for p in files if SECRET.encode() in p.read_bytes()]


def test_a_secret_that_a_configuration_writes_out_is_refused_and_not_said(project):
    source = {"kind": "catalog", "href": f"https://me:{SECRET}@one.invalid/catalog.json"}
    config = write_config(project, "open.yaml", run="open", simulate=None, search={"lr": source, "hr": source})
    done = project.snakemake("--dry-run", "--configfile", config)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "write it as ${NAME}" in said
    assert SECRET not in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("run: a # 湖\n".encode("gb18030"), "config.yaml: not a text in UTF-8"),
        (b"run: a\nrun: b\n", "config.yaml: 'run' stands twice"),
        (yaml.safe_dump({"a": [[[]]] * 3}).replace("a", "a: &a [*a]\nb", 1).encode(), "an alias within itself"),
    ],
)
def test_a_default_configuration_that_cannot_be_read_is_one_line(project, content, line):
    path = project.folder / "config" / "config.yaml"
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        done = project.snakemake("--dry-run")
    finally:
        path.write_bytes(before)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert line in said
    assert "Traceback" not in said
