"""How a network does on held-out patches, measured with the sampler that will be used: figures to watch training by.

The report's metrics are the evaluation stage's; these three are cheap, need no weights and see what a loss does not:
PSNR of one sample rewards blur, the spectrum and the patch statistics punish it.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from crossres.diffusion.model.network import Network
from crossres.diffusion.model.upsample import View
from crossres.diffusion.paths.path import Chain, DiffusionPath
from crossres.diffusion.train.data import Split
from crossres.diffusion.train.learning_step import CPU_CROPS
from crossres.imagery.engine import each, threads
from crossres.settings.sample import EVALUATIONS

NFE = 4
"""Evaluations of the network for each sample."""
PATCHES = 16
PROJECTIONS = 128
BINS = 16
NEAR_BEST = 1.1


def measure(image: Tensor, truth: Tensor, weight: Tensor, seed: int) -> dict[str, float]:
    """Return `psnr_db`, `spectrum_error` (log10) and `swd` of standardised (batch, band, row, column) images."""
    return {
        "psnr_db": psnr_db(image, truth, weight),
        "spectrum_error": spectrum_error(image, truth),
        "swd": sliced_wasserstein(image, truth, seed),
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


class Validation:
    """A fixed set of validation patches with fixed noise: two measurements differ by the network alone."""

    def __init__(
        self, split: Split, path: DiffusionPath, seed: int, device: torch.device, one_step: bool = False
    ) -> None:
        chosen = np.random.default_rng([seed, 3]).permutation(len(split))[:PATCHES]
        self.batch = split.batch(np.sort(chosen))
        self.view = View.whole(split.factor, *self.batch.lr.shape[-2:])
        self.noise = torch.randn(self.batch.hr.shape, generator=torch.Generator().manual_seed(seed))
        self.path, self.seed, self.device = path, seed, device
        self.solver = "euler" if one_step else path.solvers[0]
        self.steps = 1 if one_step else NFE // EVALUATIONS[self.solver]

    def bicubic(self) -> dict[str, float]:
        """Measure the bicubic image, the least that training must beat."""
        return measure(self.batch.y, self.batch.hr, self.batch.weight, self.seed)

    def best_sigma(self, network: Network) -> float:
        """Return the smallest noise of an LR start whose samples have nearly the best statistics.

        Little noise keeps close to the LR image and its blur, much noise forgets it. The RMS of HR - y, a natural
        guess, leaves samples too smooth where most of that difference is no detail (another season, other shadows).
        """
        if not self.path.sigmas:
            return self.path.usual_sigma
        found = {s: self.network(network, s)["swd"] for s in self.path.sigmas}
        return min(s for s, swd in found.items() if swd <= NEAR_BEST * min(found.values()))

    @torch.inference_mode()
    def network(self, network: Network, sigma_start: float) -> dict[str, float]:
        """Measure one sample per patch, drawn from an LR start with that noise in NFE evaluations."""
        chain = Chain("lr", self.steps, self.solver, sigma_start, self.path.usual_eta("lr"))

        def draw(k: int) -> Tensor:
            generator = torch.Generator().manual_seed(self.seed + k)
            return self.noise if k == 0 else torch.randn(self.noise.shape, generator=generator)

        @torch.inference_mode()
        def sample(which: slice) -> Tensor:
            if self.device.type == "cpu":
                torch.set_num_threads(1)
            lr, y = (v[which].to(self.device) for v in (self.batch.lr, self.batch.y))
            levels = network.prior.levels(network.prior(lr)) if network.prior else None

            def field(x: Tensor, t: float, sigma: float) -> Tensor:
                time, told = (torch.full((len(x),), value, device=self.device) for value in (t, sigma))
                return network(x, y, time, told, levels, self.view)

            return self.path.run(field, y, lambda k: draw(k)[which].to(self.device), chain).cpu()

        count = len(self.noise)
        size = CPU_CROPS if self.device.type == "cpu" else count
        parts = [slice(first, first + size) for first in range(0, count, size)]
        at_a_time = threads() if self.device.type == "cpu" else 1
        image = torch.cat(each(sample, parts, at_a_time=at_a_time))
        return measure(image, self.batch.hr, self.batch.weight, self.seed)
