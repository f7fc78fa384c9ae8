"""The settings of a run, written down.

Needs: the configuration.
Gives: config.yaml with every key, defaults filled in; on the terminal, which keys have changed since. HERE, where
jobs find the folder of the run.
"""

from crossres.settings.changes import changed_since


rule resolved_config:
    output:
        f"{RUN}/config.yaml",
    log:
        f"{RUN}/logs/config.log",
    localrule: True
    conda:
        "../../envs/geo.yaml"
    params:
        settings=settings("resolved_config"),
        code=code("resolved_config"),
    message:
        "Write down the settings of this run"
    shell:
        "python -m crossres config --settings {params.settings:q} --output {output:q} > {log:q} 2>&1"


# As RUN, but below the `prefix:` of a module, or in the local copies of storage.
HERE = os.path.dirname(rules.resolved_config.output[0])

if workflow.is_main_process and Path(f"{HERE}/config.yaml").exists():
    _changed = changed_since(Path(f"{HERE}/config.yaml"), CONFIG)
    if _changed:
        print(f"Changed since {RUN} was made:", *_changed, sep="\n  ", file=sys.stderr)
