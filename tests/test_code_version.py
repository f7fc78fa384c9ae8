"""The fingerprint of a stage's code changes with its code, and with nothing else."""

import os
import shutil
import sys
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
    before = version("crossres.imagery.raster"), version("crossres.settings.train")
    (copy / "errors.py").write_text((copy / "errors.py").read_text() + "\nX = 1\n")
    assert version("crossres.imagery.raster") != before[0]
    assert version("crossres.settings.train") == before[1]


def test_an_unknown_module_is_an_error():
    with pytest.raises(ModuleNotFoundError):
        version("crossres.nothing")


def forget():
    module._module.cache_clear()


def kept(copy):
    return copy / "__pycache__" / f"grids.{sys.implementation.cache_tag}.code.json"


def test_what_was_kept_of_a_module_gives_the_same_version(copy):
    shutil.rmtree(copy / "__pycache__", ignore_errors=True)
    forget()
    parsed = version("crossres.grids")
    assert kept(copy).exists()
    forget()
    assert version("crossres.grids") == parsed


def test_what_was_kept_is_used_for_the_very_content_alone(copy):
    before = version("crossres.grids")
    path = copy / "grids.py"
    stat, text = path.stat(), path.read_text()
    path.write_text(text.replace("def ", "def x", 1).replace("\n\n\n", "\n\n", 1))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_size == stat.st_size
    forget()
    assert version("crossres.grids") != before


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"key": 1}'])
def test_what_was_kept_and_is_damaged_is_made_again(copy, content):
    forget()
    before = version("crossres.grids")
    whole = kept(copy).read_text()
    kept(copy).write_text(content)
    forget()
    assert version("crossres.grids") == before
    assert kept(copy).read_text() == whole


def test_a_folder_that_cannot_be_written_to_keeps_nothing(copy):
    before = version("crossres.grids")
    shutil.rmtree(copy / "__pycache__", ignore_errors=True)
    (copy / "__pycache__").write_text("in the way")
    forget()
    assert version("crossres.grids") == before
