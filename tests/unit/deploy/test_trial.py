from __future__ import annotations

from pathlib import Path

import pytest

from heimdall.deploy.compose.engine import Engine, EngineReply
from heimdall.deploy.trial import Way, try_way, why

RUNC = (
    "docker: Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime "
    "create failed: runc create failed: unable to start container process: error during container init: error running "
)
NVML = "nvidia-container-cli: initialization error: nvml error: driver/library version mismatch"
COMPOSE = " Container heimdall-training  Creating\n Container heimdall-training  Created\n"


@pytest.mark.parametrize(
    ("output", "error", "reason"),
    [
        (
            "",
            'docker: Error response from daemon: could not select device driver "nvidia" with capabilities: [[gpu]]\n\n'
            "Run 'docker run --help' for more information\n",
            'could not select device driver "nvidia" with capabilities: [[gpu]]',
        ),
        ("", f"{RUNC}hook #0: error running hook: exit status 1, stdout: , stderr: {NVML}: unknown\n", NVML),
        (
            "",
            f"{RUNC}prestart hook #0: exit status 1, stdout: , stderr: Auto-detected mode as 'legacy'\n{NVML}: unknown\n",
            NVML,
        ),
        (
            "",
            "docker: Error response from daemon: CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=all\n",
            "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=all",
        ),
        (
            "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 570.211\n",
            "",
            "Failed to initialize NVML: Driver/library version mismatch",
        ),
        (f"{COMPOSE}Error response from daemon: port is already allocated", "", "port is already allocated"),
        ("", "", "exit code 5"),
    ],
)
def test_the_reason_is_what_was_wrong_without_the_programs_it_went_through(
    output: str, error: str, reason: str
) -> None:
    assert why(EngineReply(5, output, error)) == reason


class Recorder(Engine):
    asked: tuple[str, ...] = ()

    def docker(self, *arguments: str, timeout_s: float = 60) -> EngineReply:
        object.__setattr__(self, "asked", arguments)
        return EngineReply(0, "GPU 0: NVIDIA GeForce RTX 3090 (UUID: GPU-1)\n")


@pytest.mark.parametrize(
    ("way", "reservation"),
    [
        ("gpu", ["--gpus", "driver=nvidia,count=all"]),
        ("gpu-ids", ["--gpus", 'driver=nvidia,"device=0,2"']),
        ("gpu-cdi", ["--device", "nvidia.com/gpu=0"]),
    ],
)
def test_the_trial_asks_docker_as_compose_will_and_tells_the_cards(
    tmp_path: Path, way: Way, reservation: list[str]
) -> None:
    engine = Recorder(tmp_path, print)
    pinned = "registry.example/valkey@sha256:0"
    values = {"HEIMDALL_GPU_IDS": "0,2", "HEIMDALL_GPU_CDI": "nvidia.com/gpu=0", "HEIMDALL_VALKEY_IMAGE": pinned}
    trial = try_way(engine, way, values)
    assert pinned in engine.asked
    assert " ".join(reservation) in " ".join(engine.asked)
    assert (trial.ok, trial.detail) == (True, "GPU 0: NVIDIA GeForce RTX 3090 (UUID: GPU-1)")
