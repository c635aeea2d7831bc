"""Weights trained in bf16 are exported like any others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from heimdall.inference.bundle import read_bundle
from heimdall.learning.model.export import PARITY
from heimdall.learning.train import train
from heimdall.recipes import Recipe


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_network_trained_in_bf16_keeps_its_parity(
    tiny: Recipe, tmp_path: Path, options: Callable[..., Any], device: torch.device
) -> None:
    path = train(tiny, options(tmp_path, device, "bf16-mixed"))
    assert path is not None
    training = read_bundle(path).training
    assert training["accelerator"]["precision"] == "bf16-mixed"
    assert 0 < training["parity"] <= PARITY
