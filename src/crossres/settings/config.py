"""The whole configuration: its sections together, read from YAML and checked."""

import difflib
import re
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from crossres.errors import UserError
from crossres.settings.acquire import AcquireSettings
from crossres.settings.base import Section
from crossres.settings.coregister import CoregisterSettings
from crossres.settings.dask import DaskSettings
from crossres.settings.dataset import DatasetSettings
from crossres.settings.distill import DistillSettings
from crossres.settings.evaluate import EvaluateSettings, ReportSettings
from crossres.settings.grid import GridSettings
from crossres.settings.model import ModelSettings, ModelVariant
from crossres.settings.normalise import NormaliseSettings
from crossres.settings.patches import PatchSettings
from crossres.settings.paths import holds_secret
from crossres.settings.sample import SOLVERS, SampleSettings
from crossres.settings.search import SearchSettings
from crossres.settings.simulate import SimulateSettings
from crossres.settings.threads import ThreadSettings
from crossres.settings.train import TrainSettings
from crossres.settings.yaml_text import read_mapping, values

LONGEST_SHOWN = 100
"""Characters of a value in a line."""
LONGEST_TEXT = 500
"""Characters of a reason, which may list what is known, in a line."""
MOVED = {
    "lr_mtf": "there is one for all stages now: write it as grid.lr_mtf",
    "threads": "threads of each stage stand in a section of their own, such as threads.sample",
    "processes": "a scene is shared by threads.sample, or by workers of the section dask",
}
"""Keys of earlier versions, by their last part, and what to write instead."""
NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"


class Config(Section):
    """One experiment."""

    run: str = Field(pattern=f"^{NAME}$", description="name of the run: results stand in results/<run>")
    simulate: SimulateSettings | None = Field(None, description="null when scenes are not simulated")
    search: SearchSettings
    grid: GridSettings = GridSettings()
    acquire: AcquireSettings = AcquireSettings()
    coregister: CoregisterSettings = CoregisterSettings()
    normalise: NormaliseSettings = NormaliseSettings()
    patches: PatchSettings = PatchSettings()
    dataset: DatasetSettings = DatasetSettings()
    model: ModelSettings = ModelSettings()
    train: TrainSettings = TrainSettings()
    models: dict[str, ModelVariant] = Field(
        {"main": ModelVariant()}, min_length=1, description="what is trained, by name; arms name the one they draw from"
    )
    distill: DistillSettings = DistillSettings()
    sample: SampleSettings = SampleSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    report: ReportSettings = ReportSettings()
    threads: ThreadSettings = ThreadSettings()
    dask: DaskSettings | None = Field(
        None, description="null computes each scene on one machine; else workers of SLURM share its pixels"
    )
    temporary: bool = Field(
        False, description="remove scenes and registered rasters once nothing of the run needs them any more"
    )

    @model_validator(mode="after")
    def _models_are_whole(self) -> "Config":
        for name in self.models:
            if not re.fullmatch(NAME, name):
                raise ValueError(f"models: {name!r} is no name for a folder; use letters, digits and ._-")
            self._starts(name)
        for arm, settings in self.sample.arms.items():
            if settings.model not in self.models:
                raise ValueError(
                    f"sample.arms.{arm}.model: {settings.model!r} is not one of models: {', '.join(self.models)}"
                )
        return self

    @model_validator(mode="after")
    def _sweeps_are_of_seeds(self) -> "Config":
        for kind, sweep in self.sample.sweeps.items():
            where = f"sample.sweeps.{kind}"
            for name in sweep.models:
                if name not in self.models:
                    raise ValueError(f"{where}.models: {name!r} is not one of models: {', '.join(self.models)}")
                if self._but_for_seed(name) != self._but_for_seed(sweep.models[0]):
                    raise ValueError(
                        f"{where}.models: {name} differs from {sweep.models[0]} in more than train.seed; "
                        "give it a sweep of its own"
                    )
            if kind in self.models and kind not in sweep.models:
                raise ValueError(f"{where}: has the name of a model that is not in it; give it another name")
        return self

    def _but_for_seed(self, name: str) -> tuple[ModelSettings, TrainSettings]:
        model, train = self.variant(name)
        return model, train.model_copy(update={"seed": 0})

    def _starts(self, name: str) -> None:
        """Raise `ValueError` when a model starts, over others, from itself."""
        way = [name]
        first = self.variant(name)[1].start_from
        if first is not None and first not in self.models and not set(first) & set("/\\$"):
            raise ValueError(
                f"models.{name}.train.start_from: {first!r} is not one of models: {', '.join(self.models)}; a folder "
                f"here is written ./{first}"
            )
        while (start := self.variant(way[-1])[1].start_from) in self.models:
            way.append(start)
            if start in way[:-1]:
                raise ValueError(
                    f"models.{name}.train.start_from: leads back to where it began ({' -> '.join(way)}); "
                    "set it to null for the model that is trained first"
                )

    def variant(self, name: str) -> tuple[ModelSettings, TrainSettings]:
        """Return the `model` and `train` of one of `models`: the sections with its own keys put in."""
        own = self.models[name]
        model = _merged(f"models.{name}.model", self.model, own.model)
        train = _merged(f"models.{name}.train", self.train, own.train)
        if model.prior == "none" and train.path == "residual":
            raise ValueError(
                f"models.{name}.model.prior: none shows the network the LR image in its start alone, and the residual "
                "path takes it out of there; set train.path: straight for this model, or prior: concat"
            )
        return model, train

    @model_validator(mode="after")
    def _sampling_is_whole(self) -> "Config":
        """Put in the usual solvers, on which the number of evaluations depends, and the arms of sweeps."""
        usual = {name: SOLVERS[self.variant(name)[1].path][0] for name in self.models}
        return self.model_copy(update={"sample": self.sample.whole(usual)})

    @model_validator(mode="after")
    def _arms_are_named_well(self) -> "Config":
        if self.sample.primary not in self.sample.arms:
            raise ValueError(
                f"sample.primary: {self.sample.primary!r} is not one of sample.arms: {', '.join(self.sample.arms)}"
            )
        both = sorted(set(self.sample.arms) & set(self.evaluate.external))
        if both:
            raise ValueError(f"evaluate.external: {both[0]!r} is also one of sample.arms; give it another name")
        return self


def _merged(key: str, section: Any, own: dict[str, Any]) -> Any:
    try:
        return type(section).model_validate(section.model_dump() | own)
    except ValidationError as error:
        raise ValueError(f"{key}.{_explain(error, type(section), section.model_dump() | own)}") from None


def parse(content: Any, name: str = "config", section: type[Section] = Config) -> Any:
    """Check settings against their model; `UserError` with one line for the first thing that is wrong.

    A user, password or query that stands in a URL is refused: settings become parameters of jobs, which are recorded.
    """
    if not isinstance(content, dict):
        raise UserError(f"{name}: must hold settings as `key: value`, not {type(content).__name__}")
    try:
        secret = any(isinstance(value, str) and holds_secret(value) for value in values(content))
    except UserError as error:
        raise UserError(f"{name}: {error}") from None
    if secret:
        raise UserError(
            f"{name}: a URL in it has a user, a password or a query that may be a secret written out, which would be "
            "recorded; write it as ${NAME} and set this environment variable"
        )
    try:
        return section.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{name}: {_explain(error, section, content)}") from None


def load(path: Path) -> Config:
    """Read and check a configuration file."""
    if not Path(path).exists():
        raise UserError(f"{path}: no such configuration file")
    return parse(read_mapping(path), str(path))


def _explain(error: ValidationError, section: type[Section], content: Any) -> str:
    """Say in one line what is wrong with the first offending key."""
    details = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    first = details[0]
    where = _written(first["loc"], content)
    key = ".".join(where)
    more = f" ({len(details) - 1} more)" if len(details) > 1 else ""
    if first["type"] == "extra_forbidden" and where[-1] in MOVED:
        return f"{key}: {MOVED[where[-1]]}{more}"
    if first["type"] == "extra_forbidden":
        known = _known_keys(section, first["loc"][:-1])
        near = difflib.get_close_matches(where[-1], known, n=1, cutoff=0)
        return (
            f"{key}: unknown key; the nearest known one is {near[0]!r}{more}" if near else f"{key}: unknown key{more}"
        )
    if first["type"] == "value_error":
        return f"{key}{': ' if key else ''}{_visible(first['msg'].removeprefix('Value error, '))}{more}"
    shown = "" if first["type"] == "missing" else f", not {_short(first['input'])}"
    message = _visible(first["msg"][0].lower() + first["msg"][1:])
    return f"{key}: {message}{shown}{more}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def _visible(text: str) -> str:
    """Return a text of the file as a part of a line: not too long, what cannot be seen escaped."""
    short = text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in short)


def _written(location: tuple[int | str, ...], content: Any) -> list[str]:
    """Return a location as the file has it: without the kind of a source, and without the index of an only one."""
    found = []
    node = content
    for part in location:
        if isinstance(node, dict) and (isinstance(part, int) or (part not in node and part == node.get("kind"))):
            continue
        found.append(_visible(str(part)))
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            node = None
    return found


def _known_keys(model: Any, path: tuple[int | str, ...]) -> list[str]:
    """Return the keys that the model at `path` knows, looking through optional types, unions and dicts."""
    for part in path:
        options = models_of(model)
        tagged = [m for m in options if "kind" in m.model_fields and part in _tags(m)]
        if tagged:
            model = tagged[0]
            continue
        fields = [m.model_fields[str(part)].annotation for m in options if str(part) in m.model_fields]
        model = fields[0] if fields else model
    return sorted({name for m in models_of(model) for name in m.model_fields})


def _tags(model: type[Section]) -> tuple[Any, ...]:
    return getattr(model.model_fields["kind"].annotation, "__args__", ())


def models_of(annotation: Any) -> list[type[Section]]:
    """Return the settings models that a type annotation names, looking through optional types, unions and dicts."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [m for argument in getattr(annotation, "__args__", ()) for m in models_of(argument)]


def schema() -> dict[str, Any]:
    """Return the JSON schema of the whole configuration."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}
