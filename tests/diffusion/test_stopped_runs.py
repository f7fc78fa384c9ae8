"""A training run that is killed, short of memory or shared by processes ends where one ends that was none of these."""

import json
import logging
import math
import os
import re
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from small_world import write_dataset

from crossres.diffusion.model.checkpoint import load, load_card
from crossres.diffusion.model.network import Network
from crossres.diffusion.train.fit import READ_EVERY
from crossres.diffusion.train.from_data import train
from crossres.diffusion.train.learning_rate import learning_rate
from crossres.diffusion.train.learning_step import Objective
from crossres.diffusion.train.state import state_file
from crossres.diffusion.train.validation import ENOUGH, Validation
from crossres.errors import UserError
from crossres.settings.model import ModelSettings
from crossres.settings.train import GainSettings, TrainSettings

SETTINGS = TrainSettings(
    steps=12, batch=4, micro_batch=4, crop_px=32, validate_every=5, save_minutes=1e-6, max_shift_px=0.4,
    gain=GainSettings(share=0.5, band=0.05),
)  # fmt: skip

MODEL = ModelSettings(width=8, embedding=16)


def command(settings: TrainSettings, dataset: tuple[Path, Path, Path], output: Path) -> list[str]:
    content = json.dumps({"train": settings.model_dump(mode="json"), "model": MODEL.model_dump(mode="json")})
    paths = dict(zip(("--dataset", "--index", "--summary"), dataset, strict=True)) | {"--output": output}
    options = [str(part) for pair in paths.items() for part in pair]
    return ["crossres", "train", "--settings", content, *options]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(small_dataset, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    train(SETTINGS, MODEL, *small_dataset, tmp_path / "whole")
    output = tmp_path / "killed"
    state = state_file(output)
    process = subprocess.Popen([sys.executable, "-m", *command(SETTINGS, small_dataset, output)], text=True,
                               stderr=subprocess.PIPE)  # fmt: skip
    while process.poll() is None and not state.exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL and not output.exists()

    train(SETTINGS, MODEL, *small_dataset, output)
    [line] = [line for line in caplog.messages if "going on after step" in line]
    assert int(line.split()[4]) in range(1, 12)
    assert files(output) == files(tmp_path / "whole")
    assert not state.exists()


class Stopped(Exception):
    pass


def stop_at(step: int, monkeypatch) -> None:
    """Let training die before its given step, after what came before has been saved."""
    calls = iter(range(1, 1000))
    forward = Network.forward

    def until(self, *args):
        if self.training and next(calls) == step:
            raise Stopped
        return forward(self, *args)

    monkeypatch.setattr(Network, "forward", until)


@pytest.fixture
def stopped(small_dataset, tmp_path) -> Path:
    """The output of a run that died in step 4, with its state of step 3 beside it."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        stop_at(4, patch)
        train(SETTINGS, MODEL, *small_dataset, tmp_path / "model")
    assert state_file(tmp_path / "model").exists()
    return tmp_path / "model"


def test_the_state_is_plain_numbers_and_json(stopped):
    with safe_open(state_file(stopped), "pt") as state:
        about = json.loads(state.metadata()["run"])
        assert about["updates"] == 3 and about["to"]["train.learning_rate"] == SETTINGS.learning_rate
        assert state.get_tensor("history").shape == (3, len(about["columns"]))


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGUSR1])
def test_a_run_that_is_asked_to_saves_at_once_and_ends_where_it_should(asked, small_dataset, tmp_path):
    settings = SETTINGS.model_copy(update={"save_minutes": 60, "steps": 60, "validate_every": 60})
    output = tmp_path / "asked"
    process = subprocess.Popen([sys.executable, "-m", *command(settings, small_dataset, output)], text=True,
                               stderr=subprocess.PIPE)  # fmt: skip
    said = ""
    while "step 6 of 60" not in said:
        said += process.stderr.readline()
    process.send_signal(asked)
    said += process.stderr.read()
    train(settings, MODEL, *small_dataset, tmp_path / "whole")
    if asked == signal.SIGUSR1:
        assert process.wait() == 0
    else:
        assert process.wait() == 1 and "Traceback" not in said
        step = int(re.search(r"^crossres train: error: stopped by SIGTERM at step (\d+); goes on", said, re.M)[1])
        with safe_open(state_file(output), "pt") as state:
            assert json.loads(state.metadata()["run"])["updates"] == step < 60
        train(settings, MODEL, *small_dataset, output)
    assert files(output) == files(tmp_path / "whole")


def test_a_run_that_is_asked_to_save_before_it_begins_begins(small_dataset, tmp_path):
    settings = SETTINGS.model_copy(update={"steps": 2, "validate_every": 2})
    process = subprocess.Popen([sys.executable, "-X", "importtime", "-m", *command(settings, small_dataset,
                               tmp_path / "model")], text=True, stderr=subprocess.PIPE)  # fmt: skip
    while "torch._C" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGUSR1)
    process.stderr.read()
    assert process.wait() == 0 and (tmp_path / "model" / "card.json").exists()


def test_processes_stop_together_and_another_number_of_them_goes_on(small_dataset, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    settings = SETTINGS.model_copy(update={"save_minutes": 60, "steps": 60, "validate_every": 60, "processes": 2})
    output = tmp_path / "asked"
    process = subprocess.Popen([sys.executable, "-m", *command(settings, small_dataset, output)], text=True,
                               stderr=subprocess.PIPE)  # fmt: skip
    said = ""
    while "step 6 of 60" not in said:
        said += process.stderr.readline()
    process.send_signal(signal.SIGUSR1)
    while not state_file(output).exists():
        time.sleep(0.01)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    said += process.stderr.read()
    assert process.wait() == 1 and "Traceback" not in said
    step = int(re.search(r"^crossres train: error: stopped by SIGTERM at step (\d+); goes on", said, re.M)[1])
    alone = settings.model_copy(update={"processes": None})
    train(alone, MODEL, *small_dataset, output)
    assert f"going on after step {step} of 60" in caplog.messages
    train(alone, MODEL, *small_dataset, tmp_path / "whole")
    assert np.allclose(losses(output), losses(tmp_path / "whole"), rtol=1e-3)


def test_sigusr1_leaves_a_state_behind_while_the_run_goes_on(small_dataset, tmp_path, monkeypatch):
    seen = []
    validate = Validation.network

    def ask(self, *args):
        seen.append(state_file(tmp_path / "model").exists())
        os.kill(os.getpid(), signal.SIGUSR1)
        return validate(self, *args)

    monkeypatch.setattr(Validation, "network", ask)
    handler = signal.getsignal(signal.SIGUSR1)
    train(SETTINGS.model_copy(update={"save_minutes": 60}), MODEL, *small_dataset, tmp_path / "model")
    assert seen[:2] == [False, True] and signal.getsignal(signal.SIGUSR1) == handler


def test_a_run_goes_on_with_other_ways_to_run_it_and_with_other_code(
    stopped, small_dataset, tmp_path, caplog, monkeypatch
):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("crossres.diffusion.train.from_data.code_version", lambda _: "another")
    other = {"save_minutes": 5.0, "loaders": 2, "validate_every": 4}
    train(SETTINGS.model_copy(update=other), MODEL, *small_dataset, stopped)
    assert "going on after step 3 of 12" in caplog.messages
    assert any("the code or torch changed" in line for line in caplog.messages)
    train(SETTINGS, MODEL, *small_dataset, tmp_path / "whole")
    assert (stopped / "model.safetensors").read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()


def test_a_run_that_is_given_more_steps_goes_on_at_the_rates_of_the_longer_run(stopped, small_dataset, caplog):
    caplog.set_level(logging.INFO)
    longer = SETTINGS.model_copy(update={"steps": 20})
    train(longer, MODEL, *small_dataset, stopped)
    assert any("train.steps was 12 and is 20" in line for line in caplog.messages)
    rates = pd.read_csv(stopped / "history.csv")["learning_rate"].tolist()
    expected = [learning_rate(k, SETTINGS if k < 3 else longer) for k in range(20)]
    assert rates == pytest.approx(expected, rel=1e-5)


def test_a_run_that_had_more_steps_than_are_asked_for_starts_anew(stopped, small_dataset, tmp_path):
    short = SETTINGS.model_copy(update={"steps": 2})
    train(short, MODEL, *small_dataset, stopped)
    train(short, MODEL, *small_dataset, tmp_path / "fresh")
    assert files(stopped) == files(tmp_path / "fresh")


def test_a_state_that_cannot_be_written_is_an_error_of_the_run(small_dataset, tmp_path):
    state_file(tmp_path / "model").mkdir()
    with pytest.raises(OSError):
        train(SETTINGS, MODEL, *small_dataset, tmp_path / "model")


def test_losses_may_be_read_late_and_all_are_there(small_dataset, tmp_path, monkeypatch):
    train(SETTINGS, MODEL, *small_dataset, tmp_path / "each")
    monkeypatch.setitem(READ_EVERY, "cpu", 4)
    train(SETTINGS, MODEL, *small_dataset, tmp_path / "late")
    assert files(tmp_path / "each") == files(tmp_path / "late")


def test_a_loss_that_is_read_late_and_is_not_a_number_names_its_step(small_dataset, tmp_path, monkeypatch):
    monkeypatch.setitem(READ_EVERY, "cpu", 5)
    loss, calls = Objective.__call__, iter(range(1, 100))
    monkeypatch.setattr(Objective, "__call__", lambda *a: loss(*a) * (math.nan if next(calls) == 3 else 1))
    with pytest.raises(UserError, match="the loss is not a number at step 3;"):
        train(SETTINGS, MODEL, *small_dataset, tmp_path / "model")


def test_the_best_weights_of_a_stopped_run_are_those_of_one_that_was_not(tmp_path):
    dataset = write_dataset(tmp_path, Fraction(4), 16, 6, ENOUGH)
    falling_apart = {"learning_rate": 0.3, "ema": 0.5}
    settings = SETTINGS.model_copy(update={"validate_every": 1, "steps": 8, **falling_apart})
    train(settings, MODEL, *dataset, tmp_path / "whole")
    card = load_card(tmp_path / "whole")
    swd = pd.read_csv(tmp_path / "whole" / "history.csv")["swd"]
    assert card.best.step == swd.argmin() + 1 and card.best.metrics["swd"] == pytest.approx(swd.min(), rel=1e-5)
    assert card.best.step < 8, "the last step is the best: this test sees nothing"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        stop_at(7, patch)
        train(settings, MODEL, *dataset, tmp_path / "stopped")
    train(settings, MODEL, *dataset, tmp_path / "stopped")
    assert files(tmp_path / "stopped") == files(tmp_path / "whole")
    assert {"best.safetensors", "model.safetensors"} <= files(tmp_path / "whole").keys()

    best, last = (load(tmp_path / "whole", weights) for weights in ("best", "last"))
    assert best.card.weights_sha256 != last.card.weights_sha256 and best.card.sigma == card.best.sigma
    assert not all(torch.equal(a, b) for a, b in zip(best.network.parameters(), last.network.parameters()))


def test_of_few_patches_no_best_is_chosen(small_dataset, tmp_path):
    train(SETTINGS.model_copy(update={"steps": 2, "validate_every": 1}), MODEL, *small_dataset, tmp_path / "model")
    assert load_card(tmp_path / "model").best is None
    with pytest.raises(UserError, match="on 17 patches or more; use 'last'"):
        load(tmp_path / "model", "best")


def test_the_state_of_other_settings_or_data_is_never_used(stopped, small_dataset, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    other = SETTINGS.model_copy(update={"learning_rate": 2e-3, "steps": 3})
    train(other, MODEL, *small_dataset, stopped)
    assert any("of a run with another train.learning_rate; training starts anew" in m for m in caplog.messages)
    train(other, MODEL, *small_dataset, tmp_path / "fresh")
    assert files(stopped) == files(tmp_path / "fresh")
    assert not state_file(stopped).exists()


def test_a_damaged_state_is_not_used(stopped, small_dataset, tmp_path):
    few = SETTINGS.model_copy(update={"steps": 3})
    state_file(stopped).write_bytes(state_file(stopped).read_bytes()[:5000])
    train(few, MODEL, *small_dataset, stopped)
    train(few, MODEL, *small_dataset, tmp_path / "fresh")
    assert files(stopped) == files(tmp_path / "fresh")


def weights(folder: Path) -> np.ndarray:
    state = load_file(folder / "model.safetensors")
    return np.concatenate([value.numpy().ravel() for value in state.values()])


def losses(folder: Path) -> np.ndarray:
    return pd.read_csv(folder / "history.csv")["loss"].to_numpy()


FEW = SETTINGS.model_copy(update={"steps": 4})


@pytest.mark.parametrize("micro", [1, 3])
def test_gradients_add_up_to_those_of_the_whole_batch(small_dataset, tmp_path, micro):
    train(FEW, MODEL, *small_dataset, tmp_path / "whole")
    train(FEW.model_copy(update={"micro_batch": micro}), MODEL, *small_dataset, tmp_path / "parts")
    assert np.allclose(losses(tmp_path / "whole"), losses(tmp_path / "parts"), rtol=1e-5)


def test_when_a_gpus_memory_runs_out_half_as_many_crops_go_through_and_the_result_stays(
    small_dataset, tmp_path, monkeypatch, caplog
):
    train(FEW, MODEL, *small_dataset, tmp_path / "whole")
    forward, seen = Network.forward, []

    def small(self, x, *args):
        if len(x) > 1 and self.training:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        seen.append(len(x))
        return forward(self, x, *args)

    monkeypatch.setattr(Network, "forward", small)
    train(FEW, MODEL, *small_dataset, tmp_path / "short")
    assert [m for m in caplog.messages if "out of memory" in m] == [
        f"out of memory: going on with {n} crops at once, the batch and its result stay" for n in (2, 1)
    ]
    assert seen.count(1) >= 16
    assert np.allclose(losses(tmp_path / "whole"), losses(tmp_path / "short"), rtol=1e-5)


def test_memory_for_not_even_one_crop_is_one_clear_line(small_dataset, tmp_path, monkeypatch):
    def never(self, *args):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Network, "forward", never)
    with pytest.raises(UserError, match=r"a single crop; lower train\.crop_px"):
        train(FEW, MODEL, *small_dataset, tmp_path / "model")


LIMITED = """
import resource, sys
from crossres.diffusion.train import learning_step
from crossres.cli import main
gradients, calls, bytes_left = learning_step.LearningStep.gradients, [], int(sys.argv.pop())
def limited(self, batch):
    calls.append(1)
    if len(calls) == 1:  # a later step may find memory that the first one has not given back yet
        pages = int(open("/proc/self/statm").read().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * 4096 + bytes_left, -1))
    try:
        return gradients(self, batch)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
learning_step.LearningStep.gradients = limited
main(sys.argv[2:])
"""


def test_when_the_machines_memory_really_runs_out_training_goes_on(small_dataset, tmp_path):
    settings = TrainSettings(steps=2, batch=32, micro_batch=32, crop_px=64, validate_every=9, precision="float32")
    arguments = command(settings, small_dataset, tmp_path / "model")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, *arguments, "--threads", "1", str(100 * 2**20)],
        capture_output=True, text=True, check=False,
        env=os.environ | {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "out of memory: going on with 16 crops at once" in done.stderr
    assert (tmp_path / "model" / "model.safetensors").exists()


def test_two_processes_of_torchrun_learn_what_one_does(small_dataset, tmp_path):
    train(FEW, MODEL, *small_dataset, tmp_path / "one")
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    shared = FEW.model_copy(update={"processes": 2})
    done = subprocess.run([*start, *command(shared, small_dataset, tmp_path / "two")], capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert np.allclose(losses(tmp_path / "one"), losses(tmp_path / "two"), rtol=1e-5)
    assert np.allclose(weights(tmp_path / "one"), weights(tmp_path / "two"), atol=2e-4)


def test_what_fails_in_a_shared_run_is_said_in_one_line(small_dataset, tmp_path):
    dataset, index, _ = small_dataset
    paths = (dataset, index, tmp_path / "none.json")
    done = subprocess.run([sys.executable, "-m", *command(FEW.model_copy(update={"processes": 2}), paths,
                          tmp_path / "model")], capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 1
    assert "none.json: no such file" in done.stderr and "of 2 failed; its own line is above" in done.stderr
    assert "Traceback" not in done.stderr


def test_event_files_are_written_where_asked_and_do_not_change_the_model(small_dataset, tmp_path):
    pytest.importorskip("tensorboard", reason="the extra `tensorboard` is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(FEW, MODEL, *small_dataset, tmp_path / "quiet")
    train(FEW, MODEL, *small_dataset, tmp_path / "watched", tmp_path / "logs")
    assert files(tmp_path / "quiet") == files(tmp_path / "watched")
    events = EventAccumulator(str(tmp_path / "logs")).Reload()
    assert [e.value for e in events.Scalars("loss")] == pytest.approx(losses(tmp_path / "quiet").tolist(), rel=1e-5)
