"""The training service as Docker and Compose see it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdall.doctor.facts.containers.training import find_training, parse_inspect, torch_in_container
from heimdall.doctor.host import Host
from heimdall.doctor.program import ProgramOutput

GPU = {"Driver": "nvidia", "Count": -1, "Capabilities": [["gpu"]]}


@pytest.mark.parametrize(
    ("host_config", "asks"),
    [
        ({"DeviceRequests": [GPU]}, True),
        ({"DeviceRequests": [{"Driver": "", "Count": -1, "Capabilities": [["compute", "gpu"]]}]}, True),
        ({"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=all"]}]}, True),
        ({"DeviceRequests": None, "Runtime": "nvidia"}, True),
        ({"Devices": [{"PathOnHost": "/dev/nvidia0"}]}, True),
        ({"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["vendor.com/net=eth0"]}]}, False),
        ({"DeviceRequests": None, "Runtime": "runc", "Devices": []}, False),
        ({}, False),
    ],
)
def test_every_way_to_ask_for_a_gpu_counts(host_config: dict[str, Any], asks: bool) -> None:
    assert parse_inspect([{"HostConfig": host_config}]).asks_for_gpu is asks


def _project(bare: Any, tmp_path: Path, dotenv: str | None) -> None:
    bare.docker()
    bare.project = tmp_path
    (tmp_path / "docker-compose.yml").write_text("services: {training: {container_name: heimdall-training}}\n")
    if dotenv is not None:
        (tmp_path / ".env").write_text(dotenv)


@pytest.mark.parametrize(
    ("dotenv", "asks"),
    [
        (None, False),
        ("", False),
        ("HEIMDALL_ACCELERATOR=cpu\n", False),
        ("HEIMDALL_ACCELERATOR=gpu\n", True),
        ("# HEIMDALL_ACCELERATOR=gpu\n", False),
        ("HEIMDALL_ACCELERATOR=cpu\nHEIMDALL_ACCELERATOR='gpu-cdi'\n", True),
    ],
)
def test_before_the_first_start_the_projects_files_tell(
    bare: Any, tmp_path: Path, dotenv: str | None, asks: bool
) -> None:
    _project(bare, tmp_path, dotenv)
    training = find_training(bare.host())
    assert training is not None
    assert training.asks_for_gpu is asks


def test_the_shells_value_wins_over_the_files(bare: Any, tmp_path: Path) -> None:
    _project(bare, tmp_path, "HEIMDALL_ACCELERATOR=gpu\n")
    bare.environment["HEIMDALL_ACCELERATOR"] = "cpu"
    training = find_training(bare.host())
    assert training is not None
    assert training.asks_for_gpu is False


def test_another_folder_says_nothing_about_the_service(bare: Any, tmp_path: Path) -> None:
    bare.project = tmp_path
    assert find_training(bare.host()) is None


def test_the_containers_torch_is_read_without_importing_it(bare: Any) -> None:
    bare.container_torch("2.14.1+cu130", "13.0")
    wheel = torch_in_container(bare.host())
    assert wheel is not None
    assert (wheel.version, wheel.cuda) == ("2.14.1+cu130", (13, 0))
    assert not any("import torch" in line for line in bare.asked)


JSON = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(document=JSON)
def test_no_answer_of_docker_inspect_makes_it_raise(document: object) -> None:
    host = Host(Path("/nonexistent"), lambda command, timeout_s: ProgramOutput(0, json.dumps(document)))
    training = find_training(host)
    assert training is None or training.asks_for_gpu in (True, False)
