"""An ensemble is judged by what its size lets it know: a perfect one of two samples is called calibrated, as one of 16.

HR and samples are real draws from one distribution at each pixel, written as products and read by the scene's judge.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from crossres.errors import UserError
from crossres.evaluate.metrics.calibration import Calibration
from crossres.evaluate.metrics.ensemble import Ensemble, read_ensemble
from crossres.evaluate.metrics.metric import ALL_BANDS
from crossres.evaluate.metrics.ranked import worst_told
from crossres.evaluate.results.scene_result import SceneResult, read_calibrations
from crossres.evaluate.scene import evaluate_scene
from crossres.files import write_json
from crossres.imagery.numbers import STD_DN
from crossres.imagery.raster import write_cog
from crossres.imagery.scene import make_scene, open_scene, write_scene
from crossres.settings.evaluate import EvaluateSettings
from crossres.settings.grid import GridSettings

Make = Callable[..., tuple[Path, dict[str, Path]]]
BANDS = GridSettings().bands


@dataclass(frozen=True)
class Drawn:
    """How samples are drawn about the centre of a pixel's distribution, whose standard deviation is sigma."""

    samples: int
    pairs: bool = False
    """Whether the second of each two mirrors the first."""
    width: float = 1.0
    """Of the samples' distribution over that of HR: below 1 is over-confident."""

    @property
    def properties(self) -> dict[str, float]:
        """Return what the product's item says."""
        k = self.samples
        scale, nu = (1.0, k // 2) if self.pairs else (float(np.sqrt(1 + 1 / k)), k - 1)
        names = ("crossres:samples", "crossres:std_scale", "crossres:std_degrees_of_freedom")
        return dict(zip(names, (k, scale, nu)))

    def around(self, centre: np.ndarray, sigma: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return (sample, band, row, column) draws."""
        noise = rng.standard_normal((self.samples // (1 + self.pairs), *centre.shape))
        if self.pairs:
            noise = np.stack([noise, -noise], axis=1).reshape(-1, *centre.shape)
        return centre + self.width * sigma * noise


ARMS = {
    **{f"independent_{k}": Drawn(k) for k in (2, 4, 16)},
    **{f"pairs_{k}": Drawn(k, pairs=True) for k in (2, 4, 16)},
    **{f"narrow_{k}": Drawn(k, width=0.5) for k in (2, 4, 16)},
}
PERFECT = [name for name in ARMS if not name.startswith("narrow")]


@dataclass(frozen=True)
class Judged:
    """What came out, and what is right."""

    calibration: dict[str, Calibration]
    crps: dict[str, float]
    by_band: dict[str, np.ndarray]
    exact: dict[str, np.ndarray]
    """Arm -> (band,) fair CRPS from all samples."""
    ranks: dict[str, float]
    """Arm -> Spearman's correlation of its std with the error, over all pixels."""


@pytest.fixture(scope="module")
def judged(make_pair: Make, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    root, rng = tmp_path_factory.mktemp("ensembles"), np.random.default_rng(5)
    aligned, _ = make_pair("drawn", 31, lr_shape=(96, 96))
    hr = open_scene(aligned / "hr.tif").load()
    truth, clear = hr.reflectance.values.astype(np.float64), np.s_[:, 8:-8, 8:-8]
    # What a pixel is unsure of varies over the scene by a factor of some five, and HR is one draw at each.
    sigma = 0.01 * np.exp(0.6 * rng.standard_normal(truth.shape))
    centre = truth - sigma * rng.standard_normal(truth.shape)
    exact, ranks = {}, {}
    for name, drawn in ARMS.items():
        samples = drawn.around(centre, sigma, rng)
        mean = samples.mean(axis=0)
        squares = np.square(samples - mean).sum(axis=0)
        spread = np.sqrt(squares / (drawn.samples if drawn.pairs else drawn.samples - 1))
        std = spread * drawn.properties["crossres:std_scale"]
        folder = root / "sr" / name
        write_scene(folder / "mean.tif", make_scene(mean.astype(np.float32), hr.odc.geobox, BANDS))
        write_scene(folder / "sample.tif", make_scene(samples[0].astype(np.float32), hr.odc.geobox, BANDS))
        write_cog(folder / "std.tif", STD_DN.numbers(std), hr.odc.geobox, BANDS, STD_DN)
        write_json(folder / "item.json", {"properties": drawn.properties})
        exact[name] = exact_crps(samples, truth, drawn.pairs).mean(axis=(1, 2))
        ranks[name] = spearmanr(std[clear], np.abs(mean - truth)[clear], axis=None).statistic
    settings = EvaluateSettings(crop_px=48, crops=1, view_px=64)
    evaluate_scene(settings, GridSettings(), "drawn", aligned, {a: root / "sr" / a for a in ARMS}, root / "out")
    arms = {name: images["mean"] for name, images in SceneResult.read(root / "out").arms.items()}
    return Judged(
        read_calibrations(root / "out"), {name: found[ALL_BANDS]["crps"] for name, found in arms.items()},
        {name: np.array([found[band]["crps"] for band in BANDS]) for name, found in arms.items()}, exact, ranks,
    )  # fmt: skip


def exact_crps(samples: np.ndarray, truth: np.ndarray, pairs: bool) -> np.ndarray:
    """Return the fair CRPS of each pixel from all pairs of samples; of mirrored ones only those drawn apart."""
    each = range(len(samples))
    apart = [
        np.abs(samples[i] - samples[j]) for i in each for j in each if i != j and not (pairs and i // 2 == j // 2)
    ]  # fmt: skip
    return np.abs(samples - truth).mean(axis=0) - (np.mean(apart, axis=0) / 2 if apart else np.nan)


@pytest.mark.parametrize("arm", PERFECT)
def test_a_perfect_ensemble_of_any_size_is_calibrated(judged: Judged, arm: str) -> None:
    found = judged.calibration[arm]
    assert found.ratio == pytest.approx(1, abs=0.02) and found.tone == "calibrated"
    for nominal, real in found.coverage.items():
        assert real == pytest.approx(float(nominal), abs=0.01)


@pytest.mark.parametrize("arm", PERFECT)
def test_the_error_in_each_bin_is_what_a_perfect_std_promises(judged: Judged, arm: str) -> None:
    found = judged.calibration[arm]
    assert found.error == pytest.approx(found.promised, rel=0.08)
    assert np.abs(found.std / found.error - 1).max() > 2 * np.abs(found.promised / found.error - 1).max()


@pytest.mark.parametrize("arm", list(ARMS))
def test_a_perfect_ensemble_has_the_rank_correlation_that_its_size_allows(judged: Judged, arm: str) -> None:
    found = judged.calibration[arm]
    assert found.rank_correlation == pytest.approx(judged.ranks[arm], abs=0.01)
    if arm in PERFECT:
        assert found.calibrated_rank == pytest.approx(found.rank_correlation, abs=0.015)


@pytest.mark.parametrize("arm", [name for name in ARMS if name not in PERFECT])
def test_an_over_confident_ensemble_is_called_so(judged: Judged, arm: str) -> None:
    found = judged.calibration[arm]
    k = ARMS[arm].samples
    assert found.misjudged == "over-confident"
    assert found.ratio == pytest.approx(0.5 * np.sqrt((1 + 1 / k) / (1 + 0.25 / k)), abs=0.02)
    assert found.inside < 0.683 - 0.05 and (found.error > 1.2 * found.promised).all()


@pytest.mark.parametrize("arm", [name for name in ARMS if name != "pairs_2"])
def test_fair_crps_is_that_of_all_samples(judged: Judged, arm: str) -> None:
    assert judged.by_band[arm] == pytest.approx(judged.exact[arm], rel=0.02)
    assert judged.crps[arm] == pytest.approx(judged.by_band[arm].mean())


def test_fair_crps_knows_no_size_and_punishes_false_certainty(judged: Judged) -> None:
    perfect = [judged.crps[arm] for arm in PERFECT]
    assert perfect == pytest.approx([np.mean(perfect)] * len(perfect), rel=0.02)
    assert min(judged.crps[f"narrow_{k}"] for k in (2, 4, 16)) > 1.02 * max(perfect)


def test_roc_of_std_is_better_than_chance_and_better_of_more_samples(judged: Judged) -> None:
    areas = [judged.calibration[f"independent_{k}"].roc_area for k in (4, 16)]
    assert 0.55 < areas[0] < areas[1] < 0.9
    error = np.arange(1000.0)
    assert worst_told(error, error) == 1 and worst_told(-error, error) == 0
    assert worst_told(np.ones(1000), error) == 0.5


def test_what_the_item_says_of_std_is_taken(tmp_path: Path) -> None:
    assert read_ensemble(tmp_path) == Ensemble(1.0, 1.0, np.inf)  # another model's result
    write_json(tmp_path / "item.json", {"properties": Drawn(4).properties})
    assert read_ensemble(tmp_path) == Ensemble(1.0, np.sqrt(1.25), 3)
    write_json(tmp_path / "item.json", {"properties": {"crossres:settings": {"samples": 4}}})
    assert read_ensemble(tmp_path) == Ensemble(np.sqrt(1.25), np.sqrt(1.25), 3)  # an older product
    for single in ({"crossres:settings": {"samples": 1}}, {"crossres:std_degrees_of_freedom": 0}):
        write_json(tmp_path / "item.json", {"properties": single})
        assert read_ensemble(tmp_path) == Ensemble()
    for wrong in ([], {}, {"properties": {"crossres:std_degrees_of_freedom": 3, "crossres:std_scale": None}}):
        write_json(tmp_path / "item.json", wrong)
        with pytest.raises(UserError, match=r"item\.json: does not say what std\.tif is"):
            read_ensemble(tmp_path)


@pytest.mark.parametrize("count", [2, 4, 16])
def test_c4_is_the_mean_of_the_std_of_that_many_samples(count: int) -> None:
    stds = np.random.default_rng(count).standard_normal((200_000, count)).std(axis=1, ddof=1)
    assert Ensemble(degrees_of_freedom=count - 1).c4 == pytest.approx(stds.mean(), rel=0.005)
    assert Ensemble().c4 == 1
