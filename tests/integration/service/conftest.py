"""A whole worker, as a process, on a home folder of its own, with the stand-in for `heimdall train`."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import fsspec
import pytest

from heimdall.service.database.migrate import migrate
from heimdall.service.database.store import Store
from heimdall.service.database.tables import Job
from heimdall.service.queue import jobs
from heimdall.service.queue.jobs import State
from heimdall.service.settings import Settings

from .swift_store import MISSING, Swift, installed

STANDIN = Path(__file__).with_name("standin.py")


class Site:
    """A home folder, its database, and the workers that run on it."""

    def __init__(self, home: Path, environment: Mapping[str, str] | None = None, **settings: Any) -> None:
        """`environment` is given to the workers beyond their settings."""
        quick = {"lease_s": 3.0, "heartbeat_s": 0.3, "poll_s": 0.1, "sweep_s": 0.5, "cancel_grace_s": 1.0}
        usual = {"accelerator": "cpu", "program": [sys.executable, str(STANDIN)]}
        self.settings = Settings(home=home, **(quick | usual | settings))
        self.store = Store(self.settings.database)
        migrate(self.store)
        self._more = dict(environment or {})
        self._workers: list[subprocess.Popen[bytes]] = []
        self.ports: dict[int, int] = {}

    def submit(self, kind: str = "train", **overrides: Any) -> str:
        with self.store.writing() as session:
            arguments = {"recipe": "quick", "overrides": overrides}
            return jobs.create(session, kind, arguments, name="t", created_by="test", attempts_max=50).id

    def freeze(self, worker: subprocess.Popen[bytes]) -> None:
        """SIGSTOP, at a moment when it is not SQLite's one writer: nobody could write any more."""
        while True:
            worker.send_signal(signal.SIGSTOP)
            while not _is_stopped(worker.pid):
                time.sleep(0.01)
            try:
                with sqlite3.connect(self.settings.home / "heimdall.db", timeout=0.1) as connection:
                    connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError:
                worker.send_signal(signal.SIGCONT)
            finally:
                connection.close()

    def start_worker(self, name: str = "one", prefix: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """`prefix` comes before the command, such as `ip netns exec NAME`, which becomes what it runs."""
        port = free_port()
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith("HEIMDALL_")
        } | self._environment(name, port)
        command = [*prefix, sys.executable, "-m", "heimdall", "worker"]
        worker = subprocess.Popen(command, env=environment, start_new_session=True)
        self._workers.append(worker)
        self.ports[worker.pid] = port
        return worker

    def _environment(self, name: str, port: int) -> dict[str, str]:
        fields = self.settings.model_dump(exclude_none=True, exclude={"program", "worker_name", "health_port"})
        told = {f"HEIMDALL_{key.upper()}": _text(value) for key, value in fields.items()}
        return (
            told
            | self._more
            | {
                "HEIMDALL_PROGRAM": " ".join(self.settings.command),
                "HEIMDALL_WORKER_NAME": name,
                "HEIMDALL_HEALTH_PORT": str(port),
            }
        )

    def job(self, job_id: str) -> Job:
        with self.store.reading() as session:
            return jobs.get(session, job_id)

    def wait(self, job_id: str, reached: Callable[[Job], bool], limit_s: float = 60.0) -> Job:
        deadline_s = time.monotonic() + limit_s
        while not reached(job := self.job(job_id)):
            if time.monotonic() > deadline_s:
                pytest.fail(f"job {job_id} is {job.state} ({job.error}) after {limit_s} s; {self.told(job_id)}")
            time.sleep(0.02)
        return job

    def wait_state(self, job_id: str, *states: State, limit_s: float = 60.0) -> Job:
        return self.wait(job_id, lambda job: job.state in states, limit_s)

    def told(self, job_id: str) -> list[str]:
        with self.store.reading() as session:
            return [f"{event.type}: {event.message}" for event in jobs.events(session, job_id)]

    def trace(self, job_id: str) -> list[tuple[int, int, float]]:
        """Process, step and time of every step."""
        path = self.settings.runs / job_id / "trace.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(process), int(step), float(at)) for process, step, at in (line.split() for line in lines)]

    def close(self) -> None:
        for worker in self._workers:
            worker.kill()  # what it ran ends with it
            worker.wait()
        self.store.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_stopped(pid: int) -> bool:
    """Whether every thread has taken note of SIGSTOP."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return all((each / "stat").read_text().rpartition(")")[2].split()[0] in "TtZ" for each in threads)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swift]:
    """A real S3 store on the loopback, with nothing in it that another test would see under its own bucket."""
    if not installed():
        pytest.skip(MISSING)
    server = Swift(tmp_path_factory.mktemp("swift"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


def reach(swift: Swift, patch: pytest.MonkeyPatch) -> None:
    """Let this process, and what it starts, use this store; fsspec would keep the one that it used before."""
    for name, value in swift.environment.items():
        patch.setenv(name, value)
    fsspec.get_filesystem_class("s3").clear_instance_cache()


@pytest.fixture
def s3(swift: Swift, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty bucket's folder; this process knows how to reach it."""
    reach(swift, monkeypatch)
    return f"s3://b{uuid.uuid4().hex[:12]}/heimdall"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "home")
    yield site
    site.close()
