"""What a worker offers of its devices and memory."""

from __future__ import annotations

import pytest

from heimdall.service.health.gpu import GpuState
from heimdall.service.queue import notifications
from heimdall.service.settings import Settings
from heimdall.service.worker.supervisor import gpu_slots, memory_gb

TWO = GpuState(True, None, ("0", "GPU-7"), (25.4, None))


def test_each_gpu_is_a_place_for_one_program_with_the_memory_that_the_driver_tells(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    slots = gpu_slots(TWO, Settings(home=tmp_path))
    assert [(slot.name, slot.gpu_memory_gb) for slot in slots] == [("gpu:0", 25.4), ("gpu:GPU-7", None)]
    assert slots[1].environment == {"CUDA_VISIBLE_DEVICES": "GPU-7", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def test_what_an_operator_tells_of_memory_wins_over_what_is_found(tmp_path):
    settings = Settings(home=tmp_path, gpu_memory_gb=10.0, memory_gb=3.0)
    assert [slot.gpu_memory_gb for slot in gpu_slots(TWO, settings)] == [10.0, 10.0]
    assert memory_gb(settings) == 3.0
    assert (memory_gb(Settings(home=tmp_path)) or 0) > 0.1


@pytest.mark.parametrize(
    ("settings", "queues"),
    [
        ({}, ["heimdall", "heimdall.gpu"]),
        ({"accelerator": "cpu"}, ["heimdall"]),
        ({"takes": "cpu"}, ["heimdall"]),
    ],
)
def test_only_a_worker_that_may_have_a_gpu_hears_the_bell_for_such_jobs(tmp_path, settings, queues):
    assert notifications.queues_of(Settings(home=tmp_path, **settings)) == queues
