"""The `dataset` stage: all pairs' patches, split by place, as one zarr with its tables, summary and contact sheet."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from crossres.drawing import save
from crossres.errors import UserError
from crossres.files import whole, write_json
from crossres.imagery.numbers import Mask
from crossres.pairs.candidates import PairFiles, read_pairs
from crossres.pairs.contact_sheet import contact_sheet as draw_contact_sheet
from crossres.pairs.partition import TOO_NEAR, Parted, part
from crossres.pairs.patch_file import read_patches
from crossres.pairs.published import by_pair
from crossres.pairs.splits import SPLITS
from crossres.pairs.statistics import Moments
from crossres.pairs.store import DIMS, digest, several_dates, write_zarr
from crossres.pairs.table import TableWriter
from crossres.settings.dataset import DatasetSettings
from crossres.settings.grid import GridSettings

log = logging.getLogger(__name__)

SHEET_PATCHES = 24


def assemble(
    settings: DatasetSettings,
    grid: GridSettings,
    pairs: Path,
    patches: Path,
    aligned: Path,
    regions: Path | None,
    output: Path,
) -> None:
    """Assemble the patch dataset from the pairs' patches.

    `pairs` is the folder of the pairs' JSON, `patches` that of `<pair>.zip` and `<pair>.parquet` (from `extract`),
    `aligned` that of `<pair>/registration.json`; `regions` is a vector file for `dataset.split: region`. Writes
    `dataset.zarr`, `index.parquet` (row i is patch i of the zarr), `left_out.parquet` (every other candidate, with its
    reason), `summary.json` and `contact_sheet.png` into the folder `output`. Reads one pair at a time. Raises
    `UserError` when nothing is left to train or test on.
    """
    usable, declined, first, left_out = read_pairs(pairs, patches, aligned)
    if not usable:
        raise _too_few("no pair has patches", declined)
    if settings.split == "published":
        settings = by_pair(settings, pairs, [pair.name for pair in usable])
    parted = part(settings, usable, regions)
    counts = {s: sum(int((p.split == s).sum()) for p in parted.values()) for s in SPLITS}
    left_out += Counter(reason for p in parted.values() for reason in p.reason if reason)
    for split in ("train", "test"):
        if not counts[split]:
            near = f" ({left_out[TOO_NEAR]} are {TOO_NEAR}: dataset.gap_m)" if left_out[TOO_NEAR] else ""
            raise _too_few(f"{len(usable)} pairs with patches leave none for {split}{near}", declined)

    _write_left_out(output / "left_out.parquet", pairs, patches, parted)
    moments, sheet = _write(output, usable, parted, sum(counts.values()), grid, settings.seed)
    figure = draw_contact_sheet([p for _, p in sheet], [title for title, _ in sheet], grid.bands)
    save(figure, output / "contact_sheet.png")
    example = next(read_patches(usable[0].patches))
    size = sum(array.nbytes for array in example.values())
    write_json(
        output / "summary.json",
        {
            "bands": grid.bands,
            "lr_bands": grid.bands_of("lr"),
            **several_dates(example, grid.bands_of("lr")),
            "factor": first["factor"],
            "lr_gsd_m": first["lr_gsd_m"],
            "hr_gsd_m": first["hr_gsd_m"],
            "splits": {s: [p.name for p in usable if (parted[p.name].split == s).any()] for s in SPLITS},
            "patches": counts,
            "bytes": {s: counts[s] * size for s in SPLITS},
            "statistics": {f"{k}_{m}": getattr(moments[k], m)() for k in ("lr", "hr") for m in ("mean", "std")},
            "declined": declined,
            "left_out": {reason: count for reason, count in sorted(left_out.items()) if count},
        },
    )
    log.info("%s patches", ", ".join(f"{counts[s]} {s}" for s in SPLITS))


def _too_few(what: str, declined: list[dict[str, str]]) -> UserError:
    shown = "; ".join(f"{d['pair']}: {d['reason']}" for d in declined[:20]) or "none was declined"
    more = f"; and {len(declined) - 20} more" if len(declined) > 20 else ""
    return UserError(f"dataset: {what}; add scenes or relax the limits (declined: {shown}{more})")


def _write_left_out(path: Path, pairs: Path, patches: Path, parted: dict[str, Parted]) -> None:
    """Write the candidates that are not in the dataset, of all pairs."""
    with whole(path) as file, TableWriter(file) as writer:
        for name in sorted(p.stem for p in pairs.glob("*.json")):
            table = PairFiles(name, None, patches / f"{name}.zip", patches / f"{name}.parquet").candidates()
            reason = table["reason"].to_numpy(zero_copy_only=False).astype(object)
            if name in parted:
                reason[reason == ""] = parted[name].reason
            at = table.column_names.index("reason")
            table = table.set_column(at, "reason", pa.array(reason, pa.string())).drop_columns(["kept"])
            writer.add(table.filter(pa.array(reason != "")))


def _write(
    output: Path, usable: Sequence[PairFiles], parted: dict[str, Parted], count: int, grid: GridSettings, seed: int
) -> tuple[dict[str, Moments], list[tuple[str, dict[str, np.ndarray]]]]:
    """Write zarr and index; return the train split's moments and titled patches for the contact sheet."""
    moments = {"lr": Moments(len(grid.bands_of("lr"))), "hr": Moments(len(grid.bands))}
    shown = set(np.random.default_rng([seed, 3]).permutation(count)[:SHEET_PATCHES].tolist())
    sheet: list[tuple[str, dict[str, np.ndarray]]] = []

    def each(index: TableWriter) -> Iterator[dict[str, np.ndarray]]:
        number = 0
        for pair in usable:
            splits = parted[pair.name].split
            if not (splits != "").any():
                continue
            start, digests = number, []
            for split, patch in zip(splits, read_patches(pair.patches), strict=True):
                if not split:
                    continue
                if split == "train":
                    clear = patch["mask"] == Mask.CLEAR
                    moments["lr"].add(patch["lr"][: moments["lr"].bands], clear)
                    moments["hr"].add(patch["hr"], _on_fine_grid(clear, patch["hr"].shape[1]))
                if number in shown:
                    sheet.append((f"{split}  {pair.name[:34]}", patch))
                digests.append(digest(patch))
                number += 1
                yield patch
            index.add(_rows(pair.candidates(), splits, start, digests))

    example = next(read_patches(usable[0].patches))
    with whole(output / "index.parquet") as file, TableWriter(file) as index, whole(output / "dataset.zarr") as folder:
        first = {name: example[name] for name in DIMS}
        write_zarr(folder, each(index), count, first, grid.bands, grid.bands_of("lr"))
    return moments, sheet


def _rows(table: pa.Table, splits: np.ndarray, start: int, digests: list[str]) -> pa.Table:
    """Return the index's rows of a pair: number in the zarr, candidate, position in the patch file, split, digest."""
    table = table.filter(table["kept"]).drop_columns(["kept", "reason"])
    chosen = splits != ""
    table = table.filter(pa.array(chosen))
    columns: dict[str, Any] = {
        "at": pa.array(np.flatnonzero(chosen)),
        "split": pa.array(splits[chosen], pa.string()),
        "digest": pa.array(digests, pa.string()),
    }
    for name, column in columns.items():
        table = table.append_column(name, column)
    return table.add_column(0, "patch", pa.array(np.arange(start, start + len(digests))))


def _on_fine_grid(mask: np.ndarray, side: int) -> np.ndarray:
    """Return an LR mask on the fine grid: each fine pixel has the value of the LR pixel its centre is in."""
    index = np.minimum(((np.arange(side) + 0.5) * mask.shape[0] / side).astype(np.intp), mask.shape[0] - 1)
    return mask[np.ix_(index, index)]
