"""The card behind the driver: details of the modes."""

from __future__ import annotations

from typing import Any

import pytest

from heimdall.doctor.checks import xid


@pytest.mark.parametrize(
    ("code", "word"), [(79, "power"), (48, "ECC"), (64, "remap"), (95, "uncontained"), (119, "GSP")]
)
def test_a_card_that_an_xid_stopped_is_lost_and_the_code_says_why(machine: Any, code: int, word: str) -> None:
    machine.nvml(999)
    machine.says("journalctl", f"kernel: NVRM: Xid (PCI:0000:01:00): {code}, pid=811, more\n")
    fault = machine.finding("gpu_lost")
    assert word in fault.cause
    assert f"Xid {code} on 0000:01:00" in fault.evidence


@pytest.mark.parametrize("code", [31, 13, 63, 94, 79, 43])
def test_an_xid_the_card_got_over_is_a_warning_and_no_reason(machine: Any, code: int) -> None:
    line = f"kernel: NVRM: Xid (PCI:0000:01:00): {code}, pid=811, name=python3\n"
    machine.says("journalctl", line * 3)
    report = machine.report()
    warning = next(finding for finding in report.findings if finding.name == "gpu_xid")
    assert (warning.status, report.verdict, report.exit_code) == ("warning", "gpu", 0)
    assert f"Xid {code} 3 times" in warning.evidence


def test_every_xid_of_the_table_has_commands_or_hands() -> None:
    assert {79, 31, 48, 63, 94, 95, 119} <= set(xid.XIDS)
    assert all(meaning.fix for meaning in xid.XIDS.values())


def test_a_divided_card_with_instances_is_a_warning_that_names_one(machine: Any) -> None:
    machine.nvml(mig=True, mig_uuids=["MIG-1111", "MIG-2222"])
    finding = machine.finding("mig")
    assert (finding.status, finding.commands) == ("warning", ("export CUDA_VISIBLE_DEVICES=MIG-1111",))


def test_a_divided_card_of_which_an_instance_is_chosen_is_fine(machine: Any) -> None:
    machine.nvml(mig=True, mig_uuids=["MIG-1111"])
    machine.environment["CUDA_VISIBLE_DEVICES"] = "MIG-1111"
    assert machine.finding("mig").status == "ok"


def test_instances_are_seen_in_proc_where_nvml_does_not_list_them(machine: Any) -> None:
    machine.nvml(mig=True)
    machine.write("/proc/driver/nvidia/capabilities/gpu0/mig/gi1/access")
    assert machine.finding("mig").status == "warning"


def test_a_compat_folder_that_nothing_looks_into_is_harmless(machine: Any) -> None:
    machine.write("/usr/local/cuda-13.0/compat/libcuda.so.580.82.07")
    assert machine.faults() == []


def test_a_compat_folder_in_the_search_path_of_a_geforce_is_a_fault(machine: Any) -> None:
    machine.write("/usr/local/cuda-13.0/compat/libcuda.so.580.82.07")
    machine.environment["LD_LIBRARY_PATH"] = "/usr/local/cuda-13.0/compat"
    fault = machine.finding("forward_compatibility")
    assert fault.commands[0] == "unset LD_LIBRARY_PATH"


def test_the_same_folder_serves_a_data_centre_card(machine: Any) -> None:
    machine.write("/usr/local/cuda-13.0/compat/libcuda.so.580.82.07")
    machine.environment["LD_LIBRARY_PATH"] = "/usr/local/cuda-13.0/compat"
    machine.write("/proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: NVIDIA A100-SXM4-80GB\n")
    assert machine.faults() == []


def test_switches_without_their_manager_are_a_fault_even_before_cuda_is_asked(machine: Any) -> None:
    machine.card("0000:c0:00.0", driver="nvidia-nvswitch", kind="0x068000")
    assert [fault.name for fault in machine.faults()] == ["fabric_manager_missing"]


def test_a_manager_that_runs_in_another_version_is_installed_anew_and_restarted(machine: Any) -> None:
    machine.process(900, "nv-fabricmanage")
    machine.card("0000:c0:00.0", driver="nvidia-nvswitch", kind="0x068000")
    machine.cuda(802, "CUDA_ERROR_SYSTEM_NOT_READY")
    assert machine.finding("fabric_manager_missing").commands[-1] == "sudo systemctl restart nvidia-fabricmanager"


def test_a_switch_is_not_taken_for_a_card(bare: Any) -> None:
    bare.card("0000:c0:00.0", driver=None, kind="0x068000")
    assert bare.finding("card").status == "ok"


def test_the_missing_uvm_device_does_not_matter_where_a_kernel_ran(machine: Any) -> None:
    """It is made when the first program needs it; the proof is such a program."""
    machine.remove("/dev/nvidia-uvm")
    assert machine.faults() == []


def test_a_driver_that_hangs_is_a_fault(machine: Any) -> None:
    machine.silent("ask_nvml.py")
    fault = machine.finding("nvml_error")
    assert "hangs" in fault.cause
    assert machine.report().verdict == "cpu"


def test_a_driver_that_lists_no_card_is_a_fault(machine: Any) -> None:
    machine.says("ask_nvml.py", {"code": 0, "message": "", "library": "580.95.05", "driver": "580.95.05", "gpus": []})
    machine.cuda(100, "CUDA_ERROR_NO_DEVICE")
    assert machine.faults()[0].name == "driver"


def test_wsl_with_a_card_that_windows_lends_is_fine(machine: Any) -> None:
    machine.unloaded()
    machine.remove("/usr/lib", "/lib/modules", "/sys/bus")
    machine.write("/proc/version", "Linux version 5.15.167.4-microsoft-standard-WSL2")
    machine.nodes("dxg")
    machine.write("/usr/lib/wsl/lib/libcuda.so.1")
    report = machine.report()
    assert (report.verdict, report.exit_code) == ("gpu", 0)


def test_wsl_on_a_computer_without_nvidia_has_no_fault(bare: Any) -> None:
    bare.write("/proc/version", "Linux version 5.15.167.4-microsoft-standard-WSL2")
    bare.nodes("dxg")
    report = bare.report()
    assert (report.verdict, report.exit_code) == ("cpu", 0)
    assert report.findings[0].name == "card"
