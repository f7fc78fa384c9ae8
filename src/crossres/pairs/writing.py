"""Writes what is in the dataset: the zarr, its index, and the index of each fold, in one pass over the pairs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from crossres.files import whole
from crossres.imagery.numbers import Mask
from crossres.pairs.candidates import PairFiles
from crossres.pairs.partition import Parted
from crossres.pairs.patch_file import read_patches
from crossres.pairs.statistics import Moments
from crossres.pairs.store import DIMS, digest, write_zarr
from crossres.pairs.table import TableWriter
from crossres.settings.grid import GridSettings


@dataclass(frozen=True)
class Patches:
    """What goes into the dataset, by pair."""

    usable: Sequence[PairFiles]
    parted: Mapping[str, Parted]
    """Over all folds."""
    tested: Mapping[str, np.ndarray] | None
    """Number of the fold that tests each patch, -1 for none; None without folds."""
    folds: Sequence[Mapping[str, Parted]]
    """The splits of each fold; just `parted` without folds."""

    @property
    def count(self) -> int:
        """How many patches there are."""
        return sum(int((p.split != "").sum()) for p in self.parted.values())


def fold_folder(output: Path, number: int) -> Path:
    """Return the folder that tells of a fold."""
    return output / "folds" / f"fold-{number}"


def write_patches(
    output: Path, patches: Patches, grid: GridSettings, seed: int, shown: int
) -> tuple[list[dict[str, Moments]], list[tuple[str, dict[str, np.ndarray]]]]:
    """Write `dataset.zarr` and `index.parquet` and, of folds, `folds/fold-<n>/index.parquet` into the folder `output`.

    Return the moments of each fold's train split, by "lr" and "hr", and some `shown` patches with titles.
    """
    usable, count = patches.usable, patches.count
    moments = [_moments(grid) for _ in patches.folds]
    chosen = set(np.random.default_rng([seed, 3]).permutation(count)[:shown].tolist())
    sheet: list[tuple[str, dict[str, np.ndarray]]] = []

    def each(index: TableWriter, of_folds: Sequence[TableWriter]) -> Iterator[dict[str, np.ndarray]]:
        number = 0
        for pair in usable:
            splits = patches.parted[pair.name].split
            if not (splits != "").any():
                continue
            train = np.array([fold[pair.name].split == "train" for fold in patches.folds])
            start, digests = number, []
            for at, patch in enumerate(read_patches(pair.patches)):
                if not splits[at]:
                    continue
                if train[:, at].any():
                    own = _of_patch(patch, grid)
                    for k in np.flatnonzero(train[:, at]):
                        for name, found in own.items():
                            moments[k][name].include(found)
                if number in chosen:
                    sheet.append((f"{splits[at]}  {pair.name[:34]}", patch))
                digests.append(digest(patch))
                number += 1
                yield patch
            rows = _rows(pair.candidates(), splits, start, digests)
            taken = splits != ""
            for writer, fold in zip(of_folds, patches.folds, strict=False):
                writer.add(_with(rows, "split", pa.array(fold[pair.name].split[taken], pa.string())))
            if patches.tested is not None:
                rows = rows.append_column("fold", pa.array(patches.tested[pair.name][taken], pa.int16()))
            index.add(rows)

    example = next(read_patches(usable[0].patches))
    with ExitStack() as open_files:

        def table(path: Path) -> TableWriter:
            return open_files.enter_context(TableWriter(open_files.enter_context(whole(path))))

        index = table(output / "index.parquet")
        several = range(len(patches.folds)) if patches.tested is not None else ()
        of_folds = [table(fold_folder(output, number) / "index.parquet") for number in several]
        folder = open_files.enter_context(whole(output / "dataset.zarr"))
        first = {name: example[name] for name in DIMS}
        write_zarr(folder, each(index, of_folds), count, first, grid.bands, grid.bands_of("lr"))
    return moments, sheet


def _moments(grid: GridSettings) -> dict[str, Moments]:
    return {"lr": Moments(len(grid.bands_of("lr"))), "hr": Moments(len(grid.bands))}


def _of_patch(patch: Mapping[str, np.ndarray], grid: GridSettings) -> dict[str, Moments]:
    found, clear = _moments(grid), patch["mask"] == Mask.CLEAR
    found["lr"].add(patch["lr"][: found["lr"].bands], clear)
    found["hr"].add(patch["hr"], _on_fine_grid(clear, patch["hr"].shape[1]))
    return found


def _with(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)


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
