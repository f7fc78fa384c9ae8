"""Writes the tables of README.md beside it, from the settings models and from what rules read: `python
config/reference.py`."""

from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from crossres.settings.base import Section
from crossres.settings.config import Config
from crossres.settings.explained import models_of
from crossres.settings.runs import Runs
from crossres.settings.stages import READS, behind, readers

BEGIN, END = "<!-- keys: begin -->", "<!-- keys: end -->"


def reference() -> str:
    """Return the tables as Markdown: what stands behind each rule, then the keys of each section."""
    parts = ["| when this rule runs again | these do, too |\n| --- | --- |\n" + "\n".join(_behind()) + "\n"]
    for name, field in Config.model_fields.items():
        models = models_of(field.annotation)
        if "dict" in str(field.annotation):
            rows = [_row(name, field, default=", ".join(field.default)), *_rows(models[0], f"{name}.<name>")]
        else:
            rows = _rows(models[0], name) if models else [_row(name, field)]
        if name == "run":
            rows += _rows(Runs, name)
        head = "| key | default | meaning | reruns |\n| --- | --- | --- | --- |\n"
        parts.append(f"### `{name}`\n\n{head}" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _behind() -> list[str]:
    return [f"| {rule} | {', '.join(r for r in behind([rule]) if r != rule)} |" for rule in READS if rule != "report"]


def _rows(model: type[Section], prefix: str, kind: str | None = None) -> list[str]:
    rows = []
    for name, field in model.model_fields.items():
        inner = models_of(field.annotation)
        key = f"{prefix}.{name}"
        if not inner:
            rows.append(_row(key, field, kind=kind))
        elif "dict" in str(field.annotation):
            rows.append(_row(key, field, default=", ".join(field.default) or _shown(field.default)))
            rows += _rows(inner[0], f"{key}.<name>")
        elif len(inner) == 1:
            rows += _rows(inner[0], key, kind)
        else:
            rows.append(_row(key, field))
            for option in inner:
                [tag] = option.model_fields["kind"].annotation.__args__  # type: ignore[union-attr]
                meaning = _sentence(option.__doc__ or "")
                rows.append(f"| `{key}.kind` | `{tag}` | {meaning} | {_reruns(key, tag)} |")
                rows += [row for row in _rows(option, key, tag) if ".kind`" not in row]
    return rows


def _row(key: str, field: Any, default: str | None = None, kind: str | None = None) -> str:
    if default is None:
        default = "required" if field.default is PydanticUndefined else _shown(field.default)
    return f"| `{key}` | {default} | {_sentence(field.description or '')} | {_reruns(key, kind)} |"


def _reruns(key: str, kind: str | None) -> str:
    """Return the rules that a key reaches; resolved_config reads every key and is not named."""
    if key.partition(".")[0] == "run":
        return "all, in a folder of their own"
    return ", ".join(rule for rule in readers(key, kind) if rule != "resolved_config") or "none"


def _shown(value: Any) -> str:
    if value is None:
        return "`null`"
    return f"`{list(value) if isinstance(value, tuple) else value}`"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:].rstrip(".") + "." if text else ""


def main() -> None:
    """Rewrite the tables between the two marks of README.md."""
    path = Path(__file__).with_name("README.md")
    text = path.read_text(encoding="utf-8")
    head, tail = text.split(BEGIN)[0], text.split(END)[1]
    path.write_text(f"{head}{BEGIN}\n\n{reference()}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
