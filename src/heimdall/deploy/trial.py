"""Whether a container gets the GPU, asked of Docker itself with a small image that the service needs anyway."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from heimdall.deploy.compose.engine import Engine, EngineReply

Way = Literal["cpu", "gpu", "gpu-ids", "gpu-cdi"]
"""The services of docker/accelerators.yml."""
WAYS: tuple[Way, ...] = get_args(Way)

IMAGE = "valkey/valkey:8"
"""Unless `HEIMDALL_VALKEY_IMAGE` names another, as in docker-compose.yml."""
PULL_TIMEOUT_S = 600.0
TROUBLE = re.compile(r"[Ee]rror|[Ff]ailed|could not|cannot|unhealthy")
CHAIN = re.compile(
    r"docker: |Error response from daemon: |failed to create (?:shim )?task(?: for container)?: |OCI runtime create failed: "
    r"|runc create failed: |unable to start container process: |error during container init: |error running .*stderr: "
    r"|: unknown$"
)
"""What Docker puts round the one thing that was wrong."""


@dataclass(frozen=True)
class Trial:
    way: Way
    ok: bool
    detail: str
    """What nvidia-smi said in the container, or why there is none."""


def try_way(engine: Engine, way: Way, values: Mapping[str, str]) -> Trial:
    """Start a container with the reservation of docker/accelerators.yml and let nvidia-smi list the cards in it.

    `values` are the settings that Compose reads.
    """
    reservation = {
        "gpu": ["--gpus", "driver=nvidia,count=all"],
        "gpu-ids": ["--gpus", f'driver=nvidia,"device={values.get("HEIMDALL_GPU_IDS") or "0"}"'],
        "gpu-cdi": ["--device", values.get("HEIMDALL_GPU_CDI") or "nvidia.com/gpu=all"],
    }[way]
    answer = engine.docker(
        *("run", "--rm", "--network", "none", "--entrypoint", "nvidia-smi"),
        *("--env", "NVIDIA_DRIVER_CAPABILITIES=compute,utility"),
        *(*reservation, values.get("HEIMDALL_VALKEY_IMAGE") or IMAGE, "-L"),
        timeout_s=PULL_TIMEOUT_S,
    )
    return Trial(way, answer.ok, _first_line(answer.output) if answer.ok else why(answer))


def why(answer: EngineReply) -> str:
    """Docker's reason in one line, without the chain of programs it went through."""
    lines = [line.strip() for line in f"{answer.output}\n{answer.error}".splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("Run 'docker", "See 'docker", "time="))]
    marked = [line for line in telling if TROUBLE.search(line)]
    reason = (marked or telling or [f"exit code {answer.code}"])[-1]
    return CHAIN.sub("", reason)


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "nvidia-smi answers")
