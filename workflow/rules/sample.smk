"""Super-resolution of held-out scenes: a job for each scene and arm.

Needs: aligned/<pair>/lr.tif, of several LR dates dates.tif beside it, and model/<name>/ or one_step/<name>/,
of several folds that of the fold which holds the scene out. With search.pairs_per_job above 1 a job
draws all arms of one model.
Gives: sr/<pair>/<arm>/ with mean.tif, std.tif, sample.tif and item.json; support.tif where there
are several samples.
"""

if not BATCHED:

    rule sample:
        input:
            aligned=lambda wildcards: aligned("lr.tif", *map(os.path.basename, dates_shown(wildcards)))(wildcards),
            weights=model_file("model.safetensors"),
            best=model_file("best.safetensors"),
            card=model_file("card.json"),
        output:
            directory(f"{RUN}/sr/{{pair}}{{part}}/{{arm}}"),
        log:
            f"{RUN}/logs/sample/{{pair}}{{part}}/{{arm}}.log",
        benchmark:
            f"{RUN}/benchmarks/sample/{{pair}}{{part}}/{{arm}}.tsv"
        wildcard_constraints:
            arm="|".join(map(re.escape, ARMS)),
        conda:
            TORCH
        threads: CONFIG.threads.sample
        resources:
            mem_mb=by_attempt(4000),
            runtime=by_attempt(240),
        params:
            settings=settings("sample"),
            lr=lambda wildcards: f"{aligned_folder(wildcards)}/lr.tif",
            dates=lambda wildcards: " ".join(f"--dates {shlex.quote(path)}" for path in dates_shown(wildcards)),
            folder=folder_of("weights"),
            code=code("sample"),
        message:
            "Super-resolve {wildcards.pair}{wildcards.part} ({wildcards.arm})"
        shell:
            "python -m crossres sample --settings {params.settings:q} --name {wildcards.arm:q} --lr {params.lr:q}"
            " {params.dates} --model {params.folder:q} --threads {threads} --output {output:q} > {log:q} 2>&1"


if BATCHED:
    # As many rules as models: the outputs of a rule are its own, and known before anything runs.
    for number, arms in enumerate(arms_together()):

        rule:
            name:
                f"sample_{number}"
            input:
                aligned=aligned("lr.tif"),
                weights=model_file("model.safetensors", arms[0]),
                best=model_file("best.safetensors", arms[0]),
                card=model_file("card.json", arms[0]),
            output:
                [directory(f"{RUN}/sr/{{pair}}{{part}}/{arm}") for arm in arms],
            log:
                f"{RUN}/logs/sample/{{pair}}{{part}}/{arms[0]}.log",
            benchmark:
                f"{RUN}/benchmarks/sample/{{pair}}{{part}}/{arms[0]}.tsv"
            conda:
                TORCH
            threads: CONFIG.threads.sample
            resources:
                mem_mb=by_attempt(4000),
                runtime=by_attempt(240),
            params:
                settings=settings_of_arms(arms),
                arms=arms,
                lr=lambda wildcards: f"{aligned_folder(wildcards)}/lr.tif",
                dates=dates_option(arms[0]),
                model=folder_of("weights"),
                # One arm is written into the folder that is named, several each into one of its own.
                folder=lambda wildcards, output: output[0] if len(output) == 1 else os.path.dirname(output[0]),
                code=code("sample"),
            message:
                "Super-resolve {wildcards.pair}{wildcards.part} ({params.arms})"
            shell:
                "python -m crossres sample --settings {params.settings:q} --name {params.arms:q} --lr {params.lr:q}"
                " {params.dates} --model {params.model:q} --threads {threads} --output {params.folder:q} > {log:q} 2>&1"
