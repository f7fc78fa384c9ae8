"""What a model is, in a few lines for a terminal."""

from collections.abc import Mapping

from crossres.diffusion.model.card import Card
from crossres.diffusion.model.stac_item import Stated

FIGURES = {"psnr_db": "PSNR dB", "spectrum_error": "spectrum error", "swd": "SWD"}
"""Of validation, by the names that tables give them."""


def lines(card: Card, stated: Stated) -> list[str]:
    """Return what a card and its owner say, a line each."""
    extra = [band for band in card.lr_bands if band not in card.bands]
    domain = "not known" if card.domain is None else f"LR patches of {card.domain.window_px} pixels, of which the card"
    rows = {
        "takes": f"{', '.join(card.bands)} at {card.lr_gsd_m:g} m"
        + (f"; looks at {', '.join(extra)}" if extra else ""),
        "gives": f"the same bands at {card.hr_gsd_m:g} m, {card.factor} times finer",
        "LR dates": f"up to {card.lr_dates}" if card.lr_dates > 1 else "one",
        "weights": f"{card.parameters:,}, SHA-256 {card.weights_sha256}",
        "figures": _figures(card.metrics),
        "trained on": stated.trained_on or "not stated",
        "domain": domain if card.domain is None else f"{domain} has the statistics",
        "licence": stated.licence or "not stated: nobody may use or pass it on",
        "citation": " ".join(filter(None, (stated.citation, stated.doi and f"doi:{stated.doi}"))) or "not stated",
    }
    width = max(map(len, rows))
    return [f"{name:<{width}}  {_plain(text)}" for name, text in rows.items()]


def _figures(metrics: Mapping[str, float | None]) -> str:
    found = [
        f"{name} {value:.4g} (bicubic {bicubic:.4g})" if bicubic is not None else f"{name} {value:.4g}"
        for key, name in FIGURES.items()
        if (value := metrics.get(key)) is not None
        for bicubic in [metrics.get(f"bicubic_{key}")]
    ]
    return f"{', '.join(found)}, in validation" if found else "none: it was not validated"


def _plain(text: str) -> str:
    """Return a text of anybody's making without what a terminal would obey."""
    return "".join(c if c.isprintable() else " " for c in text)
