"""Trainings as processes: killed ones end like undisturbed ones, and two workers like one."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.slow

_CHANGES = {
    "steps": 8,
    "batch_size": 8,
    "validate_every": 4,
    "checkpoint_every_s": 0,
    "network.cells": 16,
    "network.decoder_width": 8,
    "network.token_width": 8,
    "scenes.pool": 32,
    "scenes.passes": 1,
    "scenes.validation": 16,
    "scenes.calibration": 16,
}


def _command(folder: Path, *more: str) -> list[str]:
    changes = [word for name, value in _CHANGES.items() for word in ("--set", f"{name}={value}")]
    words = ["train", "--recipe", "quick", "--accelerator", "cpu", "--track", "off", *changes, *more]
    return [sys.executable, "-m", "heimdall", *words, "--run-dir", str(folder)]


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoints" / "last.ckpt", map_location="cpu", weights_only=False)["state_dict"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    subprocess.run(_command(folder), check=True, capture_output=True)
    return folder


def test_a_run_killed_without_warning_and_resumed_has_the_weights_of_an_undisturbed_one(
    undisturbed: Path, tmp_path: Path
) -> None:
    process = subprocess.Popen(_command(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (tmp_path / "result.json").exists()
    resumed = subprocess.run(_command(tmp_path, "--resume", str(tmp_path)), check=False, capture_output=True, text=True)
    assert resumed.returncode == 0, resumed.stderr
    expected = _weights(undisturbed)
    for name, tensor in _weights(tmp_path).items():
        assert torch.equal(tensor, expected[name]), name


def test_two_workers_end_with_the_weights_of_one_within_rounding(undisturbed: Path, tmp_path: Path) -> None:
    done = subprocess.run(_command(tmp_path, "--devices", "2"), check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = _weights(undisturbed)
    for name, tensor in _weights(tmp_path).items():
        torch.testing.assert_close(tensor, expected[name], atol=1e-4, rtol=1e-3, msg=name)
    scores = [json.loads((folder / "result.json").read_text())["scores"] for folder in (undisturbed, tmp_path)]
    assert scores[0]["likelihood_median_m"] == scores[1]["likelihood_median_m"]
