"""A pod of Kubernetes is told about limits and the chart, and nothing of Docker, which is not there."""

from __future__ import annotations

from typing import Any

import pytest

from heimdall.doctor.host import Host

MARKS = [
    ("/proc/1/environ", "PATH=/bin\0KUBERNETES_SERVICE_HOST=10.0.0.1\0"),
    ("/proc/1/cgroup", "0::/kubepods.slice/kubepods-besteffort.slice/x\n"),
    ("/proc/1/cgroup", "12:devices:/kubepods/besteffort/pod1/abc\n"),
    ("/var/run/secrets/kubernetes.io/serviceaccount/token", "x"),
    ("/run/secrets/kubernetes.io/serviceaccount/token", "x"),
]


def pod(grow: Any, mark: tuple[str, str] = MARKS[0]) -> Any:
    tree = grow("debian", "6.8.0-60-generic")
    tree.card()
    tree.loaded("570.144", nodes=False)
    tree.write(*mark)
    return tree


@pytest.mark.parametrize("mark", MARKS)
def test_a_pod_without_a_limit_is_told_the_limit(mark: tuple[str, str], grow: Any) -> None:
    report = pod(grow, mark).report()
    found = next(finding for finding in report.findings if finding.name == "service_without_gpu")
    assert "nvidia.com/gpu in its limits" in found.cause
    assert "helm upgrade heimdall charts/heimdall --reuse-values --set worker.gpu.enabled=true" in found.commands
    assert any("resources: {limits: {nvidia.com/gpu: 1}}" in line for line in found.fix)
    assert any("device plugin" in line for line in found.fix)
    assert "docker" not in report.as_text().lower().replace(found.read_from.lower(), "")


@pytest.mark.parametrize("mark", MARKS)
def test_a_pod_is_known_by_its_marks(mark: tuple[str, str], grow: Any) -> None:
    tree = grow("debian", "6.8.0-60-generic")
    assert Host(tree.root, live=False, environment={}).container is None
    tree.write(*mark)
    assert Host(tree.root, live=False, environment={}).container == "kubernetes"


def test_the_examiners_own_pod_is_not_the_trees(grow: Any) -> None:
    tree = grow("debian", "6.8.0-60-generic")
    assert not Host(tree.root, live=False, environment={"KUBERNETES_SERVICE_HOST": "10.0.0.1"}).in_pod


def test_a_pod_that_was_given_a_card_needs_nvidias_runtime(machine: Any) -> None:
    machine.move_inside()
    machine.remove("/dev/nvidia0")
    machine.environment.update(KUBERNETES_SERVICE_HOST="10.0.0.1", NVIDIA_VISIBLE_DEVICES="GPU-5d49bdf4")
    found = machine.finding("service_without_gpu")
    assert found.commands == (
        "helm upgrade heimdall charts/heimdall --reuse-values --set worker.runtimeClassName=nvidia",
    )


def test_a_pod_with_the_libraries_of_yesterday_is_made_anew(grow: Any) -> None:
    tree = pod(grow)
    tree.write("/dev/nvidia0", "")
    tree.libraries("570.133.07")
    tree.write("/etc/hostname", "heimdall-worker-0\n")
    found = next(finding for finding in tree.report().findings if finding.name == "driver_library_mismatch")
    assert found.commands == ("kubectl delete pod heimdall-worker-0",)


def test_small_shared_memory_is_a_value_of_the_chart(machine: Any) -> None:
    machine.move_inside()
    machine.environment["KUBERNETES_SERVICE_HOST"] = "10.0.0.1"
    machine.write("/proc/mounts", "shm /dev/shm tmpfs rw,size=65536k 0 0\n")
    assert machine.finding("shared_memory").commands[0].endswith("--set worker.sharedMemory=2Gi")


def test_a_variable_that_hides_the_card_is_changed_in_the_manifest(machine: Any) -> None:
    machine.move_inside()
    machine.environment.update(KUBERNETES_SERVICE_HOST="10.0.0.1", CUDA_VISIBLE_DEVICES="-1")
    found = machine.finding("environment")
    assert "manifest" in found.fix[1]
    assert not any("docker" in line for line in found.fix)
