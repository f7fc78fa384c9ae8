"""From an LR scene and a model to a super-resolved scene."""
