"""A page that holds its style and script and loads nothing."""

from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from crossres.evaluate.results.arm_names import arm_label

PARTS = {"style": "report.css", "script": "report.js"}


def render(template: str, **content: Any) -> str:
    """Return a template of this folder filled in; `style` and `script` are there for it to put in."""
    source = files(__package__)
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        loader=jinja2.FunctionLoader(lambda name: (source / name).read_text(encoding="utf-8")),
    )  # fmt: skip
    environment.filters |= {"arm": arm_label, "number": number, "percent": percent, "signed": signed, "fixed": fixed}
    environment.globals["arrow"] = {"higher": "↑", "lower": "↓", None: ""}
    parts = {name: Markup((source / file).read_text(encoding="utf-8")) for name, file in PARTS.items()}
    return environment.get_template(template).render(**content, **parts) + "\n"


def number(value: Any) -> str:
    """Return a number with three significant digits, a dash for None or NaN; anything else as it is."""
    if value is None or value == "" or value != value:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\N{THIN SPACE}")
    if isinstance(value, float):
        text = f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
        return (f"{float(text):g}" if "e" in text else text).replace("-", "\N{MINUS SIGN}")
    return str(value)


def fixed(value: float, digits: int) -> str:
    """Return a number with so many decimals, so that the figures of a column line up; a dash for NaN."""
    return (
        "–" if value != value else f"{value:,.{digits}f}".replace(",", "\N{THIN SPACE}").replace("-", "\N{MINUS SIGN}")
    )


def signed(value: float) -> str:
    """Return a number with its sign and one decimal."""
    return f"{value:+.1f}".replace("-", "\N{MINUS SIGN}")


def percent(value: float | None) -> str:
    """Return a share in percent, a dash for None or NaN."""
    if value is None or value != value:
        return "–"
    return f"{100 * value:.{1 if 0 < value < 0.1 else 0}f}\N{NO-BREAK SPACE}%"
