"""crossres: from a STAC search to a super-resolution model and its report.

snakemake --cores all                                   the embedded default
snakemake --cores all --configfile config/own.yaml      another experiment
snakemake --cores all align --configfile config/own.yaml    just the pairs, aligned, as a page
snakemake --cores all --report results.zip              the pieces as Snakemake's own report
"""


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/settings.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/sources.smk"
include: "workflow/rules/stored.smk"
include: "workflow/rules/found.smk"
include: "workflow/rules/arms.smk"
include: "workflow/rules/acquire.smk"
include: "workflow/rules/align.smk"
include: "workflow/rules/pairs.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/sample.smk"
include: "workflow/rules/external.smk"
include: "workflow/rules/evaluate.smk"


# A job that is taken from the cache has nothing to measure; Snakemake refuses rules that ask for
# both.
if SHARED:
    for shared in (
        rules.simulate,
        rules.download,
        rules.coregister,
        rules.dates,
        rules.normalise,
        rules.train,
        rules.distill_model,
    ):
        shared.rule._benchmark = None


localrules:
    all,
    distill,
    link_world,
    resolved_config,
    search,


rule all:
    default_target: True
    input:
        f"{RUN}/config.yaml",
        f"{RUN}/report.html",
