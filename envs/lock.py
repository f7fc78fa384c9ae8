"""Writes every package of the environments, with its URL and MD5: `python envs/lock.py`, which asks conda-forge.

Snakemake reads `envs/<name>.linux-64.pin.txt` beside an environment's file, and conda then solves nothing. The solver
is py-rattler's (`pip install py-rattler`); no conda is needed, and nothing is installed. Make the files again after
`envs/make.py`. torch-cuda is solved for one version of the driver: `--cuda 12.8`.
"""

import argparse
import asyncio
import sys
from pathlib import Path

import yaml
from rattler import BuildString, Channel, Gateway, GenericVirtualPackage, PackageName, RepoDataRecord, Version, solve
from rattler.exceptions import SolverError

HERE = Path(__file__).parent
PLATFORM = "linux-64"
SYSTEM = {"__unix": "0", "__linux": "5.10", "__glibc": "2.28", "__archspec": "1"}
"""The oldest system that the packages are to run on, as conda's virtual packages."""


def virtual(system: dict[str, str]) -> list[GenericVirtualPackage]:
    builds = {"__archspec": "x86_64"}
    return [
        GenericVirtualPackage(PackageName(name), Version(version), BuildString(builds.get(name, "0")))
        for name, version in system.items()
    ]


async def locked(file: Path, channel: str, cuda: str | None) -> list[RepoDataRecord]:
    """Return the packages that an environment comes to, in the order in which they can be installed."""
    specs = yaml.safe_load(file.read_text(encoding="utf-8"))["dependencies"]
    system = SYSTEM | ({"__cuda": cuda} if cuda else {})
    return await solve(
        [Channel(channel)], specs, gateway=Gateway(), platforms=[PLATFORM, "noarch"], virtual_packages=virtual(system)
    )


def text(file: Path, records: list[RepoDataRecord]) -> str:
    """Return what conda reads with `conda create --file`."""
    lines = sorted(f"{record.url}#{record.md5.hex()}" for record in records)
    head = [f"# {file.name}, solved by `python envs/lock.py`.", f"# platform: {PLATFORM}", "@EXPLICIT"]
    return "\n".join([*head, *lines]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Write envs/<name>.linux-64.pin.txt.")
    parser.add_argument("--cuda", metavar="VERSION", help="lock torch-cuda, too, for drivers of this CUDA version")
    parser.add_argument("--channel", default="conda-forge", help="its name, or a URL of a mirror of it (conda-forge)")
    parser.add_argument("--output", type=Path, default=HERE, metavar="FOLDER", help="where to write (envs)")
    args = parser.parse_args()
    for file in sorted(HERE.glob("*.yaml")):
        is_cuda = file.stem.endswith("-cuda")
        if is_cuda and args.cuda is None:
            continue
        try:
            records = asyncio.run(locked(file, args.channel, args.cuda if is_cuda else None))
        except SolverError as error:
            sys.exit(f"{file.name}: {error}")
        path = args.output / f"{file.stem}.{PLATFORM}.pin.txt"
        path.write_text(text(file, records), encoding="utf-8")
        print(f"{path}: {len(records)} packages")


if __name__ == "__main__":
    main()
