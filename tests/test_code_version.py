"""The fingerprint of a stage's code changes with its code, and with nothing else."""

import os
import shutil
import subprocess
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


def command(name):
    return module.command_version.__wrapped__(name)


def edit(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_a_command_is_what_it_runs_and_not_its_options(copy):
    before = command("search")
    path = copy / "commands" / "search.py"
    edit(path, '"folder of items to write"', '"where items go"')
    edit(path, "add_settings, section", "add_settings, add_threads, section")
    edit(copy / "commands" / "options.py", "def section(", "X = 1\n\n\ndef section(")
    assert command("search") == before
    edit(path, 'section(args, "grid")', "None")
    assert command("search") != before


def test_what_stands_beside_run_counts_where_run_uses_it(copy):
    before = command("search"), command("catalog")
    edit(copy / "commands" / "search.py", '== "stac-api"', '== "folder"')
    edit(copy / "commands" / "catalog.py", "def run(", "def other():\n    return 1\n\n\ndef run(")
    assert command("search") != before[0]
    assert command("catalog") == before[1]


def test_a_change_of_what_a_command_imports_changes_it_and_no_other(copy):
    before = command("download"), command("patches")
    edit(copy / "settings" / "paths.py", "\n\ndef expand", "\n\nX = 1\n\n\ndef expand")
    assert command("download") != before[0]
    assert command("patches") == before[1]


def test_the_fingerprint_of_a_command_loads_none():
    code = "import sys; from crossres.code_version import command_version as v; v('train'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"crossres.commands", "torch", "numpy", "pydantic"} & set(loaded)


def test_a_command_that_is_not_there_is_an_error():
    with pytest.raises(LookupError, match="crossres nothing: no such command"):
        command("nothing")
