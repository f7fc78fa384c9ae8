"""crossres: from a STAC search to a super-resolution model and its report.

snakemake --cores all                                   the embedded default
snakemake --cores all --configfile config/own.yaml      another experiment
snakemake --cores all align --configfile config/own.yaml    just the pairs, aligned, as a page
snakemake --cores all --report results.zip              the pieces as Snakemake's own report
"""


report: "workflow/report/workflow.rst"


include: "workflow/rules/runs.smk"


if len(RUNS) == 1:

    include: "workflow/rules/run.smk"

else:
    for run, settings in RUNS.items():
        run_ = f"{run}_"

        module:
            name: run
            snakefile:
                "workflow/rules/run.smk"
            config:
                settings

        use rule * from run as run_*


rule all:
    default_target: True
    input:
        expand("results/{run}/{file}", run=RUNS, file=["config.yaml", "report.html"]),
    localrule: True


onerror:
    print(*failed_jobs(log), sep="\n", file=sys.stderr)
