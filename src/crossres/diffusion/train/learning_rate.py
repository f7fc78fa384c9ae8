"""The learning rate over the steps of a training run."""

import math

from crossres.settings.train import TrainSettings

FINAL_LEARNING_RATE = 0.02
"""Where the cosine ends, as a share of the peak."""


def learning_rate(step: int, settings: TrainSettings) -> float:
    """Return the learning rate of step 0, 1, ...: a linear warm-up times a cosine to FINAL_LEARNING_RATE, or 1."""
    warm = min(1.0, (step + 1) / (settings.warmup_steps + 1))
    if settings.schedule == "constant":
        return settings.learning_rate * warm
    cosine = 0.5 * (1 + math.cos(math.pi * step / settings.steps))
    return settings.learning_rate * (warm * (FINAL_LEARNING_RATE + (1 - FINAL_LEARNING_RATE) * cosine))
