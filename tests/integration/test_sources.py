"""Several sources for one role: each has a catalogue of its own, and one search looks through all of them."""

import pytest
from project import copy_project, write_config

pytestmark = pytest.mark.integration


def test_each_folder_gets_a_catalogue_of_its_own(tmp_path):
    project = copy_project(tmp_path)
    sensor = {"bands": ["red"], "datetime": "2020-05-01T00:00:00Z"}
    sources = {}
    for name in ("low", "high", "higher"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "a.tif").touch()
        sources[name] = {"kind": "folder", "path": f"data/{name}", "sensor": sensor}
    api = {"kind": "stac-api", "url": "https://example.org", "collections": ["x"]}
    search = {"lr": [api, sources["low"]], "hr": [sources["high"], sources["higher"]], "area": [10, 50, 11, 51]}
    config = write_config(project, "many.yaml", run="many", simulate=None, search=search, acquire={})
    planned = project.run("--dry-run", "--printshellcmds", "results/many/items", "--configfile", config)
    assert "--lr results/many/catalogs/lr-2/catalog.json" in planned
    assert "--hr results/many/catalogs/hr/catalog.json results/many/catalogs/hr-2/catalog.json" in planned
    assert planned.count("python -m crossres catalog folder") == 3
