"""What SLURM costs each pair, from scenes to patches: `python benchmarks/submissions.py CHIPS 20 --batched 1000`.

CHIPS is the folder of real image pairs `<place>_lr.tif`, `<place>_hr.tif` that config/real/prepare.py makes (chips_x4).
They are laid out again and again, each at a place of its own, until there are as many as asked for. SLURM is that of
the tests: two nodes on this machine, which needs root. Pairs go through it as a job for each stage, as a submission for
each pair (the profile) and as twenty pairs in a job, and without it as jobs of 500. CPU seconds are those of the
whole machine, which must be idle otherwise; what a pair takes beyond its share of those is the overhead.
"""

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import rasterio
import yaml
from rasterio.transform import Affine

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "integration"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "acquire"))

import slurm

ROOT = Path(__file__).resolve().parents[1]
PROFILE = ROOT / "profiles" / "slurm" / "profile.yaml"
APART_M = 3000
LARGEST = 500
"""Most pairs that search.pairs_per_job puts into a job."""
TARGET = "results/submissions/pairs/summary.json"


@dataclass(frozen=True)
class Cost:
    """What all pairs took."""

    pairs: int
    cpu_s: float
    wall_s: float

    def say(self, what: str, work: "Cost | None" = None) -> None:
        """Print this for each pair, with the overhead above what a pair takes without SLURM."""
        each, wall = self.cpu_s / self.pairs, self.wall_s / self.pairs
        over = "" if work is None else f", overhead {each - work.cpu_s / work.pairs:.2f} s CPU"
        print(f"{what} ({self.pairs} pairs): each {each:.2f} s CPU, {wall:.2f} s wall{over}", flush=True)


def lay_out(chips: Path, folder: Path, count: int, pairs_per_job: int) -> None:
    """Write so many pairs and their configuration into a folder."""
    (folder / "images").mkdir(parents=True)
    places = sorted(path.name.removesuffix("_lr.tif") for path in chips.glob("*_lr.tif"))
    for number in range(count):
        again, place = divmod(number, len(places))
        for role in ("lr", "hr"):
            with rasterio.open(chips / f"{places[place]}_{role}.tif") as src:
                moved = Affine.translation(APART_M * place, APART_M * again) * src.transform
                with rasterio.open(folder / "images" / f"p{number:04}_{role}.tif", "w", **src.profile) as dst:
                    dst.transform, dst.crs = moved, "EPSG:32630"
                    dst.write(src.read())
    content = yaml.safe_load((ROOT / "config" / "real" / "chips_x4.yaml").read_text())
    content |= {"run": "submissions", "dataset": {}}
    for role in ("lr", "hr"):
        content["search"][role]["path"] = "images"
    content["search"]["pairs_per_job"] = pairs_per_job
    (folder / "config.yaml").write_text(yaml.safe_dump(content))


def measure(folder: Path, environment: dict[str, str], *options: str) -> tuple[float, float]:
    """Run Snakemake up to the dataset; return the machine's CPU seconds and the wall seconds."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--configfile", "config.yaml"]
    busy, start = busy_s(), time.perf_counter()
    done = subprocess.run(
        [*command, *options, "--", TARGET], cwd=folder, env=environment | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit((done.stdout + done.stderr)[-4000:])
    return busy_s() - busy, time.perf_counter() - start


def busy_s() -> float:
    """Return the CPU seconds of this machine since it started, but for those in which nothing ran."""
    times = psutil.cpu_times()
    return times.user + times.system + times.nice


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chips", type=Path)
    parser.add_argument("pairs", type=int, help="how many pairs go through SLURM one by one")
    parser.add_argument("--batched", type=int, default=1000, help="how many go twenty, and 500, in a job")
    args = parser.parse_args()
    if why_not := slurm.missing():
        sys.exit(why_not)
    alone = yaml.safe_load(PROFILE.read_text())
    alone.pop("groups")
    with TemporaryDirectory() as scratch:
        base = Path(scratch)
        (base / "alone").mkdir()
        (base / "alone" / "profile.yaml").write_text(yaml.safe_dump(alone))
        lay_out(args.chips, base / "work", args.batched, min(args.batched, LARGEST))
        work = Cost(args.batched, *measure(base / "work", dict(os.environ), "--cores", "2"))
        work.say("500 in a job, without SLURM")
        with slurm.cluster(base / "slurm") as environment:
            for what, profile, pairs, pairs_per_job in (
                ("a job for each stage", base / "alone", args.pairs, 1),
                ("a submission for each pair", PROFILE.parent, args.pairs, 1),
                ("twenty pairs in a job", PROFILE.parent, args.batched, 20),
            ):
                folder = base / what.replace(" ", "_")
                lay_out(args.chips, folder, pairs, pairs_per_job)
                options = [*slurm.PROFILE]
                options[1] = str(profile)
                Cost(pairs, *measure(folder, environment, *options)).say(what, work)


if __name__ == "__main__":
    main()
