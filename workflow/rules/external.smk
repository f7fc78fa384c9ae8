"""Results of other models, which are judged beside the arms.

Needs: aligned/<pair>/hr.tif of every held-out pair, and the folders of evaluate.external.
Gives: sr/<pair>/<name>/, with search.pairs_per_job above 1 sr/<batch>/external/<name>/<pair>/<name>/ by a job for each
batch.
"""

if not BATCHED:

    rule external:
        input:
            pair=lambda wildcards: item_files("pairs", [wildcards.pair]),
            aligned=aligned("hr.tif"),
            result=lambda wildcards: inputs(external_results(wildcards)),
        output:
            directory(f"{RUN}/sr/{{pair}}/{{external}}"),
        log:
            f"{RUN}/logs/external/{{pair}}/{{external}}.log",
        benchmark:
            f"{RUN}/benchmarks/external/{{pair}}/{{external}}.tsv"
        wildcard_constraints:
            external="|".join(map(re.escape, EXTERNAL)) or "(?!)",
        conda:
            "../../envs/acquire.yaml"
        threads: 1
        resources:
            mem_mb=by_attempt(4000),
            runtime=minutes(30),
        params:
            settings=settings("external"),
            pair=item_file("pairs", "pair"),
            hr=lambda wildcards: f"{aligned_folder(wildcards)}/hr.tif",
            folder=lambda wildcards: as_written(EXTERNAL[wildcards.external]),
            run=of_this_run,
            files=lambda wildcards: other_inputs(external_results(wildcards)),
            code=code("external"),
        message:
            "Bring {wildcards.external}'s result of {wildcards.pair} to the HR grid"
        shell:
            "python -m crossres external --settings {params.settings:q} --pair {params.pair:q} --folder {params.folder}"
            " --run {params.run:q} --hr {params.hr:q} --output {output:q} > {log:q} 2>&1"


if BATCHED:

    rule external:
        input:
            pairs=lambda wildcards: item_files("pairs", pairs_held_out(wildcards.batch)),
            aligned=f"{RUN}/batches/{{batch}}",
            result=lambda wildcards: inputs(external_results_of_batch(wildcards)),
        output:
            directory(f"{RUN}/sr/{{batch}}/external/{{external}}"),
        log:
            f"{RUN}/logs/external/{{batch}}/{{external}}.log",
        benchmark:
            f"{RUN}/benchmarks/external/{{batch}}/{{external}}.tsv"
        wildcard_constraints:
            external="|".join(map(re.escape, EXTERNAL)) or "(?!)",
        conda:
            "../../envs/acquire.yaml"
        threads: 1
        resources:
            mem_mb=by_attempt(4000),
            runtime=minutes(240),
        params:
            settings=settings("external"),
            pairs=lambda wildcards: pairs_held_out(wildcards.batch),
            found=f"{HERE}/items",
            folder=lambda wildcards: as_written(EXTERNAL[wildcards.external]),
            run=of_this_run,
            files=lambda wildcards: other_inputs(external_results_of_batch(wildcards)),
            code=command_version("external-batch"),
        message:
            "Bring {wildcards.external}'s results of {wildcards.batch} to the HR grid"
        shell:
            "python -m crossres external-batch --settings {params.settings:q} --name {wildcards.external:q}"
            " --held-out {params.pairs:q} --items {params.found:q} --folder {params.folder} --run {params.run:q}"
            " --aligned {input.aligned:q}/aligned --output {output:q} > {log:q} 2>&1"
