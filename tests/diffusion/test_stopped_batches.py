"""A batch of scenes that is killed again and again ends with the bytes of one that was not."""

import json
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest
from test_scenes import lr_scene, make_model

from crossres.imagery.scene import write_scene
from crossres.settings.sample import ArmSettings, TilingSettings

SCENES = ("first", "second")
ARMS = {"lr_start": ArmSettings(steps=8, samples=2), "bicubic": ArmSettings(start="bicubic", samples=1)}
SIZE = (56, 84)
BLOCKS_EACH = 6


def command(folder: Path, output: Path, block_px: int = 112) -> list[str]:
    tiling = TilingSettings(block_px=block_px)
    arms = {name: arm.model_dump(mode="json") for name, arm in ARMS.items()}
    settings = json.dumps({"sample": {"arms": arms, "tiling": tiling.model_dump(mode="json")}})
    return [
        sys.executable, "-m", "crossres", "sample-batch", "--settings", settings, "--names", *ARMS, "--held-out",
        *SCENES, "--aligned", str(folder / "aligned"), "--model", str(folder / "model"), "--output", str(output),
        "--threads", "1",
    ]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_model(tmp_path / "model", Fraction(4))
    for name in SCENES:
        (tmp_path / "aligned" / name).mkdir(parents=True)
        write_scene(tmp_path / "aligned" / name / "lr.tif", lr_scene(*SIZE))
    (tmp_path / "sr").mkdir()
    return tmp_path


def killed_at(blocks: int, folder: Path, number: signal.Signals) -> None:
    """Run the command until so many blocks are done, and end it."""
    process = subprocess.Popen(command(folder, folder / "sr" / "batch"), stderr=subprocess.PIPE)
    while len(list(folder.glob("sr/.batch.blocks/*/*/*/*.block"))) < blocks:
        assert process.poll() is None, process.stderr.read().decode()
        time.sleep(0.005)
    process.send_signal(number)
    process.communicate()
    assert process.returncode == -number and not (folder / "sr" / "batch").exists()


def files(output: Path) -> dict[str, bytes]:
    return {path.relative_to(output).as_posix(): path.read_bytes() for path in output.rglob("*") if path.is_file()}


def test_a_batch_that_is_killed_three_times_gives_the_bytes_of_one_that_was_not(folder):
    subprocess.run(command(folder, folder / "sr" / "whole"), check=True, capture_output=True)
    killed_at(2, folder, signal.SIGTERM)
    killed_at(BLOCKS_EACH + 1, folder, signal.SIGKILL)
    killed_at(2 * BLOCKS_EACH + 2, folder, signal.SIGTERM)
    said = subprocess.run(
        command(folder, folder / "sr" / "batch"), check=True, capture_output=True, text=True
    ).stderr  # fmt: skip
    assert f"{BLOCKS_EACH} of {BLOCKS_EACH} blocks are done already" in said
    assert files(folder / "sr" / "batch") == files(folder / "sr" / "whole")
    assert {path.name for path in (folder / "sr").iterdir()} == {"batch", "whole"}


def test_what_other_settings_left_of_a_batch_is_thrown_away(folder):
    killed_at(2, folder, signal.SIGTERM)
    other = command(folder, folder / "sr" / "batch", block_px=176)
    said = subprocess.run(other, check=True, capture_output=True, text=True).stderr
    assert "done already" not in said
    assert {path.name for path in (folder / "sr").iterdir()} == {"batch"}
