"""How many samples stand behind a std, and what that lets it say."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import gammaln

from crossres.files import read_json


@dataclass(frozen=True)
class Ensemble:
    """What the numbers of std.tif are, by the item beside them."""

    file_scale: float = 1.0
    """What the file's std is multiplied by to be that of HR about the mean of samples."""
    std_scale: float = 1.0
    """That std over the samples' own spread: sqrt(1 + 1/K) for K independent ones."""
    degrees_of_freedom: float = np.inf
    """Of the std; infinite where nothing is said of the samples, so that errors are taken as Gaussian."""

    @property
    def c4(self) -> float:
        """Mean of a std of Gaussian samples over their true standard deviation. Source: Holtzman 1950."""
        nu = self.degrees_of_freedom
        return float(np.sqrt(2 / nu) * np.exp(gammaln((nu + 1) / 2) - gammaln(nu / 2))) if np.isfinite(nu) else 1.0


def read_ensemble(folder: Path) -> Ensemble:
    """Read what item.json of a super-resolved image's folder says of its std.

    The std of a product without a scale is the bare spread of independent samples. What another model made has no item.
    """
    path = folder / "item.json"
    said = read_json(path).get("properties", {}) if path.exists() else {}
    if nu := said.get("crossres:std_degrees_of_freedom"):
        return Ensemble(std_scale=said["crossres:std_scale"], degrees_of_freedom=nu)
    count = said.get("crossres:settings", {}).get("samples", 1)
    if "crossres:std_scale" in said or count == 1:
        return Ensemble()
    scale = np.sqrt(1 + 1 / count)
    return Ensemble(scale, scale, count - 1)
