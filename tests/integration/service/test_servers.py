"""The same worker on configured servers, and on servers that do not answer."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time

import pytest

from heimdall.service.queue import jobs, notifications
from heimdall.service.queue.jobs import State

from .conftest import Site, free_port
from .test_control import ask
from .test_kill import STEPS, assert_done_once, wait_for_step

NOBODY_LISTENS = "redis://127.0.0.1:1/0"


@pytest.fixture
def site_on(tmp_path):
    sites = []

    def make(**settings) -> Site:
        sites.append(Site(tmp_path / "home", **settings))
        return sites[-1]

    yield make
    for site in sites:
        site.close()


@pytest.fixture
def redis_url(tmp_path):
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    if program is None:
        pytest.skip("no Redis or Valkey server: install the package `valkey-server` or `redis-server`")
    port = free_port()
    server = subprocess.Popen([program, "--port", str(port), "--save", "", "--dir", str(tmp_path)])
    yield f"redis://127.0.0.1:{port}/0"
    server.terminate()
    server.wait()


@pytest.mark.postgres
@pytest.mark.slow
def test_on_postgresql_a_killed_and_a_frozen_worker_lose_nothing_and_run_nothing_twice(site_on, postgres_url):
    site = site_on(database_url=postgres_url)
    killed = site.start_worker("killed")
    job_id = site.submit(steps=STEPS, step_s=0.1)
    wait_for_step(site, job_id, 5)
    killed.kill()
    killed.wait()
    frozen = site.start_worker("frozen")
    site.wait(job_id, lambda job: job.worker == "frozen" and job.state == State.RUNNING)
    wait_for_step(site, job_id, 10)
    frozen.send_signal(signal.SIGSTOP)
    site.start_worker("other")
    site.wait(job_id, lambda job: job.worker == "other" and job.state == State.RUNNING)
    frozen.send_signal(signal.SIGCONT)
    site.wait_state(job_id, State.SUCCEEDED, State.FAILED)
    assert_done_once(site, job_id)


def test_on_a_redis_server_the_bell_is_heard_and_ping_is_answered(site_on, redis_url):
    site = site_on(broker_url=redis_url)
    site.start_worker()
    site.wait_state(site.submit(steps=3), State.SUCCEEDED)
    app = notifications.make_celery(site.settings)
    assert notifications.look_at_workers(app, "one")() == "heimdall@one answers"


def test_with_a_dead_broker_jobs_run_ready_says_so_within_a_second_and_the_worker_can_be_stopped(site_on):
    site = site_on(broker_url=NOBODY_LISTENS)
    worker = site.start_worker()
    site.wait_state(site.submit(steps=3), State.SUCCEEDED)
    asked_s = time.monotonic()
    status, document = ask(site.ports[worker.pid], "/ready")
    assert time.monotonic() - asked_s < 1
    failed = {seen["name"]: seen["detail"] for seen in document["dependencies"] if seen["status"] == "failed"}
    assert status == 503
    assert set(failed) == {"broker", "celery"}
    assert "refused" in failed["broker"]
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0


def test_a_gpu_that_is_required_and_not_there_fails_ready_with_the_doctors_reason(site_on):
    site = site_on(accelerator="gpu")
    worker = site.start_worker()
    deadline_s = time.monotonic() + 60
    while (answer := ask(site.ports[worker.pid], "/ready"))[0] == 0 or "still being proved" in str(answer):
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
    status, document = answer
    gpu = next(seen for seen in document["dependencies"] if seen["name"] == "gpu")
    assert (status, gpu["status"]) == (503, "failed")
    assert len(gpu["detail"]) > 20, "the doctor's reason"


def test_ringing_a_bell_nobody_hears_does_not_wait(site_on):
    site = site_on(broker_url=NOBODY_LISTENS)
    notifier = notifications.Notifier(notifications.make_celery(site.settings))
    asked_s = time.monotonic()
    for _ in range(200):
        notifier.notify("0123")
    assert time.monotonic() - asked_s < 1
    notifier.close()


def test_two_workers_of_one_name_do_not_run_on_one_home(site_on):
    site = site_on()
    site.wait_state(_first(site), State.SUCCEEDED)
    second = site.start_worker("one")
    assert second.wait(30) == 1


def _first(site):
    site.start_worker("one")
    with site.store.writing() as session:
        arguments = {"recipe": "quick", "overrides": {"steps": 3}}
        return jobs.create(session, "train", arguments, name="t", created_by="test", attempts_max=3).id
