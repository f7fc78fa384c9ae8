"""`train`: how the network learns."""

from typing import Literal

from pydantic import Field, model_validator

from crossres.settings.base import Section

IN_MEMORY_BYTES = 2**31
"""A training split up to this size is read into memory; a larger one through the training cache."""


NOT_LEARNT = frozenset(
    {"steps", "save_minutes", "loaders", "processes", "nodes", "compile", "validate_every", "start_from"}
)
"""Keys that may change while a stopped run goes on: how long and how it is run, not what it learns. The weights that
it started from have a hash."""

LearningTarget = Literal["hr", "detail"]
"""What is learnt of the HR image: `train.target`."""


class GainSettings(Section):
    """Random gains of a crop's reflectance, LR and HR alike: darker and brighter places than there are."""

    share: float = Field(0.0, ge=0, le=1, description="share of crops that one gain multiplies, all bands alike")
    low: float = Field(0.35, ge=0.1, le=1, description="smallest of these gains; their logarithms are drawn evenly")
    high: float = Field(1.4, ge=1, le=10, description="largest of these gains")
    band: float = Field(
        0.0, ge=0, lt=0.5, description="largest further gain of each band of every crop: 0.05 is within 5 %"
    )


class TrainSettings(Section):
    """Training."""

    path: Literal["residual", "straight", "vp", "resshift"] = Field(
        "residual",
        description="residual: from the noised LR image or from noise to HR, learnt as the residual sees it; straight:"
        " the same way learnt as a velocity; vp: the variance-preserving chain of DDPM; resshift: the residual shift of"
        " ResShift",
    )
    target: LearningTarget = Field(
        "hr",
        description="what is learnt: HR as it is, or HR's detail over LR's tone, for pairs that differ by more than"
        " detail (another season), which nothing in the LR image tells. Results are compared with HR as it is",
    )
    lr_dates: int | None = Field(
        None,
        ge=1,
        le=16,
        description="how many LR dates of search.lr_dates it learns from at most, the first counted; null: all",
    )
    start_from: str | None = Field(
        None,
        min_length=1,
        description="model whose weights training starts from: another of `models`, or a model folder, with {run} and"
        " ${NAME} filled in; null starts from random ones",
    )
    steps: int = Field(
        1000,
        ge=1,
        description="optimiser steps. A stopped run may be given more: it goes on from its last save, from there at the"
        " learning rates of the longer run",
    )
    batch: int = Field(12, ge=1, description="crops per step, over all processes")
    micro_batch: int | None = Field(
        None,
        ge=1,
        description="crops that go through the network at once: on a GPU in each process, else in each thread;"
        " gradients add up to the batch's. null takes six on a CPU and all on a GPU, and when memory runs out half as"
        " many, and half again",
    )
    crop_px: int = Field(64, ge=16, description="side of a training crop, in HR pixels")
    learning_rate: float = Field(1e-3, gt=0, lt=1, description="peak learning rate of AdamW")
    schedule: Literal["cosine", "constant"] = Field("cosine", description="learning rate after the warm-up")
    warmup_steps: int = Field(50, ge=0, description="steps of linear warm-up")
    ema: float = Field(0.995, ge=0, lt=1, description="largest decay of the averaged weights")
    clip: float = Field(1.0, gt=0, description="largest norm of the gradient")
    noise_start_share: float = Field(
        0.25,
        ge=0,
        le=1,
        description="share of training examples that start from pure noise (sigma = 1), on the straight path",
    )
    sigma_min: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="smallest source noise in training, in HR standard deviations, on the straight path",
    )
    regression_weight: float = Field(0.1, ge=0, description="weight of the prior module's own regression loss")
    max_shift_px: float = Field(
        0.0,
        ge=0,
        le=4,
        description="random shift of HR against LR in training, in HR pixels (what registration leaves)",
    )
    shift_tolerance_px: int = Field(
        0,
        ge=0,
        le=3,
        description="offset of HR against LR, in whole HR pixels, that the loss forgives in each crop (what"
        " registration leaves); on the residual and the straight path",
    )
    loss: Literal["l1", "l2"] | None = Field(
        None,
        description="what the network's error is measured in: l2 is better calibrated, l1 sharper; null: the path's",
    )
    gain: GainSettings = GainSettings()
    validate_every: int = Field(250, ge=1, description="steps between validations")
    validate_evaluations: int = Field(
        2, ge=1, le=64, description="evaluations of the network for a sample in validation: as many as the product's"
    )
    validate_samples: int = Field(
        4, ge=1, le=64, description="samples of a patch in validation: as many as the product's"
    )
    save_minutes: float = Field(
        10.0,
        gt=0,
        le=10000,
        description="minutes between saves of what a run that is stopped goes on from; SIGUSR1 saves at once, and so"
        " does SIGTERM, which ends the run",
    )
    loaders: int | None = Field(
        None, ge=0, le=64, description="threads that make batches meanwhile; null is four beside a GPU, none without"
    )
    processes: int | None = Field(
        None,
        ge=1,
        le=64,
        description="processes of one machine that share each batch; null is one per GPU, one without",
    )
    nodes: int = Field(
        1, ge=1, le=64, description="machines that share each batch, with as many processes each; SLURM starts them"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="arithmetic of the network; auto is bfloat16 on a GPU or CPU that has it, else float32"
    )
    compile: Literal["auto"] | bool = Field(
        "auto", description="whether the network is compiled first, minutes that pay off in long runs; auto: on a GPU"
    )
    seed: int = Field(0, ge=0, description="seed of weights, data order and noise")

    @model_validator(mode="after")
    def _tolerance_has_a_meaning(self) -> "TrainSettings":
        if self.shift_tolerance_px and self.path not in {"residual", "straight"}:
            raise ValueError(f"shift_tolerance_px belongs to path straight or residual, not {self.path}; leave it out")
        if self.shift_tolerance_px and self.loss == "l2":
            raise ValueError("shift_tolerance_px measures in l1; leave loss out, or shift_tolerance_px")
        return self
