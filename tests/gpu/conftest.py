"""The card, or the reason to skip; and a training small enough for both a card and a CPU.

`device` runs a test on the CPU as well, which proves the test. What takes long there takes the fixture `card` alone; with
HEIMDALL_TEST_CARD=cpu (`benchmarks/gpu.sh --device cpu`) the CPU stands in for the card in those, too.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from heimdall.learning.accelerator import Accelerator
from heimdall.learning.data.simulated import SceneSource, simulate
from heimdall.learning.options import TrainingOptions
from heimdall.learning.run import phases
from heimdall.recipes import Recipe, recipe
from heimdall.runs.writer import RunWriter

STAND_IN = os.environ.get("HEIMDALL_TEST_CARD") == "cpu"


@functools.cache
def why_no_card() -> str | None:
    if torch.cuda.is_available():
        return None
    from heimdall.doctor import accelerator_reason

    return accelerator_reason() or "torch finds no CUDA device"


@pytest.fixture(scope="session")
def real_card() -> torch.device:
    """Skips where there is none, whatever stands in for it."""
    if (reason := why_no_card()) is not None:
        pytest.skip(f"no card: {reason}")
    return torch.device("cuda")


@pytest.fixture(scope="session")
def card(request: pytest.FixtureRequest) -> torch.device:
    return torch.device("cpu") if STAND_IN else request.getfixturevalue("real_card")


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> torch.device:
    return torch.device("cpu") if request.param == "cpu" else request.getfixturevalue("real_card")


@pytest.fixture
def tiny() -> Recipe:
    """`quick`'s network on a smaller window and few scenes."""
    changes = {
        "steps": "8",
        "batch_size": "8",
        "validate_every": "8",
        "checkpoint_every_s": "0.001",
        "network.cells": "16",
        "network.decoder_width": "8",
        "network.token_width": "8",
        "scenes.pool": "16",
        "scenes.passes": "4",
        "scenes.validation": "16",
        "scenes.calibration": "16",
    }
    return recipe("quick", changes)


MakeOptions = Callable[..., TrainingOptions]


@pytest.fixture
def options() -> MakeOptions:
    """Options of a training on a device, whatever the machine has."""

    def make(folder: Path, device: torch.device, precision: str = "32-true") -> TrainingOptions:
        used: Any = "gpu" if device.type == "cuda" else "cpu"
        accelerator = Accelerator(used, used, None, str(device), precision)
        return TrainingOptions(RunWriter(folder), accelerator, console=Console(file=StringIO(), force_terminal=False))

    return make


@pytest.fixture
def no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends a run before the bundle is made."""
    monkeypatch.setattr(phases.Run, "_export", lambda self: self.folder.path / "quick.heimdall")


@pytest.fixture
def scenes_of_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same scenes for every device: a card draws others from the same seed."""

    def simulated(source: SceneSource, draws: Any, device: Any, threads: int, report: Any) -> Any:
        return [part.to(device) for part in simulate(source, draws, "cpu", threads, report)]

    monkeypatch.setattr("heimdall.learning.data.pools.simulate", simulated)
