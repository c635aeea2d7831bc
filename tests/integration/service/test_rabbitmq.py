"""RabbitMQ carries the notifier as Redis does; a broker of our own, gone when the test ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from heimdall.service.queue import notifications
from heimdall.service.queue.jobs import State

from .conftest import Site, free_port
from .test_control import ask

PROGRAMS = Path("/usr/lib/rabbitmq/bin")
START_S = 120.0


@pytest.fixture
def rabbitmq_url(tmp_path) -> Iterator[str]:
    if not (PROGRAMS / "rabbitmq-server").exists() or shutil.which("epmd") is None:
        pytest.skip("no RabbitMQ server: install the package `rabbitmq-server`")
    port, names = free_port(), str(free_port())
    # Erlang's own directory of nodes too, so that nothing of ours meets another broker on the machine.
    environment = os.environ | {
        "HOME": str(tmp_path),
        "RABBITMQ_NODENAME": f"heimdall{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_BASE": str(tmp_path),
        "RABBITMQ_MNESIA_BASE": str(tmp_path / "mnesia"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(tmp_path / "plugins"),
        "RABBITMQ_CONFIG_FILE": str(tmp_path / "none"),
        "ERL_EPMD_PORT": names,
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    directory = subprocess.Popen(["epmd", "-port", names], env=environment)
    log = (tmp_path / "rabbitmq.log").open("wb")
    server = subprocess.Popen([PROGRAMS / "rabbitmq-server"], env=environment, stdout=log, stderr=log)
    try:
        wait_until_started(tmp_path / "rabbitmq.log", server)
        yield f"amqp://guest:guest@127.0.0.1:{port}//"
    finally:
        server.terminate()
        server.wait()
        directory.terminate()
        directory.wait()
        log.close()


def wait_until_started(log: Path, server: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + START_S
    while "Server startup complete" not in (said := log.read_text(errors="replace")):
        if server.poll() is not None or time.monotonic() > deadline_s:
            pytest.fail(f"RabbitMQ did not start: {said[-2000:]}")
        time.sleep(0.1)


@pytest.mark.slow
def test_on_rabbitmq_the_bell_is_heard_ping_is_answered_and_the_worker_is_ready(rabbitmq_url, tmp_path):
    # So slow a look at the database by itself that only the notification can be the reason for a job's start.
    site = Site(tmp_path / "home", broker_url=rabbitmq_url, poll_s=4.0, lease_s=30.0)
    try:
        worker = site.start_worker()
        app = notifications.make_celery(site.settings)
        wait_for_ping(app)
        notifier = notifications.Notifier(app)
        job_id = site.submit(steps=3)
        notifier.notify(job_id)
        site.wait_state(job_id, State.SUCCEEDED)
        notifier.close()
        status, document = ask(site.ports[worker.pid], "/ready")
        seen = {each["name"]: each for each in document["dependencies"]}
        assert (status, seen["broker"]["ok"], seen["celery"]["ok"]) == (200, True, True), seen
    finally:
        site.close()


def wait_for_ping(app) -> None:
    deadline_s = time.monotonic() + 60.0
    while True:
        try:
            assert notifications.look_at_workers(app, "one")() == "heimdall@one answers"
            return
        except Exception:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.2)
