"""Search, pairing and download: each scene depends on its own item alone.

Needs: the sources of the section `search`.
Gives: items/, a checkpoint, with one JSON per scene and per pair and declined.csv; then
scenes/<scene>/ with reflectance.tif, mask.tif and item.json.
"""


rule catalog:
    input:
        files=lambda wildcards: inputs(source_files(wildcards)),
    output:
        directory(f"{RUN}/catalogs/{{source}}"),
    log:
        f"{RUN}/logs/catalog/{{source}}.log",
    benchmark:
        f"{RUN}/benchmarks/catalog/{{source}}.tsv"
    conda:
        "../../envs/acquire.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(2000),
        runtime=minutes(60),
    params:
        kind=lambda wildcards: MADE[wildcards.source].kind,
        folder=lambda wildcards: as_written(MADE[wildcards.source].path),
        run=of_this_run,
        files=lambda wildcards: other_inputs(source_files(wildcards)),
        source=lambda wildcards: settings_file("catalog", MADE[wildcards.source].model_dump_json()),
        role=lambda wildcards: f"--role {wildcards.source[:2]}" if MADE[wildcards.source].kind == "dataset" else "",
        code=code("catalog"),
    message:
        "Make a static STAC catalogue of the folder {params.folder}"
    shell:
        "python -m crossres catalog {params.kind} {params.folder} --run {params.run:q} --source {params.source:q}"
        " {params.role} --output {output:q} > {log:q} 2>&1"


if LOCK is None:

    checkpoint search:
        input:
            lr=lambda wildcards: inputs(local_catalogues("lr")),
            hr=lambda wildcards: inputs(local_catalogues("hr")),
            places=expand(f"{RUN}/world/places/{{place}}", place=PLACES),
            area=lambda wildcards: inputs(area_file()),
        output:
            directory(f"{RUN}/items"),
        log:
            f"{RUN}/logs/search.log",
        benchmark:
            f"{RUN}/benchmarks/search.tsv"
        localrule: not CONFIG.jobs.search
        conda:
            "../../envs/acquire.yaml"
        threads: 1
        resources:
            mem_mb=by_attempt(2000),
            runtime=minutes(240),
        params:
            settings=settings("search"),
            catalogues=lambda wildcards: catalogue_options(),
            remote=remote_catalogues(),
            run=of_this_run,
            files=lambda wildcards: other_inputs([*local_catalogues("lr"), *local_catalogues("hr"), *area_file()]),
            servers=lambda wildcards: asked_servers(),
            code=code("search"),
        message:
            "Search for scenes and pair them{params.servers}"
        shell:
            "python -m crossres search --settings {params.settings:q} {params.catalogues} --run {params.run:q}"
            " --output {output:q} > {log:q} 2>&1"

else:

    rule search:
        input:
            lock=lambda wildcards: inputs([expand_path(CONFIG.search.lock)]),
        output:
            directory(f"{RUN}/items"),
        log:
            f"{RUN}/logs/search.log",
        benchmark:
            f"{RUN}/benchmarks/search.tsv"
        localrule: not CONFIG.jobs.search
        conda:
            "../../envs/acquire.yaml"
        threads: 1
        resources:
            mem_mb=by_attempt(1000),
            runtime=minutes(10),
        params:
            settings=settings("search"),
            lock=lambda wildcards: CONFIG.search.lock,
            files=lambda wildcards: other_inputs([expand_path(CONFIG.search.lock)]),
            code=code("search"),
        message:
            "Take scenes and pairs from the lock file {params.lock}"
        shell:
            "python -m crossres search --settings {params.settings:q} --output {output:q} > {log:q} 2>&1"


rule download:
    input:
        item=lambda wildcards: item_files("scenes", [wildcards.scene]),
        assets=lambda wildcards: inputs(local_assets(wildcards)),
        dem=lambda wildcards: inputs(dem()),
        reference=rpc_reference,
        hr=degraded_from,
    output:
        kept_or_not(directory(f"{RUN}/scenes/{{scene}}")),
    log:
        f"{RUN}/logs/download/{{scene}}.log",
    benchmark:
        f"{RUN}/benchmarks/download/{{scene}}.tsv"
    cache: SHARED
    conda:
        "../../envs/acquire.yaml"
    threads: CONFIG.threads.download
    resources:
        mem_mb=by_attempt(4000),
        runtime=minutes(240),
    params:
        settings=settings("download"),
        dem=lambda wildcards: f"--dem {as_written(CONFIG.acquire.dem)}" if CONFIG.acquire.dem else "",
        run=of_this_run,
        files=lambda wildcards: other_inputs([*local_assets(wildcards), *dem()]),
        reference=lambda wildcards, input: f"--reference {shlex.quote(input.reference[0])}" if input.reference else "",
        hr=lambda wildcards, input: f"--hr {shlex.quote(input.hr[0])}" if input.hr else "",
        lock=lambda wildcards: f"--lock {as_written(CONFIG.search.lock)}" if LOCK is not None else "",
        checksums=locked_checksums,
        item=item_file("scenes", "scene"),
        content=lambda wildcards: digest(scene_item(wildcards.scene)),
        code=code("download"),
    message:
        "Fetch {wildcards.scene} as reflectance on its own grid"
    shell:
        "python -m crossres download --settings {params.settings:q} --item {params.item:q} {params.dem} {params.lock}"
        " {params.reference} {params.hr} --run {params.run:q} --threads {threads} --output {output:q} > {log:q} 2>&1"
