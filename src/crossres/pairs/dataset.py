"""The `dataset` stage: all pairs' patches, split by place, as one zarr with its tables, summary and contact sheet."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from crossres.drawing import save
from crossres.errors import UserError
from crossres.files import whole, write_json
from crossres.layout import held_out_in
from crossres.pairs.candidates import PairFiles, of_pair, read_pairs
from crossres.pairs.contact_sheet import contact_sheet as draw_contact_sheet
from crossres.pairs.partition import TOO_NEAR, Parted, held_out_once, part
from crossres.pairs.patch_file import read_patches
from crossres.pairs.published import by_pair
from crossres.pairs.splits import SPLITS, places
from crossres.pairs.store import several_dates
from crossres.pairs.table import TableWriter
from crossres.pairs.writing import Patches, fold_folder, write_patches
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
    reason), `summary.json` and `contact_sheet.png` into the folder `output`. With `dataset.folds` the split test holds
    each patch that a fold tests, the column `fold` says which one, and `folds/fold-<n>/` has index.parquet and
    summary.json of the fold's own splits in the same zarr. Reads one pair at a time. Raises `UserError` when nothing is
    left to train or test on.
    """
    usable, declined, first, left_out = read_pairs(pairs, patches, aligned)
    if not usable:
        raise _too_few("no pair has patches", declined)
    if settings.split == "published":
        settings = by_pair(settings, pairs, [pair.name for pair in usable])
    folds = part(settings, usable, regions)
    for number, found in enumerate(folds):
        of_fold = "" if settings.folds is None else f" in fold {number} of dataset.folds"
        _check(found, f"{len(usable)} pairs with patches", of_fold + _one_place(settings, usable), declined)
    parted, tested = (folds[0], None) if settings.folds is None else _once(usable, folds)
    whole_set = Patches(usable, parted, tested, folds)

    _write_left_out(output / "left_out.parquet", pairs, patches, parted)
    moments, sheet = write_patches(output, whole_set, grid, settings.seed, SHEET_PATCHES)
    figure = draw_contact_sheet([p for _, p in sheet], [title for title, _ in sheet], grid.bands)
    save(figure, output / "contact_sheet.png")
    example = next(read_patches(usable[0].patches))
    size = sum(array.nbytes for array in example.values())

    def summary(found: dict[str, Parted], own: dict[str, Any]) -> dict[str, Any]:
        counts = _counts(found)
        reasons = left_out + Counter(reason for p in found.values() for reason in p.reason if reason)
        return {
            "bands": grid.bands,
            "lr_bands": grid.bands_of("lr"),
            **several_dates(example, grid.bands_of("lr")),
            "factor": first["factor"],
            "lr_gsd_m": first["lr_gsd_m"],
            "hr_gsd_m": first["hr_gsd_m"],
            "splits": {s: [p.name for p in usable if (found[p.name].split == s).any()] for s in SPLITS},
            "patches": counts,
            "bytes": {s: counts[s] * size for s in SPLITS},
            **own,
            "declined": declined,
            "left_out": {reason: count for reason, count in sorted(reasons.items()) if count},
        }

    each = [
        summary(
            found, {"statistics": {f"{k}_{m}": getattr(own[k], m)() for k in ("lr", "hr") for m in ("mean", "std")}}
        )
        for found, own in zip(folds, moments, strict=True)
    ]
    if settings.folds is None:
        write_json(output / "summary.json", each[0])
    else:
        for number, content in enumerate(each):
            write_json(fold_folder(output, number) / "summary.json", content)
        write_json(output / "summary.json", _over_folds(settings, summary(parted, {}), each))
    counts = _counts(parted)
    log.info("%s patches", ", ".join(f"{counts[s]} {s}" for s in SPLITS))


def _counts(parted: Mapping[str, Parted]) -> dict[str, int]:
    return {s: sum(int((p.split == s).sum()) for p in parted.values()) for s in SPLITS}


def _check(parted: Mapping[str, Parted], what: str, more: str, declined: list[dict[str, str]]) -> None:
    """Raise `UserError` when nothing is left to train or test on."""
    counts, near = _counts(parted), sum(int((p.reason == TOO_NEAR).sum()) for p in parted.values())
    for split in ("train", "test"):
        if not counts[split]:
            because = f" ({near} are {TOO_NEAR}: dataset.gap_m)" if near else ""
            raise _too_few(f"{what} leave none for {split}{because}{more}", declined)


def _once(
    usable: Sequence[PairFiles], folds: Sequence[dict[str, Parted]]
) -> tuple[dict[str, Parted], dict[str, np.ndarray]]:
    """Return what each pair's patches are over all folds, and which fold tests each."""
    found = {p.name: held_out_once([fold[p.name] for fold in folds]) for p in usable}
    return {name: parted for name, (parted, _) in found.items()}, {name: tested for name, (_, tested) in found.items()}


def _over_folds(settings: DatasetSettings, summary: dict[str, Any], each: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what is known over all folds: the scenes that are judged, and which pairs each fold tests.

    A pair that several folds test in part is a scene in each, `<pair>.fold-<n>`.
    """
    tests = [fold["splits"]["test"] for fold in each]
    scenes = [
        name if settings.split == "pair" else held_out_in(name, number)
        for number, names in enumerate(tests)
        for name in names
    ]
    return summary | {
        "splits": summary["splits"] | {"test": sorted(scenes)},
        "bytes": summary["bytes"] | {"train": max(fold["bytes"]["train"] for fold in each)},
        "folds": tests,
    }


def _one_place(settings: DatasetSettings, usable: Sequence[PairFiles]) -> str:
    """Say what to do where all pairs show one place, which goes to one split as a whole; nothing otherwise."""
    if settings.split != "pair" or len(places(np.array([pair.footprint for pair in usable], object))) > 1:
        return ""
    return (
        ", since they show one place, and a place goes to one split as a whole: set dataset.split: block, with a "
        "dataset.block_m that cuts it into four blocks or more; where there are other places, dataset.assign says "
        "which pair goes where"
    )


def _too_few(what: str, declined: list[dict[str, str]]) -> UserError:
    shown = "; ".join(f"{d['pair']}: {d['reason']}" for d in declined[:20]) or "none was declined"
    more = f"; and {len(declined) - 20} more" if len(declined) > 20 else ""
    return UserError(f"dataset: {what}; add scenes or relax the limits (declined: {shown}{more})")


def _write_left_out(path: Path, pairs: Path, patches: Path, parted: dict[str, Parted]) -> None:
    """Write the candidates that are not in the dataset, of all pairs."""
    with whole(path) as file, TableWriter(file) as writer:
        for name in sorted(p.stem for p in pairs.glob("*.json")):
            table = PairFiles(name, None, *of_pair(patches, name)).candidates()
            reason = table["reason"].to_numpy(zero_copy_only=False).astype(object)
            if name in parted:
                reason[reason == ""] = parted[name].reason
            at = table.column_names.index("reason")
            table = table.set_column(at, "reason", pa.array(reason, pa.string())).drop_columns(["kept"])
            writer.add(table.filter(pa.array(reason != "")))
