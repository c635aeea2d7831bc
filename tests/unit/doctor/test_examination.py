"""The examination as a whole: order, verdict, reason, and that it never raises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heimdall.doctor import accelerator_reason, examination, examine, explain, glance
from heimdall.doctor.finding import NAMES, Finding, Report, Way, as_reason, first_stop, in_order_of_cause


def test_a_machine_without_a_card_uses_the_cpu_and_nothing_is_at_fault(bare: Any) -> None:
    report = bare.report()
    assert (report.verdict, report.exit_code) == ("cpu", 0)
    assert report.reason == "This machine shows no NVIDIA GPU, so everything runs on the CPU."


def test_docker_without_a_toolkit_is_no_fault_on_a_machine_without_a_card(bare: Any) -> None:
    bare.docker(Runtimes={"runc": {}})
    assert bare.faults() == []


def test_where_no_kernel_could_be_run_nothing_but_silence_speaks_for_the_gpu(machine: Any) -> None:
    report = examine(machine.root, environment={}, run=machine.run)
    assert report.verdict == "gpu"
    assert "no kernel was run" in report.reason
    assert next(item for item in report.findings if item.name == "cuda").status == "unknown"


def test_a_loaded_driver_of_which_nothing_is_known_is_not_taken_for_a_gpu(machine: Any) -> None:
    """A bare host without nvidia-smi and without nvidia-ml-py, where even libcuda cannot be loaded."""
    machine.without("ask_nvml.py")
    machine.cuda(None, "libcuda.so.1: cannot open shared object file", stage="load")
    report = machine.report()
    assert report.verdict == "cpu"


def test_a_check_that_breaks_is_a_finding_and_silences_no_other(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def check_that_breaks(facts: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(examination, "SURROUNDINGS", (check_that_breaks, *examination.SURROUNDINGS))
    report = machine.report()
    broken = next(finding for finding in report.findings if finding.name == "check_failed")
    assert (broken.status, broken.evidence) == ("unknown", "ZeroDivisionError: oops")
    assert "check_that_breaks" in broken.cause
    assert "disk_space" in [finding.name for finding in report.findings]


def test_an_examination_that_breaks_as_a_whole_is_an_answer(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_it(facts: object) -> Report:
        raise RuntimeError("all of it")

    monkeypatch.setattr(examination, "examine_host", break_it)
    assert examine(machine.root).verdict == "cpu"
    assert "all of it" in glance(machine.root).reason
    assert "all of it" in (accelerator_reason(machine.root) or "")


def test_a_root_that_does_not_exist_is_a_machine_without_anything(tmp_path: Path) -> None:
    assert examine(tmp_path / "nowhere", environment={}).verdict == "cpu"


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\0garbage", b"\0" * 100, b"{" * 5000], ids=["empty", "binary", "zeros", "nested"]
)
def test_garbage_in_every_file_is_survived(machine: Any, content: bytes) -> None:
    for path in sorted(machine.root.rglob("*")):
        if path.is_file() and not path.is_symlink():
            path.write_bytes(content)
    for command in list(machine.answers):
        machine.says(command, content.decode("utf-8", "replace"))
    report = machine.report()
    assert [finding.evidence for finding in report.findings if finding.name == "check_failed"] == []


def test_a_glance_asks_neither_docker_nor_the_kernels_log_nor_cuda(machine: Any) -> None:
    report = machine.report(quick=True)
    assert report.verdict == "gpu"
    assert [line for line in machine.asked if not line.startswith(("ask_nvml.py", "modinfo"))] == []


def test_a_glance_at_a_machine_without_a_card_asks_nobody(bare: Any) -> None:
    bare.report(quick=True)
    assert bare.asked == []


def test_a_glance_sees_a_mismatch_and_a_lost_card(machine: Any) -> None:
    machine.libraries("580.105.08")
    machine.nvml(18, driver="580.105.08")
    assert machine.report(quick=True).verdict == "cpu"
    machine.libraries("580.95.05")
    machine.nvml(15)
    assert "fallen off" in machine.report(quick=True).reason


def test_a_glance_at_a_driver_that_is_slow_to_answer_is_no_fault(machine: Any) -> None:
    machine.silent("ask_nvml.py")
    report = machine.report(quick=True)
    assert report.exit_code == 0
    assert "It is not known whether the driver works" in report.reason


def test_the_reason_of_this_machine_is_one_line_or_none() -> None:
    reason = accelerator_reason()
    assert reason is None or (reason and "\n" not in reason)


def test_no_torch_is_imported_and_no_cuda_library_is_loaded_here(machine: Any) -> None:
    before = _cuda_libraries_loaded()
    machine.report()
    assert _cuda_libraries_loaded() == before


def _cuda_libraries_loaded() -> set[str]:
    """What this process has loaded, by other tests too: an examination must add nothing."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return {line.split()[-1] for line in lines if "libcuda" in line or "libtorch" in line}


def test_findings_stand_in_the_order_of_cause() -> None:
    names = list(reversed(NAMES))
    findings = in_order_of_cause([Finding(name, "ok", "", "") for name in names])
    assert [finding.name for finding in findings] == list(NAMES)


def test_only_faults_that_keep_the_gpu_from_being_used_can_be_the_reason() -> None:
    shared = Finding("shared_memory", "fault", "", "small")
    warning = Finding("driver_library_mismatch", "warning", "", "another copy")
    assert first_stop([shared, warning]) is None
    stop = Finding("stale_cdi", "fault", "", "stale")
    assert first_stop([shared, warning, stop]) == stop


def test_a_reason_without_a_command_takes_the_remark() -> None:
    finding = Finding("wsl", "fault", "", "Too old.", ("# in Windows: install the driver",))
    assert as_reason(finding) == "Too old. in Windows: install the driver. Type: heimdall doctor"


def test_a_reason_ends_in_one_command_and_says_where_the_others_are() -> None:
    one = Finding("wsl", "fault", "", "Old.\n", ("# first", "one"), (Way("or", ("three",)),))
    assert as_reason(one) == "Old. Type: one"
    several = Finding("wsl", "fault", "", "Old.", ("one", "two", "three", "four"))
    assert as_reason(several) == "Old. Type, as the first of 4 steps (heimdall doctor lists them): one"


@pytest.mark.parametrize(
    "command", ["sudo apt-get purge 'libnvidia-*'", "sudo mv a b", "sudo kill 7", "sudo nvidia-smi --gpu-reset"]
)
def test_a_reason_ends_in_no_command_that_takes_something_away(command: str) -> None:
    assert as_reason(Finding("wsl", "fault", "", "Old.", (command,))) == "Old. What to do is listed by: heimdall doctor"


def test_a_reason_seen_from_a_container_says_where_to_type(machine: Any) -> None:
    machine.move_inside()
    machine.remove("/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm")
    assert "On the host, type: HEIMDALL_ACCELERATOR=gpu docker compose up -d training" in machine.report().reason


def test_the_document_has_the_keys_of_the_contract(machine: Any) -> None:
    document = machine.report().as_dict()
    assert set(document) == {"findings", "verdict", "reason"}
    keys = {"name", "status", "evidence", "cause", "fix", "alternatives", "confidence", "source"}
    assert all(set(finding) == keys for finding in document["findings"])
    assert all(isinstance(finding["fix"], list) for finding in document["findings"])


def test_a_message_and_the_machine_name_the_same_mismatch(machine: Any) -> None:
    machine.libraries("580.105.08")
    machine.nvml(18, driver="580.105.08")
    said = explain("Failed to initialize NVML: Driver/library version mismatch")
    assert said is not None
    assert said.name == machine.faults()[0].name


def test_time_is_not_spent_on_a_machine_without_a_card(bare: Any) -> None:
    """No proof and no torch: neither could say anything."""
    bare.report()
    assert not any(line.startswith(("run_cuda.py", "run_torch.py", "journalctl")) for line in bare.asked)
