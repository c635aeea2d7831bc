"""The training service as Docker and Compose see it: does it ask for a GPU, with which environment and which torch?"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from heimdall.doctor.facts.wheels import Wheel, parse_wheel, text_of
from heimdall.doctor.host import Host

CONTAINER = "heimdall-training"
CONTAINER_FOLDERS = ("/var/lib/docker/containers", "/var/snap/docker/common/var-lib-docker/containers")
# Prints torch's version file without importing torch: quick, and no CUDA context.
PRINT_TORCH = (
    "import importlib.util as u, pathlib as p; s = u.find_spec('torch'); "
    "print(p.Path(s.origin).with_name('version.py').read_text() if s else '')"
)


@dataclass(frozen=True)
class Training:
    """`source` says where it was read. `asks_for_gpu` is None where nothing tells."""

    source: str
    asks_for_gpu: bool | None
    running: bool = False
    error: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    shared_bytes: int | None = None


def find_training(host: Host) -> Training | None:
    """The container if there is one, else what the project's files would start."""
    answer = host.run(["docker", "inspect", CONTAINER], 10.0)
    if answer.code == 0:
        try:
            return parse_inspect(json.loads(answer.stdout))
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            return None
    return _from_project(host) if host.live else _from_files(host)


def _from_files(host: Host) -> Training | None:
    """Of a mounted host: Docker keeps what `docker inspect` shows in two files for each container."""
    for folder in CONTAINER_FOLDERS:
        for name in host.names(folder):
            try:
                found = _from_folder(host, f"{folder}/{name}")
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
            if found:
                return found
    return None


def _from_folder(host: Host, folder: str) -> Training | None:
    config = json.loads(host.read(f"{folder}/config.v2.json") or "{}")
    if not str(config.get("Name", "")).endswith(CONTAINER):
        return None
    settings = json.loads(host.read(f"{folder}/hostconfig.json") or "{}")
    return replace(parse_inspect([{**config, "HostConfig": settings}]), source=f"{folder}/config.v2.json")


def parse_inspect(document: Any) -> Training:
    container = document[0]
    host_config, state = container.get("HostConfig") or {}, container.get("State") or {}
    requests = [item for item in host_config.get("DeviceRequests") or [] if _is_gpu(item)]
    paths = [str(device.get("PathOnHost")) for device in host_config.get("Devices") or []]
    by_path = any("/dev/nvidia" in path or path.startswith("nvidia.com/gpu") for path in paths)
    by_runtime = host_config.get("Runtime") == "nvidia"
    entries = (str(entry).partition("=") for entry in (container.get("Config") or {}).get("Env") or [])
    return Training(
        f"docker inspect {CONTAINER}",
        bool(requests) or by_path or by_runtime,
        bool(state.get("Running")),
        str(state.get("Error") or ""),
        {name: value for name, _, value in entries},
        int(host_config["ShmSize"]) if host_config.get("ShmSize") else None,
    )


def _is_gpu(request: Mapping[str, Any]) -> bool:
    words = {word for group in request.get("Capabilities") or [] for word in group}
    devices = [str(name) for name in request.get("DeviceIDs") or []]
    return (
        "gpu" in words or request.get("Driver") == "nvidia" or any(name.startswith("nvidia.com/") for name in devices)
    )


def _from_project(host: Host) -> Training | None:
    """Compose takes its reservation from HEIMDALL_ACCELERATOR: the shell's value, else the one in .env, else cpu."""
    if host.project is None or CONTAINER not in text_of(host.project / "docker-compose.yml"):
        return None
    lines = re.findall(
        r"^\s*(?:export\s+)?HEIMDALL_ACCELERATOR\s*=\s*[\"']?([\w-]*)", text_of(host.project / ".env"), re.M
    )
    chosen = host.environment.get("HEIMDALL_ACCELERATOR") or (lines[-1] if lines else "") or "cpu"
    return Training(f"HEIMDALL_ACCELERATOR={chosen} in {host.project}", chosen.startswith("gpu"))


def torch_in_container(host: Host) -> Wheel | None:
    answer = host.run(["docker", "exec", CONTAINER, "python3", "-c", PRINT_TORCH], 20.0)
    return parse_wheel(answer.stdout, f"the container {CONTAINER}") if answer.code == 0 else None


def recent_log(host: Host) -> str:
    """The end of what the training container wrote; its programs' errors stand there."""
    answer = host.run(["docker", "logs", "--tail", "300", CONTAINER], 10.0)
    return answer.text if answer.code == 0 else ""
