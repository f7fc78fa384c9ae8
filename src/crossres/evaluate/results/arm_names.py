"""What an arm is called where a person reads it."""

ABBREVIATED = frozenset({"lr", "hr", "sr", "vp"})
SAME_ODE = "the same ODE with steps spaced as from noise"
"""What a noise start on the residual path is."""


def arm_label(arm: str) -> str:
    """Return an arm's name as a person reads it: words apart, abbreviations in capitals."""
    return " ".join(word.upper() if word in ABBREVIATED else word for word in arm.split("_"))
