"""What training learns from: the splits of a patch dataset and what is known of them."""

import hashlib
import logging
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from crossres.diffusion.model.standardise import Standard
from crossres.diffusion.train.data import Split, residual_rms
from crossres.errors import UserError
from crossres.files import read_json
from crossres.settings.train import LearningTarget

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Material:
    """A dataset ready to train on."""

    data: Split
    held_out: Split
    """The validation split; it may be empty."""
    bands: tuple[str, ...]
    lr_bands: tuple[str, ...]
    """`bands`, and after them those that LR alone has."""
    lr_gsd_m: float
    hr_gsd_m: float
    residual_rms: float
    """RMS of the target, HR or its detail, less bicubic LR on the training split, in HR standard deviations."""
    sha256: str

    @property
    def lr_dates(self) -> int:
        """How many LR dates it is learnt from, the first counted."""
        return self.data.lr_dates


def read_material(
    dataset: Path, index: Path, summary: Path, target: LearningTarget, lr_dates: int | None = None
) -> Material:
    """Open a dataset; `UserError` when the training split is empty, has no clear pixel or a band without spread.

    `target` and `lr_dates` are `train.target` and `train.lr_dates`.
    """
    about = read_json(summary)
    if "folds" in about:
        raise UserError(
            f"{summary}: is of a dataset in folds, each of which trains a model of its own; name "
            "folds/fold-0/summary.json and folds/fold-0/index.parquet beside it, or those of another fold"
        )
    standard = _standard(about, summary)
    factor = Fraction(about["factor"])
    data = Split(dataset, index, "train", factor, standard, target, lr_dates)
    if not len(data):
        raise UserError(f"{index}: no patch in the training split; get more pairs or lower dataset.test_share")
    residual = residual_rms(data)
    if residual == 0:
        raise UserError(f"{dataset}: the training split has no clear pixel; check the masks of the aligned pairs")
    what = {"hr": "HR", "detail": "HR's detail"}[target]
    log.info("%d training patches; %s differs from bicubic LR by %.3f of HR's spread", len(data), what, residual)
    held_out = Split(dataset, index, "val", factor, standard, target, lr_dates)
    return Material(
        data, held_out, tuple(about["bands"]), _lr_bands(about), about["lr_gsd_m"], about["hr_gsd_m"], residual,
        _data_hash(index, summary),
    )  # fmt: skip


def _lr_bands(about: dict[str, Any]) -> tuple[str, ...]:
    return tuple(about.get("lr_bands", about["bands"]))  # summaries of before LR had others


def _standard(about: dict[str, Any], path: Path) -> Standard:
    statistics = about["statistics"]
    mean, std = (
        (*statistics[f"hr_{kind}"], *statistics.get(f"lr_{kind}", ())[len(about["bands"]) :])
        for kind in ("mean", "std")
    )
    for band, spread in zip(_lr_bands(about), std, strict=True):
        if not spread:
            kind = "HR" if band in about["bands"] else "LR"
            raise UserError(f"{path}: band {band} has no spread in the training split; check the {kind} scenes")
    return Standard(mean, std)


def _data_hash(index: Path, summary: Path) -> str:
    digest = hashlib.sha256()
    for path in (index, summary):
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()
