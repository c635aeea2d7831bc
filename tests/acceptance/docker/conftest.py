"""The service as an operator has it: a fresh clone, Docker Compose, a real engine; one deployment for all tests here."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[3]
PROJECT = "heimdall-acceptance"
SERVICES = {"training", "api", "mlflow", "postgres", "valkey"}
HEALTHY_S = 300.0
READY_S = 60.0
STOPPING_S = 30.0
JOB_S = 900.0
CHOSEN_HERE = re.compile("HEIMDALL_(?!DOCKER_)|COMPOSE_")
"""A developer's own settings are not the ones of a fresh clone."""
UNDECIDED = ("still being proved", "not looked at yet")
ENGINE = REPOSITORY / ".ci" / "engine"


class Deployment:
    """Ports are free ones, because another Heimdall may have the usual ones on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ports = _free_ports(2)
        self.environment = {
            "COMPOSE_PROJECT_NAME": PROJECT,
            "HEIMDALL_PORT": str(ports[0]),
            "HEIMDALL_HEALTH_PORT": str(ports[1]),
        }

    def try_run(self, *command: str, timeout_s: float = 900, **environment: str) -> subprocess.CompletedProcess[str]:
        inherited = {key: value for key, value in os.environ.items() if not CHOSEN_HERE.match(key)}
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**inherited, **self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def run(self, *command: str, timeout_s: float = 900, **environment: str) -> str:
        done = self.try_run(*command, timeout_s=timeout_s, **environment)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def compose(self, *arguments: str, **environment: str) -> str:
        return self.run("docker", "compose", *arguments, **environment)

    def heimdall(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.try_run(sys.executable, "-m", "heimdall", *arguments)

    def states(self) -> dict[str, str]:
        lines = self.compose("ps", "--format", "json").splitlines()
        return {entry["Service"]: entry["Health"] or entry["State"] for entry in map(json.loads, lines)}

    def wait_until_healthy(self) -> None:
        end = time.monotonic() + HEALTHY_S
        # With a GPU chosen there is one more, which stands by.
        while (states := self.states()) != dict.fromkeys(SERVICES | states.keys(), "healthy"):
            assert time.monotonic() < end, f"{states}\n{self.compose('logs', '--tail', '30')}"
            time.sleep(1)

    def inspect(self, service: str) -> dict[str, Any]:
        container = self.compose("ps", "--all", "--quiet", service).strip()
        return dict(json.loads(self.run("docker", "inspect", container))[0])

    def started(self) -> dict[str, str]:
        """When the container of each service started, and which it is."""
        found = {service: self.inspect(service) for service in SERVICES}
        return {service: f"{seen['Id']} {seen['State']['StartedAt']}" for service, seen in found.items()}

    def worker_ready(self) -> tuple[int, dict[str, Any]]:
        """Status and report of the worker's /ready, once it has looked at everything; failures of the start may pass."""
        end = time.monotonic() + READY_S
        while True:
            status, report = self._ask(f"http://127.0.0.1:{self.environment['HEIMDALL_HEALTH_PORT']}/ready")
            failed = [check for check in report["dependencies"] if check["status"] == "failed"]
            undecided = any(check["detail"].startswith(UNDECIDED) or check["name"] != "gpu" for check in failed)
            if not undecided or time.monotonic() > end:
                return status, report
            time.sleep(1)

    def api(self, path: str, body: dict[str, Any] | None = None) -> Any:
        address = f"http://127.0.0.1:{self.environment['HEIMDALL_PORT']}/api/v1{path}"
        status, answer = self._ask(address, body, self._admin_token)
        assert status < 300, answer
        return answer

    @cached_property
    def _admin_token(self) -> str:
        return self.compose("exec", "-T", "api", "cat", "/run/heimdall-secrets/admin_token").strip()

    def wait_for_job(self, job_id: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        end = time.monotonic() + JOB_S
        while not condition(job := self.api(f"/jobs/{job_id}")):
            assert time.monotonic() < end, job
            time.sleep(0.5)
        return dict(job)

    def offer_gpu(self, mode: str) -> None:
        """A host with the NVIDIA toolkit (`on`), with it and a driver/library mismatch (`mismatch`), or without (`off`)."""
        if not self.simulation():
            pytest.skip("only the engine of .ci/engine can simulate the NVIDIA toolkit")
        if mode != self.simulation():
            done = self.try_run(str(ENGINE), "nvidia", mode)
            if "did not stop" in done.stderr:  # it is still ending containers, which on a busy machine takes longer
                time.sleep(STOPPING_S)
                done = self.try_run(str(ENGINE), "nvidia", mode)
            assert done.returncode == 0, done.stderr

    def simulation(self) -> str:
        """The mode the engine is in; empty where it can simulate nothing."""
        status = self.try_run(str(ENGINE), "status").stdout
        if "simulated NVIDIA toolkit" not in status:
            return ""
        return "mismatch" if "mismatch" in status else "on" if "toolkit: on" in status else "off"

    @staticmethod
    def _ask(address: str, body: dict[str, Any] | None = None, token: str = "") -> tuple[int, Any]:
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        request = urllib.request.Request(address, json.dumps(body).encode() if body is not None else None, headers)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    _require_engine()
    clone = tmp_path_factory.mktemp("docker") / "heimdall"
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(clone)], check=True)
    deployment = Deployment(clone)
    deployment.compose("down", "--volumes", "--remove-orphans")
    if deployment.simulation() not in ("", "off"):
        deployment.offer_gpu("off")
    yield deployment
    deployment.compose("down", "--volumes", "--remove-orphans")
    if deployment.simulation() not in ("", "off"):
        deployment.offer_gpu("off")


@pytest.fixture(scope="session")
def everything(deployment: Deployment) -> Deployment:
    """Built and started as typed in a fresh clone."""
    deployment.compose("up", "-d", "--build")
    deployment.wait_until_healthy()
    return deployment


@pytest.fixture
def running(everything: Deployment) -> Deployment:
    """Started, with nothing chosen; which host it is on and what the last test left running, each test says itself."""
    (everything.folder / ".env").unlink(missing_ok=True)
    return everything


def _require_engine() -> None:
    reason = _why_not()
    if reason and os.environ.get("HEIMDALL_REQUIRE_DOCKER"):
        pytest.fail(f"HEIMDALL_REQUIRE_DOCKER is set, and {reason}")
    if reason:
        pytest.skip(reason)


def _why_not() -> str:
    if not shutil.which("docker"):
        return "docker is not installed"
    if subprocess.run(["docker", "version"], capture_output=True, check=False).returncode:
        return "no Docker engine answers (.ci/engine start, .ci/engine images)"
    command = ["docker", "ps", "--all", "--filter", "name=^heimdall-training$", "--format"]
    label = '{{.Label "com.docker.compose.project"}}'
    owner = subprocess.run([*command, label], capture_output=True, text=True, check=False).stdout.strip()
    return f"a training container of the project {owner} is on this machine" if owner not in ("", PROJECT) else ""


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listening.getsockname()[1] for listening in sockets]
    for listening in sockets:
        listening.close()
    return ports
