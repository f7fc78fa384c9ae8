"""Search, pairing and download.

Needs: the sources of the `search` section. Gives: items/ (a checkpoint: one JSON per scene and per pair, declined.csv) and
scenes/<scene>/ (reflectance.tif, mask.tif, item.json), each scene depending on its own JSON alone, so that a search
that finds one more scene runs one more chain.
"""


rule catalog:
    input:
        files=source_files,
    output:
        directory(f"{RUN}/catalogs/{{source}}"),
    log:
        f"{RUN}/logs/catalog/{{source}}.log",
    benchmark:
        f"{RUN}/benchmarks/catalog/{{source}}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(60),
    params:
        kind=lambda wildcards: MADE[wildcards.source].kind,
        folder=lambda wildcards: expand_path(MADE[wildcards.source].path),
        source=lambda wildcards: MADE[wildcards.source].model_dump_json(),
        code=code_version("crossres.acquire.catalog"),
    message:
        "Make a static STAC catalogue of the folder {params.folder}"
    shell:
        "python -m crossres catalog {params.kind} {params.folder:q} --source {params.source:q}"
        " --output {output:q} > {log:q} 2>&1"


if LOCK is None:

    checkpoint search:
        input:
            lr=local_catalogues("lr"),
            hr=local_catalogues("hr"),
            places=expand(f"{RUN}/world/places/{{place}}", place=PLACES),
            area=area_file(),
        output:
            directory(f"{RUN}/items"),
        log:
            f"{RUN}/logs/search.log",
        benchmark:
            f"{RUN}/benchmarks/search.tsv"
        conda:
            "../../envs/geo.yaml"
        threads: 1
        resources:
            mem_mb=by_attempt(2000),
            runtime=by_attempt(240),
        params:
            settings=settings("search", "grid"),
            catalogues=catalogue_options(),
            code=code_version("crossres.acquire.search"),
        message:
            f"Search for scenes and pair them{asked_servers()}"
        shell:
            "python -m crossres search --settings {params.settings:q} {params.catalogues}"
            " --output {output:q} > {log:q} 2>&1"

else:

    rule search:
        input:
            lock=expand_path(CONFIG.search.lock),
        output:
            expand(f"{RUN}/items/scenes/{{scene}}.json", scene=sorted(LOCK.scenes)),
            expand(f"{RUN}/items/pairs/{{pair}}.json", pair=sorted(LOCK.pairs)),
            f"{RUN}/items/declined.csv",
        log:
            f"{RUN}/logs/search.log",
        benchmark:
            f"{RUN}/benchmarks/search.tsv"
        conda:
            "../../envs/geo.yaml"
        threads: 1
        resources:
            mem_mb=by_attempt(1000),
            runtime=by_attempt(10),
        params:
            settings=settings("search", "grid"),
            folder=f"{RUN}/items",
            code=code_version("crossres.acquire.search"),
        message:
            "Take scenes and pairs from the lock file {input.lock}"
        shell:
            "python -m crossres search --settings {params.settings:q} --output {params.folder:q} > {log:q} 2>&1"


rule download:
    input:
        item=lambda wildcards: items() / "scenes" / f"{wildcards.scene}.json",
        assets=local_assets,
        dem=dem,
        reference=rpc_reference,
    output:
        directory(f"{RUN}/scenes/{{scene}}"),
    log:
        f"{RUN}/logs/download/{{scene}}.log",
    benchmark:
        f"{RUN}/benchmarks/download/{{scene}}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(4000),
        runtime=by_attempt(240),
    params:
        settings=settings("acquire", "grid"),
        dem=lambda wildcards: f"--dem {shlex.quote(expand_path(CONFIG.acquire.dem))}" if CONFIG.acquire.dem else "",
        reference=lambda wildcards, input: f"--reference {input.reference}" if input.reference else "",
        lock=f"--lock {shlex.quote(expand_path(CONFIG.search.lock))}" if LOCK is not None else "",
        checksums=locked_checksums,
        code=code_version("crossres.acquire.download"),
    message:
        "Fetch {wildcards.scene} as reflectance on its own grid"
    shell:
        "python -m crossres download --settings {params.settings:q} --item {input.item:q} {params.dem} {params.lock}"
        " {params.reference} --output {output:q} > {log:q} 2>&1"
