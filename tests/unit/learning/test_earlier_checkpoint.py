"""A run that an earlier commit began goes on from its checkpoint."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from rich.console import Console

from heimdall.learning.accelerator import Accelerator
from heimdall.learning.model.shape import NetworkShape
from heimdall.learning.options import TrainingOptions
from heimdall.learning.run import phases
from heimdall.learning.run.bundling import recipe_of_run
from heimdall.learning.train import train
from heimdall.runs.writer import RunWriter

pytestmark = pytest.mark.usefixtures("synthetic_scenes")


def _small(shape: NetworkShape, *, pretrained: bool) -> Any:
    """The backbone that the kept checkpoint was made with: the smallest of its kind, for its size."""
    sizes = {"depths": (1, 1, 1, 1), "dims": (4, 4, 4, 4)}
    return timm.create_model(shape.backbone, num_classes=0, drop_path_rate=shape.drop_path, **sizes)


def test_it_resumes_at_its_step(before: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heimdall.learning.model.network._created", _small)
    monkeypatch.setattr(phases.Run, "_export", lambda self: self.folder.path / "quick.heimdall")
    folder = RunWriter(before / "run")
    recipe = recipe_of_run(folder)
    assert recipe is not None
    assert recipe.steps == 2
    device = Accelerator("auto", "cpu", "no NVIDIA card", "a processor", "32-true")
    train(replace(recipe, steps=3), TrainingOptions(folder, device, console=Console(file=StringIO())))
    assert torch.load(folder.checkpoint, weights_only=True)["global_step"] == 3
    steps = [json.loads(line)["step"] for line in (folder.path / "metrics.jsonl").read_text().splitlines()]
    assert steps[:2] == [1, 2]
    assert set(steps[2:]) == {3}
