"""A healthy host: nothing at fault, a kernel runs, and the card is what a training takes."""

from __future__ import annotations

import pytest
import torch

from heimdall.doctor import examine
from heimdall.learning.accelerator import resolve

pytestmark = pytest.mark.gpu


def test_the_doctor_finds_no_fault_and_proves_the_card_with_a_kernel(real_card: torch.device) -> None:
    report = examine()
    assert [finding for finding in report.findings if finding.status == "fault"] == []
    assert report.verdict == "gpu", report.reason
    proof = next(finding for finding in report.findings if finding.name == "cuda")
    assert proof.status == "ok", proof


def test_a_training_takes_the_card_by_itself(real_card: torch.device) -> None:
    chosen = resolve("auto", require_gpu=True)
    assert (chosen.used, chosen.reason, chosen.device) == ("gpu", None, torch.cuda.get_device_name(0))
    assert chosen.torch_device.type == "cuda"
