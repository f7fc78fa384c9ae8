"""Patch pairs, and the dataset that they are put into.

Needs: aligned/<pair>/, of several LR dates dates.tif, too.
Gives: pairs/patches/<pair>.zip and .parquet; pairs/dataset.zarr, index.parquet, left_out.parquet,
contact_sheet.png and summary.json, a checkpoint: only it tells which pairs are held out; with
dataset.folds pairs/folds/fold-<n>/ with index.parquet and summary.json of each fold.
Where splits share a scene's ground (dataset.split: block or region), pairs/held_out/<pair>.tif
masks what is not held out, of several folds <pair>.fold-<n>.tif. Where the training split does not
fit in memory, training reads pairs/cache.
"""


rule patches:
    input:
        pair=lambda wildcards: item_files("pairs", [wildcards.pair]),
        registration=f"{RUN}/aligned/{{pair}}/registration.json",
        radiometry=f"{RUN}/aligned/{{pair}}/radiometry.json",
        lr=f"{RUN}/aligned/{{pair}}/lr.tif",
        hr=f"{RUN}/aligned/{{pair}}/hr.tif",
        mask=f"{RUN}/aligned/{{pair}}/mask.tif",
        dates=dates_of,
    output:
        patches=f"{RUN}/pairs/patches/{{pair}}.zip",
        index=f"{RUN}/pairs/patches/{{pair}}.parquet",
    log:
        f"{RUN}/logs/patches/{{pair}}.log",
    benchmark:
        f"{RUN}/benchmarks/patches/{{pair}}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: CONFIG.threads.patches
    resources:
        mem_mb=by_attempt(4000),
        runtime=minutes(30),
    params:
        settings=settings("patches"),
        pair=item_file("pairs", "pair"),
        folder=folder_of("lr"),
        dates=lambda wildcards, input: f"--dates {shlex.quote(input.dates[0])}" if input.dates else "",
        code=code("patches"),
    message:
        "Cut patch pairs from {wildcards.pair}"
    shell:
        "python -m crossres patches --settings {params.settings:q} --pair {params.pair:q} --aligned {params.folder:q}"
        " {params.dates} --patches {output.patches:q} --index {output.index:q} --threads {threads} > {log:q} 2>&1"


rule prepare:
    input:
        pairs=lambda wildcards: item_files("pairs", batches()[wildcards.batch]),
        scenes=lambda wildcards: item_files("scenes", scenes_of_batch(wildcards)),
        assets=lambda wildcards: inputs(files_of_batch(wildcards)),
        dem=lambda wildcards: inputs(dem()),
    output:
        directory(f"{RUN}/batches/{{batch}}"),
    log:
        f"{RUN}/logs/prepare/{{batch}}.log",
    benchmark:
        f"{RUN}/benchmarks/prepare/{{batch}}.tsv"
    conda:
        "../../envs/acquire.yaml"
    threads: CONFIG.threads.coregister
    resources:
        mem_mb=by_attempt(4000),
        runtime=minutes(240),
    params:
        settings=settings("prepare"),
        found=f"{HERE}/items",
        pairs=lambda wildcards: batches()[wildcards.batch],
        dem=lambda wildcards: f"--dem {as_written(CONFIG.acquire.dem)}" if CONFIG.acquire.dem else "",
        lock=lambda wildcards: f"--lock {as_written(CONFIG.search.lock)}" if LOCK is not None else "",
        lr_dates=CONFIG.search.lr_dates,
        run=of_this_run,
        files=lambda wildcards: other_inputs([*files_of_batch(wildcards), *dem()]),
        content=lambda wildcards: digest([scene_item(scene) for scene in scenes_of_batch(wildcards)]),
        code=code("prepare"),
    message:
        "Fetch, align and cut the pairs of {wildcards.batch}"
    shell:
        "python -m crossres prepare --settings {params.settings:q} --items {params.found:q} --pairs {params.pairs:q}"
        " {params.dem} {params.lock} --lr-dates {params.lr_dates} --run {params.run:q} --threads {threads}"
        " --output {output:q} > {log:q} 2>&1"


checkpoint dataset:
    input:
        pairs=lambda wildcards: item_files("pairs", pair_ids()),
        patches=of_all_batches(
            "pairs/patches/{pair}.zip",
            "pairs/patches/{pair}.parquet",
            "aligned/{pair}/registration.json",
            "aligned/{pair}/radiometry.json",
        ),
        regions=lambda wildcards: inputs(regions_file()),
    output:
        zarr=directory(f"{RUN}/pairs/dataset.zarr"),
        index=f"{RUN}/pairs/index.parquet",
        left_out=f"{RUN}/pairs/left_out.parquet",
        summary=f"{RUN}/pairs/summary.json",
        # One folder, however many folds: of a new output Snakemake knows no parameters, and would not run again.
        folds=directory(f"{RUN}/pairs/folds") if CONFIG.dataset.folds else [],
        contact_sheet=report(
            f"{RUN}/pairs/contact_sheet.png",
            caption="../report/contact_sheet.rst",
            category="Pairs",
            labels={"figure": "contact sheet"},
        ),
    log:
        f"{RUN}/logs/dataset.log",
    benchmark:
        f"{RUN}/benchmarks/dataset.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(4000),
        runtime=minutes(60),
    params:
        settings=settings("dataset"),
        run=of_this_run,
        patches=f"{HERE}/batches" if BATCHED else f"{HERE}/pairs/patches",
        aligned=f"{HERE}/batches" if BATCHED else f"{HERE}/aligned",
        folder=folder_of("index"),
        regions=lambda wildcards: f"--regions {as_written(CONFIG.dataset.regions)}" if CONFIG.dataset.regions else "",
        files=lambda wildcards: other_inputs(regions_file()),
        code=code("dataset"),
    message:
        "Assemble the patch dataset, split by place"
    # By folder: a command line cannot name the files of ten thousand pairs.
    shell:
        "python -m crossres dataset --settings {params.settings:q} --pairs {params.run:q}/items/pairs"
        " --patches {params.patches:q} --aligned {params.aligned:q} {params.regions}"
        " --run {params.run:q} --output {params.folder:q} > {log:q} 2>&1"


rule held_out:
    input:
        mask=aligned("mask.tif"),
        tables=lambda wildcards: split_tables(fold_of(wildcards)),
    output:
        f"{RUN}/pairs/held_out/{{pair}}{{part}}.tif",
    log:
        f"{RUN}/logs/held_out/{{pair}}{{part}}.log",
    benchmark:
        f"{RUN}/benchmarks/held_out/{{pair}}{{part}}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(2000),
        runtime=minutes(30),
    params:
        mask=lambda wildcards: f"{aligned_folder(wildcards)}/mask.tif",
        index=lambda wildcards: here(split_table(fold_of(wildcards), "index.parquet")),
        code=code("held_out"),
    message:
        "Mask what is not held out of {wildcards.pair}"
    shell:
        "python -m crossres held-out --pair {wildcards.pair:q} --mask {params.mask:q}"
        " --index {params.index:q} --output {output:q} > {log:q} 2>&1"


rule cache:
    input:
        zarr=f"{RUN}/pairs/dataset.zarr",
        index=f"{RUN}/pairs/index.parquet",
    output:
        directory(f"{RUN}/pairs/cache"),
    log:
        f"{RUN}/logs/cache.log",
    benchmark:
        f"{RUN}/benchmarks/cache.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(2000),
        runtime=minutes(120),
    params:
        code=code("cache"),
    message:
        "Unpack the patch dataset for training"
    shell:
        "python -m crossres cache --dataset {input.zarr:q} --index {input.index:q} --output {output:q} > {log:q} 2>&1"
