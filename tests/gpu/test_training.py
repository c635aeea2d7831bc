"""A training on the card is that of the CPU: its loss, its way out of a full memory, and its end after a kill."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch.utils._python_dispatch import TorchDispatchMode

from heimdall.learning.run.module import EvidenceModule
from heimdall.learning.run.phases import _quiet_lightning, _trainer
from heimdall.learning.train import train
from heimdall.recipes import Recipe
from heimdall.runs.writer import RunWriter

Options = Callable[..., Any]

LOSS_TOLERANCE = {"32-true": 0.01, "bf16-mixed": 0.03}
"""Of the loss, relative, after 10 and 20 steps. cuDNN rounds to TF32 (2^-11) and bf16 to 2^-9 at each layer."""
_KILLED_TOLERANCE = 1e-2
"""Of the loss on a card, where sums have no fixed order; a CPU repeats every bit."""


def _losses(folder: Path) -> list[float]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row]


@pytest.mark.slow
@pytest.mark.usefixtures("no_export", "scenes_of_the_cpu")
@pytest.mark.parametrize("precision", LOSS_TOLERANCE)
def test_the_loss_is_that_of_the_cpu(
    tiny: Recipe, tmp_path: Path, options: Options, device: torch.device, precision: str
) -> None:
    plan = replace(tiny, steps=20, validate_every=20, scenes=replace(tiny.scenes, passes=10))
    train(plan, options(tmp_path / "cpu", torch.device("cpu")))
    train(plan, options(tmp_path / "card", device, precision))
    tolerance = LOSS_TOLERANCE[precision]
    assert _losses(tmp_path / "card") == pytest.approx(_losses(tmp_path / "cpu"), rel=tolerance)


@pytest.mark.gpu
@pytest.mark.usefixtures("no_export")
def test_the_record_has_the_cards_counters(
    tiny: Recipe, tmp_path: Path, options: Options, real_card: torch.device
) -> None:
    train(tiny, options(tmp_path, real_card, "bf16-mixed"))
    found = RunWriter(tmp_path).read_json("training.json")["gpu_counters"]
    assert found[0]["memory_total_mib"] > found[0]["memory_used_mib"] > 0
    assert found[0]["temperature_c"] > 0


def _command(folder: Path, plan: Recipe, device: torch.device, *more: str) -> list[str]:
    changes = {
        "steps": 40,
        "batch_size": plan.batch_size,
        "validate_every": 40,
        "checkpoint_every_s": 0.001,
        "network.cells": plan.network.cells,
        "network.decoder_width": plan.network.decoder_width,
        "network.token_width": plan.network.token_width,
        "scenes.pool": 16,
        "scenes.passes": 20,
        "scenes.validation": 16,
        "scenes.calibration": 16,
    }
    words = ["train", "--recipe", "quick", "--accelerator", "gpu" if device.type == "cuda" else "cpu", "--track", "off"]
    words += [word for name, value in changes.items() for word in ("--set", f"{name}={value}")]
    return [sys.executable, "-m", "heimdall", *words, *more, "--run-dir", str(folder)]


@pytest.mark.gpu
def test_a_run_killed_on_the_card_is_resumed_and_ends_like_an_undisturbed_one(
    tiny: Recipe, tmp_path: Path, card: torch.device
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(_command(whole, tiny, card), check=True, capture_output=True)
    process = subprocess.Popen(_command(killed, tiny, card), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (killed / "checkpoints" / "last.ckpt").exists() and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (killed / "result.json").exists()
    resume = _command(killed, tiny, card, "--resume", str(killed))
    done = subprocess.run(resume, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    tolerance = _KILLED_TOLERANCE if card.type == "cuda" else 0.0
    assert _losses(killed)[-1] == pytest.approx(_losses(whole)[-1], rel=tolerance, abs=0)


class _Filled(Callback):
    """After a first step, leaves room for seven tenths of what a step needs; on a CPU, refuses more scenes than that."""

    def __init__(self) -> None:
        self.ballast: torch.Tensor | None = None
        self.losses: list[float] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == 0 and pl_module.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
            self.before = torch.cuda.memory_allocated()
        if trainer.global_step == 1:
            self._fill(pl_module, len(batch))

    def _fill(self, module: EvidenceModule, scenes: int) -> None:
        if module.device.type == "cpu":
            loss, room = module.loss, int(0.7 * scenes)

            def scarce(batch: Any) -> torch.Tensor:
                if len(batch) > room:
                    raise torch.OutOfMemoryError("the stand-in's memory is full")
                return loss(batch)

            module.loss = scarce  # type: ignore[method-assign]
            return
        needed = torch.cuda.max_memory_allocated() - self.before
        torch.cuda.empty_cache()
        free, _ = torch.cuda.mem_get_info()
        self.ballast = torch.empty(int(free - 0.7 * needed), dtype=torch.uint8, device="cuda")

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *_: Any) -> None:
        self.losses.append(pl_module.last_loss)


def _two_steps(plan: Recipe, options: Any, callback: Callback) -> EvidenceModule:
    module = EvidenceModule(plan)
    with _quiet_lightning():
        _trainer(replace(plan, steps=2), options, [callback]).fit(module)
    return module


class _Losses(_Filled):
    def _fill(self, module: EvidenceModule, scenes: int) -> None: ...


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_card_that_is_full_halves_the_micro_batch_and_ends_with_the_same_batch(
    tiny: Recipe, tmp_path: Path, options: Options, device: torch.device
) -> None:
    # On a card the activations must outweigh what does not shrink with the batch.
    large = device.type == "cuda"
    scenes = replace(tiny.scenes, pool=512 if large else 16)
    plan = replace(tiny, batch_size=512 if large else 8, scenes=scenes)
    easy, filled, said = _Losses(), _Filled(), list[str]()
    _two_steps(plan, options(tmp_path, device), easy)
    module = EvidenceModule(plan)
    module.micro.on_halving = said.append
    with _quiet_lightning():
        _trainer(replace(plan, steps=2), options(tmp_path, device), [filled]).fit(module)
    filled.ballast = None
    assert module.micro.halvings >= 1
    assert f"out of device memory with {plan.batch_size} scenes at a time" in said[0]
    assert filled.losses == pytest.approx(easy.losses, rel=1e-3)


class _NoReading(TorchDispatchMode):
    """Refuses what would make the processor wait for a card, also where there is none: values that become numbers or shapes."""

    WAITING = ("aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal", "aten::unique")

    def __init__(self, counters: set[int]) -> None:
        super().__init__()
        self.counters = counters

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # The optimiser counts its steps in tensors that are on the processor on every device.
        counts = bool(args) and isinstance(args[0], torch.Tensor) and args[0].data_ptr() in self.counters
        if func._schema.name.startswith(self.WAITING) and not counts:
            raise AssertionError(f"a step reads values: {func._schema.name}")
        return func(*args, **(kwargs or {}))


def _counters(module: EvidenceModule) -> set[int]:
    state = module.trainer.optimizers[0].state.values()
    return {each["step"].data_ptr() for each in state if "step" in each}


@contextmanager
def _no_waiting(module: EvidenceModule) -> Iterator[None]:
    if module.device.type == "cpu":
        with _NoReading(_counters(module)):
            yield
        return
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the steps that were done without waiting; the first one may still set things up."""
    done: list[int] = []
    step = EvidenceModule.training_step

    def watching(self: EvidenceModule, batch: Any, batch_idx: int) -> None:
        if self.global_step == 0:
            step(self, batch, batch_idx)
            return
        with _no_waiting(self):
            step(self, batch, batch_idx)
        done.append(self.global_step)

    monkeypatch.setattr(EvidenceModule, "training_step", watching)
    return done


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_step_waits_for_the_card(
    tiny: Recipe, tmp_path: Path, options: Options, device: torch.device, watched: list[int]
) -> None:
    plan = replace(tiny, steps=3)
    precision = "bf16-mixed" if device.type == "cuda" else "32-true"
    with _quiet_lightning():
        _trainer(plan, options(tmp_path, device, precision), []).fit(EvidenceModule(plan))
    assert watched == [2, 3]


def test_the_watch_on_reading_sees_a_value_that_is_read(tmp_path: Path) -> None:
    with _NoReading(set()), pytest.raises(AssertionError, match="_local_scalar_dense"):
        float(torch.ones(()))
