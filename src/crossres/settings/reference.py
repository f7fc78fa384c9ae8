"""The table of every key in config/README.md, made from the models: `python -m crossres.settings.reference`."""

from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from crossres.settings.base import Section
from crossres.settings.config import Config, models_of

STAGES = {
    "run": "all, in a folder of their own",
    "simulate": "simulate",
    "search": "search, and catalog where a source's own keys change",
    "grid": "search, download, coregister, normalise, patches, dataset, evaluate",
    "acquire": "download",
    "coregister": "coregister",
    "normalise": "normalise",
    "patches": "patches",
    "dataset": "dataset",
    "model": "train",
    "train": "train",
    "models": "train, for the models whose keys differ",
    "distill": "distill_model, for arms with start one-step",
    "sample": "sample",
    "evaluate": "evaluate, summarise, figures",
    "report": "report",
}
BEGIN, END = "<!-- keys: begin -->", "<!-- keys: end -->"


def reference() -> str:
    """Return the key tables as Markdown, one per section."""
    parts = []
    for name, field in Config.model_fields.items():
        parts.append(f"### `{name}`\n\nReruns: {STAGES[name]}, and what stands downstream.\n")
        models = models_of(field.annotation)
        if "dict" in str(field.annotation):
            rows = [_row(name, field, default=", ".join(field.default)), *_rows(models[0], f"{name}.<name>")]
        else:
            rows = _rows(models[0], name) if models else [_row(name, field)]
        parts.append("| key | default | meaning |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _rows(model: type[Section], prefix: str) -> list[str]:
    rows = []
    for name, field in model.model_fields.items():
        inner = models_of(field.annotation)
        key = f"{prefix}.{name}"
        if not inner:
            rows.append(_row(key, field))
        elif "dict" in str(field.annotation):
            rows.append(_row(key, field, default=", ".join(field.default)))
            rows += _rows(inner[0], f"{key}.<name>")
        elif len(inner) == 1:
            rows += _rows(inner[0], key)
        else:
            rows.append(_row(key, field))
            for kind in inner:
                [tag] = kind.model_fields["kind"].annotation.__args__  # type: ignore[union-attr]
                rows.append(f"| `{key}.kind` | `{tag}` | {_sentence(kind.__doc__ or '')} |")
                rows += [row for row in _rows(kind, key) if ".kind`" not in row]
    return rows


def _row(key: str, field: Any, default: str | None = None) -> str:
    if default is None:
        default = "required" if field.default is PydanticUndefined else _shown(field.default)
    return f"| `{key}` | {default} | {_sentence(field.description or '')} |"


def _shown(value: Any) -> str:
    if value is None:
        return "`null`"
    return f"`{list(value) if isinstance(value, tuple) else value}`"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:].rstrip(".") + "." if text else ""


def main() -> None:
    """Rewrite the tables between the two marks of config/README.md."""
    path = Path("config/README.md")
    text = path.read_text(encoding="utf-8")
    head, tail = text.split(BEGIN)[0], text.split(END)[1]
    path.write_text(f"{head}{BEGIN}\n\n{reference()}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
