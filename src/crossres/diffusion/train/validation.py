"""How a network does on held-out patches, measured with the sampler that will be used: figures to watch training by.

The report's metrics are the evaluation stage's; these three are cheap, need no weights and see what a loss does not:
PSNR, of the samples' mean, rewards blur; the spectrum and the patch statistics, of one sample, punish it.
"""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import stdtrit  # scipy.stats takes most of a second to load
from torch import Tensor

from crossres.diffusion.model.network import Network
from crossres.diffusion.model.upsample import View
from crossres.diffusion.paths.ensemble import Ensemble
from crossres.diffusion.paths.path import Chain, DiffusionPath
from crossres.diffusion.train.data import Split
from crossres.diffusion.train.learning_step import CPU_CROPS
from crossres.imagery.engine import each, threads
from crossres.settings.sample import EVALUATIONS
from crossres.settings.train import TrainSettings

PATCHES = 64
"""Patches that are looked at, at most."""
ENOUGH = 17
"""Patches from which weights are chosen: of fewer, the luckiest would be taken for the best."""
WITHIN = (0.683, 0.954)
"""Shares of a Gaussian within one and two standard deviations."""
LARGEST_FACTOR = 10
PROJECTIONS = 128
BINS = 16
NEAR_BEST = 1.1


def measure(mean: Tensor, sample: Tensor, truth: Tensor, weight: Tensor, seed: int) -> dict[str, float]:
    """Return `psnr_db`, `spectrum_error` (log10) and `swd` of standardised (batch, band, row, column) images."""
    return {
        "psnr_db": psnr_db(mean, truth, weight),
        "spectrum_error": spectrum_error(sample, truth),
        "swd": sliced_wasserstein(sample, truth, seed),
    }


def psnr_db(image: Tensor, truth: Tensor, weight: Tensor) -> float:
    """Return the PSNR over clear pixels, with the truth's central 99.8 % range as the peak."""
    mse = float((((image - truth) ** 2) * weight).sum() / (weight.sum() * image.shape[1]).clamp(min=1))
    low, high = np.quantile(truth.numpy(), [0.001, 0.999])
    return float(10 * np.log10((high - low) ** 2 / max(mse, 1e-12)))


def spectrum_error(image: Tensor, truth: Tensor) -> float:
    """Return the mean |log10 power ratio| over radial frequency bins, without the two lowest."""
    return float((_log_spectrum(image) - _log_spectrum(truth)).abs()[2:].mean())


def _log_spectrum(image: Tensor) -> Tensor:
    rows, cols = image.shape[-2:]
    power = torch.fft.rfft2(image - image.mean((2, 3), keepdim=True)).abs() ** 2 / (rows * cols)
    radius = torch.hypot(torch.fft.fftfreq(rows)[:, None], torch.fft.rfftfreq(cols)[None])
    edges = torch.linspace(0, 0.5, BINS + 1)
    bins = [power[..., (radius >= a) & (radius < b)] for a, b in zip(edges[:-1], edges[1:], strict=True)]
    return torch.stack([b.mean() for b in bins if b.numel()]).clamp(min=1e-12).log10()


def sliced_wasserstein(image: Tensor, truth: Tensor, seed: int) -> float:
    """Return the mean sorted distance of random projections of 7 x 7 patches, less their means (Rabin et al. 2011)."""
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(image.shape[1] * 49, PROJECTIONS, generator=generator)
    directions /= directions.norm(dim=0)
    a, b = (_patches(v) @ directions for v in (image, truth))
    return float((a.sort(0)[0] - b.sort(0)[0]).abs().mean())


def _patches(image: Tensor) -> Tensor:
    patches = F.unfold(image, 7, stride=3).transpose(1, 2).flatten(0, 1)
    return patches - patches.mean(1, keepdim=True)


def std_factor(mean: Tensor, spread: Tensor, truth: Tensor, weight: Tensor, ensemble: Ensemble) -> float:
    """Return the factor of the spread that makes it say how far HR is from the samples' mean.

    The images are (batch, band, row, column). Three factors make right, over the clear pixels, the shares WITHIN one
    and two standard deviations and the mean square. Errors have heavier tails than a Gaussian with their spread, so
    that these differ: theirs is the geometric mean.
    """
    if not ensemble.degrees_of_freedom:
        return 1.0
    clear = (weight > 0).expand_as(truth)
    error, said = ((truth - mean)[clear].abs().numpy(), (ensemble.error * spread[clear]).clamp(min=1e-6).numpy())
    shares = np.quantile(error / said, WITHIN) / stdtrit(ensemble.degrees_of_freedom, 0.5 + np.array(WITHIN) / 2)
    square = np.sqrt(np.square(error, dtype=np.float64).mean() / np.square(said, dtype=np.float64).mean())
    factor = np.exp(np.log([*shares, square]).mean())
    return float(factor.clip(1 / LARGEST_FACTOR, LARGEST_FACTOR))


class Validation:
    """A fixed set of validation patches with fixed noise: two measurements differ by the network alone.

    Samples are drawn as the product's are: from the LR start, with `validate_evaluations` and `validate_samples`.
    """

    def __init__(
        self, split: Split, path: DiffusionPath, settings: TrainSettings, device: torch.device, one_step: bool = False
    ) -> None:
        self.patches = np.sort(np.random.default_rng([settings.seed, 3]).permutation(len(split))[:PATCHES])
        self.batch = split.batch(self.patches)
        self.view = View.whole(split.factor, *self.batch.lr.shape[-2:])
        self.path, self.seed, self.device = path, settings.seed, device
        self.ensemble = Ensemble(settings.validate_samples)
        self.solver = "euler" if one_step else path.solvers[0]
        self.steps = 1 if one_step else -(-settings.validate_evaluations // EVALUATIONS[self.solver])

    @property
    def chooses(self) -> bool:
        """Whether there are patches enough to choose weights by."""
        return len(self.patches) >= ENOUGH

    def bicubic(self) -> dict[str, float]:
        """Measure the bicubic image, the least that training must beat."""
        return measure(self.batch.y, self.batch.y, self.batch.hr, self.batch.weight, self.seed)

    def best_sigma(self, network: Network) -> float:
        """Return the smallest noise of an LR start whose samples have nearly the best statistics.

        Little noise keeps close to the LR image and its blur, much noise forgets it. The RMS of HR - y, a natural
        guess, leaves samples too smooth where most of that difference is no detail (another season, other shadows).
        """
        if not self.path.sigmas:
            return self.path.usual_sigma
        found = {s: self.network(network, s)["swd"] for s in self.path.sigmas}
        return min(s for s, swd in found.items() if swd <= NEAR_BEST * min(found.values()))

    def network(self, network: Network, sigma: float) -> dict[str, float]:
        """Measure the samples that a network draws from an LR start with that noise."""
        mean, _, sample = self._draw(network, sigma)
        return measure(mean, sample, self.batch.hr, self.batch.weight, self.seed)

    def std_factor(self, network: Network, sigma: float) -> float:
        """Return what the samples' spread is to be multiplied by (`std_factor` of the module).

        1 where one sample is drawn, which has no spread.
        """
        mean, spread, _ = self._draw(network, sigma)
        return std_factor(mean, spread, self.batch.hr, self.batch.weight, self.ensemble)

    def _draw(self, network: Network, sigma: float) -> tuple[Tensor, Tensor, Tensor]:
        """Return the samples' mean, spread and first, (patch, band, row, column) each."""
        chain = Chain("lr", self.steps, self.solver, sigma, self.path.usual_eta("lr"))

        @torch.inference_mode()
        def of_part(which: slice) -> tuple[Tensor, Tensor, Tensor]:
            if self.device.type == "cpu":
                torch.set_num_threads(1)
            lr, y = (v[which].to(self.device) for v in (self.batch.lr, self.batch.y))
            levels = network.prior.levels(network.prior(lr)) if network.prior else None

            def field(x: Tensor, t: float, told: float) -> Tensor:
                time, noise = (torch.full((len(x),), value, device=self.device) for value in (t, told))
                return network(x, y, time, noise, levels, self.view)

            def sample(k: int) -> Tensor:
                number, sign = self.ensemble.noise(k)
                return self.path.run(field, y, lambda step: sign * self._noise(which, number, step), chain)

            mean, spread, first = self.ensemble.summarise(map(sample, range(self.ensemble.samples)))
            return mean.cpu(), spread.cpu(), first.cpu()

        count = len(self.patches)
        size = CPU_CROPS if self.device.type == "cpu" else count
        parts = [slice(first, first + size) for first in range(0, count, size)]
        at_a_time = threads() if self.device.type == "cpu" else 1
        mean, spread, first = zip(*each(of_part, parts, at_a_time=at_a_time), strict=True)
        return torch.cat(mean), torch.cat(spread), torch.cat(first)

    def _noise(self, which: slice, number: int, step: int) -> Tensor:
        """Return the noise of some patches, which depends on each patch's place among them alone."""
        shape = self.batch.hr.shape[1:]
        drawn = [
            np.random.default_rng([self.seed, 4, place, number, step]).standard_normal(shape, np.float32)
            for place in range(len(self.patches))[which]
        ]
        return torch.from_numpy(np.stack(drawn)).to(self.device)
