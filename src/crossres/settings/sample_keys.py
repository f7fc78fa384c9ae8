"""Keys that an arm and a sweep of `sample` share."""

from typing import Annotated, Literal

from pydantic import Field

Weights = Annotated[
    Literal["last", "best"],
    Field(
        description="which of its weights: the last (averaged), or those that did best in validation on the way",
    ),
]
Solver = Annotated[
    Literal["ab2", "midpoint", "euler", "ddim", "dpm++2m", "ancestral"] | None,
    Field(
        description="ab2, midpoint or euler on the residual path, midpoint, euler or ab2 on the straight one, ddim or"
        " dpm++2m on vp, ancestral on resshift; null takes the first of them",
    ),
]
Spacing = Annotated[
    Literal["even", "angle"],
    Field(
        description="where steps fall on the residual and the straight path: even in the path's time, or in the angle"
        " between noise and residual, where a start from noise does its work; vp and resshift have spacings of their"
        " own"
    ),
]
Eta = Annotated[
    float | None,
    Field(ge=0, le=1, description="fresh noise in each step of ddim; null takes 1 for an LR start, else 0"),
]
Samples = Annotated[int, Field(ge=1, le=256, description="samples drawn; mean and std are over them")]
Antithetic = Annotated[
    bool,
    Field(
        description="whether samples come in pairs, the second of each from the noise of the first with the other sign:"
        " their mean is free of most noise; an odd number of samples is drawn independently"
    ),
]
Sigma = Annotated[
    float | None,
    Field(
        gt=0,
        le=1,
        description="noise of an LR start: of the source on the straight path and, where it only spaces the steps, on"
        " the residual one; of the state at t0 = 2/pi asin(sigma) on vp; null takes what validation chose or, on the"
        " residual path, the residual's RMS",
    ),
]
LrDates = Annotated[
    int | None,
    Field(
        ge=1,
        le=16,
        description="how many LR dates of search.lr_dates the network is shown, the first counted; null: all it knows",
    ),
]
