"""What a person asks of a running job is done by the worker that has it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request

from heimdall.service.queue import jobs, notifications
from heimdall.service.queue.jobs import State

from .test_kill import STEPS, assert_done_once, programs_of, wait_for_step


def test_a_cancelled_job_is_gone_within_five_seconds_even_if_the_program_does_not_listen(site):
    site.start_worker()
    job_id = site.submit(steps=1000, step_s=0.05, stubborn=1)
    wait_for_step(site, job_id, 3)
    with site.store.writing() as session:
        assert jobs.cancel(session, job_id, "test").state == State.CANCELLING
    asked_s = time.monotonic()
    site.wait_state(job_id, State.CANCELLED)
    assert time.monotonic() - asked_s < 5
    assert programs_of(job_id) == []


def test_a_paused_job_checkpoints_frees_the_device_and_goes_on_where_it_was(site):
    site.start_worker()
    job_id = site.submit(steps=STEPS, step_s=0.05)
    wait_for_step(site, job_id, 4)
    with site.store.writing() as session:
        jobs.pause(session, job_id, "test")
    assert site.wait_state(job_id, State.PAUSED).checkpoint == "checkpoints/last.ckpt"
    assert programs_of(job_id) == []
    other = site.submit(steps=3)
    site.wait_state(other, State.SUCCEEDED)
    with site.store.writing() as session:
        jobs.resume(session, job_id, "test")
    site.wait_state(job_id, State.SUCCEEDED, State.FAILED)
    assert_done_once(site, job_id)
    assert [step for _, step, _ in site.trace(job_id)] == list(range(1, STEPS + 1))


def test_a_second_job_waits_for_the_device(site):
    site.start_worker()
    first, second = site.submit(steps=10, step_s=0.05), site.submit(steps=3)
    site.wait_state(second, State.SUCCEEDED)
    assert site.job(first).state == State.SUCCEEDED
    assert max(at for _, _, at in site.trace(first)) < min(at for _, _, at in site.trace(second))


def test_inspect_ping_and_ready_are_answered_while_a_job_runs(site):
    worker = site.start_worker()
    job_id = site.submit(steps=1000, step_s=0.05)
    wait_for_step(site, job_id, 2)
    port = site.ports[worker.pid]
    deadline_s = time.monotonic() + 20
    while (answer := ask(port, "/ready"))[0] != 200 and time.monotonic() < deadline_s:
        time.sleep(0.1)
    status, document = answer
    assert status == 200, document
    names = [dependency["name"] for dependency in document["dependencies"]]
    assert names == ["database", "broker", "celery", "artifacts", "disk", "supervisor", "gpu", "secrets"]
    assert notifications.look_at_workers(notifications.make_celery(site.settings), "one")() == "heimdall@one answers"
    assert site.job(job_id).state == State.RUNNING


def test_progress_and_device_reach_the_row(site):
    site.start_worker()
    job_id = site.submit(steps=1000, step_s=0.05)
    job = site.wait(job_id, lambda job: (job.step or 0) > 3)
    assert (job.steps_total, job.phase, job.accelerator_requested) == (1000, "train", "cpu")
    assert (job.accelerator_used, job.device, job.accelerator_reason) == ("cpu", "stand-in", None)


def test_a_program_that_fails_is_not_started_again_and_its_last_words_are_the_error(site):
    site.start_worker()
    job_id = site.submit(steps=4, exit=2)
    job = site.wait_state(job_id, State.FAILED)
    assert (job.error, job.attempts) == ("told to end with 2", 1)


def test_a_program_that_ends_without_a_result_has_failed(site):
    site.start_worker()
    assert site.wait_state(site.submit(steps=4, exit=0), State.FAILED).error == "the program ended without a result"


def test_a_model_that_does_not_exist_is_told_in_one_line(site):
    site.start_worker()
    with site.store.writing() as session:
        arguments = {"recipe": "quick", "model": "0" * 16}
        job_id = jobs.create(session, "fine-tune", arguments, name="t", created_by="test", attempts_max=3).id
    error = site.wait_state(job_id, State.FAILED).error
    assert error == "no model 0000000000000000: `GET /api/v1/models` lists them"


def test_a_job_of_another_version_that_is_not_understood_fails_once_and_says_so(site):
    site.start_worker()
    with site.store.writing() as session:
        job_id = jobs.create(session, "train", {"cookbook": "x"}, name="t", created_by="test", attempts_max=3).id
    job = site.wait_state(job_id, State.FAILED)
    assert job.attempts == 1
    assert "another version" in job.error


def ask(port: int, path: str) -> tuple[int, dict]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except OSError as error:
        return 0, {"error": str(error)}
