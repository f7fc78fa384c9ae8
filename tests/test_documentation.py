"""What people read is true: its commands are commands, its settings are settings, what it names exists."""

import re
import tomllib
from typing import get_args

import pytest
import yaml

from crossres import cli
from crossres.layout import RUN_PARTS
from crossres.settings.config import parse
from crossres.settings.explained import models_of
from crossres.settings.runs import Runs
from crossres.settings.search import SearchSettings
from documentation import PAGES, ROOT, Block, blocks, codes, links

PROSE = [*PAGES, ROOT / "CHANGELOG.md", *sorted((ROOT / "config").rglob("*.yaml"))]
BASH = blocks("bash")
YAML = blocks("yaml")
COMMANDS = [(block.where, words) for block in BASH for words in block.commands()]
"""Every command of every page: where it stands, its words."""
ORDINARY = {"apptainer", "export", "source", "mkdir", "cp", "docker", "cd", "snakemake"}
"""Commands that are not ours to check here; `snakemake` is planned in tests/integration."""
ENDINGS = (".py", ".md", ".json", ".html", ".tif", ".png", ".csv", ".parquet", ".zarr", ".safetensors")
WRITTEN_BY_READERS = {
    "config/own.yaml", "config/longer.yaml", "config/demo.lock.json", "config/scenarios.yaml", "config/both.yaml",
    "Snakefile",
}  # fmt: skip


def name(path):
    return path.relative_to(ROOT).as_posix()


def of(program):
    return [
        pytest.param(words[1:], id=f"{where} {' '.join(words)}") for where, words in COMMANDS if words[0] == program
    ]


@pytest.mark.parametrize("words", of("crossres"))
def test_every_command_of_crossres_is_one_that_the_command_line_takes(words):
    if words != ["--help"]:
        cli._parser().parse_args(words)


@pytest.mark.parametrize("words", of("make"))
def test_every_target_of_make_is_in_the_makefile(words):
    assert set(words) <= set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


@pytest.mark.parametrize("words", of("pip"))
def test_what_pip_installs_is_an_extra_or_has_the_version_that_is_tested(words):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    [what] = [word for word in words if word not in {"install", "-c", "constraints.txt", "-e"}]
    extra = re.fullmatch(r"\.(?:\[(\w+)\])?", what)
    if extra:
        assert extra[1] is None or extra[1] in extras
    else:
        assert what in (ROOT / "constraints.txt").read_text().splitlines()


@pytest.mark.parametrize("words", of("python"))
def test_every_script_exists(words):
    script = f"src/{words[1].replace('.', '/')}.py" if words[0] == "-m" else words[0]
    assert (ROOT / script).is_file()


def test_every_other_command_is_an_ordinary_one():
    assert {words[0] for _, words in COMMANDS} - {"crossres", "make", "pip", "python"} <= ORDINARY


def test_commands_stand_in_blocks_that_are_read_here():
    others = [block for block in blocks("", "console", "shell", "sh") if re.search(r"crossres|snakemake", block.text)]
    assert not others, f"{others[0].where}: mark it as bash"


@pytest.mark.parametrize("block", YAML, ids=lambda block: block.where)
def test_every_piece_of_configuration_is_valid(block: Block):
    content = yaml.safe_load(block.text)
    if isinstance(content.get("run"), dict):  # several runs
        parse(content["run"], block.where, Runs)
        return
    default = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    if block.file == "config/scenarios.yaml":
        for name, own in content.items():
            parse(default | own | {"run": name}, block.where)
        return
    if "kind" in content:  # one source
        default["search"]["lr"] = content
        if content["kind"] == "dataset":  # which is the HR source, too
            del default["search"]["hr"]
    elif "run" in content:
        default = content
    else:
        for section, own in content.items():
            default[section] = {**default.get(section, {}), **own}
    parse(default, block.where)


def test_every_kind_of_source_has_an_example():
    sources = models_of(SearchSettings.model_fields["lr"].annotation)
    known = {kind for source in sources for kind in get_args(source.model_fields["kind"].annotation)}
    assert known <= {yaml.safe_load(block.text).get("kind") for block in YAML}


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.where)
def test_every_piece_of_python_compiles(block: Block):
    compile(block.text, block.where, "exec")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_file_that_a_page_points_to_exists(page):
    missing = [target for target in links(page) if not (page.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("page", [page for page in PAGES if (ROOT / "docs") in page.parents], ids=name)
def test_a_page_of_the_site_points_to_no_page_outside_it(page):
    """The site is built of `docs/` alone: what is elsewhere in the repository is named, not linked."""
    assert not [target for target in links(page) if not (page.parent / target).resolve().is_relative_to(ROOT / "docs")]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_file_that_a_page_names_exists(page):
    named = {code for code in codes(page) if re.fullmatch(r"[\w.-]+(/[\w.-]+)+\.(py|md|yaml|json|smk|geojson)", code)}
    here = [ROOT, ROOT / "src" / "crossres", page.parent]
    # Results and products are not in the repository: their files are in a folder of the run.
    named = {code for code in named - WRITTEN_BY_READERS if not code.startswith(("results/", "evaluation/", "items/"))}
    assert not {code for code in named if not any((folder / code).exists() for folder in here)}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_key_that_a_page_names_is_one(page):
    known = set(re.findall(r"^\| `([\w.<>]+)` \|", (ROOT / "config" / "README.md").read_text(), re.M))
    sections = "|".join({key.split(".")[0] for key in known})
    said = [re.match(rf"((?:{sections})\.[a-z_<>.]+)(?:: .*)?$", code) for code in codes(page)]
    named = {found[1] for found in said if found and not found[1].endswith(ENDINGS)}
    assert not {key for key in named if not any(k == key or k.startswith(f"{key}.") for k in known)}


@pytest.mark.parametrize("page", PROSE, ids=name)
def test_lines_are_short_enough_to_read(page):
    lines = enumerate(page.read_text().splitlines(), 1)
    long = [number for number, line in lines if len(line.encode()) > 100 and not excused(line)]
    assert not long, f"{name(page)}:{long[0]} has more than 100 bytes"


def excused(line):
    """A row of a table, or a line that an address makes long."""
    return line.lstrip().startswith("|") or len(re.sub(r"\S*://\S*", "", line).encode()) <= 60


def test_every_part_of_a_run_s_folder_is_explained():
    page = (ROOT / "results" / "README.md").read_text()
    assert not [part for part in RUN_PARTS if not re.search(rf"^\| `{part}[/`]", page, re.M)]


def test_the_readme_is_read_in_two_minutes():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120
