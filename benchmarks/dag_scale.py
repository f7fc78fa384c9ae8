"""How long Snakemake plans, and sees that nothing is left to do: `python benchmarks/dag_scale.py 10 100 1000`.

`--pairs-per-job 20` puts so many pairs in each job, `--lock` takes them from a lock file.

Each size is a Gaofen-2 archive of that many packages, each paired with a Sentinel-2 scene of an API, a quarter of them
held out. The workflow is this repository's; what its jobs would write is simulated: items as the search writes them,
empty files else. Prints CPU seconds and peak memory of three dry runs (all to be made; nothing to be done; one setting
of the last stage changed) beside the wall seconds, and the growth from size to size.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

ROOT = Path(__file__).resolve().parents[1]
RUN = "results/campaign"
HELD_OUT = 0.25
FILES = {".csv", ".html", ".json", ".zip", ".parquet", ".png", ".safetensors", ".tif", ".tsv", ".yaml"}
"""Suffixes of outputs that are files; the others are folders."""
CONFIG = {
    "run": "campaign",
    "search": {
        "area": [100.0, 30.0, 115.0, 40.0],
        "datetime": "2018-12-01/2023-12-31",
        "lr": {"kind": "stac-api", "url": "https://example.org/v1", "collections": ["sentinel-2-l2a"]},
        "hr": {"kind": "gaofen2", "path": "archive"},
    },
    "grid": {"gsd_m": 2.5, "bands": ["blue", "green", "red", "nir"]},
    "acquire": {"dem": "cop-dem-glo-30", "geoid_undulation_m": -19},
    "dataset": {"val_share": 0.15, "test_share": HELD_OUT},
}


@dataclass(frozen=True)
class Cost:
    """What one call of Snakemake took."""

    wall_s: float
    cpu_s: float
    memory_mb: float
    said: str


def snakemake(folder: Path, *arguments: str, pretend: bool = False) -> Cost:
    """Run Snakemake in a folder; with `pretend` its jobs write empty files, all that are ready at once."""
    program = [__file__, "--pretend"] if pretend else ["-m", "snakemake"]
    command = [sys.executable, *program, "--snakefile", str(ROOT / "Snakefile"), "--configfile", "config.yaml"]
    cores = "1000" if pretend else "1"
    log = folder / "said.txt"
    start = time.perf_counter()
    with log.open("w") as said:
        process = subprocess.Popen(
            [*command, "--cores", cores, *arguments], cwd=folder, stdout=said, stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        )  # fmt: skip
        _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status:
        sys.exit(log.read_text()[-3000:])
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, log.read_text())


def simulate_search(folder: Path, places: int) -> None:
    """Write the archive, and what the search would find in it."""
    items = folder / RUN / "items"
    for part in ("scenes", "pairs"):
        (items / part).mkdir(parents=True)
    (folder / "archive").mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    settings = {section: CONFIG[section] for section in ("search", "acquire", "grid")}
    lock = {"crossres:lock": 1, "settings": settings, "scenes": {}, "pairs": {}, "declined": []}
    for number in range(places):
        lr = f"S2A_T{number:05}_20210512T030917_L2A"
        hr = f"GF2_PMS1_E112.4_N35.6_20210430_L1A{number:010}"
        (folder / "archive" / f"{hr}.tar.gz").touch()
        bands = {band: {"href": f"https://example.org/{lr}/{band}.tif"} for band in ("blue", "green", "red", "nir")}
        package = {"package": {"href": f"../../../../archive/{hr}.tar.gz"}}
        for name, assets in ((lr, bands), (hr, package)):
            item = {"type": "Feature", "id": name, "properties": {}, "assets": assets}
            (items / "scenes" / f"{name}.json").write_text(json.dumps(item))
            locked = item | {"assets": bands if name == lr else {"package": {"href": f"archive/{hr}.tar.gz"}}}
            lock["scenes"][name] = {"item": locked, "assets": {}, "files": {}}
        lock["pairs"][f"{hr}--{lr}"] = {"id": f"{hr}--{lr}", "lr": lr, "hr": hr}
        pair = {"id": f"{hr}--{lr}", "lr": lr, "hr": hr}
        (items / "pairs" / f"{hr}--{lr}.json").write_text(json.dumps(pair))
    (items / "declined.csv").touch()
    (folder / "lock.json").write_text(json.dumps(lock))


def pretend(arguments: list[str]) -> None:
    """Run Snakemake so that each job's outputs are empty, but for the one that says what is held out."""
    from snakemake.cli import main
    from snakemake.executors import touch

    touch_outputs = touch.Executor.run_job

    def run_job(self, job):
        for output in map(Path, (*job.output, *([job.benchmark] if job.benchmark else []))):
            output.parent.mkdir(parents=True, exist_ok=True)
            if output.exists():
                continue
            if str(output) == f"{RUN}/pairs/summary.json":
                pairs = sorted(path.stem for path in Path(RUN, "items/pairs").glob("*.json"))
                held_out = pairs[: max(1, round(HELD_OUT * len(pairs)))]
                output.write_text(json.dumps({"splits": {"test": held_out}}))
            elif output.suffix in FILES:
                output.touch()
            else:
                output.mkdir()
        touch_outputs(self, job)

    touch.Executor.SLEEPING_TIME = 0
    touch.Executor.run_job = run_job
    main([*arguments, "--touch"])


def measure(places: int, scratch: Path) -> Iterator[tuple[str, Cost]]:
    """Give what each of the three runs took, as soon as it ends."""
    folder = scratch / str(places)
    simulate_search(folder, places)
    quiet = ("--dry-run", "--quiet", "all")
    yield "all to be made", snakemake(folder, *quiet)
    snakemake(folder, "--quiet", "all", pretend=True)
    nothing = snakemake(folder)
    if "Nothing to be done" not in nothing.said:
        sys.exit(nothing.said[-3000:])
    yield "nothing to be done", nothing
    yield "another report title", snakemake(folder, *quiet, "--config", "report={title: x}")
    shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("places", nargs="*", type=int, default=[10, 100, 1000])
    parser.add_argument("--pairs-per-job", type=int, default=1)
    parser.add_argument("--lock", action="store_true")
    args = parser.parse_args()
    sizes = args.places
    CONFIG["search"]["pairs_per_job"] = args.pairs_per_job
    if args.lock:
        CONFIG["search"]["lock"] = "lock.json"
    before: dict[str, Cost] = {}
    with TemporaryDirectory() as scratch:
        for number, size in enumerate(sizes):
            costs = {}
            for what, cost in measure(size, Path(scratch)):
                costs[what] = cost
                line = (
                    f"{size} places, {what}: {cost.cpu_s:.1f} s CPU, {cost.wall_s:.1f} s wall, {cost.memory_mb:.0f} MB"
                )
                if before:
                    line += f", x{cost.cpu_s / before[what].cpu_s:.1f} of the CPU time of {sizes[number - 1]}"
                print(line, flush=True)
            before = costs


if __name__ == "__main__":
    if "--pretend" in sys.argv:
        pretend(sys.argv[sys.argv.index("--pretend") + 1 :])
    else:
        main()
