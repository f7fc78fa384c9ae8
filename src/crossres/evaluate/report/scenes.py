"""The report's pictures of held-out scenes."""

from dataclasses import dataclass
from pathlib import Path

from crossres.evaluate.pictures.embedding import photo
from crossres.evaluate.results.scene_result import Dates, Rank, RankedPlace, SceneResult

PICTURED_SCENES = 20
"""More held-out scenes than this are judged, but not pictured: the page must stay small enough to send."""
CROP_ROWS = 3
PLATE_PX = 1100
RANKS: tuple[Rank, ...] = ("best", "median", "worst")
LAYERS = ("lr", "bicubic", "mean", "sample", "hr", "drawn", "std")
"""In the order in which they are compared; other models' results come last."""

Layers = dict[str, str]
"""Name of a layer -> data URI."""


@dataclass(frozen=True)
class PicturedPlace:
    """The best, the median or the worst place of a scene."""

    name: Rank
    pair: str
    dates: Dates
    where: RankedPlace
    labels: dict[str, str]
    """What each layer is called."""
    layers: Layers


@dataclass(frozen=True)
class PicturedScene:
    """All pictures of a held-out scene."""

    pair: str
    dates: Dates
    changed: float
    """Share of the area whose land cover changed between the dates."""
    arm: str
    """The arm that is pictured."""
    labels: dict[str, str]
    doubt_high: float
    """Top of the colour scale of what is drawn, or of std, in reflectance."""
    view_px: int
    view_m: float
    crop_m: float
    layers: Layers
    """Of the viewer."""
    crops: list[Layers]
    places: dict[Rank, PicturedPlace]
    overview: str
    hallucination: str


def pictured_scenes(folders: tuple[Path, ...]) -> list[PicturedScene]:
    """Return the pictures of held-out scenes as data URIs; evenly chosen by name when there are too many."""
    ordered = sorted(folders)
    step = max(1, -(-len(ordered) // PICTURED_SCENES))
    return [_scene(folder) for folder in ordered[::step]]


def _scene(folder: Path) -> PicturedScene:
    scene = SceneResult.read(folder)
    pictures, layers = scene.pictures, _layers(folder / "view")
    labels = {name: pictures.labels[name] for name in layers}  # in the layers' order, which JSON does not keep
    return PicturedScene(
        pair=scene.pair, dates=scene.dates, changed=scene.changed, arm=scene.pictured, labels=labels,
        doubt_high=pictures.doubt_high, view_px=pictures.view.side, view_m=pictures.view.side * scene.hr_gsd_m,
        crop_m=pictures.crops[0].side * scene.hr_gsd_m, layers=layers,
        crops=[_layers(folder / "crops" / str(i)) for i in range(min(CROP_ROWS, len(pictures.crops)))],
        places={
            name: PicturedPlace(
                name, scene.pair, scene.dates, pictures.places[name], labels, _layers(folder / "places" / name)
            )
            for name in RANKS
        },
        overview=photo(folder / "overview.png", PLATE_PX), hallucination=photo(folder / "hallucination.png", 900),
    )  # fmt: skip


def _layers(folder: Path) -> Layers:
    found = sorted((path.stem for path in folder.glob("*.png")), key=lambda n: LAYERS.index(n) if n in LAYERS else 9)
    return {name: photo(folder / f"{name}.png") for name in found}


def ranked_places(scenes: list[PicturedScene]) -> list[PicturedPlace]:
    """Return the best, the median and the worst place of all pictured scenes by SR's gain over bicubic."""
    best, median, worst = (
        sorted((scene.places[name] for scene in scenes), key=lambda place: -place.where.gain_db) for name in RANKS
    )
    return [best[0], median[len(median) // 2], worst[-1]]
