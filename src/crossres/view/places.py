"""What there is to see: the places of a run, each with its layers, or the files that are named."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from crossres.errors import UserError
from crossres.evaluate.results.arm_names import arm_label
from crossres.files import read_json
from crossres.imagery.numbers import PARTS
from crossres.imagery.scene import MASK
from crossres.layout import RunFolder, pair_of
from crossres.settings.sample import ArmSettings
from crossres.settings.yaml_text import read_mapping

Kind = Literal["image", "doubt"]
DOUBT = ("std", "support")
"""Files that say how far an image may be trusted, `<name>.tif`."""
WORDS = {"mean": "mean", "sample": "one sample", "std": "std", "support": "drawn"}
IMAGE = "image"
"""What no noise is in: there is one, and it is no sample."""


@dataclass(frozen=True)
class Layer:
    """A raster that can be shown."""

    name: str
    """LR, HR, what a product has, or a file's name."""
    path: Path
    kind: Kind = "image"
    group: str = ""
    """The arm that it was made by."""
    mask: Path | None = None
    """A raster of `Mask` codes that says which pixels count in the stretch."""


@dataclass(frozen=True)
class Place:
    """Layers of one ground."""

    name: str
    layers: tuple[Layer, ...]

    @property
    def reference(self) -> Layer:
        """The layer that the stretch is taken from: HR or, without it, the first product, else the first image."""
        for name in ("HR", WORDS["mean"], WORDS["sample"], IMAGE):
            for layer in self.layers:
                if layer.name == name:
                    return layer
        return next((layer for layer in self.layers if layer.kind == "image"), self.layers[0])


def places_in(paths: Sequence[Path]) -> list[Place]:
    """Return the places of runs, products and files; all files together are one place.

    Raises `UserError` where a path is not there, or holds nothing to see.
    """
    places, files = [], []
    for path in paths:
        if path.is_dir():
            found = _of_folder(path)
            if not found:
                raise UserError(
                    f"{path}: holds no image of a run; name a run's folder such as results/demo, the folder of a "
                    "product (mean.tif) or GeoTIFFs"
                )
            places += found
        elif path.exists():
            files.append(path)
        else:
            raise UserError(f"{path}: no such file or folder")
    if files:
        layers = tuple(Layer(path.name, path, "doubt" if path.stem in DOUBT else "image") for path in files)
        places.append(Place(", ".join(path.name for path in files), layers))
    return places


def _of_folder(folder: Path) -> list[Place]:
    if (folder / "mean.tif").exists():
        inputs = _inputs_of(folder)
        mask = inputs[-1].mask if inputs else None
        return [Place(folder.resolve().name, (*inputs, *_of_product(folder, "", mask)))]
    if (folder / "hr.tif").exists():
        return [Place(folder.resolve().name, _of_pair(folder))]
    return _of_run(RunFolder(folder)) or [
        place for inner in sorted(folder.glob("*/mean.tif")) for place in _of_folder(inner.parent)
    ]


def _of_run(run: RunFolder) -> list[Place]:
    """Return held-out scenes first, then the pairs that were only aligned; each in order of name."""
    arms: dict[str, list[Path]] = {}
    for product in run.all_sr():
        if (product / "mean.tif").exists():
            arms.setdefault(product.parent.name, []).append(product)
    aligned = {folder.name: folder for folder in run.all_aligned() if (folder / "hr.tif").exists()}
    settings = read_mapping(run.config) if run.config.exists() else {}
    primary = (settings.get("sample") or {}).get("primary")
    places = []
    for scene, products in arms.items():
        products.sort(key=lambda product: (product.name != primary, not (product / "support.tif").exists()))
        own = aligned.get(pair_of(scene))
        inputs = _of_pair(own) if own else ()
        mask = inputs[-1].mask if inputs else None
        places.append(Place(scene, (*inputs, *(layer for p in products for layer in _of_product(p, p.name, mask)))))
    held_out = {pair_of(scene) for scene in arms}
    return places + [Place(name, _of_pair(folder)) for name, folder in aligned.items() if name not in held_out]


def _of_pair(folder: Path) -> tuple[Layer, ...]:
    mask = folder / MASK if (folder / MASK).exists() else None
    names = [name for name in ("lr", "hr") if (folder / f"{name}.tif").exists()]
    return tuple(Layer(name.upper(), folder / f"{name}.tif", mask=mask) for name in names)


def _of_product(folder: Path, arm: str, mask: Path | None) -> tuple[Layer, ...]:
    """Return the layers of a product; of an image that is drawn once, mean and sample are the same, and std is 0."""
    names = [name for name in (*PARTS, "support") if (folder / f"{name}.tif").exists()]
    words, said = WORDS, _item_of(folder).get("properties", {})
    if said.get("crossres:samples") == 1:
        names = ["sample"]
        start = said.get("crossres:settings", {}).get("start", "lr")
        if not ArmSettings.model_construct(samples=1, start=start).drawn_once:
            words = {**WORDS, "sample": IMAGE}
    return tuple(
        Layer(words[name], folder / f"{name}.tif", "doubt" if name in DOUBT else "image", arm_label(arm), mask)
        for name in sorted(names, key=list(WORDS).index)
    )


def _inputs_of(product: Path) -> tuple[Layer, ...]:
    """Return the LR scene that a product's item links to, with HR where both are an aligned pair of a run."""
    for link in _item_of(product).get("links", []):
        if link.get("title") == "LR scene" and not urlsplit(link["href"]).scheme:
            lr = (product / unquote(link["href"])).resolve()
            if lr.name == "lr.tif" and lr.is_file():
                return _of_pair(lr.parent)
            return (Layer("LR", lr),) if lr.suffix.lower() in (".tif", ".tiff") and lr.is_file() else ()
    return ()


def _item_of(product: Path) -> dict[str, Any]:
    item = product / "item.json"
    return read_json(item) if item.exists() else {}
