"""What a GPU is worth here, with one command: python benchmarks/gpu.py FOLDER [--minutes 3] [--only 1 2 ...]

1. The code runs there: training stops on SIGTERM, goes on and ends at the same weights; sampling gives the CPU's image;
   when memory runs out, fewer crops go through at once.
2. Where the time of a training step goes (`benchmarks/training.py`), with torch.compile and without.
3. `demo` as the embedded default trains it, and `dense` and `base` for so many minutes each, on a simulated world as
   large as `--places` says, all judged on places held out.
4. Seconds per HR megapixel of whole scenes with `dense` and `base`: a large scene's less a small one's, start-up left
   out; with a compiled network, and without.
5. The claim's table for `dense`: a start from the LR image against one from noise.

Everything goes through the commands and the workflow. A table comes last, and into FOLDER/table.md; logs are in
FOLDER/logs. What fails says so in its row, and the rest goes on. Parts may be made in several calls. `--tiny` tries all
of it with the smallest sizes, on a CPU in a few minutes.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
import torch
import yaml
from safetensors.numpy import load_file

from crossres.evaluate.report.claim_table import claim_tables

ROOT = Path(__file__).parents[1]
CUDA = torch.cuda.is_available()
MAIN, LARGE = "dense", ("dense", "base")
"""The size that a GPU is asked about, and what it is compared with."""
LITTLE_MEMORY = """
import sys, torch
torch.cuda.set_per_process_memory_fraction(float(sys.argv.pop()))
from crossres.cli import main
main(sys.argv[1:])
"""


class Failed(Exception):
    """A command ended with an error; the last line that it said."""


class Benchmark:
    """The folder, the sizes and the rows so far."""

    def __init__(self, folder: Path, tiny: bool, minutes: float, places: int) -> None:
        self.folder, self.tiny, self.minutes, self.places = folder.resolve(), tiny, minutes, places
        self.run = self.folder / "results" / "gpu"
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        self._kept = self.folder / "found.json"
        kept = json.loads(self._kept.read_text()) if self._kept.exists() else {}
        self.rows: dict[str, str] = kept.get("rows", {})
        self.steps: dict[str, int] = kept.get("steps", dict.fromkeys(LARGE, 12 if tiny else 1000))

    def keep(self) -> None:
        """Keep what was found for a later call, which may make other parts."""
        self._kept.write_text(json.dumps({"rows": self.rows, "steps": self.steps}))

    def row(self, what: str, value: object) -> None:
        self.rows[what] = str(value)
        self.keep()
        print(f"{time.strftime('%H:%M:%S')} {what}: {value}", flush=True)

    @contextmanager
    def part(self, title: str) -> Iterator[None]:
        """Time a part; what fails in it ends the part and not the rest."""
        start = time.perf_counter()
        self.rows.pop(title, None)
        print(f"{time.strftime('%H:%M:%S')} {title} ...", flush=True)
        try:
            yield
        except Exception as error:
            self.row(title, f"FAILED: {error}")
        print(f"  ({time.perf_counter() - start:.0f} s)", flush=True)

    def start(self, name: str, arguments: list[object], gpu: bool = True) -> subprocess.Popen:
        """Start Python with these arguments; its output goes to logs/NAME."""
        paths = [str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
        if not gpu:
            environment["CUDA_VISIBLE_DEVICES"] = ""
        log = self.log(name).open("w")
        command = [sys.executable, *map(str, arguments)]
        return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=log, stderr=subprocess.STDOUT)

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def do(self, name: str, arguments: list[object], gpu: bool = True) -> float:
        """Run Python with these arguments and return the seconds that it took; `Failed` where it failed."""
        start = time.perf_counter()
        if self.start(name, arguments, gpu).wait():
            raise Failed(f"{self.log(name)}: {(self.log(name).read_text().strip().splitlines() or [''])[-1]}")
        return time.perf_counter() - start

    def workflow(self, name: str, *targets: str) -> float:
        """Make these files of the run with the workflow."""
        start = time.perf_counter()
        if self.workflow_process(name, *targets).wait():
            raise Failed(f"{self.log(name)}: the workflow failed")
        return time.perf_counter() - start

    def workflow_process(self, name: str, *targets: str) -> subprocess.Popen:
        config = self.folder / "gpu.yaml"
        config.write_text(yaml.safe_dump(self.config()))
        snakemake = ["-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", self.folder, "--cores", "all"]
        wanted = [f"results/gpu/{target}" for target in targets]
        return self.start(name, [*snakemake, "--configfile", config, "--", *wanted])

    def config(self) -> dict:
        """Return the experiment: a world, two models and every number of evaluations of one of them."""
        content = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
        tiny = {"width": 8, "embedding": 16}
        large = {"batch": 32, "crop_px": 128, "learning_rate": 5e-4, "warmup_steps": 200, "ema": 0.999}
        models: dict[str, dict] = {"demo": {"train": {"steps": 12, "batch": 4}, "model": tiny} if self.tiny else {}}
        for size, steps in self.steps.items():
            own = {"steps": steps, "validate_every": max(1, steps // 8)} | ({"batch": 4} if self.tiny else large)
            models[size] = {"train": own, "model": {"size": size} | (tiny if self.tiny else {})}
        nfe = [2] if self.tiny else [1, 2, 4, 8, 16]
        arms = {
            "lr_start": {"model": MAIN}, "demo": {"model": "demo"}, "base": {"model": "base"},
            "regression": {"model": MAIN, "start": "regression", "samples": 1},
            "bicubic": {"model": MAIN, "start": "bicubic", "samples": 1},
        }  # fmt: skip
        return content | {
            "run": "gpu",
            "simulate": {"places": self.places, "size_m": 1100 if self.tiny else 2000, "seed": 1},
            "models": models,
            "sample": {"arms": arms, "sweeps": {MAIN: {"models": [MAIN], "nfe": nfe}}},
        }

    def train(self, output: Path, settings: dict, model: dict) -> list[object]:
        """Return the arguments of a training on the run's patches."""
        pairs = self.run / "pairs"
        content = json.dumps({"train": settings, "model": model})
        paths = {"dataset": pairs / "dataset.zarr", "index": pairs / "index.parquet", "summary": pairs / "summary.json"}
        given = [part for key, path in paths.items() for part in (f"--{key}", path)]
        return ["train", "--settings", content, *given, "--output", output, "--overwrite"]

    def sample(self, scene: Path, model: str, nfe: int, compiled: bool) -> list[object]:
        """Return the arguments that draw one sample of a scene from one of the run's models."""
        arms = {"speed": {"model": model, "steps": nfe, "samples": 1}}
        content = {"grid": {}, "sample": {"arms": arms, "tiling": {"compile": compiled}, "primary": "speed"}}
        paths = {"lr": scene, "model": self.run / "model" / model, "output": self.folder / "speed"}
        given = [part for key, path in paths.items() for part in (f"--{key}", path)]
        return ["-m", "crossres", "sample", "--settings", json.dumps(content), "--name", "speed", *given, "--overwrite"]

    def lr_scene(self, name: str, side_px: int) -> Path:
        """Write an LR scene of so many pixels, one of the run's laid side by side, and return it."""
        source, path = sorted(self.run.glob("aligned/*/lr.tif"))[0], self.folder / f"{name}.tif"
        with rasterio.open(source) as src:
            values, profile = src.read(), src.profile | {"driver": "GTiff"}
            tiles = [1, *(-(-side_px // n) for n in values.shape[1:])]
            large = np.tile(values, tiles)[:, :side_px, :side_px]
            with rasterio.open(path, "w", **profile | {"height": side_px, "width": side_px}) as target:
                target.write(large)
                target.descriptions, target.scales, target.offsets = src.descriptions, src.scales, src.offsets
        return path


def runs(b: Benchmark) -> None:
    """Part 1."""
    settings = {"steps": 400 if CUDA else 30, "batch": 12 if CUDA else 2, "crop_px": 64 if CUDA else 32,
                "compile": False, "validate_every": 1000}  # fmt: skip
    model = {"size": "demo"} if CUDA else {"width": 8, "embedding": 16}
    whole, stopped = b.folder / "model", b.folder / "stopped"
    with b.part("training runs"):
        arguments = b.train(whole, settings, model)
        b.row("training runs", f"{settings['steps']} steps in {b.do('train', ['-m', 'crossres', *arguments]):.0f} s")
    with b.part("a stopped training ends where one ends that was not"):
        arguments = ["-m", "crossres", *b.train(stopped, settings, model)]
        process = b.start("stopped", arguments)
        while process.poll() is None and f"step {settings['steps'] // 10} of" not in b.log("stopped").read_text():
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        if process.wait() != 1:
            raise Failed(f"{b.log('stopped')}: ended with {process.returncode} on SIGTERM, and not with 1")
        step = re.search(r"stopped by SIGTERM at step (\d+)", b.log("stopped").read_text())
        b.do("went_on", arguments)
        if "going on after step" not in b.log("went_on").read_text():
            raise Failed(f"{b.log('went_on')}: began anew")
        one, other = (load_file(folder / "model.safetensors") for folder in (whole, stopped))
        apart = max(float(np.abs(one[name] - other[name]).max()) for name in one)
        b.row(f"stopped at step {step[1] if step else '?'} and gone on: weights differ by at most", f"{apart:.2g}")
    with b.part("sampling gives the CPU's image"):
        scene, images = b.lr_scene("small", 64), []
        for name, gpu in (("here", True), ("cpu", False)):
            b.do(f"sample_{name}", sampling(scene, whole, b.folder / f"sampled_{name}", 2, 2), gpu)
            with rasterio.open(b.folder / f"sampled_{name}" / "mean.tif") as src:
                images.append(src.read().astype(np.float64))
        apart = np.abs(images[0] - images[1]) * 1e-4
        b.row("sampling here and on the CPU: reflectance differs by", f"{apart.mean():.2g}, at most {apart.max():.2g}")
    if not CUDA:
        b.row("memory that runs out", "not tried, since torch sees no CUDA device here")
        return
    with b.part("memory that runs out"):
        large = settings | {"steps": 2, "batch": 256, "crop_px": 128}
        b.do("memory", ["-c", LITTLE_MEMORY, *b.train(b.folder / "memory", large, {"size": MAIN}), "0.05"])
        halved = re.findall(r"going on with (\d+) crops", b.log("memory").read_text())
        b.row("memory that runs out: crops at once", " -> ".join(["256", *halved]) if halved else "FAILED: it did not")


def sampling(scene: Path, model: Path, output: Path, steps: int, samples: int) -> list[object]:
    way = ["--steps", steps, "--samples", samples, "--overwrite"]
    return ["-m", "crossres", "super-resolve", scene, "--checkpoint", model, "--output", output, *way]


def steps(b: Benchmark) -> None:
    """Part 2."""
    sizes = [("demo", 2, 32, 1, "both")]
    if not b.tiny:
        sizes = [(size, 32, *how) for how in ((256, 20, "both"), (128, 20, "yes")) for size in LARGE]
    for size, batch, crop, count, how in sizes:
        name = f"{size}, {batch} x {crop} x {crop}"
        with b.part(f"a step of {name}"):
            numbers = b.folder / f"step_{size}_{crop}.json"
            script = [ROOT / "benchmarks" / "training.py", "--size", size, "--batch", batch, "--crop", crop]
            b.do(f"step_{size}_{crop}", [*script, "--steps", count, "--compile", how, "--json", numbers])
            print(b.log(f"step_{size}_{crop}").read_text())
            for column, found in json.loads(numbers.read_text())["columns"].items():
                ms, share = found["a step as training takes it (ms)"], found["share of the GPU's peak, bfloat16 (%)"]
                said = f"{ms:.1f} ms, {found['loader threads that keep up']:.2g} loaders keep up"
                b.row(f"a step of {name}, {column}", said if share is None else f"{said}, {share:.0f} % of peak")
                if size in LARGE and crop == 128 and column == "compiled":
                    b.steps[size] = max(200, round(b.minutes * 60_000 / ms))
                    b.keep()


def quality(b: Benchmark) -> None:
    """Part 3."""
    for name in ("demo", *LARGE):
        with b.part(f"training {name}"):
            seconds = b.workflow(f"train_{name}", f"model/{name}/card.json")
            history = pd.read_csv(b.run / "model" / name / "history.csv")
            checked = history.dropna(subset=["psnr_db"])
            for _, row in checked.iloc[sorted({len(checked) // 4, len(checked) // 2, len(checked) - 1})].iterrows():
                figures = f"PSNR {row['psnr_db']:.2f} dB, spectrum {row['spectrum_error']:.3f}, SWD {row['swd']:.4f}"
                b.row(f"{name}, validation after {row['step']:.0f} of {len(history)} steps", figures)
            b.row(f"{name}, seconds of its job", f"{seconds:.0f}")


def speed(b: Benchmark) -> None:
    """Part 4."""
    small, large = (64, 128) if b.tiny else (128, 1024)
    scenes = [(side, b.lr_scene(f"scene_{side}", side)) for side in (small, large)]
    ways = [(MAIN, 2, False), (MAIN, 2, True), (MAIN, 1, True), (MAIN, 4, True), ("base", 2, True)]
    for size, nfe, compiled in ways[: 2 if b.tiny else None]:
        what = f"{size}, one sample of {nfe} evaluations, {'' if compiled else 'not '}compiled"
        with b.part(f"{what}, an HR megapixel"):
            taken = [b.do(f"speed_{size}_{side}_{nfe}_{compiled}", b.sample(scene, size, nfe, compiled))
                     for side, scene in scenes]  # fmt: skip
            megapixels = 16 * (large**2 - small**2) / 1e6
            whole = f"{taken[1]:.1f} s for a scene of {16 * large**2 / 1e6:.2g}, start-up among them"
            b.row(f"{what}, an HR megapixel", f"{(taken[1] - taken[0]) / megapixels:.3f} s ({whole})")


def claim(b: Benchmark) -> None:
    """Part 5, and how both models do on places held out."""
    with b.part("places held out"):
        b.workflow("evaluate", "evaluation/summary.json", "evaluation/claim.json")
        summary = json.loads((b.run / "evaluation" / "summary.json").read_text())
        for arm in summary["arm_order"]:
            figures = [f"{image}: {said(found)}" for image, found in summary["arms"][arm].items()]
            b.row(f"places held out, {arm}", "; ".join(figures))
        for table in claim_tables(b.run / "evaluation" / "claim.json"):
            b.row(f"claim on {table.scenes} scenes, {table.claimed} times fewer evaluations", table.verdict)
            for what, (cell,) in table.rows:
                b.row(f"claim, {what}", cell)


def said(figures: dict) -> str:
    names = {"psnr_db": "PSNR", "swd": "SWD", "spectrum_error": "spectrum", "hallucination": "hallucination"}
    return ", ".join(f"{name} {figures[key]['mean']:.4g}" for key, name in names.items() if figures.get(key))


PARTS: dict[int, Callable[[Benchmark], None]] = {1: runs, 2: steps, 3: quality, 4: speed, 5: claim}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where all of it goes; what an earlier run made is used again")
    parser.add_argument("--minutes", type=float, default=3, help="of training dense, and base (3)")
    parser.add_argument("--places", type=int, help="of the world (32)")
    parser.add_argument("--only", type=int, nargs="+", choices=PARTS, default=list(PARTS), help="parts (all)")
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes, to try the script itself")
    args = parser.parse_args()
    b = Benchmark(args.folder, args.tiny, args.minutes, args.places or (3 if args.tiny else 32))
    b.row("device", torch.cuda.get_device_name() if CUDA else "CPU: torch sees no CUDA device here")
    world = b.workflow_process("world", "pairs/summary.json", "config.yaml")
    if 2 in args.only:
        steps(b)  # while the cores simulate
    with b.part("the world"):
        if world.wait():
            raise Failed(f"{b.log('world')}: the workflow failed")
    for number in args.only:
        if number != 2:
            PARTS[number](b)
    text = "\n".join(
        ["| what | value |", "| --- | --- |", *(f"| {what} | {value} |" for what, value in b.rows.items())]
    )
    (b.folder / "table.md").write_text(text + "\n")
    print(f"\n{text}")
    sys.exit(any("FAILED" in value for value in b.rows.values()))


if __name__ == "__main__":
    main()
