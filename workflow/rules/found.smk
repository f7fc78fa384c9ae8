"""What is known once the search has run, and what once the dataset stands.

Needs: LOCK of sources.smk, and the checkpoints `search` and `dataset`.
Gives: functions for `input` and `params`; each first has Snakemake run the checkpoint that it needs.
"""

from crossres.settings.train import IN_MEMORY_BYTES


def items():
    """Return the folder of items; Snakemake first runs the search when that has not been done."""
    if LOCK is None:
        checkpoints.search.get()
    return Path(RUN, "items")


def all_items(wildcards):
    """Return what the search gives, as the input of a rule."""
    return items() if LOCK is None else rules.search.output


def scene_item(scene):
    """Return the item of a scene as the search writes it."""
    if LOCK is not None:
        return LOCK.item(scene, Path(RUN))
    return json.loads((items() / "scenes" / f"{scene}.json").read_text())


def pair_ids():
    """Return the ids of all pairs that the search found."""
    if LOCK is not None:
        return sorted(LOCK.pairs)
    return sorted(path.stem for path in (items() / "pairs").glob("*.json"))


def pair_content(pair):
    """Return what the search wrote of one pair."""
    if LOCK is not None:
        return LOCK.pairs[pair]
    return json.loads((items() / "pairs" / f"{pair}.json").read_text())


def pair_of(wildcards):
    return pair_content(wildcards.pair)


def further_of(wildcards):
    """Return the folders of a pair's further LR dates, as many as are asked for and there are."""
    names = pair_of(wildcards).get("further_dates", [])
    return [f"{RUN}/scenes/{name}" for name in names[: CONFIG.search.lr_dates - 1]]


def dates_of(wildcards):
    """Return the file with a pair's further LR dates, where there are to be any."""
    return [f"{RUN}/aligned/{wildcards.pair}/dates.tif"] if CONFIG.search.lr_dates > 1 else []


def hr_scenes(wildcards):
    """Return the folders of all HR scenes of pairs."""
    return sorted({f"{RUN}/scenes/{pair_content(pair)['hr']}" for pair in pair_ids()})


def of_all_pairs(pattern):
    return lambda wildcards: expand(f"{RUN}/{pattern}", pair=pair_ids())


def dataset_summary():
    """Return what is known of the dataset; Snakemake assembles it first where it is not there."""
    return json.loads(Path(checkpoints.dataset.get().output.summary).read_text())


def held_out():
    """Return the pairs of the test split."""
    return dataset_summary()["splits"]["test"]


def of_held_out(pattern):
    return lambda wildcards: expand(f"{RUN}/{pattern}", pair=held_out())


def training_data(wildcards):
    """Return what training reads: the dataset or, where that does not fit in memory, the cache."""
    size = dataset_summary().get("bytes", {}).get("train", 0)  # a summary of an older version has none
    large = size > IN_MEMORY_BYTES
    return f"{RUN}/pairs/cache" if large else f"{RUN}/pairs/dataset.zarr"
