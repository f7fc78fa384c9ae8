"""Super-resolution of held-out scenes: a job for each scene and arm.

Needs: aligned/<pair>/lr.tif, of several LR dates dates.tif beside it, and model/<name>/ or one_step/<name>/,
of several folds that of the fold which holds the scene out.
Gives: sr/<pair>/<arm>/ with mean.tif, std.tif, sample.tif and item.json; support.tif where there
are several samples. With search.pairs_per_job above 1 a job draws all arms of one model from all scenes of
a batch (of several folds, from those that the fold holds out) and gives sr/<batch>/model/<name>/<pair>/<arm>/.
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
        threads: threads_of_sampling
        resources:
            mem_mb=by_attempt(4000),
            runtime=minutes(240),
            gres=gres_of_sampling,
            nodes=1,
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

    rule sample:
        input:
            aligned=f"{RUN}/batches/{{batch}}",
            weights=f"{RUN}/{{kind}}/{{model}}{{fold}}/model.safetensors",
            best=f"{RUN}/{{kind}}/{{model}}{{fold}}/best.safetensors",
            card=f"{RUN}/{{kind}}/{{model}}{{fold}}/card.json",
        output:
            directory(f"{RUN}/sr/{{batch}}{{fold}}/{{kind}}/{{model}}"),
        log:
            f"{RUN}/logs/sample/{{batch}}{{fold}}/{{kind}}/{{model}}.log",
        benchmark:
            f"{RUN}/benchmarks/sample/{{batch}}{{fold}}/{{kind}}/{{model}}.tsv"
        conda:
            TORCH
        threads: threads_of_sampling
        resources:
            mem_mb=by_attempt(4000),
            runtime=minutes(240),
            gres=gres_of_sampling,
            nodes=1,
        params:
            settings=lambda wildcards: settings_of_arms(wildcards.kind, wildcards.model),
            arms=arms_of,
            scenes=held_out_of_job,
            dates=dated_of,
            folder=folder_of("weights"),
            code=command_version("sample-batch"),
        message:
            "Super-resolve {wildcards.batch} ({wildcards.model}{wildcards.fold})"
        shell:
            "python -m crossres sample-batch --settings {params.settings:q} --names {params.arms:q}"
            " --held-out {params.scenes:q} --aligned {input.aligned:q}/aligned {params.dates} --model {params.folder:q}"
            " --threads {threads} --output {output:q} > {log:q} 2>&1"
