"""Where things stand in a run's folder, results/<run>: the rules of the workflow write there, and commands read."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

RUN_PARTS = {
    "align.html", "aligned", "batches", "catalogs", "config.yaml", "evaluation", "items", "model", "one_step", "pairs",
    "report.html", "scenes", "sr", "world",
}  # fmt: skip
"""What rules write into the folder of a run."""
BATCH = r"batch-\d+"
DRAWN_BY = ("model", "one_step", "external")
"""What images of a batch come from: sr/<batch>/<one of these>/<name>/<scene>/<arm>, of several folds below the fold."""


def held_out_in(pair: str, fold: int) -> str:
    """Return the name of a pair as a held-out scene, where each fold holds out a part of its ground."""
    return f"{pair}.fold-{fold}"


def below_fold(fold: int | str) -> str:
    """Return what a path has of a fold, below the folder of a model or of all folds."""
    return f"/fold-{fold}"


def pair_of(scene: str) -> str:
    """Return the pair that a held-out scene is, or is a part of."""
    return re.sub(r"\.fold-\d+$", "", scene)


def fold_of(scene: str) -> int | None:
    """Return the fold whose part of a pair a held-out scene is; None where it is a whole pair."""
    found = re.search(r"\.fold-(\d+)$", scene)
    return int(found[1]) if found else None


def last_written(paths: Iterable[Path]) -> dict[str, Path]:
    """Return of the paths of each name the one that was written last, in order of name.

    A run whose search.pairs_per_job was changed has older copies of its pairs, alone or in other batches.
    """
    return dict(sorted({path.name: path for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns)}.items()))


def in_batches(folder: Path, kind: str, name: str = "*") -> dict[str, Path]:
    """Return what stands in the batches of a folder by name; `kind` is scenes, aligned or patches."""
    return last_written(folder.glob(f"batch-*/{kind}/{name}"))


def evaluated_in(folder: Path) -> dict[str, Path]:
    """Return the folder of each held-out scene that was judged, by name; `folder` is `RunFolder.evaluated`."""
    return last_written([*folder.glob("*"), *folder.glob("batch-*/*")])


@dataclass(frozen=True)
class ItemsFolder:
    """What `search` writes: a STAC item of each scene, a JSON of each pair, and what was declined."""

    folder: Path

    @property
    def scenes(self) -> Path:
        """Holds <scene>.json."""
        return self.folder / "scenes"

    @property
    def pairs(self) -> Path:
        """Holds <pair>.json."""
        return self.folder / "pairs"

    @property
    def declined(self) -> Path:
        """What was found and is not used, with the reason."""
        return self.folder / "declined.csv"

    def scene(self, scene: str) -> Path:
        """The item of a scene."""
        return self.scenes / f"{scene}.json"

    def pair(self, pair: str) -> Path:
        """What is known of a pair."""
        return self.pairs / f"{pair}.json"

    def make(self) -> None:
        """Make the empty folders."""
        for folder in (self.scenes, self.pairs):
            folder.mkdir(parents=True)

    @classmethod
    def of_item(cls, item: Path) -> "ItemsFolder | None":
        """Return the folder that a scene's item lies in, as `search` laid it; None where it lies elsewhere."""
        found = cls(item.parent.parent)
        return found if item.parent == found.scenes and found.pairs.is_dir() else None


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run."""

    folder: Path

    @property
    def config(self) -> Path:
        """The settings with all defaults filled in."""
        return self.folder / "config.yaml"

    @property
    def items(self) -> ItemsFolder:
        """What the search found."""
        return ItemsFolder(self.folder / "items")

    @property
    def dataset(self) -> Path:
        """The patches, as zarr."""
        return self.folder / "pairs" / "dataset.zarr"

    @property
    def dataset_summary(self) -> Path:
        """Bands, splits and counts of the patches."""
        return self.folder / "pairs" / "summary.json"

    @property
    def contact_sheet(self) -> Path:
        """Some patches as a picture."""
        return self.folder / "pairs" / "contact_sheet.png"

    @property
    def evaluated(self) -> Path:
        """Holds a folder for each pair held out, as `evaluate` writes it, or a folder of these for each batch."""
        return self.folder / "evaluation" / "scenes"

    @property
    def figures(self) -> Path:
        """Charts over all scenes."""
        return self.folder / "evaluation" / "figures"

    @property
    def summary(self) -> Path:
        """The metrics of all scenes together."""
        return self.folder / "evaluation" / "summary.json"

    @property
    def table(self) -> Path:
        """Each metric of each scene, in a row."""
        return self.folder / "evaluation" / "summary.parquet"

    def _found(self, kind: str, name: str) -> dict[str, Path]:
        """Return where scenes or pairs stand by name: alone or in a batch (`search.pairs_per_job`)."""
        return last_written([*self.folder.glob(f"{kind}/{name}"), *self.folder.glob(f"batches/*/{kind}/{name}")])

    @classmethod
    def of_item(cls, item: Path) -> "RunFolder":
        """Return the folder of the run whose search wrote an item."""
        return cls(item.parents[2])

    def scene(self, scene: str) -> Path:
        """A scene on its own grid: reflectance, mask and item."""
        return self._found("scenes", scene).get(scene, self.folder / "scenes" / scene)

    def aligned(self, pair: str) -> Path:
        """A pair after registration and normalisation: lr.tif, hr.tif, mask.tif and what was found."""
        return self._found("aligned", pair).get(pair, self.folder / "aligned" / pair)

    def model(self, name: str) -> Path:
        """A trained model."""
        return self.folder / "model" / name

    def sr(self, pair: str, arm: str) -> Path:
        """A super-resolved scene: mean, std, sample and item."""
        return self._all_sr(pair, arm).get((pair, arm), self.folder / "sr" / pair / arm)

    def all_scenes(self) -> Iterator[Path]:
        """Yield the folder of each scene that is there, in order of name."""
        yield from self._found("scenes", "*").values()

    def all_aligned(self) -> Iterator[Path]:
        """Yield the folder of each pair that was aligned."""
        yield from self._found("aligned", "*").values()

    def all_sr(self) -> Iterator[Path]:
        """Yield the folder of each super-resolved scene."""
        yield from self._all_sr("*", "*").values()

    def _all_sr(self, pair: str, arm: str) -> dict[tuple[str, str], Path]:
        """Return where products stand by pair and arm, the last written: alone or in a batch."""
        alone = [path for path in self.folder.glob(f"sr/{pair}/{arm}") if not re.fullmatch(BATCH, path.parent.name)]
        of_batches = [
            path
            for job in ("sr/batch-*", "sr/batch-*/fold-*")
            for kind in DRAWN_BY
            for path in self.folder.glob(f"{job}/{kind}/*/{pair}/{arm}")
        ]
        by_time = sorted([*alone, *of_batches], key=lambda path: path.stat().st_mtime_ns)
        return dict(sorted({(path.parent.name, path.name): path for path in by_time}.items()))
