"""Writes the conda environments of this folder: `python envs/make.py`, after a change of constraints.txt or of
what a stage imports.

Each environment has what the commands of its rules import, with the versions of constraints.txt, so that there is
one list of versions for pip and conda. The CUDA variant is for machines that make environments where no GPU is to be
seen, such as a cluster's login node.
"""

import ast
import re
import sys
from pathlib import Path

from crossres.code_version import ROOT as SOURCE
from crossres.code_version import command_sources, sources
from crossres.settings.stages import COMMANDS

ROOT = Path(__file__).parents[1]
ABOUT = {
    "acquire": "Catalogues, search and download.",
    "geo": "Simulation, alignment, patches.",
    "torch": "Training and sampling; conda takes the CUDA build where it sees a GPU, else the CPU build.",
    "evaluate": "Metrics, figures and the report.",
}
PACKAGES = {
    "PIL": "pillow", "matplotlib": "matplotlib-base", "pydantic_core": "pydantic", "odc": "odc-geo",
    "planetary_computer": "planetary-computer", "dask_jobqueue": "dask-jobqueue",
    "pystac_client": "pystac-client", "requests_aws4auth": "requests-aws4auth", "skimage": "scikit-image", "torch":
    "pytorch", "yaml": "pyyaml",
}  # fmt: skip
"""Modules whose conda package has another name."""
ASKED_FOR = {"geopandas": {"pyarrow", "pyogrio"}, "pandas": {"pyarrow"}}
"""What modules read files with, or load by themselves, without an import in this project."""
APART = {"acquire": {"libgdal-jp2openjpeg"}}
"""What conda-forge ships apart from GDAL, at GDAL's version, and rasterio's wheels have inside: JPEG 2000."""
PYPI = {"pytorch": "torch", "pytorch-gpu": "torch", "matplotlib-base": "matplotlib"}


def environment_of_rules() -> dict[str, str]:
    """Return the environment of each rule, as the workflow names it."""
    found = {}
    for path in (ROOT / "workflow" / "rules").glob("*.smk"):
        rule = ""
        for line in path.read_text().splitlines():
            if declared := re.match(r"\s*(?:rule|checkpoint) (\w+):", line):
                rule = declared[1]
            elif line.strip() == "TORCH":
                found[rule] = "torch"
            elif rule and (named := re.search(r'"\.\./\.\./envs/(\w+)\.yaml"', line)):
                found[rule] = named[1]
    return found


def imported(command: str) -> set[str]:
    """Return the modules outside of the package that a command imports, as far as a dot."""
    found = set()
    shared = [*sources("crossres.commands.options"), *(SOURCE / "crossres" / name for name in ("cli.py", "damaged.py"))]
    for source in [*command_sources(command), *shared]:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module or "")
    return {name for name in found if name.partition(".")[0] not in {*sys.stdlib_module_names, "crossres"}}


def packages(environment: str) -> set[str]:
    """Return the conda packages that the commands of an environment's rules import."""
    found = set()
    for rule, named in environment_of_rules().items():
        for module in imported(COMMANDS[rule]) if named == environment else ():
            top = module.partition(".")[0]
            found |= ASKED_FOR.get(top, set())
            found.add(PACKAGES.get(top, top))
    return found


def versions() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().lower().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def text(environment: str, cuda: bool = False) -> str:
    """Return the file of an environment."""
    pins = versions()
    named = dict.fromkeys(APART.get(environment, ()), "")
    for name in packages(environment) | ({"pytorch-gpu"} if cuda else set()):
        named[name] = f"={pins[PYPI.get(name, name)]}"
    dependencies = [f"  - {name}{version}" for name, version in sorted(named.items())]
    about = "Training and sampling, the CUDA build always." if cuda else ABOUT[environment]
    head = [
        f"# {about}", "# Made by `python envs/make.py` from constraints.txt and from what the stages import.",
        f"name: crossres-{environment}{'-cuda' if cuda else ''}", "channels:", "  - conda-forge", "  - nodefaults",
        "dependencies:", "  - python=3.11",
    ]  # fmt: skip
    return "\n".join([*head, *dependencies]) + "\n"


def files() -> dict[str, str]:
    """Return the content of every environment file by its name."""
    return {f"{name}.yaml": text(name) for name in ABOUT} | {"torch-cuda.yaml": text("torch", cuda=True)}


if __name__ == "__main__":
    for name, content in files().items():
        (ROOT / "envs" / name).write_text(content, encoding="utf-8")
