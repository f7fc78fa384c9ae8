"""`sample`: how HR images are drawn from LR scenes."""

from typing import Literal

from pydantic import Field

from crossres.settings.base import Section

SOLVERS: dict[str, tuple[str, ...]] = {
    "residual": ("ab2", "midpoint", "euler"),
    "straight": ("midpoint", "euler", "ab2"),
    "vp": ("ddim", "dpm++2m"),
    "resshift": ("ancestral",),
}
"""What a model can be sampled with, by the path it was trained on; the first is the usual one."""
EVALUATIONS = {"ab2": 1, "midpoint": 2, "euler": 1, "ddim": 1, "dpm++2m": 1, "ancestral": 1}
"""Network evaluations per solver step (NFE = steps x this)."""


class ArmSettings(Section):
    """One way to make an HR image from an LR image."""

    model: str = Field("main", description="which of `models` it is drawn from")
    weights: Literal["last", "best"] = Field(
        "last", description="which of its weights: the last (averaged), or those that did best in validation on the way"
    )
    start: Literal["lr", "noise", "one-step", "regression", "bicubic", "nearest"] = Field(
        "lr",
        description="where sampling starts; one-step is the distilled model, regression the prior module's head,"
        " bicubic and nearest use no model",
    )
    steps: int = Field(
        2, ge=1, le=1000, description="solver steps; midpoint evaluates the network twice in each, the others once"
    )
    solver: Literal["ab2", "midpoint", "euler", "ddim", "dpm++2m", "ancestral"] | None = Field(
        None,
        description="ab2, midpoint or euler on the residual path, midpoint, euler or ab2 on the straight one, ddim or"
        " dpm++2m on vp, ancestral on resshift; null takes the first of them",
    )
    eta: float | None = Field(
        None, ge=0, le=1, description="fresh noise in each step of ddim; null takes 1 for an LR start, else 0"
    )
    samples: int = Field(4, ge=1, le=256, description="samples drawn; mean and std are over them")
    sigma: float | None = Field(
        None,
        gt=0,
        le=1,
        description="noise of an LR start: of the source on the straight path and, where it only spaces the steps, on"
        " the residual one; of the state at t0 = 2/pi asin(sigma) on vp; null takes what validation chose or, on the"
        " residual path, the residual's RMS",
    )

    @property
    def nfe(self) -> int:
        """How often a sample evaluates the network (NFE); `solver` must be named, as `Config` does."""
        return 1 if self.start == "one-step" else self.steps * EVALUATIONS[self.solver or ""]


DEFAULT_ARMS = {
    "lr_start": ArmSettings(),
    "noise_start": ArmSettings(start="noise"),
    "noise_start_32": ArmSettings(start="noise", steps=32, samples=1),
    "regression": ArmSettings(start="regression", samples=1),
    "bicubic": ArmSettings(start="bicubic", samples=1),
    "nearest": ArmSettings(start="nearest", samples=1),
}


class TilingSettings(Section):
    """How a scene is cut into tiles and how they become one image again."""

    tile_px: int = Field(512, ge=32, le=4096, description="side of a tile, in HR pixels")
    overlap_px: int | None = Field(
        None,
        ge=0,
        le=1024,
        description="overlap of neighbouring tiles, in HR pixels; null makes the result independent of the tiles",
    )
    batch: int = Field(4, ge=1, description="tiles in one forward pass")
    consistency: Literal["none", "soft", "hard"] = Field(
        "none",
        description="whether the result's low frequencies are drawn to, or replaced by, those of the LR image",
    )
    seed: int = Field(0, ge=0, description="seed of the noise field")


class SampleSettings(Section):
    """Sampling over held-out scenes."""

    arms: dict[str, ArmSettings] = Field(DEFAULT_ARMS, min_length=1, description="what is compared, by name")
    primary: str = Field("lr_start", description="the arm that is the product; the others are there to compare")
    tiling: TilingSettings = TilingSettings()
