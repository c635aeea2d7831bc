"""`--fix`: only what is safe, never to a GPU in use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from heimdall.doctor.finding import Finding
from heimdall.doctor.repair.steps import RULES, plan_repair, repair

RELOAD = ["sudo modprobe -r nvidia_uvm nvidia_drm nvidia_modeset nvidia", "sudo modprobe -a nvidia nvidia_uvm"]


def _upgrade(machine: Any) -> None:
    machine.libraries("580.105.08")
    machine.on_disk("580.105.08")
    machine.nvml(18, driver="580.105.08")


def _plan(machine: Any) -> Any:
    return plan_repair(machine.host(), machine.report().findings)


def _steps(machine: Any) -> list[str]:
    return [step.command for step in _plan(machine).steps]


def test_a_mismatch_with_an_idle_card_is_mended_by_reloading_and_the_reboot_is_left(machine: Any) -> None:
    _upgrade(machine)
    assert _steps(machine) == [*RELOAD, "sudo apt-mark hold nvidia-dkms-580 nvidia-driver-580"]
    assert ("driver_library_mismatch", "sudo reboot") in _plan(machine).by_hand


@pytest.mark.parametrize(("name", "opens"), [("python3", "/dev/nvidia0"), ("Xorg", "/dev/nvidia-modeset")])
def test_nothing_is_unloaded_while_a_program_has_the_card_open(machine: Any, name: str, opens: str) -> None:
    _upgrade(machine)
    machine.process(4242, name, opens=opens)
    assert _steps(machine) == ["sudo apt-mark hold nvidia-dkms-580 nvidia-driver-580"]


def test_users_that_only_root_could_name_count_as_well(machine: Any) -> None:
    _upgrade(machine)
    findings = machine.report().findings
    machine.write("/sys/module/nvidia_uvm/refcnt", "2\n")
    commands = [step.command for step in plan_repair(machine.host(), findings).steps]
    assert not any("modprobe -r" in command for command in commands)


def test_a_card_taken_into_use_after_the_question_stops_the_repair(machine: Any) -> None:
    _upgrade(machine)
    plan = _plan(machine)
    machine.process(4242, "python3", opens="/dev/nvidia0")
    done: list[Sequence[str]] = []
    assert not repair(machine.host(), plan, lambda line: None, lambda argv: done.append(argv) or 0)
    assert done == []


def test_the_first_step_that_fails_is_the_last(machine: Any) -> None:
    _upgrade(machine)
    done: list[Sequence[str]] = []
    assert not repair(machine.host(), _plan(machine), lambda line: None, lambda argv: done.append(argv) or 1)
    assert len(done) == 1


def test_every_step_is_run_in_its_order_and_told(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    _upgrade(machine)
    done: list[str] = []
    told: list[str] = []
    assert repair(machine.host(), _plan(machine), told.append, lambda argv: done.append(" ".join(argv)) or 0)
    assert done == [*RELOAD, "sudo apt-mark hold nvidia-dkms-580 nvidia-driver-580"]
    assert told == [f"$ {command}" for command in done]


def test_root_needs_no_sudo(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    machine.remove("/dev/nvidia-uvm")
    machine.cuda(999)
    done: list[Sequence[str]] = []
    assert repair(machine.host(), _plan(machine), lambda line: None, lambda argv: done.append(argv) or 0)
    assert done == [["nvidia-modprobe", "-c", "0", "-u"]]


def test_half_a_sequence_is_not_done_alone(machine: Any) -> None:
    """Building without the headers that are to be installed first would only fail."""
    machine.unloaded()
    machine.says("ask_nvml.py", code=3)
    machine.on_disk(None)
    machine.remove("/lib/modules/6.8.0-60-generic/build")
    machine.write("/lib/modules/6.8.0-60-generic/kernel/dummy.ko")
    machine.write("/var/lib/dkms/nvidia/580.95.05/source/dkms.conf")
    assert _steps(machine) == []
    machine.write("/lib/modules/6.8.0-60-generic/build/Makefile")
    assert _steps(machine) == ["sudo dkms autoinstall -k 6.8.0-60-generic", "sudo modprobe -a nvidia nvidia_uvm"]


@pytest.mark.parametrize(
    "command",
    [
        "sudo reboot",
        "sudo systemctl restart docker",
        "sudo nvidia-smi --gpu-reset",
        "sudo apt-get install nvidia-driver-580",
        "sudo apt-get purge 'libnvidia-*'",
        "docker stop 3f3f3f3f3f3f",
        "sudo kill 4242",
        "docker compose up -d --force-recreate training",
        "sudo modprobe -r nvidia; sudo reboot",
        "sudo modprobe -r nvme",
        "sudo nvidia-ctk cdi generate --output=/etc/passwd",
        "sudo mv /etc/cdi/a.yaml /etc/cdi/b.yaml",
        "sudo apt-mark hold x && reboot",
        "sudo dkms autoinstall -k 1 -k 2",
        "printf x | sudo tee /etc/modprobe.d/x.conf",
    ],
)
def test_what_cannot_be_repeated_or_undone_is_left_to_the_person(bare: Any, command: str) -> None:
    plan = plan_repair(bare.host(), [Finding("gpu_lost", "fault", "", "", (command,))])
    assert (plan.steps, plan.by_hand) == ((), (("gpu_lost", command),))


def test_a_finding_that_is_no_fault_is_not_mended(bare: Any) -> None:
    fine = Finding("mig", "ok", "", "", ("sudo nvidia-modprobe -c 0 -u",))
    assert plan_repair(bare.host(), [fine]).steps == ()


def test_a_stale_specification_is_put_aside_and_can_be_put_back(bare: Any) -> None:
    fix = (
        "sudo mv /etc/cdi/old.yaml /etc/cdi/old.yaml.stale",
        "sudo nvidia-ctk cdi generate --output=/var/run/cdi/nvidia.yaml",
        "nvidia-ctk cdi list",
    )
    plan = plan_repair(bare.host(), [Finding("stale_cdi", "fault", "", "", fix)])
    assert tuple(step.command for step in plan.steps) == fix
    assert "undo: the same command with its two paths exchanged" in plan.as_text()


def test_every_rule_says_why_it_is_safe() -> None:
    assert all(rule.why for rule in RULES)


def test_a_plan_without_steps_says_so(bare: Any) -> None:
    assert plan_repair(bare.host(), []).as_text() == "Nothing can be done safely from here."
