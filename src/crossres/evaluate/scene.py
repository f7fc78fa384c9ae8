"""`evaluate`: one held-out scene, every arm, against HR and LR."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from crossres.errors import UserError
from crossres.evaluate.calibration import calibration
from crossres.evaluate.judge import Judge
from crossres.evaluate.pair import AlignedPair, read_pair
from crossres.evaluate.places import choose_places
from crossres.evaluate.scene_images import (
    Pictured,
    layer_labels,
    layers,
    save_crops,
    save_hallucination,
    save_layers,
    save_overview,
)  # fmt: skip
from crossres.evaluate.spectrum import RadialSpectrum
from crossres.evaluate.spectrum_chart import draw_spectra
from crossres.evaluate.stretch import stretch_from
from crossres.evaluate.theme import chart, save
from crossres.files import whole, write_json
from crossres.rasters import read_scene
from crossres.settings.evaluate import EvaluateSettings
from crossres.settings.grid import GridSettings

log = logging.getLogger(__name__)
IMAGES = ("mean", "sample")


def evaluate_scene(
    settings: EvaluateSettings,
    grid: GridSettings,
    pair: str,
    aligned: Path,
    arms: dict[str, Path],
    output: Path,
    mask: Path | None = None,
) -> None:
    """Judge every arm's mean and sample against HR and LR, and write metrics, spectra, calibration and pictures.

    `aligned` holds lr.tif, hr.tif and mask.tif, in whose place `mask` counts where it is named; each arm's folder
    holds mean.tif, std.tif and sample.tif. The first arm with a spread is the one that is pictured, else the first.
    `output` is a folder: metrics.json, spectra.json, calibration.json, crops.png, overview.png, hallucination.png,
    spectrum.png, view/<layer>.png and crops/<n>/<layer>.png; layers are lr, bicubic, mean, sample, hr, std. Raises
    `UserError` when inputs are missing or do not fit together, or when no pixel is clear.
    """
    truth = read_pair(aligned, grid.bands, arms, settings.border_px, mask)
    judge = Judge(settings, truth)
    metrics: dict[str, Any] = {}
    spectra: dict[str, Any] = {}
    spread: dict[str, Any] = {}
    pictured: Pictured | None = None
    for arm, folder in arms.items():
        images = {name: read_scene(folder / f"{name}.tif").select(grid.bands).values for name in IMAGES}
        std = read_scene(folder / "std.tif").values
        metrics[arm], spectra[arm] = {}, {}
        for name, image in images.items():
            if name == "mean" or not np.array_equal(image, images["mean"], equal_nan=True):
                judged = judge(image)
            metrics[arm][name], spectra[arm][name] = judged.metrics, judged.spectrum.power
        reliability = calibration(images["mean"], std, truth.hr, truth.clear)
        spread[arm] = asdict(reliability) if reliability else None
        if pictured is None or (reliability and not pictured.std.any()):
            pictured = Pictured(arm, judge.lr_up, images["mean"], images["sample"], std, judged.hallucination)
        log.info("%s: judged %s", pair, arm)
    if pictured is None:
        raise UserError("sample.arms: there is none to evaluate; name at least one")
    with whole(output) as part:
        part.mkdir()
        content = _spectra(truth, judge.hr_spectrum, judge.lr_spectrum(), spectra)
        write_json(part / "spectra.json", content)
        write_json(part / "calibration.json", spread)
        where = _pictures(settings, truth, pictured, part)
        figure, (ax,) = chart(6.4, 4.2)
        draw_spectra(ax, content, list(arms), "sample")
        save(figure, part / "spectrum.png")
        write_json(part / "metrics.json", _summary(pair, truth, pictured.arm, metrics, where))


def _spectra(pair: AlignedPair, hr: RadialSpectrum, lr: RadialSpectrum, arms: dict[str, Any]) -> dict[str, Any]:
    return dict(
        bands=pair.bands, hr_gsd_m=pair.hr_gsd_m, lr_gsd_m=pair.lr_gsd_m,
        frequency_per_m=hr.frequency, hr=hr.power, lr_frequency_per_m=lr.frequency, lr=lr.power, arms=arms,
    )  # fmt: skip


def _pictures(settings: EvaluateSettings, pair: AlignedPair, pictured: Pictured, folder: Path) -> dict[str, Any]:
    """Write the pictures; return the windows they show."""
    stretch = stretch_from(pair.hr, pictured.std, pair.clear, pair.bands)
    images, labels = layers(pair, pictured, stretch), layer_labels(pair)
    places = choose_places(pair.hr, pictured.lr_up, pair.clear, settings.crop_px, settings.crops)
    view = choose_places(pair.hr, pictured.lr_up, pair.clear, settings.view_px, 1)[0]
    save_crops(folder / "crops.png", images, labels, places, pair, stretch)
    save_overview(folder / "overview.png", images, labels, pair)
    save_hallucination(folder / "hallucination.png", pair, pictured, stretch)
    return dict(
        labels=labels, std_high=stretch.std_high, view=save_layers(folder / "view", images, view),
        crops=[save_layers(folder / "crops" / str(i), images, place) for i, place in enumerate(places)],
    )  # fmt: skip


def _summary(
    pair: str, truth: AlignedPair, pictured: str, metrics: dict[str, Any], where: dict[str, Any]
) -> dict[str, Any]:
    return dict(
        pair=pair, bands=truth.bands, dates=truth.dates, lr_gsd_m=truth.lr_gsd_m, hr_gsd_m=truth.hr_gsd_m,
        factor=truth.factor, shape_px=truth.clear.shape, clear_share=float(truth.clear.mean()),
        mask_shares=truth.mask_shares(), arm_order=list(metrics), pictured=pictured, pictures=where, arms=metrics,
    )  # fmt: skip
