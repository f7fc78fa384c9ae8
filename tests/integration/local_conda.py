"""A conda channel on this machine and a stand-in for `conda`, for where no channel can be reached.

The channel's packages are thin: each holds links to what the distribution of that name has put into the Python
environment that runs the
tests, and depends on what that distribution says it needs. So environments are really solved, installed and
activated, and hold
exactly the packages that their files name and what these need: an import that no named package covers fails.
Builds of conda-forge they are not.
The stand-in answers the calls that Snakemake makes of conda, with py-rattler as solver and installer. `python
local_conda.py ARGUMENTS` is it.
"""

import argparse
import asyncio
import faulthandler
import json
import os
import stat
import sys
from importlib import metadata
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHANNEL = "CROSSRES_TEST_CHANNEL"
INSIDE_WHEELS = {"libgdal-jp2openjpeg"}
"""Packages of conda-forge whose content rasterio's wheel has: empty here."""
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
"""Packages that conda-forge names otherwise than PyPI."""
SITE = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"

WRAPPER = """\
#!/bin/sh
"{python}" "{program}" "$@" && exit
status=$?
echo "the stand-in for conda ended with status $status: conda $*" >&2
exit $status
"""
"""Snakemake shows what was said, and not by what signal a conda was ended."""

ACTIVATE = """\
export CONDA_PREFIX="$1"
export PATH="$1/bin:$PATH"
"""


def conda_name(distribution: str) -> str:
    name = canonicalize_name(distribution)
    return CONDA_NAMES.get(name, name)


def make_channel(folder: Path, wanted: set[str]) -> None:
    """Write a channel with the named packages, as far as they are installed here, and all that they need."""
    from rattler.index import index_fs
    from rattler_build import assemble_package

    installed = {conda_name(d.metadata["Name"]): d for d in metadata.distributions()}
    target = folder / "noarch"
    target.mkdir(parents=True)
    todo, done = set(wanted) & set(installed), set()
    while todo:
        name = todo.pop()
        done.add(name)
        needs = needed(installed[name]) & set(installed)
        todo |= needs - done
        staged = folder.parent / "staged" / name
        links = staged / SITE
        links.mkdir(parents=True)
        for entry in top_level(installed[name]):
            (links / entry.name).symlink_to(entry)
        assemble_package(
            name, installed[name].version, "noarch", "0", target, files_dir=staged, depends=sorted({"python", *needs}),
            noarch="generic", detect_prefix=False, compression_level=1,
        )  # fmt: skip
    for name in wanted & INSIDE_WHEELS:
        empty = folder.parent / "staged" / name
        empty.mkdir(parents=True)
        assemble_package(name, "1", "noarch", "0", target, files_dir=empty, noarch="generic", detect_prefix=False)
    staged = folder.parent / "staged" / "python"
    (staged / "bin").mkdir(parents=True)
    (staged / "bin" / "python").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
    (staged / "pyvenv.cfg").write_text(f"home = {sys.base_prefix}/bin\ninclude-system-site-packages = false\n")
    version = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    assemble_package("python", version, "noarch", "0", target, files_dir=staged, noarch="generic", detect_prefix=False)
    asyncio.run(index_fs(folder))


def needed(distribution: metadata.Distribution) -> set[str]:
    """Return the packages that a distribution requires here, without its extras."""
    found = [Requirement(text) for text in distribution.requires or ()]
    return {conda_name(r.name) for r in found if r.marker is None or r.marker.evaluate({"extra": ""})}


def top_level(distribution: metadata.Distribution) -> set[Path]:
    """Return the files and folders that a distribution has put right into site-packages."""
    root = Path(str(distribution.locate_file("")))
    names = {path.parts[0] for path in distribution.files or () if path.parts[0] not in {"..", "__pycache__"}}
    return {root / name for name in names if not name.endswith(".pth")}


def install_stand_in(folder: Path) -> Path:
    """Write `bin/conda` and `bin/activate` into a folder; return the folder to put on PATH."""
    binaries = folder / "bin"
    binaries.mkdir(parents=True)
    conda = binaries / "conda"
    conda.write_text(WRAPPER.format(python=sys.executable, program=Path(__file__).resolve()))
    conda.chmod(conda.stat().st_mode | stat.S_IXUSR)
    (binaries / "activate").write_text(ACTIVATE)
    return binaries


def conda(arguments: list[str]) -> None:
    """Answer one call of Snakemake's as conda would."""
    match arguments:
        case ["--version"]:
            print("conda 24.11.0")
        case ["info", "--json"]:
            print(json.dumps({"conda_prefix": os.environ[CHANNEL] + "-conda", "platform": "linux-64"}))
        case ["config", "--get", "channel_priority", "--json"]:
            print(json.dumps({"get": {"channel_priority": "strict"}}))
        case ["env", "create", *options]:
            parser = argparse.ArgumentParser()
            for switch in ("--quiet", "--no-default-packages"):
                parser.add_argument(switch, action="store_true")
            for option in ("--file", "--prefix"):
                parser.add_argument(option, type=Path)
            args = parser.parse_args(options)
            asyncio.run(create(yaml.safe_load(args.file.read_text())["dependencies"], args.prefix))
        case ["clean", "-y", "--tarballs"]:
            pass
        case _:
            sys.exit(f"the stand-in for conda does not know: {' '.join(arguments)}")


async def create(specs: list[str], prefix: Path) -> None:
    from rattler import Channel, Gateway, install, solve

    records = await solve(
        [Channel(f"file://{os.environ[CHANNEL]}")], specs, gateway=Gateway(), platforms=["linux-64", "noarch"]
    )
    await install(records, prefix, cache_dir=Path(os.environ[CHANNEL] + "-cache"), show_progress=False)


if __name__ == "__main__":
    faulthandler.enable()
    conda(sys.argv[1:])
    # Not through the end of the interpreter: a thread of rattler that has just handed over its result lets go of Python
    # objects after that, and crashes (SIGSEGV, not a word) where the interpreter is already being taken down. The more
    # a machine is used, the oftener.
    sys.stdout.flush()
    os._exit(0)
