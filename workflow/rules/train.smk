"""Training.

Needs: pairs/dataset.zarr (or pairs/cache, where the training split does not fit in memory), index.parquet and summary.json. Gives: model/ with model.safetensors (averaged weights), card.json (everything
needed to use them), history.csv and curves.png. Uses a GPU where torch sees one.
"""


rule train:
    input:
        dataset=training_data,
        index=f"{RUN}/pairs/index.parquet",
        summary=f"{RUN}/pairs/summary.json",
    output:
        weights=f"{RUN}/model/model.safetensors",
        card=f"{RUN}/model/card.json",
        history=f"{RUN}/model/history.csv",
        curves=report(
            f"{RUN}/model/curves.png",
            caption="../report/curves.rst",
            category="Training",
            labels={"figure": "training curves"},
        ),
    log:
        f"{RUN}/logs/train.log",
    benchmark:
        f"{RUN}/benchmarks/train.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: CONFIG.train.threads
    resources:
        mem_mb=6000,
        runtime=1440,
    params:
        settings=settings("train", "model"),
        folder=folder_of("weights"),
        code=code_version("crossres.diffusion.training"),
    message:
        "Train the diffusion path from LR to HR"
    shell:
        "python -m crossres train --settings {params.settings:q} --dataset {input.dataset:q} --index {input.index:q}"
        " --summary {input.summary:q} --output {params.folder:q} > {log:q} 2>&1"
