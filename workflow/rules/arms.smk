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


# What the GPUs of a node are called that a training asks for, and how many these are.
TRAIN_GPUS = CONFIG.jobs.gpus(CONFIG.jobs.train_gres)
SAMPLE_GPUS = CONFIG.jobs.gpus(CONFIG.jobs.sample_gres)


def processes_of_model(wildcards):
    """Return how many processes train on a node: as many as is said, else one on each GPU."""
    return CONFIG.variant(wildcards.model)[1].processes or TRAIN_GPUS or 1


def threads_of_model(wildcards):
    return max(CONFIG.threads.train * processes_of_model(wildcards), CONFIG.jobs.cpus_per_gpu * TRAIN_GPUS)


def memory_of_model(wildcards, attempt):
    """Return MB for all processes of a node (see `memory`)."""
    return memory(6000 * processes_of_model(wildcards), attempt)


def nodes_of_model(wildcards):
    """Return how many nodes train a model together, each with GPUs of its own."""
    return CONFIG.variant(wildcards.model)[1].nodes


def draws_from_network(wildcards):
    """Return whether a job that samples has a network, and a use for a GPU."""
    return any(CONFIG.sample.arms[arm].has_network for arm in (arms_of(wildcards) if BATCHED else [wildcards.arm]))


def gres_of_sampling(wildcards):
    """Return the GPUs that such a job asks for."""
    return CONFIG.jobs.sample_gres or "" if draws_from_network(wildcards) else ""


def threads_of_sampling(wildcards):
    gpus = SAMPLE_GPUS if draws_from_network(wildcards) else 0
    return max(CONFIG.threads.sample, CONFIG.jobs.cpus_per_gpu * gpus)


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
    return "" if folder is None else f"--start-from {as_written(here(folder))} --run {shlex.quote(HERE)}"


def model_file(name):
    """Return a function for `input` that gives a file of the model that an arm draws from."""

    def of_arm(wildcards):
        arm = CONFIG.sample.arms[wildcards.arm]
        return f"{RUN}/{'one_step' if arm.start == 'one-step' else 'model'}/{arm.model}{fold_of(wildcards)}/{name}"

    return of_arm


def dates_shown(wildcards):
    """Return the file with further LR dates of a pair, where an arm shows its network any, for `params`."""
    shown = CONFIG.lr_dates_of(wildcards.arm) > 1
    return [f"{aligned_folder(wildcards)}/dates.tif"] if shown else []


def drawn_of(arm):
    """Return what an arm is drawn with: the folder of its model in the run, and the model's name."""
    own = CONFIG.sample.arms[arm]
    return "one_step" if own.start == "one-step" else "model", own.model


def arms_of(wildcards):
    """Return the arms that one job of a batch draws: all of one model."""
    return [arm for arm in ARMS if drawn_of(arm) == (wildcards.kind, wildcards.model)]


def dated_of(wildcards):
    """Return which of them show their network further LR dates, as an option of `sample-batch`."""
    dated = [arm for arm in arms_of(wildcards) if CONFIG.lr_dates_of(arm) > 1]
    return " ".join(["--dated", *map(shlex.quote, dated)]) if dated else ""


@functools.cache
def settings_of_arms(kind, model):
    """Return the file with what the job that draws these arms is given."""
    each = [json.loads(stages.given(CONFIG, "sample", arm=arm)) for arm in ARMS if drawn_of(arm) == (kind, model)]
    for other in each[1:]:
        each[0]["sample"]["arms"] |= other["sample"]["arms"]
    return settings_file("sample", json.dumps(each[0]))


def drawn_of_batch(wildcards):
    """Return the folders with all images of the held-out scenes of a batch."""
    folds = [fold for batch, fold in held_out_by_job() if batch == wildcards.batch]
    drawn = sorted({"/".join(drawn_of(arm)) for arm in ARMS})
    return [
        *(f"{RUN}/sr/{wildcards.batch}{fold}/{model}" for fold in folds for model in drawn),
        *(f"{RUN}/sr/{wildcards.batch}/external/{name}" for name in EXTERNAL),
    ]


def external_results(wildcards):
    """Return the file with another model's result of a pair, if there is one.

    A new file then reruns what follows.
    """
    return results_of(wildcards.external, [wildcards.pair])


def external_results_of_batch(wildcards):
    """Return the same of all held-out pairs of a batch."""
    return results_of(wildcards.external, pairs_held_out(wildcards.batch))


def results_of(external, pairs):
    folder = Path(expand_path(EXTERNAL[external]))
    found = [find_result(folder, pair, pair_content(pair)["lr"]) for pair in pairs]
    return [str(path) for path in found if path]
