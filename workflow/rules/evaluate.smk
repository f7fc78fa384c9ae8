"""Metrics of held-out scenes, what follows from them, and the report.

Needs: aligned/<pair>/ and sr/<pair>/<arm>/ of every held-out pair.
Gives: evaluation/scenes/<pair>/, with search.pairs_per_job above 1 evaluation/scenes/<batch>/<pair>/ by a job for each
batch; evaluation/summary.json and .parquet; evaluation/opensr_test.csv; evaluation/claim.json,
.parquet and .png; evaluation/figures/; report.html, one page that needs nothing beside it.
"""

if not BATCHED:

    rule evaluate:
        input:
            aligned=aligned("lr.tif", "hr.tif", *(["mask.tif"] if BY_PAIR else [])),
            mask=[] if BY_PAIR else f"{RUN}/pairs/held_out/{{pair}}{{part}}.tif",
            arms=[
                *expand(f"{RUN}/sr/{{{{pair}}}}{{{{part}}}}/{{arm}}", arm=ARMS),
                *expand(f"{RUN}/sr/{{{{pair}}}}/{{external}}", external=EXTERNAL),
            ],
        output:
            report(
                directory(f"{RUN}/evaluation/scenes/{{pair}}{{part}}"),
                patterns=["{figure}.png"],
                caption="../report/scene.rst",
                category="Held-out scenes",
                labels={"pair": "{pair}{part}", "figure": "{figure}"},
            ),
        log:
            f"{RUN}/logs/evaluate/{{pair}}{{part}}.log",
        benchmark:
            f"{RUN}/benchmarks/evaluate/{{pair}}{{part}}.tsv"
        conda:
            "../../envs/evaluate.yaml"
        threads: CONFIG.threads.evaluate
        resources:
            mem_mb=by_attempt(4000),
            runtime=minutes(60),
        params:
            settings=settings("evaluate"),
            folder=aligned_folder,
            mask=lambda wildcards, input: input.mask or f"{aligned_folder(wildcards)}/mask.tif",
            name=lambda wildcards: f"{wildcards.pair}{wildcards.part}",
            code=code("evaluate"),
        message:
            "Evaluate {wildcards.pair}{wildcards.part}"
        shell:
            "python -m crossres evaluate --settings {params.settings:q} --pair {params.name:q}"
            " --aligned {params.folder:q} --mask {params.mask:q} --arms {input.arms:q} --threads {threads}"
            " --output {output:q} > {log:q} 2>&1"


if BATCHED:

    rule evaluate:
        input:
            aligned=f"{RUN}/batches/{{batch}}",
            tables=tables_of_batch,
            drawn=drawn_of_batch,
        output:
            report(
                directory(f"{RUN}/evaluation/scenes/{{batch}}"),
                patterns=["{pair,[^/]+}/{figure}.png"],
                caption="../report/scene.rst",
                category="Held-out scenes",
                labels={"pair": "{pair}", "figure": "{figure}"},
            ),
        log:
            f"{RUN}/logs/evaluate/{{batch}}.log",
        benchmark:
            f"{RUN}/benchmarks/evaluate/{{batch}}.tsv"
        conda:
            "../../envs/evaluate.yaml"
        threads: CONFIG.threads.evaluate
        resources:
            mem_mb=by_attempt(4000),
            runtime=minutes(240),
        params:
            settings=settings("evaluate"),
            scenes=lambda wildcards: held_out_of_batch(wildcards.batch),
            index=index_option,
            arms=[*ARMS, *EXTERNAL],
            code=command_version("evaluate-batch"),
        message:
            "Evaluate {wildcards.batch}"
        shell:
            "python -m crossres evaluate-batch --settings {params.settings:q} --held-out {params.scenes:q}"
            " --aligned {input.aligned:q}/aligned {params.index} --drawn {input.drawn:q} --arms {params.arms:q}"
            " --threads {threads} --output {output:q} > {log:q} 2>&1"


rule summarise:
    input:
        dataset=f"{RUN}/pairs/summary.json",
        scenes=evaluated,
    output:
        summary=f"{RUN}/evaluation/summary.json",
        table=f"{RUN}/evaluation/summary.parquet",
        opensr=f"{RUN}/evaluation/opensr_test.csv",
    log:
        f"{RUN}/logs/summarise.log",
    benchmark:
        f"{RUN}/benchmarks/summarise.tsv"
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(2000),
        runtime=minutes(30),
    params:
        folder=f"{HERE}/evaluation/scenes",
        primary=CONFIG.sample.primary,
        code=code("summarise"),
    message:
        "Put the metrics of all held-out scenes together"
    shell:
        "python -m crossres summarise --dataset {input.dataset:q} --scenes {params.folder:q}"
        " --primary {params.primary:q} --summary {output.summary:q} --table {output.table:q}"
        " --opensr {output.opensr:q} > {log:q} 2>&1"


rule claim:
    input:
        table=f"{RUN}/evaluation/summary.parquet",
    output:
        claim=f"{RUN}/evaluation/claim.json",
        curves=f"{RUN}/evaluation/claim.parquet",
        figure=report(
            f"{RUN}/evaluation/claim.png",
            caption="../report/claim.rst",
            category="Results",
            labels={"figure": "claim"},
        ),
    log:
        f"{RUN}/logs/claim.log",
    benchmark:
        f"{RUN}/benchmarks/claim.tsv"
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(2000),
        runtime=minutes(30),
    params:
        settings=settings("claim"),
        code=code("claim"),
    message:
        "Judge whether a start from the LR image saves steps"
    shell:
        "python -m crossres claim --settings {params.settings:q} --table {input.table:q} --output {output.claim:q}"
        " --curves {output.curves:q} --figure {output.figure:q} > {log:q} 2>&1"


rule figures:
    input:
        summary=f"{RUN}/evaluation/summary.json",
        dataset=f"{RUN}/pairs/summary.json",
        scenes=evaluated,
    output:
        report(
            directory(f"{RUN}/evaluation/figures"),
            patterns=["{figure}.png"],
            caption="../report/figures.rst",
            category="Results",
            labels={"figure": "{figure}"},
        ),
    log:
        f"{RUN}/logs/figures.log",
    benchmark:
        f"{RUN}/benchmarks/figures.tsv"
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(2000),
        runtime=minutes(30),
    params:
        settings=settings("figures"),
        folder=f"{HERE}/evaluation/scenes",
        code=code("figures"),
    message:
        "Draw the figures"
    shell:
        "python -m crossres figures --settings {params.settings:q} --summary {input.summary:q}"
        " --dataset {input.dataset:q} --scenes {params.folder:q} --output {output:q} > {log:q} 2>&1"


rule report:
    input:
        config=f"{RUN}/config.yaml",
        found=all_items,
        aligned=of_all_batches(
            "aligned/{pair}/registration.json",
            "aligned/{pair}/registration.png",
            "aligned/{pair}/radiometry.json",
            "aligned/{pair}/radiometry.png",
            *(["aligned/{pair}/dates.json", "aligned/{pair}/dates.png"] if CONFIG.search.lr_dates > 1 else []),
        ),
        dataset=f"{RUN}/pairs/summary.json",
        contact_sheet=f"{RUN}/pairs/contact_sheet.png",
        curves=f"{RUN}/model/{SHOWN_MODEL}/curves.png",
        history=f"{RUN}/model/{SHOWN_MODEL}/history.csv",
        card=f"{RUN}/model/{SHOWN_MODEL}/card.json",
        scenes=evaluated,
        summary=f"{RUN}/evaluation/summary.json",
        table=f"{RUN}/evaluation/summary.parquet",
        opensr=f"{RUN}/evaluation/opensr_test.csv",
        claim=rules.claim.output,
        figures=f"{RUN}/evaluation/figures",
    output:
        report(
            f"{RUN}/report.html",
            caption="../report/report.rst",
            category="Report",
            labels={"page": "report.html"},
        ),
    log:
        f"{RUN}/logs/report.log",
    benchmark:
        f"{RUN}/benchmarks/report.tsv"
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(2000),
        runtime=minutes(30),
    params:
        settings=settings("report"),
        primary=CONFIG.sample.primary,
        model=SHOWN_MODEL,
        folder=folder_of("config"),
        code=code(
            "report",
            "evaluate/report/base.html",
            "evaluate/report/dates.html",
            "evaluate/report/opensr.html",
            "evaluate/report/report.html",
            "evaluate/report/report.css",
            "evaluate/report/report.js",
            "evaluate/report/uses.html",
        ),
    message:
        "Write the report"
    shell:
        "python -m crossres report --settings {params.settings:q} --run {params.folder:q}"
        " --primary {params.primary:q} --model {params.model:q} --output {output:q} > {log:q} 2>&1"
