"""What is known once the search has run, and what once the dataset stands.

Needs: LOCK of sources.smk, readable() of stored.smk, and the checkpoints `search` and `dataset`.
Gives: functions for `input` and `params`; each first has Snakemake run the checkpoint that it needs.
"""

from crossres import layout
from crossres.settings.train import IN_MEMORY_BYTES


def items():
    """Return the folder of items, to read; Snakemake first runs the search when that has not been done."""
    return readable(checkpoints.search.get().output[0])


def item_files(kind, names):
    """Return what the search writes of some of its `scenes` or `pairs`, as inputs of a rule.

    With a lock file that is one folder: Snakemake holds each input of a plan against each output of the search, which
    is a square where these are files.
    """
    if LOCK is not None:
        return f"{RUN}/items"
    checkpoints.search.get()
    return expand(f"{RUN}/items/{kind}/{{name}}.json", name=names)


def item_file(kind, wildcard):
    """Return a function for `params` that gives the file of one: no part of what tells results apart in a cache."""
    return lambda wildcards, input: f"{HERE}/items/{kind}/{wildcards[wildcard]}.json"


def all_items(wildcards):
    """Return what the search gives, as the input of a rule: no folder, of which storage might have parts here."""
    if LOCK is not None:
        return f"{RUN}/items"
    found = sorted(path.relative_to(items()).as_posix() for path in items().glob("*/*.json"))
    return [f"{RUN}/items/{name}" for name in ("declined.csv", *found)]


def scene_item(scene):
    """Return the item of a scene as the search writes it."""
    if LOCK is not None:
        return LOCK.item(scene, Path(HERE))
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


# With search.pairs_per_job above 1 what is made of a pair, up to its patches, stands in a batch of pairs.
BATCHED = CONFIG.search.pairs_per_job > 1


def batches():
    """Return the pairs of each batch by its name, in order of id; read once for each search."""
    written = 0 if LOCK is not None else (items() / "pairs").stat().st_mtime_ns
    return _batches(written)[0]


def batch_of(pair):
    batches()
    return _batches(0 if LOCK is not None else (items() / "pairs").stat().st_mtime_ns)[1][pair]


@functools.lru_cache(maxsize=1)
def _batches(written):
    ids, size = pair_ids(), CONFIG.search.pairs_per_job
    found = {f"batch-{start // size:04}": ids[start : start + size] for start in range(0, len(ids), size)}
    return found, {pair: batch for batch, pairs in found.items() for pair in pairs}


def aligned_folder(wildcards):
    """Return the folder of an aligned pair, for `params`."""
    return (
        f"{HERE}/batches/{batch_of(wildcards.pair)}/aligned/{wildcards.pair}"
        if BATCHED
        else f"{HERE}/aligned/{wildcards.pair}"
    )


def aligned(*names):
    """Return a function for `input` that gives files of an aligned pair, or the batch that holds them."""

    def of_pair(wildcards):
        if BATCHED:
            return f"{RUN}/batches/{batch_of(wildcards.pair)}"
        return [f"{RUN}/aligned/{wildcards.pair}/{name}" for name in names]

    return of_pair


def of_all_batches(*patterns):
    """Return a function for `input` that gives these files of all pairs, or all batches."""

    def all_pairs(wildcards):
        if BATCHED:
            return expand(f"{RUN}/batches/{{batch}}", batch=batches())
        return expand([f"{RUN}/{pattern}" for pattern in patterns], pair=pair_ids())

    return all_pairs


def scenes_of_batch(wildcards):
    """Return the names of all scenes that the pairs of a batch need."""
    found = []
    for pair in map(pair_content, batches()[wildcards.batch]):
        found += [pair["lr"], pair["hr"], *pair.get("further_dates", [])[: CONFIG.search.lr_dates - 1]]
    return sorted(set(found))


def files_of_batch(wildcards):
    """Return the files on disk that the items of a batch name."""
    return sorted({path for scene in scenes_of_batch(wildcards) for path in files_of_scene(scene)})


def further_of(wildcards):
    """Return the folders of a pair's further LR dates, as many as are asked for and there are."""
    names = pair_of(wildcards).get("further_dates", [])
    return [f"{RUN}/scenes/{name}" for name in names[: CONFIG.search.lr_dates - 1]]


def dates_of(wildcards):
    """Return the file with a pair's further LR dates, where there are to be any."""
    return [f"{RUN}/aligned/{wildcards.pair}/dates.tif"] if CONFIG.search.lr_dates > 1 else []


def hr_scenes(wildcards):
    """Return the folders of all HR scenes of pairs, but for those that stand in batches."""
    if BATCHED:
        return []
    return sorted({f"{RUN}/scenes/{pair_content(pair)['hr']}" for pair in pair_ids()})


def dataset_summary():
    """Return what is known of the dataset; Snakemake assembles it first where it is not there."""
    return json.loads(readable(checkpoints.dataset.get().output.summary).read_text())


def fold_of(wildcards):
    """Return the fold that holds out a scene, as in FOLDS: its model has not seen the scene."""
    if CONFIG.dataset.folds is None:
        return ""
    if wildcards.part:
        return layout.below_fold(wildcards.part.removeprefix(".fold-"))
    folds = dataset_summary().get("folds", [])
    return next((layout.below_fold(number) for number, pairs in enumerate(folds) if wildcards.pair in pairs), FOLDS[0])


def split_tables(fold):
    """Return what tells of the splits, or of a fold's, as inputs of a rule."""
    return f"{RUN}/pairs/folds" if fold else [split_table(fold, "index.parquet"), split_table(fold, "summary.json")]


def split_table(fold, name):
    return f"{RUN}/pairs/folds{fold}/{name}" if fold else f"{RUN}/pairs/{name}"


def held_out():
    """Return the scenes of the test split: pairs or, where folds share the ground of a pair, parts of pairs."""
    return dataset_summary()["splits"]["test"]


def held_out_by_job():
    """Return the held-out scenes of each batch and fold (as in FOLDS) that has any; read once for each dataset."""
    dataset_summary()  # first has Snakemake assemble it
    batches()
    return _held_out_by_job(readable(checkpoints.dataset.get().output.summary).stat().st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _held_out_by_job(written):
    folds = dataset_summary().get("folds", [])
    fold_by_pair = {pair: layout.below_fold(number) for number, pairs in enumerate(folds) for pair in pairs}
    found = {}
    for scene in held_out():
        pair, fold = scene, ""
        if CONFIG.dataset.folds and not BY_PAIR:
            pair, fold = layout.pair_of(scene), layout.below_fold(layout.fold_of(scene))
        elif CONFIG.dataset.folds:
            fold = fold_by_pair.get(pair, FOLDS[0])
        found.setdefault((batch_of(pair), fold), []).append(scene)
    return dict(sorted(found.items()))


def held_out_of_job(wildcards):
    """Return the scenes of a batch that a fold holds out, for `params`."""
    return held_out_by_job()[wildcards.batch, wildcards.fold]


def held_out_of_batch(batch):
    return [scene for (name, _), scenes in held_out_by_job().items() if name == batch for scene in scenes]


def pairs_held_out(batch):
    """Return the pairs of a batch of which anything is held out."""
    scenes = held_out_of_batch(batch)
    return scenes if BY_PAIR else sorted(set(map(layout.pair_of, scenes)))


def evaluated(wildcards):
    """Return the folders of all scenes held out, as `evaluate` writes them: one for each scene, or for each batch."""
    names = sorted({batch for batch, _ in held_out_by_job()}) if BATCHED else held_out()
    return expand(f"{RUN}/evaluation/scenes/{{name}}", name=names)


def tables_of_batch(wildcards):
    """Return what tells of the ground of test patches, where splits share a scene's."""
    held_out_by_job()
    return [] if BY_PAIR else split_tables(FOLDS[0])


def index_option(wildcards):
    """Return the option of `evaluate-batch` that names these tables, of each fold one."""
    return (
        ""
        if BY_PAIR
        else " ".join(["--index", *(shlex.quote(here(split_table(fold, "index.parquet"))) for fold in FOLDS)])
    )


def training_data(wildcards):
    """Return what training reads: the dataset or, where that does not fit in memory, the cache."""
    size = dataset_summary().get("bytes", {}).get("train", 0)  # a summary of an older version has none
    large = size > IN_MEMORY_BYTES
    return f"{RUN}/pairs/cache" if large else f"{RUN}/pairs/dataset.zarr"
