"""Registration and radiometric normalisation of each pair.

Needs: items/pairs/<pair>.json and both scenes.
Gives: aligned/<pair>/ with registered.tif, tie_points.parquet, registration.json and .png; then
lr.tif, hr.tif, mask.tif, pifs.tif, radiometry.json and .png; of several LR dates dates.tif, .json and
.png. A pair that cannot be aligned is declined in registration.json, one without a relation that can
be trusted in radiometry.json; it gives no patches. For who asks for it, `snakemake align`:
align.html, a page of all pairs before and after.
"""


rule coregister:
    input:
        pair=lambda wildcards: item_files("pairs", [wildcards.pair]),
        lr=lambda wildcards: f"{RUN}/scenes/{pair_of(wildcards)['lr']}",
        hr=lambda wildcards: f"{RUN}/scenes/{pair_of(wildcards)['hr']}",
    output:
        registered=kept_or_not(f"{RUN}/aligned/{{pair}}/registered.tif"),
        registration=f"{RUN}/aligned/{{pair}}/registration.json",
        tie_points=f"{RUN}/aligned/{{pair}}/tie_points.parquet",
        figure=report(
            f"{RUN}/aligned/{{pair}}/registration.png",
            caption="../report/registration.rst",
            category="Alignment",
            labels={"pair": "{pair}", "figure": "registration"},
        ),
    log:
        f"{RUN}/logs/coregister/{{pair}}.log",
    benchmark:
        f"{RUN}/benchmarks/coregister/{{pair}}.tsv"
    cache: SHARED
    conda:
        "../../envs/geo.yaml"
    threads: CONFIG.threads.coregister
    resources:
        mem_mb=by_attempt(4000),
        runtime=minutes(60),
    params:
        settings=settings("coregister"),
        folder=folder_of("figure"),
        pair=item_file("pairs", "pair"),
        content=lambda wildcards: digest(pair_of(wildcards)),
        code=code("coregister"),
    message:
        "Register {wildcards.pair}"
    shell:
        "python -m crossres coregister --settings {params.settings:q} --pair {params.pair:q}"
        " --lr {input.lr:q} --hr {input.hr:q} --threads {threads} --output {params.folder:q} > {log:q} 2>&1"


rule dates:
    input:
        pair=lambda wildcards: item_files("pairs", [wildcards.pair]),
        lr=lambda wildcards: f"{RUN}/scenes/{pair_of(wildcards)['lr']}",
        further=further_of,
        registration=f"{RUN}/aligned/{{pair}}/registration.json",
    output:
        dates=f"{RUN}/aligned/{{pair}}/dates.tif",
        registrations=f"{RUN}/aligned/{{pair}}/dates.json",
        figure=report(
            f"{RUN}/aligned/{{pair}}/dates.png",
            caption="../report/dates.rst",
            category="Alignment",
            labels={"pair": "{pair}", "figure": "LR dates"},
        ),
    log:
        f"{RUN}/logs/dates/{{pair}}.log",
    benchmark:
        f"{RUN}/benchmarks/dates/{{pair}}.tsv"
    cache: SHARED
    conda:
        "../../envs/geo.yaml"
    threads: CONFIG.threads.coregister
    resources:
        mem_mb=by_attempt(4000),
        runtime=minutes(60),
    params:
        settings=settings("dates"),
        folder=folder_of("dates"),
        pair=item_file("pairs", "pair"),
        content=lambda wildcards: digest(pair_of(wildcards)),
        lr_dates=CONFIG.search.lr_dates,
        code=code("dates"),
    message:
        "Register further LR dates of {wildcards.pair}"
    shell:
        "python -m crossres dates --settings {params.settings:q} --pair {params.pair:q} --lr {input.lr:q}"
        " --further {input.further:q} --lr-dates {params.lr_dates} --registration {input.registration:q}"
        " --threads {threads} --output {params.folder:q} > {log:q} 2>&1"


rule normalise:
    input:
        lr=lambda wildcards: f"{RUN}/scenes/{pair_of(wildcards)['lr']}",
        registered=f"{RUN}/aligned/{{pair}}/registered.tif",
        registration=f"{RUN}/aligned/{{pair}}/registration.json",
    output:
        lr=f"{RUN}/aligned/{{pair}}/lr.tif",
        hr=f"{RUN}/aligned/{{pair}}/hr.tif",
        mask=f"{RUN}/aligned/{{pair}}/mask.tif",
        pifs=f"{RUN}/aligned/{{pair}}/pifs.tif",
        radiometry=f"{RUN}/aligned/{{pair}}/radiometry.json",
        figure=report(
            f"{RUN}/aligned/{{pair}}/radiometry.png",
            caption="../report/radiometry.rst",
            category="Alignment",
            labels={"pair": "{pair}", "figure": "radiometry"},
        ),
    log:
        f"{RUN}/logs/normalise/{{pair}}.log",
    benchmark:
        f"{RUN}/benchmarks/normalise/{{pair}}.tsv"
    cache: SHARED
    conda:
        "../../envs/geo.yaml"
    threads: CONFIG.threads.normalise
    resources:
        mem_mb=by_attempt(4000),
        runtime=minutes(60),
    params:
        settings=settings("normalise"),
        folder=folder_of("figure"),
        code=code("normalise"),
    message:
        "Normalise the radiometry of {wildcards.pair}"
    shell:
        "python -m crossres normalise --settings {params.settings:q} --lr {input.lr:q}"
        " --registered {input.registered:q} --registration {input.registration:q}"
        " --threads {threads} --output {params.folder:q} > {log:q} 2>&1"


rule align:
    input:
        found=all_items,
        scenes=hr_scenes,
        aligned=of_all_batches(
            *(
                f"aligned/{{pair}}/{name}"
                for name in (
                    "lr.tif",
                    "hr.tif",
                    "mask.tif",
                    "registration.json",
                    "registration.png",
                    "radiometry.json",
                    "radiometry.png",
                )
            )
        ),
    output:
        f"{RUN}/align.html",
    log:
        f"{RUN}/logs/align.log",
    benchmark:
        f"{RUN}/benchmarks/align.tsv"
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(2000),
        runtime=minutes(30),
    params:
        run=of_this_run,
        code=code(
            "align",
            "evaluate/report/align.html",
            "evaluate/report/base.html",
            "evaluate/report/report.css",
            "evaluate/report/report.js",
        ),
    message:
        "Show how well the pairs lie on each other"
    shell:
        "python -m crossres align-page --run {params.run:q} --output {output:q} > {log:q} 2>&1"
