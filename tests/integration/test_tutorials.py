"""What the documentation tells a reader to type does what it says: plans are made, tutorials are followed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from made_gaofen2 import NAME, members, write_archive
from project import Project, copy_project

from documentation import ROOT, Block, blocks

pytestmark = pytest.mark.integration

BASH = blocks("bash")
FILES = {block.file: block.text for block in blocks("yaml") if block.file}
"""What readers are told to write, by its path."""
IGNORED = {"-n", "--cores", "all"}
"""Words of a command that plans do not differ by."""


RUN_ELSEWHERE = {"--report", "--use-conda", "s3"}
"""A report needs a finished run (test_default.py), conda a conda (test_conda.py), S3 a server (test_storage.py)."""


def plans() -> list:
    """Return what each command of Snakemake asks for, once."""
    found = {}
    for block in BASH:
        for program, *words in block.commands():
            if program == "snakemake" and not RUN_ELSEWHERE & set(words):
                asked = [word for word in words if word not in IGNORED]
                found.setdefault(" ".join(asked), pytest.param(asked, id=f"{block.where} {' '.join(words)}"))
    return list(found.values())


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    """The project with the files that readers write."""
    made = copy_project(tmp_path_factory.mktemp("reader"))
    for folder in ("images/lr", "images/hr"):
        (made.folder / folder).mkdir(parents=True)
    for path, text in FILES.items():
        (made.folder / path).write_text(text)
    pretrained = made.folder / "results" / "pretrain" / "model" / "main"
    pretrained.mkdir(parents=True)
    for name in ("model.safetensors", "card.json"):
        (pretrained / name).touch()
    return made


@pytest.fixture(scope="module")
def environment(tmp_path_factory, real_data) -> dict[str, str]:
    """What the pages say must be set; and no network."""
    folder = tmp_path_factory.mktemp("reader_data")
    write_archive(folder / f"{NAME}.tar.gz", members())
    nowhere = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https", "all")}
    return nowhere | {
        "GAOFEN2_ARCHIVE": str(folder),
        "CROSSRES_REAL_DATA": str(real_data),
        "SNAKEMAKE_OUTPUT_CACHE": str(folder),
    }


@pytest.mark.parametrize("words", plans())
def test_every_command_of_snakemake_can_be_planned(project, environment, words):
    done = project.snakemake(*words, "--dry-run", "--quiet", "all", environment=environment)
    assert done.returncode == 0, done.stdout + done.stderr


def follow(page: str, folder: Path) -> None:
    """Type what a page says, but for what stands for a scene of the reader's own."""
    variables = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(folder / "src"),
    }  # fmt: skip
    for block in blocks("bash", "python", pages=[ROOT / "docs" / page]):
        if "SCENE" not in block.text and ".SAFE" not in block.text:
            run(block, folder, variables)


def run(block: Block, folder: Path, variables: dict[str, str]) -> None:
    command = [sys.executable, "-c"] if block.language == "python" else ["bash", "-euo", "pipefail", "-c"]
    done = subprocess.run(
        [*command, block.text], cwd=folder, env=variables, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, f"{block.where}: {(done.stdout + done.stderr)[-4000:]}"


@pytest.fixture(scope="module")
def after_the_demo(project, default_run) -> Path:
    """The reader's folder, in which the demo has run."""
    (project.folder / "results").mkdir(exist_ok=True)
    (project.folder / "results" / "demo").symlink_to(default_run.folder / "results" / "demo")
    return project.folder


def test_a_reader_applies_the_demo_s_model_to_a_scene(after_the_demo):
    follow("tutorials/apply.md", after_the_demo)
    assert {path.name for path in (after_the_demo / "sr").iterdir()} == {
        "mean.tif", "std.tif", "sample.tif", "support.tif", "item.json",
        "mean.qml", "std.qml", "sample.qml", "support.qml", "quicklook.png",
    }  # fmt: skip


def test_a_reader_looks_at_the_demo_in_a_notebook(after_the_demo):
    follow("how-to/notebook.md", after_the_demo)


def test_a_reader_trains_on_own_geotiffs(after_the_demo):
    follow("tutorials/geotiffs.md", after_the_demo)
    assert (after_the_demo / "results/own/report.html").is_file()
    assert len(list((after_the_demo / "results/own/aligned").iterdir())) == 2
