"""Training: a job for each model that an arm draws from, and one for each that is distilled of it.

Needs: pairs/dataset.zarr or pairs/cache, index.parquet and summary.json, of each fold its own; the model that
train.start_from names.
Gives: model/<name>/ with model.safetensors (averaged weights), best.safetensors (those that did
best in validation), card.json, history.csv and curves.png; one_step/<name>/ with the same for arms
that start one-step, and for `snakemake distill`. With dataset.folds there is one for each fold, in
model/<name>/fold-<n>/. A job that was stopped goes on where it last saved.
"""


rule train:
    input:
        dataset=training_data,
        tables=lambda wildcards: split_tables(wildcards.fold),
        start=lambda wildcards: inputs(files_of_start(wildcards)),
    output:
        weights=f"{RUN}/model/{{model}}{{fold}}/model.safetensors",
        best=f"{RUN}/model/{{model}}{{fold}}/best.safetensors",
        card=f"{RUN}/model/{{model}}{{fold}}/card.json",
        history=f"{RUN}/model/{{model}}{{fold}}/history.csv",
        curves=report(
            f"{RUN}/model/{{model}}{{fold}}/curves.png",
            caption="../report/curves.rst",
            category="Training",
            labels={"model": "{model}{fold}", "figure": "training curves"},
        ),
    log:
        f"{RUN}/logs/train/{{model}}{{fold}}.log",
    benchmark:
        f"{RUN}/benchmarks/train/{{model}}{{fold}}.tsv"
    cache: SHARED
    conda:
        TORCH
    threads: threads_of_model
    resources:
        mem_mb=memory_of_model,
        runtime=minutes(1440),
        gres=CONFIG.jobs.train_gres or "",
        nodes=nodes_of_model,
        tasks=nodes_of_model,
        tasks_per_gpu=0,
    params:
        settings=settings("train"),
        index=lambda wildcards: here(split_table(wildcards.fold, "index.parquet")),
        summary=lambda wildcards: here(split_table(wildcards.fold, "summary.json")),
        folder=folder_of("weights"),
        start=start_option,
        start_files=lambda wildcards: other_inputs(files_of_start(wildcards)),
        events=f"{HERE}/logs/tensorboard/{{model}}{{fold}}",
        code=code("train"),
    message:
        "Train the diffusion path from LR to HR ({wildcards.model}{wildcards.fold})"
    shell:
        "python -m crossres train --settings {params.settings:q} --name {wildcards.model:q}"
        " --dataset {input.dataset:q} --index {params.index:q} --summary {params.summary:q} --output {params.folder:q} --events {params.events:q}"
        " {params.start} --threads {threads} > {log:q} 2>&1"


rule distill_model:
    input:
        dataset=training_data,
        tables=lambda wildcards: split_tables(wildcards.fold),
        weights=f"{RUN}/model/{{model}}{{fold}}/model.safetensors",
        card=f"{RUN}/model/{{model}}{{fold}}/card.json",
    output:
        weights=f"{RUN}/one_step/{{model}}{{fold}}/model.safetensors",
        best=f"{RUN}/one_step/{{model}}{{fold}}/best.safetensors",
        card=f"{RUN}/one_step/{{model}}{{fold}}/card.json",
        history=f"{RUN}/one_step/{{model}}{{fold}}/history.csv",
        curves=report(
            f"{RUN}/one_step/{{model}}{{fold}}/curves.png",
            caption="../report/curves.rst",
            category="Training",
            labels={"model": "{model}{fold}, one step", "figure": "training curves"},
        ),
    log:
        f"{RUN}/logs/distill/{{model}}{{fold}}.log",
    benchmark:
        f"{RUN}/benchmarks/distill/{{model}}{{fold}}.tsv"
    cache: SHARED
    conda:
        TORCH
    threads: threads_of_model
    resources:
        mem_mb=memory_of_model,
        runtime=minutes(1440),
        gres=CONFIG.jobs.train_gres or "",
        nodes=nodes_of_model,
        tasks=nodes_of_model,
        tasks_per_gpu=0,
    params:
        settings=settings("distill_model"),
        teacher=lambda wildcards, input: os.path.dirname(input.weights),
        index=lambda wildcards: here(split_table(wildcards.fold, "index.parquet")),
        summary=lambda wildcards: here(split_table(wildcards.fold, "summary.json")),
        folder=folder_of("weights"),
        events=f"{HERE}/logs/tensorboard/one_step_{{model}}{{fold}}",
        code=code("distill_model"),
    message:
        "Distil a one-step model ({wildcards.model}{wildcards.fold})"
    shell:
        "python -m crossres distill --settings {params.settings:q} --teacher {params.teacher:q} --dataset {input.dataset:q}"
        " --index {params.index:q} --summary {params.summary:q} --output {params.folder:q} --events {params.events:q}"
        " --threads {threads} > {log:q} 2>&1"


rule distill:
    input:
        expand(f"{RUN}/one_step/{PRODUCT}{{fold}}/card.json", fold=FOLDS),
    localrule: True
