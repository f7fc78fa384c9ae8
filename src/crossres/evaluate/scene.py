"""`evaluate`: one held-out scene, every arm, against HR and LR."""

import logging
from pathlib import Path

import dask.array as da
import numpy as np

from crossres.drawing import chart, save
from crossres.errors import UserError
from crossres.evaluate.charts.spectra import draw_spectra
from crossres.evaluate.metrics import fidelity
from crossres.evaluate.metrics.aligned_pair import AlignedPair, read_pair
from crossres.evaluate.metrics.consistency import consistency
from crossres.evaluate.metrics.metric import IMAGES
from crossres.evaluate.metrics.opensr_scene import opensr_scene
from crossres.evaluate.metrics.scene_metrics import Judge, JudgedArm
from crossres.evaluate.pictures.boundary_plate import Traced, save_boundaries
from crossres.evaluate.pictures.scene_images import Pictured, save_pictures
from crossres.evaluate.results.arm_names import arm_label
from crossres.evaluate.results.opensr_table import write_scene
from crossres.evaluate.results.scene_result import (
    Dates,
    References,
    SceneResult,
    Spectra,
    StrataResult,
    write_calibrations,
)  # fmt: skip
from crossres.files import read_json, whole
from crossres.imagery.lazy import CHUNK_PX
from crossres.sensors.mtf import lr_mtf
from crossres.settings.evaluate import EvaluateSettings
from crossres.settings.grid import GridSettings

log = logging.getLogger(__name__)
BASELINES = ("bicubic", "regression")
"""Starts of the arms whose boundaries are drawn beside the pictured arm's."""


def evaluate_scene(
    settings: EvaluateSettings, grid: GridSettings, pair: str, aligned: Path, arms: dict[str, Path], output: Path,
    mask: Path | None = None,
) -> None:  # fmt: skip
    """Judge every arm's mean and sample against HR and LR, and write metrics, spectra, calibration and pictures.

    `aligned` holds lr.tif, hr.tif and mask.tif, in whose place `mask` counts where it is named; each arm's folder holds
    mean.tif, std.tif and sample.tif, or declined.json with the reason why it holds none. The first arm with a spread is
    the one that is pictured, else the first; of an external arm the viewer shows one layer. `output` is a folder:
    metrics.json, spectra.json, calibration.json, opensr_test.json, crops.png, overview.png, hallucination.png,
    boundaries.png, spectrum.png, view/<layer>.png, crops/<n>/<layer>.png and places/<best, median, worst>/<layer>.png.
    Raises `UserError` when inputs are missing or do not fit together, or when no pixel is clear.
    """
    declined = {arm: read_json(path)["reason"] for arm in arms if (path := arms[arm] / "declined.json").exists()}
    arms = {arm: folder for arm, folder in arms.items() if arm not in declined}
    truth = read_pair(aligned, grid.bands, arms, settings.border_px, mask, CHUNK_PX)
    judge = Judge(settings, truth, lr_mtf(grid.lr_mtf, truth.lr_sensor, grid.bands))
    judged: dict[str, JudgedArm] = {}
    pictured: Pictured | None = None
    spreads = False
    external: dict[str, da.Array] = {}
    for name, arm in truth.arms.items():
        judged[name] = found = judge(arm)
        if name in settings.external:
            external[name] = arm.mean
        elif pictured is None or (found.calibration and not spreads):
            pictured = Pictured(name, arm, judge.lr_up, judge.hr, judge.threshold)
            spreads = found.calibration is not None
        log.info("%s: judged %s", pair, name)
    if pictured is None:
        raise UserError("sample.arms: there is none to evaluate; name at least one")
    with whole(output) as part:
        part.mkdir()
        spectra = _spectra(truth, judge, judged)
        spectra.write(part)
        write_scene(part, opensr_scene(truth))
        write_calibrations(part, {name: found.calibration for name, found in judged.items()})
        figure, (ax,) = chart(6.4, 4.2)
        draw_spectra(ax, spectra, list(arms), "sample")
        save(figure, part / "spectrum.png")
        pictures = save_pictures(settings, truth, pictured, external, judge.hr_on_lr, part)
        traced = _traced(truth, judged, pictured, {name: _start(arms[name]) for name in judged})
        save_boundaries(
            part / "boundaries.png", truth.hr, judge.downstream, traced, truth.bands, pictures.crops[0], truth.hr_gsd_m
        )
        SceneResult(
            pair=pair, bands=truth.bands, dates=Dates(**truth.dates), lr_gsd_m=truth.lr_gsd_m,
            hr_gsd_m=truth.hr_gsd_m, factor=float(truth.factor), shape_px=truth.clear.shape,
            clear_share=float(truth.clear.mean()), mask_shares=truth.mask_shares(), arm_order=tuple(judged),
            declined=declined, pictured=pictured.name, references=_references(truth, judge.hr_on_lr),
            rmse_where_changed={name: found.rmse_where_changed for name, found in judged.items()},
            arms={name: {image: found.images[image].metrics for image in IMAGES} for name, found in judged.items()},
            strata=StrataResult(
                judge.strata.rule, judge.strata.shares(),
                {name: {image: found.images[image].strata for image in IMAGES} for name, found in judged.items()},
            ),
            pictures=pictures,
        ).write(part)  # fmt: skip


def _start(arm: Path) -> str | None:
    """Return what an arm starts from, by its item; None for what another model made."""
    path = arm / "item.json"
    said = read_json(path)["properties"].get("crossres:settings", {}) if path.exists() else {}
    return said.get("start")


def _traced(
    pair: AlignedPair, judged: dict[str, JudgedArm], pictured: Pictured, starts: dict[str, str | None]
) -> list[Traced]:
    """Return what boundaries are drawn of: plain interpolation, the regression, mean and sample of the pictured arm."""
    shown = []
    for start in BASELINES:
        for name in [name for name, found in starts.items() if found == start and name != pictured.name][:1]:
            shown.append(Traced(arm_label(name), pair.arms[name].mean, judged[name].images["mean"].boundaries))
    arm, images = pictured.arm, judged[pictured.name].images
    if arm.single:
        return [*shown, Traced(arm_label(pictured.name), arm.sample, images["sample"].boundaries)]
    both = (("mean", arm.mean, images["mean"]), ("one sample", arm.sample, images["sample"]))
    return [*shown, *(Traced(f"SR, {name}", image, of.boundaries) for name, image, of in both)]


def _spectra(pair: AlignedPair, judge: Judge, judged: dict[str, JudgedArm]) -> Spectra:
    hr, lr = judge.hr_spectrum, judge.lr_spectrum()
    return Spectra(
        bands=pair.bands, hr_gsd_m=pair.hr_gsd_m, lr_gsd_m=pair.lr_gsd_m, frequency_per_m=hr.frequency, hr=hr.power,
        lr_frequency_per_m=lr.frequency, lr=lr.power,
        arms={name: {image: found.images[image].spectrum.power for image in IMAGES} for name, found in judged.items()},
    )  # fmt: skip


def _references(pair: AlignedPair, hr_on_lr: np.ndarray) -> References:
    """Return how far the references themselves disagree: HR brought to the LR grid against LR.

    Land cover that changed between the dates and was not masked, haze and registration are in it. A model that follows
    LR cannot come closer to HR than this, at LR's own scale.
    """
    clear = pair.clear_lr & np.isfinite(hr_on_lr).all(axis=0)
    found = consistency(hr_on_lr, pair.lr, clear)
    rmse = fidelity.together(fidelity.rmse(hr_on_lr, pair.lr, clear))
    return References(
        lr_l1=found.reflectance_l1.mean(), rmse=rmse, lr_angle_deg=found.spectral_angle_deg,
        lr_shift_px=found.shift_lr_px,
    )  # fmt: skip
