"""What this host's Docker can serve."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdall.doctor import docker_gpu_support
from heimdall.doctor.facts.containers.docker import ask_engine
from heimdall.doctor.host import Host
from heimdall.doctor.program import ProgramOutput

BOOT_S = 1_760_000_000
ALL = [{"Source": "cdi", "ID": "nvidia.com/gpu=all"}, {"Source": "cdi", "ID": "vendor.com/net=eth0"}]
SPEC = "cdiVersion: 0.6.0\nkind: nvidia.com/gpu\ndevices:\n- name: all\n  containerEdits: {}\n"


def _support(machine: Any) -> Any:
    return docker_gpu_support(machine.root, run=machine.run)


def test_the_hook_in_place_before_the_daemon_serves_a_reservation(machine: Any) -> None:
    support = _support(machine)
    assert (support.mode, support.accelerator, support.engine_version) == ("toolkit", "gpu", "28.5.1")
    assert "/usr/bin/nvidia-container-runtime-hook" in support.reason


def test_a_runtime_of_that_name_is_not_needed(machine: Any) -> None:
    machine.docker(Runtimes={"runc": {}})
    assert _support(machine).mode == "toolkit"


def test_a_hook_younger_than_the_daemon_serves_nothing_yet(machine: Any) -> None:
    machine.hook(installed_s=BOOT_S + 500, daemon_started_s=BOOT_S + 20)
    support = _support(machine)
    assert (support.mode, support.needs_restart, support.accelerator) == ("none", True, "cpu")


def test_the_daemon_is_found_by_its_name_without_a_pid_file(machine: Any) -> None:
    machine.hook(installed_s=BOOT_S + 500, daemon_started_s=BOOT_S + 20)
    machine.remove("/run/docker.pid")
    assert _support(machine).needs_restart


def test_the_hook_is_looked_for_where_the_daemon_looks(machine: Any) -> None:
    machine.remove("/usr/bin/nvidia-container-runtime-hook")
    machine.write("/opt/toolkit/bin/nvidia-container-runtime-hook")
    machine.docker(Runtimes={"runc": {}})
    assert _support(machine).mode == "none"
    machine.write("/proc/701/environ", "HOME=/root\0PATH=/opt/toolkit/bin:/usr/bin\0")
    assert _support(machine).mode == "toolkit"


def test_discovered_devices_serve_by_cdi(machine: Any) -> None:
    machine.remove("/usr/bin/nvidia-container-runtime-hook")
    machine.docker(Runtimes={"runc": {}}, DiscoveredDevices=ALL)
    support = _support(machine)
    assert (support.mode, support.accelerator, support.devices) == ("cdi", "gpu-cdi", ("nvidia.com/gpu=all",))


def test_before_docker_28_the_specifications_tell_the_devices(machine: Any) -> None:
    machine.remove("/usr/bin/nvidia-container-runtime-hook")
    machine.write("/opt/cdi/nvidia.yaml", SPEC)
    machine.docker(ServerVersion="26.1.5", Runtimes={"runc": {}}, CDISpecDirs=["/opt/cdi"])
    assert _support(machine).devices == ("nvidia.com/gpu=all",)


def test_where_cdi_is_off_a_specification_serves_nothing(machine: Any) -> None:
    machine.remove("/usr/bin/nvidia-container-runtime-hook")
    machine.write("/etc/cdi/nvidia.yaml", SPEC)
    machine.docker(ServerVersion="26.1.5", Runtimes={"runc": {}}, CDISpecDirs=None)
    assert _support(machine).mode == "none"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ProgramOutput(None, stderr="docker: not installed"), "not installed"),
        (ProgramOutput(None, stderr="docker did not answer within 10 s"), "did not answer"),
        (ProgramOutput(1, '{"ServerErrors": ["Cannot connect to the Docker daemon"]}'), "Cannot connect"),
        (ProgramOutput(1, '{"ServerVersion": ""}', "permission denied while trying to connect"), "permission denied"),
        (ProgramOutput(0, "no JSON"), "no JSON"),
        (ProgramOutput(0, "[]"), "nothing readable"),
        (ProgramOutput(0, ""), "nothing readable"),
    ],
)
def test_a_docker_that_cannot_be_asked_is_unknown_with_its_own_words(
    bare: Any, answer: ProgramOutput, reason: str
) -> None:
    support = docker_gpu_support(bare.root, run=lambda command, timeout_s: answer)
    assert support.mode == "unknown"
    assert support.accelerator == "cpu"
    assert reason in support.reason


def test_a_runner_that_raises_gives_an_answer_nevertheless(bare: Any) -> None:
    def explode(command: object, timeout_s: float) -> ProgramOutput:
        raise RuntimeError("boom")

    support = docker_gpu_support(bare.root, run=explode)
    assert (support.mode, "boom" in support.reason) == ("unknown", True)


KEYS = st.sampled_from(
    ["ServerVersion", "Runtimes", "SecurityOptions", "CDISpecDirs", "DiscoveredDevices", "ServerErrors"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner)
)


@given(document=JSON)
def test_no_answer_of_docker_makes_it_raise(document: object) -> None:
    answer = ProgramOutput(0, json.dumps(document))
    support = docker_gpu_support(Path("/nonexistent"), run=lambda command, timeout_s: answer)
    assert support.mode in ("none", "unknown", "cdi", "toolkit")


def test_rootless_is_read_from_the_security_options(bare: Any) -> None:
    bare.docker(SecurityOptions=["name=seccomp,profile=builtin", "name=rootless"])
    assert ask_engine(Host(bare.root, bare.run)).rootless
