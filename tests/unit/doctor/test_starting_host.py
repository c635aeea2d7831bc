"""The host the project starts from: driver 570.195, a mismatch, a service without a reservation, a wheel for CUDA 13."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def starting_host(machine: Any) -> Any:
    """An RTX 3090 whose driver was upgraded overnight under a running kernel module."""
    machine.loaded("570.172.08")
    machine.libraries("570.195.03")
    machine.on_disk("570.195.03")
    machine.packages(nvidia_driver_570="570.195.03-0ubuntu1", libnvidia_compute_570="570.195.03-0ubuntu1")
    machine.write(
        "/var/log/apt/history.log",
        "\nStart-Date: 2025-10-09  06:42:11\nCommandline: /usr/bin/unattended-upgrade\n"
        "Upgrade: libnvidia-compute-570:amd64 (570.172.08-0ubuntu1, 570.195.03-0ubuntu1)\nEnd-Date: 2025-10-09  06:43:02\n",
    )
    machine.says("ask_nvml.py", code=3)
    mismatch = "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 570.195\n"
    machine.says("nvidia-smi", mismatch, code=18)
    machine.training(gpu=False)
    machine.container_torch("2.14.1+cu130", "13.0")
    return machine


def test_its_three_faults_come_in_the_order_in_which_they_must_be_mended(starting_host: Any) -> None:
    names = [fault.name for fault in starting_host.faults()]
    assert names == ["driver_library_mismatch", "service_without_gpu", "driver_too_old_for_torch"]


def test_the_mismatch_shows_the_three_versions_and_who_changed_them(starting_host: Any) -> None:
    evidence = starting_host.finding("driver_library_mismatch").evidence
    assert "loaded module 570.172.08" in evidence
    assert "libraries 570.195.03" in evidence
    assert "module on disk for 6.8.0-60-generic 570.195.03" in evidence
    assert "changed by 2025-10-09 06:42:11 /usr/bin/unattended-upgrade" in evidence
    assert "libnvidia-compute-570 570.172.08-0ubuntu1 -> 570.195.03-0ubuntu1" in evidence


def test_the_reason_sends_nobody_to_reinstall_a_driver(starting_host: Any) -> None:
    report = starting_host.report()
    assert report.verdict == "cpu"
    assert report.reason.startswith(
        "The driver was changed to 570.195.03 on disk while its kernel module 570.172.08 stayed"
    )
    assert "Type: sudo reboot" in report.reason


def test_each_of_the_three_has_its_commands(starting_host: Any) -> None:
    faults = starting_host.faults()
    assert faults[0].commands == ("sudo reboot",)
    # No DKMS among its packages: a hold could leave the next kernel without a module.
    assert not any("hold" in line for way in faults[0].alternatives for line in way.fix)
    assert faults[1].commands == ("HEIMDALL_ACCELERATOR=gpu docker compose up -d training",)
    assert faults[2].commands[0] == "HEIMDALL_TORCH_VERSION=2.10.0 docker compose up -d --build training"


def test_with_torch_for_cuda_12_the_third_fault_is_not_there(starting_host: Any) -> None:
    starting_host.container_torch("2.9.0+cu128", "12.8")
    assert [fault.name for fault in starting_host.faults()] == ["driver_library_mismatch", "service_without_gpu"]


def test_seen_from_inside_its_container_the_service_and_the_wheel_are_at_fault(
    starting_host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mismatch cannot be seen from there: a container without a reservation is given no library of the driver."""
    starting_host.move_inside()
    starting_host.without("nvidia-smi")
    starting_host.remove("/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm", "/usr/lib")
    folder = starting_host.torch("2.14.1+cu130", "13.0")
    monkeypatch.setattr("heimdall.doctor.facts.wheels._importable", lambda: folder)
    assert [fault.name for fault in starting_host.faults()] == ["service_without_gpu", "driver_too_old_for_torch"]
    assert starting_host.faults()[0].fix[0] == "# on the host, not in this container:"


def test_it_is_told_from_a_copied_tree_alone(starting_host: Any) -> None:
    """`--root` on files without one program to ask still finds the mismatch, with the same fix."""
    from heimdall.doctor import examine

    report = examine(starting_host.root, environment={})
    fault = next(finding for finding in report.findings if finding.status == "fault")
    assert (fault.name, fault.commands[0]) == ("driver_library_mismatch", "sudo reboot")
