"""The fingerprint of a stage's code changes with its code, and with nothing else."""

import shutil
from pathlib import Path

import pytest

from crossres import code_version as module

SOURCE = Path(module.__file__).parent


@pytest.fixture
def copy(tmp_path, monkeypatch):
    shutil.copytree(SOURCE, tmp_path / "crossres")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return tmp_path / "crossres"


def version(name):
    return module.code_version.__wrapped__(name)


def test_comments_docstrings_and_formatting_change_nothing(copy):
    before = version("crossres.grids")
    path = copy / "grids.py"
    path.write_text("# a comment\n" + path.read_text().replace('"""Return the grid', '"""Give\n    the grid') + "\n\n")
    assert version("crossres.grids") == before


def test_a_change_of_an_imported_module_changes_it(copy):
    before = version("crossres.rasters"), version("crossres.settings.train")
    (copy / "errors.py").write_text((copy / "errors.py").read_text() + "\nX = 1\n")
    assert version("crossres.rasters") != before[0]
    assert version("crossres.settings.train") == before[1]


def test_an_unknown_module_is_an_error():
    with pytest.raises(ModuleNotFoundError):
        version("crossres.nothing")
