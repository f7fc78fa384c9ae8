"""All rules of one run.

Needs: config, the settings of this run.
Gives: the rules; results stand in results/<run>.
"""


include: "common.smk"
include: "settings.smk"
include: "simulate.smk"
include: "sources.smk"
include: "stored.smk"
include: "found.smk"
include: "arms.smk"
include: "acquire.smk"
include: "align.smk"
include: "pairs.smk"
include: "train.smk"
include: "sample.smk"
include: "external.smk"
include: "evaluate.smk"


# A job that is taken from the cache has nothing to measure; Snakemake refuses rules that ask for
# both, and has no public way to take `benchmark:` back.
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
