"""A run ends with a bundle, and a run that was stopped ends with the same weights as one that was not."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from rich.console import Console

from heimdall.errors import InputError
from heimdall.inference.bundle import read_bundle
from heimdall.learning.accelerator import Accelerator
from heimdall.learning.model.export import weights_sha256
from heimdall.learning.options import TrainingOptions
from heimdall.learning.run import phases as training
from heimdall.learning.run.bundling import export_run, recipe_of_run
from heimdall.learning.run.module import EvidenceModule
from heimdall.learning.run.stop import StoppedError
from heimdall.learning.run.training_callback import TrainingCallback
from heimdall.learning.train import train
from heimdall.recipes import Recipe
from heimdall.runs.writer import RunWriter

pytestmark = pytest.mark.usefixtures("synthetic_scenes")

_CPU = Accelerator("auto", "cpu", "no NVIDIA card", "a processor", "32-true")


def _options(path: Path, said: StringIO | None = None) -> TrainingOptions:
    return TrainingOptions(RunWriter(path), _CPU, console=Console(file=said or StringIO(), force_terminal=False))


def _hash(path: Path, recipe: Recipe) -> str:
    module = EvidenceModule(recipe)
    module.load_state_dict(torch.load(path / "checkpoints" / "last.ckpt", weights_only=False)["state_dict"])
    return weights_sha256(module.network)


@pytest.fixture
def no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends the run before the slow part, which has tests of its own."""
    monkeypatch.setattr(training.Run, "_export", lambda self: self.folder.path / "quick.heimdall")


def test_a_run_leaves_a_bundle_a_result_and_the_record_of_its_device(tiny: Recipe, tmp_path: Path) -> None:
    said = StringIO()
    path = train(tiny, _options(tmp_path, said))
    bundle, folder = read_bundle(path), RunWriter(tmp_path)
    assert folder.read_json("result.json") == {"model": path.name, "scores": bundle.scores}
    assert bundle.training["accelerator"] == _CPU.record
    assert bundle.training["weights_sha256"] == _hash(tmp_path, tiny)
    assert bundle.calibration.scenes == 32
    assert "no NVIDIA card" in bundle.card
    assert folder.read_json("warnings.json")[0]["code"] == "cpu-fallback"
    progress = folder.read_json("progress.json")
    assert (progress["phase"], progress["step"], progress["fraction"], progress["eta_s"]) == ("done", 6, 1.0, 0.0)
    assert "done  step 6/6" in said.getvalue()
    again = export_run(tmp_path, tmp_path / "again.heimdall")
    assert read_bundle(again).network == bundle.network


@pytest.mark.usefixtures("no_export")
@pytest.mark.parametrize("stop_after", [2, 5])
def test_a_run_stopped_by_a_signal_and_resumed_ends_with_the_same_weights(
    tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> None:
    train(tiny, _options(tmp_path / "whole"))
    after_step = TrainingCallback.on_train_batch_end

    def stopping(self: TrainingCallback, trainer: Trainer, *rest: Any) -> None:
        if trainer.global_step == stop_after:
            os.kill(os.getpid(), signal.SIGTERM)
        after_step(self, trainer, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(TrainingCallback, "on_train_batch_end", stopping)
        with pytest.raises(StoppedError):
            train(tiny, _options(tmp_path / "parted"))
    stopped = torch.load(tmp_path / "parted" / "checkpoints" / "last.ckpt", weights_only=False)
    assert stopped["global_step"] == stop_after
    train(tiny, _options(tmp_path / "parted"))
    assert _hash(tmp_path / "parted", tiny) == _hash(tmp_path / "whole", tiny)


@pytest.mark.usefixtures("no_export")
def test_a_checkpoint_of_any_step_leads_to_the_same_weights(
    tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What kill -9 leaves behind is the last checkpoint and nothing else."""
    often = replace(tiny, checkpoint_every_s=0.0)
    train(often, _options(tmp_path / "whole"))
    saved: dict[int, bytes] = {}
    save = training.KeepLast.save

    def keeping(self: training.KeepLast, trainer: Trainer) -> None:
        save(self, trainer)
        saved.setdefault(trainer.global_step, self.path.read_bytes())

    with monkeypatch.context() as patched:
        patched.setattr(training.KeepLast, "save", keeping)
        train(often, _options(tmp_path / "watched"))
    assert sorted(saved) == [1, 2, 3, 4, 5, 6]
    for step in (1, 4):
        folder = RunWriter(tmp_path / f"from-{step}")
        folder.make()
        folder.checkpoint.write_bytes(saved[step])
        train(often, _options(folder.path))
        assert _hash(folder.path, often) == _hash(tmp_path / "whole", often)


@pytest.mark.usefixtures("no_export")
def test_running_out_of_memory_is_recorded_and_the_run_goes_on(
    tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = EvidenceModule.loss

    def scarce(self: EvidenceModule, batch: Any) -> torch.Tensor:
        if len(batch) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return loss(self, batch)

    monkeypatch.setattr(EvidenceModule, "loss", scarce)
    train(tiny, _options(tmp_path))
    codes = [warning["code"] for warning in RunWriter(tmp_path).read_json("warnings.json")]
    assert codes == ["cpu-fallback", "out-of-memory"]


@torch.enable_grad()
def test_a_batch_in_parts_has_the_gradient_of_the_whole(tiny: Recipe, tmp_path: Path) -> None:
    from heimdall.learning.data.pools import SceneStream

    batch, module = SceneStream(tiny).batch(0), EvidenceModule(tiny).eval()

    def gradient(size: int) -> torch.Tensor:
        module.zero_grad()
        for start in range(0, len(batch), size):
            (module.loss(batch.select(slice(start, start + size))).sum() / len(batch)).backward()
        return torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None])

    torch.testing.assert_close(gradient(1), gradient(4), atol=1e-5, rtol=1e-4)


@pytest.mark.usefixtures("no_export")
def test_the_run_remembers_its_recipe(tiny: Recipe, tmp_path: Path) -> None:
    train(replace(tiny, steps=1), _options(tmp_path))
    assert recipe_of_run(RunWriter(tmp_path)) == replace(tiny, steps=1)


def test_an_unfinished_run_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not the folder of a finished run"):
        export_run(tmp_path, None)


@pytest.mark.usefixtures("no_export")
def test_a_run_that_another_version_calibrated_says_so_and_is_calibrated_anew(tiny: Recipe, tmp_path: Path) -> None:
    train(replace(tiny, steps=1), _options(tmp_path))
    folder = RunWriter(tmp_path)
    calibration = folder.read_json("calibration.json")
    folder.write_json("calibration.json", {name: value for name, value in calibration.items() if name != "blends"})
    with pytest.raises(InputError, match="another version of heimdall; delete"):
        export_run(tmp_path, None)
    (tmp_path / "result.json").unlink()
    train(replace(tiny, steps=1), _options(tmp_path))
    assert folder.read_json("calibration.json") == calibration
