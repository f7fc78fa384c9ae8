"""A whole scene sampled by two workers of dask, of which one is killed half-way: the same bytes as in threads.

    python benchmarks/workers.py FOLDER results/demo/model/main OUTPUT

FOLDER is that of `whole_scene.py`, whose stages up to `sample` have run. Printed are wall seconds and the CPU seconds
of all processes, and whether the rasters are the same.
"""

import argparse
import math
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from distributed import LocalCluster

from crossres.diffusion.sample.scenes import sample_scene
from crossres.imagery.engine import ADDRESS, computing
from crossres.imagery.numbers import PARTS
from crossres.imagery.raster import grid_of
from crossres.settings.sample import ArmSettings, TilingSettings

ARM = ArmSettings(samples=1)
TILING = TilingSettings()


def timed(name: str, run: Callable[[], None]) -> None:
    processes: dict[int, float] = {}
    over = threading.Event()

    def watch() -> None:
        own = psutil.Process()
        while not over.wait(1):
            for process in (own, *own.children(recursive=True)):
                try:
                    times = process.cpu_times()
                    processes[process.pid] = times.user + times.system
                except psutil.NoSuchProcess:
                    pass

    before = sum(os.times()[:2])
    start = time.perf_counter()
    watching = threading.Thread(target=watch)
    watching.start()
    run()
    wall = time.perf_counter() - start
    over.set()
    watching.join()
    print(f"{name:40} {wall:8.1f} s {sum(processes.values()) - before:8.1f} CPU s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("output", type=Path)
    args = parser.parse_args()
    plain = args.folder / "sr" / "lr_start"
    blocks = math.prod(-(-n // TILING.block_px) for n in grid_of(plain / "mean.tif").shape)

    def sample() -> None:
        with computing(1):
            sample_scene(
                ARM, TILING, "lr_start", args.folder / "aligned" / "lr.tif", args.model, args.output / "workers"
            )

    def kill_half_way(cluster: LocalCluster) -> None:
        store = args.output / ".workers.blocks"
        while sum(1 for _ in store.rglob("*.block")) < blocks / 2:
            time.sleep(0.1)
        os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)
        print("a worker was killed", flush=True)

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        os.environ[ADDRESS] = cluster.scheduler_address
        threading.Thread(target=kill_half_way, args=(cluster,), daemon=True).start()
        timed("two workers, one of them killed", sample)
    names = [f"{name}.tif" for name in PARTS]
    same = all((plain / n).read_bytes() == (args.output / "workers" / n).read_bytes() for n in names)
    print("the same bytes" if same else "OTHER BYTES")


if __name__ == "__main__":
    main()
