"""Nothing that is finished is lost, and nothing runs twice, whoever is killed and when."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import time
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import func, select

from heimdall.service.database.tables import Model
from heimdall.service.queue.jobs import State

STEPS = 40


def undisturbed(steps: int) -> str:
    weights = "seed"
    for step in range(1, steps + 1):
        weights = hashlib.sha256(f"{weights}{step}".encode()).hexdigest()
    return weights


def assert_done_once(site, job_id: str) -> None:
    job = site.job(job_id)
    assert job.state == State.SUCCEEDED
    assert [line for line in site.told(job_id) if line.startswith("succeeded")] == ["succeeded: finished"]
    with site.store.reading() as session:
        assert session.scalar(select(func.count()).select_from(Model).where(Model.job_id == job_id)) == 1
        model = session.scalar(select(Model).where(Model.job_id == job_id))
    content = (site.settings.home / "artifacts" / model.artifact).read_bytes()
    assert content.decode() == undisturbed(STEPS)
    assert hashlib.sha256(content).hexdigest() == model.sha256
    assert_never_at_once(site.trace(job_id))


def assert_never_at_once(trace: list[tuple[int, int, float]]) -> None:
    processes = list(dict.fromkeys(process for process, _, _ in trace))
    spans = [[at for process, _, at in trace if process == wanted] for wanted in processes]
    assert all(max(before) <= min(after) for before, after in pairwise(spans))


def programs_of(job_id: str) -> list[int]:
    """Processes whose command line names the run folder, watchdogs aside."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if job_id in command and "watchdog" not in command:
            found.append(int(entry.name))
    return found


def wait_for_step(site, job_id: str, step: int) -> None:
    site.wait(job_id, lambda job: max((at for _, at, _ in site.trace(job_id)), default=0) >= step)


@pytest.mark.parametrize("seed", [1])
def test_the_program_killed_at_random_moments_ends_in_one_success_with_the_same_weights(site, seed):
    chance = random.Random(seed)
    site.start_worker()
    job_id = site.submit(steps=STEPS, step_s=0.02)
    for step in sorted(chance.sample(range(1, STEPS), 3)):
        wait_for_step(site, job_id, step)
        for process in programs_of(job_id):
            os.kill(process, signal.SIGKILL)
    site.wait_state(job_id, State.SUCCEEDED, State.FAILED)
    assert_done_once(site, job_id)
    assert site.job(job_id).attempts > 1


@pytest.mark.parametrize("seed", [1])
def test_the_worker_killed_at_random_moments_ends_in_one_success_with_the_same_weights(site, seed):
    chance = random.Random(seed)
    worker = site.start_worker()
    job_id = site.submit(steps=STEPS, step_s=0.02)
    for _ in range(3):
        site.wait_state(job_id, State.RUNNING, State.SUCCEEDED)
        time.sleep(chance.uniform(0, 0.6))
        worker.kill()
        worker.wait()
        worker = site.start_worker()
    site.wait_state(job_id, State.SUCCEEDED, State.FAILED)
    assert_done_once(site, job_id)


@pytest.mark.slow
def test_another_worker_takes_over_when_one_is_gone_for_good(site):
    first = site.start_worker("first")
    job_id = site.submit(steps=STEPS, step_s=0.05)
    wait_for_step(site, job_id, 5)
    first.kill()
    first.wait()
    site.start_worker("second")
    job = site.wait_state(job_id, State.SUCCEEDED, State.FAILED)
    assert job.worker == "second"
    assert_done_once(site, job_id)


def test_a_killed_worker_leaves_no_program_behind(site):
    worker = site.start_worker()
    job_id = site.submit(steps=1000, step_s=0.05, child=1)
    wait_for_step(site, job_id, 2)
    assert len(programs_of(job_id)) == 2
    worker.kill()
    worker.wait()
    deadline_s = time.monotonic() + 10
    while programs_of(job_id) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert programs_of(job_id) == []


@pytest.mark.slow
def test_a_frozen_worker_does_not_run_on_while_another_has_the_job(site):
    """SIGSTOP stands for a host that hangs: its lease ends, and its program must have ended before."""
    frozen = site.start_worker("frozen")
    job_id = site.submit(steps=STEPS, step_s=0.2)
    wait_for_step(site, job_id, 3)
    site.freeze(frozen)
    site.start_worker("other")
    site.wait(job_id, lambda job: job.worker == "other" and job.state == State.RUNNING)
    frozen.send_signal(signal.SIGCONT)
    site.wait_state(job_id, State.SUCCEEDED, State.FAILED)
    assert_done_once(site, job_id)


def test_a_worker_told_to_leave_checkpoints_and_gives_the_job_back_without_counting_it(site):
    worker = site.start_worker()
    job_id = site.submit(steps=STEPS, step_s=0.05)
    wait_for_step(site, job_id, 7)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    job = site.job(job_id)
    assert (job.state, job.attempts) == (State.QUEUED, 0)
    last = site.trace(job_id)[-1][1]
    site.start_worker()
    site.wait_state(job_id, State.SUCCEEDED, State.FAILED)
    assert_done_once(site, job_id)
    steps = [step for _, step, _ in site.trace(job_id)]
    assert steps == list(range(1, STEPS + 1)), f"stopped at {last}: no step is done twice"
