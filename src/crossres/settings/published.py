"""A published set of pairs as a source of the section `search`."""

from typing import Literal

from pydantic import Field

from crossres.settings.base import Section


class DatasetSource(Section):
    """A published set of LR and HR pairs, in the layout that it is published in; `search.hr` is left out."""

    kind: Literal["dataset"]
    name: Literal["sen2naip", "worldstrat", "sen2venus", "oli2msi", "opensr-test", "sen2neon"] = Field(
        description="which set"
    )
    path: str = Field(description="the folder that the set was unpacked to; environment variables are expanded")
    subset: str | None = Field(
        None,
        description="a part of the set: which of opensr-test (naip, spot, venus, spain_crops, spain_urban) or of "
        "SEN2NAIP (crosssensor, unet, histmatch, temporal), HR of WorldStrat (ps, rgbn) and SEN2NEON (2.5m, 1m), bands "
        "of SEN2VENUS (rgbnir, rededge); null takes all of the first two, and the first named of the others",
    )
