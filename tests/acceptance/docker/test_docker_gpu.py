"""With the NVIDIA Container Toolkit, simulated: the reservation is made, and a card without CUDA is told, not hidden."""

from __future__ import annotations

import json

import pytest

pytestmark = [pytest.mark.docker, pytest.mark.slow]

RESERVATIONS = {
    "gpu": {"Driver": "nvidia", "Count": -1, "DeviceIDs": None},
    "gpu-ids": {"Driver": "nvidia", "Count": 0, "DeviceIDs": ["0,1"]},
    "gpu-cdi": {"Driver": "cdi", "Count": 0, "DeviceIDs": ["nvidia.com/gpu=all"]},
}


@pytest.fixture
def with_toolkit(running):
    running.offer_gpu("on")
    running.compose("up", "-d")
    running.wait_until_healthy()
    return running


@pytest.mark.parametrize("accelerator", RESERVATIONS)
def test_each_reservation_starts_the_training_and_touches_nothing_else(with_toolkit, accelerator: str) -> None:
    before = with_toolkit.started()
    with_toolkit.compose("up", "-d", "training", HEIMDALL_ACCELERATOR=accelerator, HEIMDALL_GPU_IDS="0,1")
    with_toolkit.wait_until_healthy()
    after = with_toolkit.started()
    assert {service for service in before if before[service] != after[service]} == {"training"}
    (request,) = with_toolkit.inspect("training")["HostConfig"]["DeviceRequests"]
    assert {key: request[key] for key in RESERVATIONS[accelerator]} == RESERVATIONS[accelerator]
    assert request["Capabilities"] == [["gpu"]]
    assert "NVIDIA-SMI" in with_toolkit.run("docker", "exec", "heimdall-training", "nvidia-smi")


def test_a_card_without_cuda_makes_the_worker_not_ready_and_names_the_gpu(with_toolkit) -> None:
    with_toolkit.compose("up", "-d", "training", HEIMDALL_ACCELERATOR="gpu")
    with_toolkit.wait_until_healthy()
    status, report = with_toolkit.worker_ready()
    assert status == 503
    (failed,) = [check for check in report["dependencies"] if check["status"] == "failed"]
    assert failed["name"] == "gpu"
    assert "GPU" in failed["detail"]


@pytest.mark.parametrize("accelerator", RESERVATIONS)
def test_each_reservation_renders_as_docker_expects_it(deployment, accelerator: str) -> None:
    text = deployment.compose("config", "--format", "json", HEIMDALL_ACCELERATOR=accelerator)
    training = json.loads(text)["services"]["training"]
    (device,) = training["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == RESERVATIONS[accelerator]["Driver"]
    assert device["capabilities"] == ["gpu"]
    assert training["environment"]["HEIMDALL_ACCELERATOR"] == "gpu"
    assert training["environment"]["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility"
