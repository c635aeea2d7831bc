"""Docker between the driver and the training: what is a fault, and what only looks like one."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

from heimdall.doctor import examine

SPEC = """kind: nvidia.com/gpu
devices:
- name: all
  containerEdits: {{}}
containerEdits:
  mounts:
  - hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.{version}
"""


def _names(machine: Any, status: str) -> list[str]:
    return [finding.name for finding in machine.report().findings if finding.status == status]


def test_a_stale_specification_is_but_a_warning_where_the_toolkits_hook_serves(machine: Any) -> None:
    machine.write("/etc/cdi/nvidia.yaml", SPEC.format(version="580.82.07"))
    assert (_names(machine, "fault"), _names(machine, "warning")) == ([], ["stale_cdi"])


def test_a_stale_specification_that_a_later_folder_replaces_is_but_a_warning(machine: Any) -> None:
    machine.remove("/usr/bin/nvidia-container-runtime-hook")
    machine.docker(Runtimes={"runc": {}}, DiscoveredDevices=[{"Source": "cdi", "ID": "nvidia.com/gpu=all"}])
    machine.write("/etc/cdi/nvidia.yaml", SPEC.format(version="580.82.07"))
    machine.write("/var/run/cdi/nvidia.yaml", SPEC.format(version="580.95.05"))
    assert (_names(machine, "fault"), _names(machine, "warning")) == ([], ["stale_cdi"])


def test_a_device_described_twice_in_one_folder_is_a_fault(machine: Any) -> None:
    machine.remove("/usr/bin/nvidia-container-runtime-hook")
    machine.docker(Runtimes={"runc": {}}, DiscoveredDevices=[{"Source": "cdi", "ID": "nvidia.com/gpu=all"}])
    machine.write("/etc/cdi/nvidia.yaml", SPEC.format(version="580.95.05"))
    machine.write("/etc/cdi/nvidia-by-hand.yaml", SPEC.format(version="580.95.05"))
    fault = machine.finding("stale_cdi")
    assert fault.status == "fault"
    assert "is described by /etc/cdi/nvidia-by-hand.yaml and /etc/cdi/nvidia.yaml" in fault.evidence


def test_libraries_of_another_version_make_a_specification_stale_even_if_they_exist(machine: Any) -> None:
    machine.write("/usr/lib/x86_64-linux-gnu/libcuda.so.580.82.07")
    machine.write("/etc/cdi/nvidia.yaml", SPEC.format(version="580.82.07"))
    assert "it mounts libraries 580.82.07, the driver is 580.95.05" in machine.finding("stale_cdi").evidence


def test_a_rootless_docker_with_no_cgroups_is_fine(machine: Any) -> None:
    machine.docker(SecurityOptions=["name=rootless"])
    machine.write("/etc/nvidia-container-runtime/config.toml", "[nvidia-container-cli]\nno-cgroups = true\n")
    assert machine.faults() == []


def test_cdi_makes_up_for_a_toolkit_that_docker_has_not_seen_yet(machine: Any) -> None:
    machine.hook(installed_s=1_760_000_500, daemon_started_s=1_760_000_020)
    machine.docker(Runtimes={"runc": {}}, DiscoveredDevices=[{"Source": "cdi", "ID": "nvidia.com/gpu=all"}])
    assert machine.faults() == []


def test_a_service_that_asks_for_nothing_is_told_the_way_docker_can_serve(machine: Any) -> None:
    machine.remove("/usr/bin/nvidia-container-runtime-hook")
    machine.docker(Runtimes={"runc": {}}, DiscoveredDevices=[{"Source": "cdi", "ID": "nvidia.com/gpu=all"}])
    machine.training(gpu=False)
    fault = machine.finding("service_without_gpu")
    assert fault.commands == ("HEIMDALL_ACCELERATOR=gpu-cdi docker compose up -d training",)


def test_a_project_that_was_never_started_asks_for_nothing_either(machine: Any, tmp_path: Path) -> None:
    machine.without("docker inspect heimdall-training")
    machine.project = tmp_path
    (tmp_path / "docker-compose.yml").write_text("container_name: heimdall-training\n")
    assert [fault.name for fault in machine.faults()] == ["service_without_gpu"]


def test_dockers_refusal_is_part_of_the_evidence(machine: Any) -> None:
    machine.remove("/usr/bin/nvidia-container-runtime-hook")
    machine.docker(Runtimes={"runc": {}})
    machine.training(error='could not select device driver "nvidia" with capabilities: [[gpu]]')
    assert "could not select device driver" in machine.finding("container_toolkit_missing").evidence


def test_a_docker_that_does_not_answer_is_unknown_and_no_fault(machine: Any) -> None:
    machine.says(
        "docker info", {"ServerErrors": ["Cannot connect to the Docker daemon at unix:///var/run/docker.sock."]}, code=1
    )
    finding = machine.finding("docker")
    assert (finding.status, finding.commands) == ("unknown", ("sudo systemctl start docker",))
    assert machine.faults() == []


def test_who_may_not_ask_docker_is_told_the_group(machine: Any) -> None:
    machine.says(
        "docker info", {"ServerErrors": ["permission denied while trying to connect to the Docker daemon"]}, code=1
    )
    assert machine.finding("docker").commands == ("sudo usermod -aG docker $USER",)


def test_a_device_that_file_permissions_refuse_is_no_lost_gpu(machine: Any) -> None:
    """EACCES is the group's affair; only EPERM is the control group's."""
    machine.move_inside()
    machine.nvml(4)
    machine.refused["/dev/nvidia0"] = errno.EACCES
    assert [fault.name for fault in machine.faults()] == ["device_permission"]


def test_the_toolkit_does_not_matter_to_a_training_beside_this_interpreter(machine: Any) -> None:
    machine.remove("/usr/bin/nvidia-container-runtime-hook")
    machine.docker(Runtimes={"runc": {}})
    machine.torch_runs()
    report = machine.report()
    assert (report.verdict, report.exit_code) == ("gpu", 1)


def test_a_copied_tree_says_nothing_about_docker(machine: Any) -> None:
    """Nobody was asked, so nothing is missing."""
    report = examine(machine.root, environment={})
    assert [finding.name for finding in report.findings if finding.name == "docker"] == []
