"""Details of the mismatch: who is in the way of a reload, and what a copy beside the right one means."""

from __future__ import annotations

from typing import Any

RELOAD = "sudo modprobe -r nvidia_uvm nvidia_drm nvidia_modeset nvidia"


def _upgrade(machine: Any) -> None:
    machine.libraries("580.105.08")
    machine.on_disk("580.105.08")
    machine.nvml(18, driver="580.105.08")


def test_a_training_container_that_holds_the_card_is_named_and_ended_by_nobody_but_its_owner(machine: Any) -> None:
    _upgrade(machine)
    machine.process(4242, "python3", opens="/dev/nvidia0", cgroup=f"0::/system.slice/docker-{'3f' * 32}.scope\n")
    in_use = machine.finding("module_in_use")
    assert "python3 (pid 4242, container 3f3f3f3f3f3f)" in in_use.evidence
    assert "# stop the containers 3f3f3f3f3f3f (docker ps names them)" in in_use.fix
    assert in_use.commands == (
        RELOAD,
        "sudo modprobe -a nvidia nvidia_uvm",
        "docker compose up -d --force-recreate training",
    )


def test_the_persistence_daemon_is_stopped_and_started_round_a_reload(machine: Any) -> None:
    _upgrade(machine)
    machine.write("/usr/bin/nvidia-persistenced")
    machine.process(811, "nvidia-persiste", opens="/dev/nvidiactl")
    assert machine.finding("driver_library_mismatch").alternatives[0].fix == (
        "sudo systemctl stop nvidia-persistenced",
        RELOAD,
        "sudo modprobe -a nvidia nvidia_uvm",
        "sudo systemctl start nvidia-persistenced",
    )


def test_only_modules_that_are_loaded_are_unloaded(machine: Any) -> None:
    _upgrade(machine)
    machine.remove("/sys/module/nvidia_drm", "/sys/module/nvidia_modeset")
    assert "sudo modprobe -r nvidia_uvm nvidia" in machine.finding("driver_library_mismatch").alternatives[0].fix


def test_a_desktop_on_the_card_leaves_nothing_but_a_reboot(machine: Any) -> None:
    _upgrade(machine)
    machine.write("/sys/module/nvidia_drm/refcnt", "7\n")
    in_use = machine.finding("module_in_use")
    assert in_use.commands == ("sudo reboot",)
    assert "desktop" in in_use.cause


def test_another_copy_is_a_warning_only_where_nvml_answers(machine: Any) -> None:
    machine.libraries("535.183.01", "/usr/local/lib")
    finding = machine.finding("driver_library_mismatch")
    assert finding.status == "warning"
    assert machine.report().verdict == "gpu"


def test_a_versioned_file_that_no_link_names_is_a_harmless_leftover(machine: Any) -> None:
    machine.write("/usr/lib/x86_64-linux-gnu/libcuda.so.535.183.01")
    assert machine.faults() == []


def test_the_open_kernel_module_is_read_as_well(machine: Any) -> None:
    _upgrade(machine)
    machine.write(
        "/proc/driver/nvidia/version",
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (dvs-builder@U16)\n",
    )
    assert "loaded module 580.95.05" in machine.finding("driver_library_mismatch").evidence


def test_code_18_alone_is_enough_where_no_file_tells_a_version(machine: Any) -> None:
    machine.remove("/usr/lib")
    machine.nvml(18, driver="580.105.08")
    assert [fault.name for fault in machine.faults()] == ["driver_library_mismatch"]


def test_rpm_systems_get_the_commands_of_dnf(machine: Any) -> None:
    _upgrade(machine)
    machine.write("/etc/os-release", 'ID="rocky"\nID_LIKE="rhel centos fedora"\n')
    machine.remove("/var/lib/dpkg")
    machine.on_disk("580.95.05")
    assert machine.finding("driver_library_mismatch").commands == (
        "sudo dnf distro-sync 'nvidia-*' 'kmod-nvidia*'",
        "sudo reboot",
    )
