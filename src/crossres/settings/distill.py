"""`distill`: a model that samples in one step, taught by the trained one."""

from typing import Literal

from pydantic import Field

from crossres.settings.base import Section


class DistillSettings(Section):
    """Distillation; what is not here is as in the teacher's training."""

    steps: int = Field(500, ge=1, description="optimiser steps")
    learning_rate: float = Field(3e-4, gt=0, lt=1, description="peak learning rate of AdamW")
    warmup_steps: int = Field(20, ge=0, description="steps of linear warm-up")
    teacher_steps: int = Field(4, ge=1, le=100, description="solver steps of the teacher, whose end the student learns")
    solver: Literal["ab2", "midpoint", "euler"] | None = Field(
        None, description="the teacher's solver; null takes the usual one of its path"
    )
