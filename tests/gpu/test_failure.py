"""A card that fails ends the run with a sentence that says what to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from heimdall.errors import HeimdallError
from heimdall.learning.run.module import EvidenceModule
from heimdall.learning.train import train
from heimdall.recipes import Recipe

LOST = "CUDA error: GPU is lost. Reboot the system to recover this GPU"


@pytest.mark.usefixtures("no_export")
def test_a_lost_card_ends_the_run_with_what_to_do(
    tiny: Recipe, tmp_path: Path, options: Callable[..., Any], device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = EvidenceModule.loss

    def lost(self: EvidenceModule, batch: Any) -> torch.Tensor:
        if self.global_step == 2:
            raise RuntimeError(LOST)
        return loss(self, batch)

    monkeypatch.setattr(EvidenceModule, "loss", lost)
    with pytest.raises(HeimdallError, match="fallen off the PCI bus") as caught:
        train(tiny, options(tmp_path, device))
    assert f"heimdall train --resume {tmp_path}" in str(caught.value)
    monkeypatch.setattr(EvidenceModule, "loss", loss)
    train(tiny, options(tmp_path, device))
    assert (tmp_path / "result.json").exists()


# One store to address 8, by the kernel with which the doctor proves a card, in torch's own context.
_CHILD = """
import ctypes, sys
import torch
from heimdall.cli import main
from heimdall.doctor.probes.run_cuda import KERNEL
from heimdall.learning.run.module import EvidenceModule

def illegal():
    if not torch.cuda.is_available():
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
    cuda, module, function = ctypes.CDLL("libcuda.so.1"), ctypes.c_void_p(), ctypes.c_void_p()
    assert cuda.cuModuleLoadData(ctypes.byref(module), KERNEL) == 0
    assert cuda.cuModuleGetFunction(ctypes.byref(function), module, b"store_answer") == 0
    address = ctypes.c_uint64(8)
    arguments = (ctypes.c_void_p * 1)(ctypes.cast(ctypes.byref(address), ctypes.c_void_p))
    assert cuda.cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, None, arguments, None) == 0
    torch.cuda.synchronize()

loss = EvidenceModule.loss
def failing(self, batch):
    if self.global_step == 2:
        illegal()
    return loss(self, batch)
EvidenceModule.loss = failing
main()
"""


@pytest.mark.gpu
def test_an_illegal_access_in_a_child_ends_it_with_the_sentence_and_spares_the_parent(
    tmp_path: Path, card: torch.device
) -> None:
    changes = {"steps": 4, "batch_size": 4, "checkpoint_every_s": 0.001, "scenes.pool": 16, "network.cells": 16}
    words = ["train", "--recipe", "quick", "--accelerator", "gpu" if card.type == "cuda" else "cpu", "--track", "off"]
    words += [word for name, value in changes.items() for word in ("--set", f"{name}={value}")]
    command = [sys.executable, "-c", _CHILD, *words, "--run-dir", str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("heimdall: the GPU failed during the training (")
    assert "illegal memory access" in last
    assert f"heimdall train --resume {tmp_path}" in last
    assert float(torch.ones(8, device=card).sum()) == 8.0
    assert (tmp_path / "checkpoints" / "last.ckpt").exists()
