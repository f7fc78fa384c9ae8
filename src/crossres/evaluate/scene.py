"""`evaluate`: one held-out scene, every arm, against HR and LR."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from crossres.errors import UserError
from crossres.evaluate import fidelity
from crossres.evaluate.calibration import calibration
from crossres.evaluate.consistency import consistency
from crossres.evaluate.judge import Judge
from crossres.evaluate.pair import AlignedPair, read_image, read_pair
from crossres.evaluate.resampling import to_lr
from crossres.evaluate.scene_images import Pictured, save_pictures
from crossres.evaluate.spectrum import RadialSpectrum
from crossres.evaluate.spectrum_chart import draw_spectra
from crossres.evaluate.theme import chart, save
from crossres.files import read_json, whole, write_json
from crossres.settings.evaluate import EvaluateSettings
from crossres.settings.grid import GridSettings

log = logging.getLogger(__name__)
IMAGES = ("mean", "sample")


def evaluate_scene(
    settings: EvaluateSettings, grid: GridSettings, pair: str, aligned: Path, arms: dict[str, Path], output: Path,
    mask: Path | None = None, threads: int = 1,
) -> None:  # fmt: skip
    """Judge every arm's mean and sample against HR and LR, and write metrics, spectra, calibration and pictures.

    `aligned` holds lr.tif, hr.tif and mask.tif, in whose place `mask` counts where it is named; each arm's folder holds
    mean.tif, std.tif and sample.tif, or declined.json with the reason why it holds none. The first arm with a spread is
    the one that is pictured, else the first; of an external arm the viewer shows one layer. `output` is a folder:
    metrics.json, spectra.json, calibration.json, crops.png, overview.png, hallucination.png, spectrum.png,
    view/<layer>.png, crops/<n>/<layer>.png and places/<best, median, worst>/<layer>.png. Results do not depend on
    `threads`. Raises `UserError` when inputs are missing or do not fit together, or when no pixel is clear.
    """
    declined = {arm: read_json(path)["reason"] for arm in arms if (path := arms[arm] / "declined.json").exists()}
    arms = {arm: folder for arm, folder in arms.items() if arm not in declined}
    truth = read_pair(aligned, grid.bands, arms, settings.border_px, mask, threads)
    judge = Judge(settings, truth, threads)
    metrics: dict[str, Any] = {}
    strata: dict[str, Any] = {}
    spectra: dict[str, Any] = {}
    spread: dict[str, Any] = {}
    changed: dict[str, Any] = {}
    pictured: Pictured | None = None
    external: dict[str, np.ndarray] = {}
    for arm, folder in arms.items():
        mean = read_image(folder / "mean.tif", grid.bands, threads).values
        std = read_image(folder / "std.tif", threads=threads).values
        judged = judge(mean)
        metrics[arm], spectra[arm] = {"mean": judged.metrics}, {"mean": judged.spectrum.power}
        strata[arm] = {"mean": judged.strata}
        changed[arm] = _rmse_where_changed(truth, mean, threads)
        reliability = calibration(mean, std, truth.hr, truth.clear, threads)
        spread[arm] = asdict(reliability) if reliability else None
        sample = read_image(folder / "sample.tif", grid.bands, threads).values
        if not np.array_equal(sample, mean, equal_nan=True):
            judged = judge(sample)
        metrics[arm]["sample"], spectra[arm]["sample"] = judged.metrics, judged.spectrum.power
        strata[arm]["sample"] = judged.strata
        if arm in settings.external:
            external[arm] = mean
        elif pictured is None or (reliability and not pictured.std.any()):
            pictured = Pictured(arm, judge.lr_up, mean, sample, std, judged.hallucination)
        log.info("%s: judged %s", pair, arm)
    if pictured is None:
        raise UserError("sample.arms: there is none to evaluate; name at least one")
    hr_on_lr = to_lr(truth.hr, (truth.mask.shape[0], truth.mask.shape[1]), settings.lr_mtf, threads)
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
            factor=truth.factor, shape_px=truth.clear.shape, clear_share=float(truth.clear.mean()),
            mask_shares=truth.mask_shares(), arm_order=list(metrics), pictured=pictured.arm, declined=declined,
            strata=dict(rule=judge.strata.rule, shares=judge.strata.shares(), arms=strata),
            references=_references(truth, hr_on_lr), rmse_where_changed=changed,
            pictures=save_pictures(settings, truth, pictured, external, hr_on_lr, part, threads), arms=metrics,
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


def _rmse_where_changed(pair: AlignedPair, image: np.ndarray, threads: int) -> float:
    """Return the RMSE over the pixels that are left out since their land cover changed; NaN without any."""
    there = pair.changed() & np.isfinite(image).all(axis=0)
    return fidelity.together(fidelity.pixel_errors(image, pair.hr, (~there).astype(np.uint8), 1, (), threads).rmse())
