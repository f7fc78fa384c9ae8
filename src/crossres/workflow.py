"""The workflow that this package brings: where its files are, an experiment's folder, and Snakemake on it."""

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from crossres.errors import UserError
from crossres.files import read_text, whole

INSTALLED = Path(__file__).parent / "_workflow"
CHECKOUT = Path(__file__).parents[2]

README = """\
# An experiment of crossres

`config/config.yaml` says what is searched, trained and judged. Edit it; then, in this folder:

```bash
crossres workflow run -n             # what would run
crossres workflow run --cores all    # run it; what was stopped goes on
```

The report is `results/<run>/report.html`, with the name of the run that `config/config.yaml` has.
All options are Snakemake's. On a SLURM cluster, fill in `profiles/slurm/profile.yaml`, and:

```bash
crossres workflow run --workflow-profile profiles/slurm
```
"""


def folder() -> Path:
    """Return the folder of Snakefile, config, profiles and environments: the package's own, else the checkout's.

    `UserError` where the package was put together without them.
    """
    for place in (INSTALLED, CHECKOUT):
        if (place / "Snakefile").is_file():
            return place
    raise UserError(f"{INSTALLED}: no Snakefile: this installation is not whole; install crossres again")


def lay_out(place: Path, like: str) -> None:
    """Write an experiment's files into a folder; `UserError`, and nothing is written, where one of them is there."""
    source = folder()
    known = sorted(path.stem for path in (source / "config").glob("*.yaml"))
    if like not in known:
        raise UserError(f"--like {like}: no such experiment; name one of {', '.join(known)}")
    text = read_text(source / "config" / f"{like}.yaml")
    files = {
        "config/config.yaml": _in_its_folder(text, like),
        "profiles/slurm/profile.yaml": _in_its_folder(read_text(source / "profiles/slurm/profile.yaml"), like),
        "README.md": README,
    }
    # What the experiment names beside itself.
    for name in re.findall(r"\bconfig/[\w-]+\.geojson\b", text):
        files[name] = read_text(source / name)
    for name in files:
        if os.path.lexists(place / name):
            raise UserError(f"{place / name}: is there already; name another folder, nothing was written")
    for name, content in files.items():
        with whole(place / name) as part:
            part.write_text(content, encoding="utf-8")
    print(f"{place}: {', '.join(files)}")


def _in_its_folder(text: str, like: str) -> str:
    """Return a file with its comments' commands as they are typed beside an installed package."""
    commands = re.compile(r"^( *#.*)\bsnakemake (?=--|-n)", re.MULTILINE)
    text = commands.sub(r"\1crossres workflow run ", text).replace(f" --configfile config/{like}.yaml", "")
    return text.replace("pip install -c constraints.txt -e '.[", "pip install 'crossres[")


def run_snakemake(options: list[str]) -> NoReturn:
    """Become Snakemake, with these options, on this workflow; what it runs on is the working directory."""
    snakefile = str(folder() / "Snakefile")
    os.execv(sys.executable, [sys.executable, "-m", "snakemake", "--snakefile", snakefile, *options])


def failed_jobs(logs: Iterable[str]) -> list[str]:
    """Return a line for each rule that failed, with its own log, from the log files that Snakemake writes."""
    found: dict[str, None] = {}
    for log in logs:
        for rule, block in re.findall(r"^Error in rule (\S+):\n((?:[ \t].*\n?)*)", read_text(Path(log)), re.MULTILINE):
            own = re.search(r"^ +log: (.+?)(?: \(check log file|$)", block, re.MULTILINE)
            found[f"{rule} failed; it says why in {own[1]}" if own else f"{rule} failed"] = None
    return list(found)
