"""What a person may do with a job in each state."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import update

from heimdall.service.database.tables import Job
from heimdall.service.queue import jobs
from heimdall.service.queue.jobs import JobConflictError, State, UnknownJobError

REFUSED = "refused"
WHAT_HAPPENS = {
    jobs.cancel: dict.fromkeys((State.QUEUED, State.PAUSED, State.CANCELLED), State.CANCELLED)
    | dict.fromkeys((State.RUNNING, State.PAUSING, State.CANCELLING), State.CANCELLING),
    jobs.pause: {
        State.QUEUED: State.PAUSED,
        State.PAUSED: State.PAUSED,
        State.RUNNING: State.PAUSING,
        State.PAUSING: State.PAUSING,
    },
    jobs.resume: {
        State.PAUSED: State.QUEUED,
        State.FAILED: State.QUEUED,
        State.QUEUED: State.QUEUED,
        State.RUNNING: State.RUNNING,
    },
}

EVERY_DATABASE = True


def put(store, job_id, state):
    with store.writing() as session:
        session.execute(update(Job).where(Job.id == job_id).values(state=state))


@pytest.mark.parametrize("action", WHAT_HAPPENS, ids=lambda action: action.__name__)
@pytest.mark.parametrize("state", State)
def test_each_action_in_each_state_moves_the_job_or_is_refused(store, new_job, action, state):
    job_id = new_job()
    put(store, job_id, state)
    expected = WHAT_HAPPENS[action].get(state, REFUSED)
    with store.writing() as session:
        if expected is REFUSED:
            with pytest.raises(JobConflictError, match=f"is {state}"):
                action(session, job_id, "test")
        else:
            assert action(session, job_id, "test").state == expected


@pytest.mark.parametrize("state", State)
def test_only_a_job_no_worker_holds_or_may_take_can_be_deleted(store, new_job, state):
    job_id = new_job()
    put(store, job_id, state)
    deletable = state in (State.SUCCEEDED, State.FAILED, State.CANCELLED, State.PAUSED)
    with store.writing() as session:
        if deletable:
            jobs.delete(session, job_id)
        else:
            with pytest.raises(JobConflictError):
                jobs.delete(session, job_id)
    with store.reading() as session:
        assert (session.get(Job, job_id) is None) == deletable
        assert bool(jobs.events(session, job_id)) != deletable


def test_a_failed_job_that_is_resumed_has_its_attempts_back_and_no_error(store, new_job):
    job_id = new_job()
    put(store, job_id, State.FAILED)
    with store.writing() as session:
        session.execute(update(Job).values(attempts=3, error="broken", finished_unix_s=1.0))
        job = jobs.resume(session, job_id, "test")
        assert (job.attempts, job.error, job.finished_unix_s) == (0, None, None)


def test_every_change_is_recorded_with_who_made_it(store, new_job):
    job_id = new_job()
    with store.writing() as session:
        jobs.pause(session, job_id, "anna")
        jobs.resume(session, job_id, "bert")
        told = [(event.type, event.message) for event in jobs.events(session, job_id)]
    assert told == [("queued", "created by test"), ("paused", "paused by anna"), ("queued", "resumed by bert")]


def test_an_unknown_job_is_told_as_such(store):
    with store.reading() as session, pytest.raises(UnknownJobError, match="no job 0123"):
        jobs.get(session, "0123")


def test_jobs_are_listed_newest_first_and_filtered(store, new_job):
    first, second = new_job(), new_job()
    put(store, first, State.FAILED)
    with store.reading() as session:
        assert [job.id for job in jobs.find(session)] == [second, first]
        assert [job.id for job in jobs.find(session, state="failed")] == [first]
        assert jobs.find(session, kind="export") == []
        assert jobs.count_by_state(session) == {state.value: 0 for state in State} | {"failed": 1, "queued": 1}


@given(name=st.text(max_size=50))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
def test_any_text_can_be_a_name(store, new_job, name):
    job_id = new_job(name=name.encode("utf-8", "replace").decode())
    with store.reading() as session:
        assert "\0" not in jobs.get(session, job_id).name
