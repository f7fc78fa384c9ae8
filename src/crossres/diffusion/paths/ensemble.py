"""Several samples of one image: what noise each has, and what their mean and spread say.

Antithetic pairs (Hammersley and Morton 1956; for diffusion 2506.06185): sample 2k + 1 takes the noise of sample 2k with
the other sign. A sample is m + a + q, with m the posterior's mean, a odd in the noise and q even without m. A pair
shares q, its a cancels: its mean has none of the noise of first order, which for a network that is nearly linear in the
noise is nearly all. So the mean of K such samples lies on m, the mean of the squares about it is that of a² without a
degree of freedom lost, and each pair is one independent look at it.

Independent samples: their mean has noise of its own, 1 / K of their variance, and K - 1 degrees of freedom.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Ensemble:
    """How many samples there are, and whether in antithetic pairs: an odd number cannot be, and is not."""

    samples: int
    antithetic: bool = True

    @property
    def paired(self) -> bool:
        """Whether samples 2k and 2k + 1 are a pair."""
        return self.antithetic and self.samples % 2 == 0

    def noise(self, sample: int) -> tuple[int, int]:
        """Return the number of the noise that a sample is drawn from, and its sign."""
        return (sample - sample % 2, 1 - 2 * (sample % 2)) if self.paired else (sample, 1)

    @property
    def degrees_of_freedom(self) -> int:
        """Independent looks that the spread rests on; 0 for one sample."""
        return self.samples // 2 if self.paired else self.samples - 1

    @property
    def error(self) -> float:
        """Standard deviation of HR about the samples' mean, in spreads: the mean of independent ones has its own."""
        return 1.0 if self.paired else (1 + 1 / self.samples) ** 0.5

    def summarise(self, images: Iterable[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean, spread (zero for one sample) and first of the samples, in one pass (Welford 1962)."""
        for count, image in enumerate(images, 1):
            if count == 1:
                first, mean, squares = image, image.clone(), image.new_zeros(image.shape)
                continue
            before = image - mean
            mean += before / count
            squares += before * (image - mean)
        return mean, (squares / max(self.samples if self.paired else self.samples - 1, 1)).sqrt(), first
