"""`heimdall serve` alone is the whole service, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from .conftest import STANDIN, free_port
from .test_kill import programs_of

TOKEN = re.compile(r"heimdall_[\w-]{30,}")
TRAIN = {"kind": "train", "recipe": "quick"}


@contextmanager
def serving(
    home: Path, errors: Path, authorization: str | None = None, **more: str
) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """`heimdall serve` on a home folder, and a client with its first token or the one given."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEIMDALL_")} | {
        "HEIMDALL_HOME": str(home),
        "HEIMDALL_PORT": str(port),
        "HEIMDALL_HEALTH_PORT": str(free_port()),
        "HEIMDALL_ACCELERATOR": "cpu",
    }
    with errors.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-m", "heimdall", "serve"], env=environment | more, stderr=file)
    try:
        if authorization is None:
            authorization = "Bearer " + wait_for(lambda: TOKEN.search(errors.read_text()), limit_s=120)[0]
        headers = {"Authorization": authorization}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=10) as client:
            wait_for(lambda: is_up(client), limit_s=120)
            yield process, client
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def serve(tmp_path):
    home = tmp_path / "home"
    with serving(home, tmp_path / "stderr", HEIMDALL_PROGRAM=f"{sys.executable} {STANDIN}") as (process, client):
        yield process, client, home


def wait_for(seen, limit_s=60.0):
    deadline_s = time.monotonic() + limit_s
    while not (value := seen()):
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    return value


def is_up(client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False


def submit(client, **overrides) -> str:
    return client.post("/api/v1/jobs", json=TRAIN | {"overrides": overrides}).json()["id"]


def state_of(client, job_id) -> str:
    return client.get(f"/api/v1/jobs/{job_id}").json()["state"]


def test_with_nothing_configured_a_job_sent_to_the_api_runs_to_a_model(serve):
    _, client, _ = serve
    job_id = submit(client, steps=5)
    with client.stream("GET", f"/api/v1/jobs/{job_id}/events", timeout=60) as stream:
        told = [line.removeprefix("event: ") for line in stream.iter_lines() if line.startswith("event: ")]
    assert [name for name in told if name != "progress"] == ["queued", "running", "model", "succeeded", "end"]
    assert "step 5" in client.get(f"/api/v1/jobs/{job_id}/log").json()["text"]
    assert client.get(f"/api/v1/jobs/{job_id}/metrics").json()["metrics"][-1]["step"] == 5
    wait_for(lambda: client.get("/ready").json()["ready"])


def test_told_to_stop_it_checkpoints_and_leaves_nothing_running(serve):
    process, client, home = serve
    job_id = submit(client, steps=1000)
    wait_for(lambda: programs_of(job_id))
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert programs_of(job_id) == []
    assert workers_of(home) == []


def test_killed_it_leaves_nothing_running(serve):
    process, client, home = serve
    job_id = submit(client, steps=1000)
    wait_for(lambda: programs_of(job_id))
    process.kill()
    process.wait()
    wait_for(lambda: not programs_of(job_id) and not workers_of(home))


def test_a_worker_that_dies_is_started_again(serve):
    _, client, home = serve
    job_id = submit(client, steps=200)
    wait_for(lambda: programs_of(job_id))
    for worker in workers_of(home):
        os.kill(worker, signal.SIGKILL)
    wait_for(lambda: state_of(client, job_id) == "succeeded")


def workers_of(home: Path) -> list[int]:
    """`heimdall worker` processes on this home, their watchdogs aside."""
    processes = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [
        process for process in processes if is_worker(process) and f"HEIMDALL_HOME={home}" in told(process, "environ")
    ]


def is_worker(process: int) -> bool:
    command = told(process, "cmdline")
    return "worker" in command and "heimdall" in command and not any("watchdog" in part for part in command)


def told(process: int, what: str) -> list[str]:
    try:
        return Path(f"/proc/{process}/{what}").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []
