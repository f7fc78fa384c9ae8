"""The whole configuration: its sections together, read from YAML and checked."""

import logging
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
from crossres.settings.explained import explain, without_moved
from crossres.settings.grid import GridSettings
from crossres.settings.jobs import JobSettings
from crossres.settings.model import ModelSettings, ModelVariant
from crossres.settings.normalise import NormaliseSettings
from crossres.settings.patches import PatchSettings
from crossres.settings.paths import holds_secret
from crossres.settings.sample import SOLVERS, SampleSettings, Sweep
from crossres.settings.search import SearchSettings
from crossres.settings.simulate import SimulateSettings
from crossres.settings.threads import ThreadSettings
from crossres.settings.train import TrainSettings
from crossres.settings.yaml_text import read_mapping, values

log = logging.getLogger(__name__)
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
    jobs: JobSettings = JobSettings()
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
            self._rivals_fit(where, sweep)
        return self

    def _rivals_fit(self, where: str, sweep: Sweep) -> None:
        """Raise `ValueError` when an LR start cannot be held against the noise starts that a sweep names."""
        for rival in sweep.against:
            other = self.sample.sweeps.get(rival)
            if other is None or "noise" not in other.starts:
                raise ValueError(f"{where}.against: {rival!r} is no sweep with a noise start; name one of those")
            if len(other.models) != len(sweep.models):
                raise ValueError(
                    f"{where}.against: {rival} has {len(other.models)} models and this sweep {len(sweep.models)}; "
                    "give both as many seeds"
                )
        if sweep.against and "lr" not in sweep.starts:
            raise ValueError(f"{where}.against: this sweep has no LR start to hold against them; add lr to starts")

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
        if self.grid.extra_bands and model.prior != "module":
            raise ValueError(
                f"models.{name}.model.prior: {model.prior} shows the network no band of grid.lr_bands but those of "
                "grid.bands; use prior: module, or leave grid.lr_bands out"
            )
        return model, train

    def lr_dates_of(self, arm: str) -> int:
        """Return how many LR dates an arm shows its network, the first counted, where a pair has them."""
        settings = self.sample.arms[arm]
        if not settings.has_network:
            return 1
        limits = (self.variant(settings.model)[1].lr_dates, settings.lr_dates)
        return min([self.search.lr_dates, *(limit for limit in limits if limit is not None)])

    @model_validator(mode="after")
    def _further_dates_can_be_shown(self) -> "Config":
        if self.search.lr_dates == 1:
            return self
        if self.normalise.direction != "hr-to-lr" and self.normalise.method != "none":
            raise ValueError(
                "normalise.direction: with search.lr_dates above 1 LR keeps its radiometry, as its further dates do; "
                "use hr-to-lr"
            )
        for name in self.models:
            model, train = self.variant(name)
            if train.lr_dates != 1 and model.prior != "module":
                raise ValueError(
                    f"models.{name}.model.prior: {model.prior} shows the network no LR date but the first; use prior: "
                    "module, or train.lr_dates: 1 for this model"
                )
        return self

    @model_validator(mode="after")
    def _degraded_scenes_have_all_bands(self) -> "Config":
        if self.search.degraded and self.grid.extra_bands:
            raise ValueError(
                f"grid.lr_bands: {self.grid.extra_bands[0]} cannot be made of an HR image; leave lr_bands out where "
                "search.lr is of kind degraded"
            )
        return self

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
        raise ValueError(f"{key}.{explain(error, type(section), section.model_dump() | own)}") from None


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
        raise UserError(f"{name}: {explain(error, section, content)}") from None


def load(path: Path) -> Config:
    """Read and check a configuration file."""
    if not Path(path).exists():
        raise UserError(f"{path}: no such configuration file")
    return parse(read_mapping(path), str(path))


def load_record(path: Path) -> Config:
    """Read the config.yaml of a finished run: keys that this version no longer has are left out and logged."""
    if not Path(path).exists():
        raise UserError(f"{path}: no such configuration file")
    content = read_mapping(path)
    if gone := without_moved(content, Config):
        log.warning("%s: of an earlier version; left out: %s", path, ", ".join(gone))
    return parse(content, str(path))
