"""`evaluate`: one held-out scene, every arm, against HR and LR."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np

from crossres.drawing import chart, save
from crossres.errors import UserError
from crossres.evaluate.charts.spectra import draw_spectra
from crossres.evaluate.metrics import fidelity
from crossres.evaluate.metrics.aligned_pair import AlignedPair, read_pair
from crossres.evaluate.metrics.consistency import consistency
from crossres.evaluate.metrics.scene_metrics import Judge
from crossres.evaluate.metrics.spectrum import RadialSpectrum
from crossres.evaluate.pictures.scene_images import Pictured, save_pictures
from crossres.files import read_json, whole, write_json
from crossres.imagery.lazy import CHUNK_PX
from crossres.sensors.mtf import lr_mtf
from crossres.settings.evaluate import EvaluateSettings
from crossres.settings.grid import GridSettings

log = logging.getLogger(__name__)


def evaluate_scene(
    settings: EvaluateSettings, grid: GridSettings, pair: str, aligned: Path, arms: dict[str, Path], output: Path,
    mask: Path | None = None,
) -> None:  # fmt: skip
    """Judge every arm's mean and sample against HR and LR, and write metrics, spectra, calibration and pictures.

    `aligned` holds lr.tif, hr.tif and mask.tif, in whose place `mask` counts where it is named; each arm's folder holds
    mean.tif, std.tif and sample.tif, or declined.json with the reason why it holds none. The first arm with a spread is
    the one that is pictured, else the first; of an external arm the viewer shows one layer. `output` is a folder:
    metrics.json, spectra.json, calibration.json, crops.png, overview.png, hallucination.png, spectrum.png,
    view/<layer>.png, crops/<n>/<layer>.png and places/<best, median, worst>/<layer>.png. Raises
    `UserError` when inputs are missing or do not fit together, or when no pixel is clear.
    """
    declined = {arm: read_json(path)["reason"] for arm in arms if (path := arms[arm] / "declined.json").exists()}
    arms = {arm: folder for arm, folder in arms.items() if arm not in declined}
    truth = read_pair(aligned, grid.bands, arms, settings.border_px, mask, CHUNK_PX)
    judge = Judge(settings, truth, lr_mtf(grid.lr_mtf, truth.lr_sensor, grid.bands))
    metrics: dict[str, Any] = {}
    strata: dict[str, Any] = {}
    spectra: dict[str, Any] = {}
    spread: dict[str, Any] = {}
    changed: dict[str, Any] = {}
    pictured: Pictured | None = None
    spreads = False
    external: dict[str, da.Array] = {}
    for name, arm in truth.arms.items():
        judged = judge(arm)
        both = {"mean": judged.mean, "sample": judged.sample}
        metrics[name] = {image: found.metrics for image, found in both.items()}
        spectra[name] = {image: found.spectrum.power for image, found in both.items()}
        strata[name] = {image: found.strata for image, found in both.items()}
        changed[name] = judged.rmse_where_changed
        spread[name] = asdict(judged.calibration) if judged.calibration else None
        if name in settings.external:
            external[name] = arm.mean
        elif pictured is None or (judged.calibration and not spreads):
            pictured = Pictured(name, arm, judge.lr_up, judge.hr, judge.threshold)
            spreads = judged.calibration is not None
        log.info("%s: judged %s", pair, name)
    if pictured is None:
        raise UserError("sample.arms: there is none to evaluate; name at least one")
    with whole(output) as part:
        part.mkdir()
        content = _spectra(truth, judge.hr_spectrum, judge.lr_spectrum(), spectra)
        write_json(part / "spectra.json", content)
        write_json(part / "calibration.json", spread)
        figure, (ax,) = chart(6.4, 4.2)
        draw_spectra(ax, content, list(arms), "sample")
        save(figure, part / "spectrum.png")
        summary = dict(
            pair=pair, bands=truth.bands, dates=truth.dates, lr_gsd_m=truth.lr_gsd_m, hr_gsd_m=truth.hr_gsd_m,
            factor=float(truth.factor), shape_px=truth.clear.shape, clear_share=float(truth.clear.mean()),
            mask_shares=truth.mask_shares(), arm_order=list(metrics), pictured=pictured.name, declined=declined,
            strata=dict(rule=judge.strata.rule, shares=judge.strata.shares(), arms=strata),
            references=_references(truth, judge.hr_on_lr), rmse_where_changed=changed,
            pictures=save_pictures(settings, truth, pictured, external, judge.hr_on_lr, part), arms=metrics,
        )  # fmt: skip
        write_json(part / "metrics.json", summary)


def _spectra(pair: AlignedPair, hr: RadialSpectrum, lr: RadialSpectrum, arms: dict[str, Any]) -> dict[str, Any]:
    return dict(
        bands=pair.bands, hr_gsd_m=pair.hr_gsd_m, lr_gsd_m=pair.lr_gsd_m,
        frequency_per_m=hr.frequency, hr=hr.power, lr_frequency_per_m=lr.frequency, lr=lr.power, arms=arms,
    )  # fmt: skip


def _references(pair: AlignedPair, hr_on_lr: np.ndarray) -> dict[str, float]:
    """Return how far the references themselves disagree: HR brought to the LR grid against LR.

    Land cover that changed between the dates and was not masked, haze and registration are in it. A model that follows
    LR cannot come closer to HR than this, at LR's own scale.
    """
    clear = pair.clear_lr & np.isfinite(hr_on_lr).all(axis=0)
    found = consistency(hr_on_lr, pair.lr, clear)
    rmse = fidelity.together(fidelity.rmse(hr_on_lr, pair.lr, clear))
    return dict(
        lr_l1=found.reflectance_l1.mean(), rmse=rmse, lr_angle_deg=found.spectral_angle_deg,
        lr_shift_px=found.shift_lr_px,
    )  # fmt: skip
