"""The settings of a run, written down.

Needs: the configuration. Gives: config.yaml with every key, defaults filled in.
"""


rule resolved_config:
    output:
        f"{RUN}/config.yaml",
    log:
        f"{RUN}/logs/config.log",
    conda:
        "../../envs/geo.yaml"
    params:
        settings=settings("resolved_config"),
        code=code("resolved_config"),
    message:
        "Write down the settings of this run"
    shell:
        "python -m crossres config --settings {params.settings:q} --output {output:q} > {log:q} 2>&1"
