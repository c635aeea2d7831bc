"""The device is decided in one place, and a fallback says its reason once."""

from __future__ import annotations

import logging

import pytest
import torch

from heimdall.errors import HeimdallError, InputError
from heimdall.learning import accelerator
from heimdall.learning.accelerator import resolve


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(accelerator, "_doctors_reason", lambda: "the driver and its library differ: reboot")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA GeForce RTX 3090")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    monkeypatch.setattr(accelerator, "_doctors_reason", lambda: None)


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("requested", ["auto", "gpu"])
def test_without_a_gpu_the_cpu_is_used_and_one_warning_carries_the_doctors_reason(
    requested: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        chosen = resolve(requested)
    assert (chosen.requested, chosen.used, chosen.precision) == (requested, "cpu", "32-true")
    assert chosen.reason == "the driver and its library differ: reboot"
    assert [record.getMessage() for record in caplog.records] == [f"training on the CPU: {chosen.reason}"]


@pytest.mark.usefixtures("no_gpu")
def test_who_asks_for_the_cpu_is_not_warned(caplog: pytest.LogCaptureFixture) -> None:
    assert resolve("cpu").reason is None
    assert not caplog.records


@pytest.mark.usefixtures("no_gpu")
def test_require_gpu_refuses_with_the_reason() -> None:
    with pytest.raises(HeimdallError, match="no usable GPU: the driver and its library differ") as caught:
        resolve("auto", require_gpu=True)
    assert caught.value.exit_code == 1


@pytest.mark.usefixtures("gpu")
def test_a_gpu_counts_only_when_a_kernel_gave_the_right_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "_kernel_failure", lambda: None)
    assert (resolve("auto").used, resolve("auto").precision) == ("gpu", "bf16-mixed")
    monkeypatch.setattr(accelerator, "_kernel_failure", lambda: "a kernel failed on the GPU: no kernel image")
    chosen = resolve("auto")
    assert (chosen.used, chosen.reason) == ("cpu", "a kernel failed on the GPU: no kernel image")


@pytest.mark.usefixtures("gpu")
def test_more_gpus_than_there_are_is_a_reason_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "_kernel_failure", lambda: None)
    assert resolve("gpu", count=4).reason == "4 GPUs are asked for and 1 are there"


@pytest.mark.usefixtures("gpu")
def test_a_card_without_bfloat16_trains_in_32_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "_kernel_failure", lambda: None)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    assert resolve("gpu").precision == "32-true"


def test_contradictions_and_unknown_words_are_wrong_calls() -> None:
    with pytest.raises(InputError, match="contradicts"):
        resolve("cpu", require_gpu=True)
    with pytest.raises(InputError, match="auto, gpu, cpu"):
        resolve("tpu")
