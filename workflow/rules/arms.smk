"""What is trained, drawn and compared: models, arms, and results of others.

Needs: found.smk.
Gives: ARMS, PRODUCT, SHOWN_MODEL, EXTERNAL and functions for `input`, `threads` and `resources`.
"""

from crossres.settings.paths import find_result

# The order of tables, figures and colours: the product first.
ARMS = sorted(CONFIG.sample.arms, key=lambda arm: arm != CONFIG.sample.primary)
PRODUCT = CONFIG.sample.arms[CONFIG.sample.primary].model

# What the report shows of it: of several folds the first.
SHOWN_MODEL = f"{PRODUCT}{FOLDS[0]}"

# Other models' results stand beside the arms: name -> folder, as it is written.
EXTERNAL = CONFIG.evaluate.external


def processes_of_model(wildcards):
    """Return how many processes are asked for; on GPUs, which the job counts, it is one each."""
    return CONFIG.variant(wildcards.model)[1].processes or 1


def threads_of_model(wildcards):
    return CONFIG.threads.train * processes_of_model(wildcards)


def memory_of_model(wildcards, attempt):
    """Return MB for all processes, more each time the job is submitted (see `by_attempt`)."""
    return 6000 * processes_of_model(wildcards) * attempt


def start_of_model(wildcards):
    """Return the folder of the model that a model's training starts from, as it is written; None without one."""
    start = CONFIG.variant(wildcards.model)[1].start_from
    return f"{RUN}/model/{start}{wildcards.fold}" if start in CONFIG.models else start


def files_of_start(wildcards):
    """Return the files of that model."""
    folder = start_of_model(wildcards)
    if folder is None:
        return []
    return [f"{expand_path(folder)}/{name}" for name in ("model.safetensors", "card.json")]


def start_option(wildcards):
    """Return the option of `train` that names it, for `params`."""
    folder = start_of_model(wildcards)
    return "" if folder is None else f"--start-from {as_written(folder)} --run {RUN}"


def model_file(name, own=None):
    """Return a function for `input` that gives a file of the model that an arm draws from."""

    def of_arm(wildcards):
        arm = CONFIG.sample.arms[own or wildcards.arm]
        return f"{RUN}/{'one_step' if arm.start == 'one-step' else 'model'}/{arm.model}{fold_of(wildcards)}/{name}"

    return of_arm


def dates_shown(wildcards, own=None):
    """Return the file with further LR dates of a pair, where an arm shows its network any."""
    shown = CONFIG.lr_dates_of(own or wildcards.arm) > 1
    return [f"{aligned_folder(wildcards)}/dates.tif"] if shown else []


def arms_together():
    """Return the arms that one job can draw: those of one model that are shown as many LR dates or none."""
    found = {}
    for name in ARMS:
        arm = CONFIG.sample.arms[name]
        found.setdefault((arm.model, arm.start == "one-step", CONFIG.lr_dates_of(name) > 1), []).append(name)
    return list(found.values())


def settings_of_arms(arms):
    """Return a function for `params` that gives the file with what a job that draws these is given."""

    @functools.cache
    def written():
        each = [json.loads(stages.given(CONFIG, "sample", arm=arm)) for arm in arms]
        for other in each[1:]:
            each[0]["sample"]["arms"] |= other["sample"]["arms"]
        return settings_file("sample", json.dumps(each[0]))

    return lambda wildcards: written()


def dates_option(arm):
    return lambda wildcards: " ".join(f"--dates {shlex.quote(path)}" for path in dates_shown(wildcards, arm))


def external_results(wildcards):
    """Return the file with another model's result of a pair, if there is one.

    A new file then reruns what follows.
    """
    folder = Path(expand_path(EXTERNAL[wildcards.external]))
    found = find_result(folder, wildcards.pair, pair_of(wildcards)["lr"])
    return [str(found)] if found else []
