"""Whether the ports of this machine that the service wants are free, asked before a build of minutes."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heimdall.deploy.compose.engine import Engine
from heimdall.deploy.compose.health import entries
from heimdall.errors import HeimdallError

VARIABLES = {"training": "HEIMDALL_HEALTH_PORT", "api": "HEIMDALL_PORT", "mlflow": "HEIMDALL_MLFLOW_PORT"}


@dataclass(frozen=True)
class Port:
    service: str
    address: str
    number: int


def check_ports(engine: Engine, services: Sequence[str]) -> None:
    """Raises HeimdallError that names the port somebody else has; says nothing where that cannot be known."""
    if os.environ.get("DOCKER_HOST", "unix:").partition(":")[0] not in ("unix", "npipe"):
        return
    answer = engine.compose("config", "--format", "json")
    if not answer.ok:
        return
    own = _published_by_us(engine)
    for port in wanted(json.loads(answer.output), services):
        if port.number not in own and is_taken(port):
            variable = VARIABLES.get(port.service, "its port")
            taken = f"port {port.number} of {port.address}, which {port.service} wants, is taken"
            raise HeimdallError(f"{taken}: set {variable} in .env to a free port")


def wanted(project: Mapping[str, Any], services: Sequence[str]) -> Iterator[Port]:
    """The fixed ports of these services and of all they need; of every service where none is named."""
    every: Mapping[str, Any] = project["services"]
    for name in sorted(_with_needs(every, services or list(every))):
        for entry in every[name].get("ports", ()):
            if str(entry.get("published", "")).isdigit():
                yield Port(name, entry.get("host_ip") or "0.0.0.0", int(entry["published"]))


def _with_needs(every: Mapping[str, Any], names: Sequence[str]) -> set[str]:
    found: set[str] = set()
    left = [name for name in names if name in every]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += [other for other in every[name].get("depends_on", {}) if other in every]
    return found


def _published_by_us(engine: Engine) -> set[int]:
    listed = entries(engine.compose("ps", "--format", "json").output)
    return {published["PublishedPort"] for entry in listed for published in entry.get("Publishers") or ()}


def is_taken(port: Port) -> bool:
    family = socket.AF_INET6 if ":" in port.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((port.address, port.number))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
