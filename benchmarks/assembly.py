"""Memory and time of assembling a dataset from many pairs: 1,000 and 10,000 places, each with a few small patches.

    python benchmarks/assembly.py [--pairs 1000 10000]

Every pair has its own place on Earth and its own files, as `extract` writes them. Each number of pairs is assembled by
a process of its own, so that its peak memory is its own; what Python and its libraries take is printed beside it.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from own_process import report, reported

PATCHES = 4
LR_PX, FACTOR = 8, 4


def write_pairs(root: Path, count: int) -> None:
    """Write the files of `count` pairs, spread over the land's latitudes, as the stages before `dataset` do."""
    from crossres.pairs.extract import KINDS
    from crossres.pairs.patch_file import PatchWriter, portion

    rng = np.random.default_rng(0)
    for name in ("items", "patches", "aligned"):
        (root / name).mkdir(parents=True)
    with PatchWriter(root / "patches.zip") as writer:
        for k in range(PATCHES):
            lr = rng.integers(1500, 4000, (4, LR_PX, LR_PX)).astype(np.uint16)
            hr = lr.repeat(FACTOR, axis=1).repeat(FACTOR, axis=2)
            writer.add(k, portion([{"lr": lr, "hr": hr, "mask": np.zeros((LR_PX, LR_PX), np.uint8)}]))
    columns = {key: rng.uniform(0, 1, PATCHES) if kind == "float64" else 0 for key, kind in KINDS.items()}
    columns |= {"pair": "", "row": np.arange(PATCHES) * LR_PX, "kept": True, "reason": ""}
    table = gpd.GeoDataFrame(columns, geometry=shapely.points(np.zeros((PATCHES, 2))), crs="EPSG:4326").astype(KINDS)
    table.to_parquet(root / "table.parquet", index=False)
    rows = pq.read_table(root / "table.parquet")
    pair_at, geometry_at = rows.column_names.index("pair"), rows.column_names.index("geometry")
    state = {"accepted": True, "reason": None, "factor": f"{FACTOR}/1", "lr_gsd_m": 10.0, "hr_gsd_m": 2.5}
    for k in range(count):
        name, west, south = f"pair{k:05d}", float(rng.uniform(-170, 170)), float(rng.uniform(-55, 65))
        shutil.copy(root / "patches.zip", root / "patches" / f"{name}.zip")
        x = west + 0.001 * np.arange(PATCHES)
        footprints = pa.array(shapely.to_wkb(shapely.box(x, south, x + 0.001, south + 0.001)), pa.binary())
        own = rows.set_column(
            pair_at, rows.schema.field("pair"), pa.array([name] * PATCHES, rows.schema.field("pair").type)
        )
        pq.write_table(
            own.set_column(geometry_at, rows.schema.field("geometry"), footprints), root / "patches" / f"{name}.parquet"
        )
        geometry = shapely.geometry.mapping(shapely.box(west, south, west + 0.001 * PATCHES, south + 0.001))
        pair = {"id": name, "lr": "a", "hr": "b", "date_gap_days": 1.0, "geometry": geometry}
        (root / "items" / f"{name}.json").write_text(json.dumps(pair))
        (root / "aligned" / name).mkdir()
        (root / "aligned" / name / "registration.json").write_text(json.dumps(state))


def assemble_here(root: Path) -> None:
    """Assemble in this process and report its time and memory."""
    from crossres.pairs.dataset import assemble
    from crossres.settings.dataset import DatasetSettings
    from crossres.settings.grid import GridSettings

    folders = (root / name for name in ("items", "patches", "aligned"))
    report(lambda: assemble(DatasetSettings(), GridSettings(gsd_m=2.5), *folders, None, root / "out"))


def main() -> None:
    """Print one line for each number of pairs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.root:
        assemble_here(args.root)
        return
    print("  pairs  patches   wall s    CPU s   peak MB   of which at start MB")
    for count in args.pairs:
        root = Path(tempfile.mkdtemp(prefix="assembly-"))
        try:
            write_pairs(root, count)
            wall, cpu, peak, bare = reported(__file__, root)
            print(f"{count:7d} {count * PATCHES:8d} {wall:8.1f} {cpu:8.1f} {peak:9.0f} {bare:10.0f}", flush=True)
        finally:
            shutil.rmtree(root)


if __name__ == "__main__":
    main()
