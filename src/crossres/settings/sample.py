"""`sample`: how HR images are drawn from LR scenes."""

from collections.abc import Mapping
from itertools import product
from typing import Annotated, Literal, get_args

from pydantic import Field

from crossres.settings.base import Section
from crossres.settings.sample_keys import Antithetic, Eta, LrDates, Samples, Sigma, Solver, Spacing, Weights

SOLVERS: dict[str, tuple[str, ...]] = {
    "residual": ("ab2", "midpoint", "euler"),
    "straight": ("midpoint", "euler", "ab2"),
    "vp": ("ddim", "dpm++2m"),
    "resshift": ("ancestral",),
}
"""What a model can be sampled with, by the path it was trained on; the first is the usual one."""
EVALUATIONS = {"ab2": 1, "midpoint": 2, "euler": 1, "ddim": 1, "dpm++2m": 1, "ancestral": 1}
"""Network evaluations per solver step (NFE = steps x this)."""

Start = Literal["lr", "noise"]
"""Where a solver starts."""
STARTS: tuple[Start, ...] = get_args(Start)
WAY = ("weights", "solver", "spacing", "eta", "antithetic", "sigma", "lr_dates")
"""What is alike along a curve over NFE, beside the model and the start."""
Curves = dict[str, dict[str, dict[Start, dict[int, str]]]]
"""Kind of model -> model -> start -> NFE -> arm. The models of a kind are seeds of one training."""


class ArmSettings(Section):
    """One way to make an HR image from an LR image."""

    model: str = Field("main", description="which of `models` it is drawn from")
    weights: Weights = "last"
    start: Literal["lr", "noise", "one-step", "regression", "bicubic", "nearest"] = Field(
        "lr",
        description="where sampling starts; one-step is the distilled model, regression the prior module's head,"
        " bicubic and nearest use no model",
    )
    steps: int = Field(
        2, ge=1, le=1000, description="solver steps; midpoint evaluates the network twice in each, the others once"
    )
    solver: Solver = None
    spacing: Spacing = "even"
    eta: Eta = None
    samples: Samples = 4
    antithetic: Antithetic = True
    sigma: Sigma = None
    lr_dates: LrDates = None

    @property
    def has_network(self) -> bool:
        """Whether its image comes out of a network, and not of interpolation alone."""
        return self.start not in {"bicubic", "nearest"}

    @property
    def drawn_once(self) -> bool:
        """Whether its image is one sample: none to be set beside means of several."""
        return self.samples == 1 and self.start in {*STARTS, "one-step"}

    @property
    def nfe(self) -> int:
        """How often a sample evaluates the network (NFE); `solver` must be named, as `Config` does."""
        return 1 if self.start == "one-step" else self.steps * EVALUATIONS[self.solver or ""]


DEFAULT_ARMS = {
    "lr_start": ArmSettings(),
    "noise_start": ArmSettings(start="noise"),
    "noise_start_32": ArmSettings(start="noise", steps=32, samples=1),
    "regression": ArmSettings(start="regression", samples=1),
    "bicubic": ArmSettings(start="bicubic", samples=1),
    "nearest": ArmSettings(start="nearest", samples=1),
}


class Sweep(Section):
    """A curve over NFE from each start, for models that are seeds of one training: each of its points is an arm."""

    models: tuple[str, ...] = Field(
        ("main",), min_length=1, description="which of `models`; they may differ in train.seed alone"
    )
    starts: tuple[Start, ...] = Field(STARTS, min_length=1, description="where sampling starts")
    nfe: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = Field(
        min_length=1,
        description="how often a sample evaluates the network (NFE); midpoint does so twice a step, the others once",
    )
    weights: Weights = "last"
    solver: Solver = None
    spacing: Spacing = "even"
    eta: Eta = None
    samples: Samples = 1
    antithetic: Antithetic = True
    sigma: Sigma = None
    lr_dates: LrDates = None
    against: tuple[str, ...] = Field(
        (),
        description="other sweeps whose noise starts the claim holds this one's LR start against, beside its own: the"
        " best of them at each NFE. Each has as many models, paired in their order",
    )

    def points(self) -> list[ArmSettings]:
        """Return the arm of each point; `solver` must be named. `ValueError` for an NFE of half a step."""
        each = EVALUATIONS[self.solver or ""]
        if halves := [nfe for nfe in self.nfe if nfe % each]:
            raise ValueError(f"nfe: {halves[0]} is not a multiple of {each}, the evaluations of a {self.solver} step")
        way = self.model_dump(include={*WAY, "samples"})
        return [
            ArmSettings(model=model, start=start, steps=nfe // each, **way)
            for model, start, nfe in product(self.models, self.starts, self.nfe)
        ]


class TilingSettings(Section):
    """How a scene is gone through."""

    block_px: int = Field(
        2112,
        ge=32,
        le=16384,
        description="largest side of the blocks that a scene is cut into, in HR pixels. Each thread has one in memory;"
        " the smaller they are, the more is computed twice. No result depends on it but by roundings",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="arithmetic of the network; auto is bfloat16 where the processor has it, else float32"
    )
    compile: Literal["auto"] | bool = Field(
        "auto",
        description="whether the network is compiled first, which takes up to a minute and pays off in scenes of many"
        " blocks; auto: on a GPU, for a scene of several blocks. Results differ by roundings",
    )
    consistency: Literal["none", "soft", "hard"] = Field(
        "none",
        description="whether the result's low frequencies are drawn to, or replaced by, those of the LR image",
    )
    seed: int = Field(0, ge=0, description="seed of the noise field")


class SampleSettings(Section):
    """Sampling over held-out scenes."""

    arms: dict[str, ArmSettings] = Field(DEFAULT_ARMS, min_length=1, description="what is compared, by name")
    sweeps: dict[str, Sweep] = Field(
        {},
        description="arms that make a curve over NFE, by the name of their kind of model; each is called"
        " `<model>_<start>_<NFE>`, unless one of `arms` is the same but for `samples`",
    )
    primary: str = Field("lr_start", description="the arm that is the product; the others are there to compare")
    tiling: TilingSettings = TilingSettings()

    def whole(self, usual: Mapping[str, str]) -> "SampleSettings":
        """Return these settings with every solver named and the points of all sweeps among the arms.

        `usual` is each model's solver where none is named. `ValueError` for a sweep that does not work out.
        """
        arms = {
            name: arm.model_copy(update={"solver": usual[arm.model]})
            if arm.solver is None and arm.start in STARTS
            else arm
            for name, arm in self.arms.items()
        }
        sweeps = {
            kind: sweep.model_copy(update={"solver": sweep.solver or usual[sweep.models[0]]})
            for kind, sweep in self.sweeps.items()
        }
        for kind, sweep in sweeps.items():
            try:
                points = sweep.points()
            except ValueError as error:
                raise ValueError(f"sample.sweeps.{kind}.{error}") from None
            for point in points:
                if _name_in(arms, point) is None:
                    name = _point_name(point, usual[point.model])
                    if name in arms:
                        raise ValueError(
                            f"sample.sweeps.{kind}: makes an arm {name}, and sample.arms.{name} is set otherwise; "
                            "give that one another name"
                        )
                    arms[name] = point
        return self.model_copy(update={"arms": arms, "sweeps": sweeps})

    def against(self) -> dict[str, tuple[str, ...]]:
        """Return for each sweep the other sweeps whose noise starts its LR start is held against."""
        return {kind: sweep.against for kind, sweep in self.sweeps.items()}

    def one_ode(self, paths: Mapping[str, str]) -> frozenset[str]:
        """Return the kinds of model whose starts are one ODE, and differ in where steps fall: on the residual path.

        `paths` is the path that each model was trained on.
        """
        kinds = self.curves().items()
        return frozenset(kind for kind, models in kinds if all(paths.get(model) == "residual" for model in models))

    def curves(self) -> Curves:
        """Return which arms make curves over NFE: an entry a sweep, and one for each other model and way of sampling.

        The settings must be `whole`, as `Config` makes them. The first way of a model that no sweep has goes by the
        model's name, another one also by what tells it from the first.
        """
        found: Curves = {}

        def put(kind: str, point: ArmSettings, name: str) -> None:
            start: Start = "lr" if point.start == "lr" else "noise"
            found.setdefault(kind, {}).setdefault(point.model, {}).setdefault(start, {}).setdefault(point.nfe, name)

        for kind, sweep in self.sweeps.items():
            for point in sweep.points():
                if name := _name_in(self.arms, point):
                    put(kind, point, name)
        swept = {model for sweep in self.sweeps.values() for model in sweep.models}
        first: dict[str, ArmSettings] = {}
        for name, arm in self.arms.items():
            if arm.start in STARTS and arm.model not in swept:
                one = first.setdefault(arm.model, arm)
                other = [f"{key} {getattr(arm, key)}" for key in WAY if getattr(arm, key) != getattr(one, key)]
                put(", ".join([arm.model, *other]), arm, name)
        return found


def _name_in(arms: Mapping[str, ArmSettings], point: ArmSettings) -> str | None:
    """Return the first arm that is like `point` but for its number of samples, None without one."""
    alike = (name for name, arm in arms.items() if arm.model_copy(update={"samples": point.samples}) == point)
    return next(alike, None)


def _point_name(point: ArmSettings, usual: str) -> str:
    """Return <model>_<start>_<NFE>, and what is set beside these: two sweeps may differ in that alone.

    It names folders, so dpm++2m is dpmpp2m there.
    """
    plain = ArmSettings(solver=usual)
    own = [f"{key}_{getattr(point, key)}" for key in WAY if getattr(point, key) != getattr(plain, key)]
    return "_".join([point.model, point.start, str(point.nfe), *own]).replace("+", "p")
