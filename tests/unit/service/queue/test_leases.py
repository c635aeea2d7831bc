"""A job is held by one worker at a time, and ends where the person's wish and the attempt's end say."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, insert, select, update

from heimdall.service.database.events import record
from heimdall.service.database.tables import Job, Model, SignIn, Worker, now_unix_s
from heimdall.service.errors import ConflictError
from heimdall.service.queue import jobs, leases
from heimdall.service.queue.jobs import State
from heimdall.service.queue.leases import Claimant, Ending, Outcome, StoredBundle

LEASE_S = 60.0
ONE = Claimant("one", "a" * 16, "auto", gpu_usable=False)
TWO = Claimant("two", "b" * 16, "auto", gpu_usable=False)

EVERY_DATABASE = True


def claim(store, claimant=ONE):
    with store.writing() as session:
        return leases.claim(session, claimant, LEASE_S)


def conclude(store, job, outcome):
    with store.writing() as session:
        return leases.conclude(session, job.id, job.lease, outcome)


def state_of(store, job_id):
    with store.reading() as session:
        return jobs.get(session, job_id).state


def age(store, job_id, seconds):
    with store.writing() as session:
        session.execute(update(Job).where(Job.id == job_id).values(heartbeat_unix_s=now_unix_s() - seconds))


def test_a_job_is_taken_by_exactly_one_of_many_who_try_at_once(store, new_job):
    job_ids = {new_job() for _ in range(5)}
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda number: claim(store, ONE if number % 2 else TWO), range(16)))
    assert sorted(job.id for job in taken if job is not None) == sorted(job_ids)
    leases_given = [job.lease for job in taken if job is not None]
    assert len(set(leases_given)) == len(leases_given)


def test_the_oldest_job_comes_first_and_a_job_put_back_keeps_its_place(store, new_job):
    first, second = new_job(), new_job()
    job = claim(store)
    assert job.id == first
    conclude(store, job, Outcome(Ending.LOST, "killed"))
    assert [claim(store).id, claim(store).id] == [first, second]
    assert claim(store) is None


@pytest.mark.parametrize(
    ("kind", "values", "leaves"),
    [("evaluate", {}, True), ("export", {}, True), ("train", {"accelerator": "cpu"}, True), ("train", {}, False)],
)
def test_what_runs_on_the_cpu_anyway_does_not_hold_the_only_gpu(store, kind, values, leaves):
    with store.writing() as session:
        given = {"name": "n", "created_by": "test", "attempts_max": 3} | values
        job_id = jobs.create(session, kind, {}, **given).id
    gpu = Claimant("one", "a" * 16, "gpu", gpu_usable=True, beside_gpu=False)
    beside = Claimant("one", "a" * 16, "gpu", gpu_usable=False, beside_gpu=True)
    with store.writing() as session:  # another worker with a GPU is no reason to wait either
        known = {"started_unix_s": 0.0, "heartbeat_unix_s": now_unix_s(), "devices": ["0"], "versions": {}}
        session.add(Worker(name="two", accelerator="gpu", gpu_usable=True, **known))
    assert claim(store, beside if not leaves else gpu) is None
    job = claim(store, beside if leaves else gpu)
    assert job.id == job_id
    assert job.accelerator_requested == ("cpu" if leaves else "gpu")


def test_without_the_lease_nothing_can_be_written(store, new_job):
    new_job()
    job = claim(store)
    age(store, job.id, LEASE_S + 1)
    with store.writing() as session:
        assert leases.sweep(session, LEASE_S) == [(job.id, State.QUEUED)]
    again = claim(store, TWO)
    with store.writing() as session:
        assert leases.renew(session, job.id, job.lease, step=99) is None
        assert leases.conclude(session, job.id, job.lease, Outcome(Ending.FINISHED, "late")) is None
        assert leases.renew(session, again.id, again.lease, step=1) is State.RUNNING
        assert jobs.get(session, job.id).step == 1


def test_events_of_a_job_appear_in_the_order_of_their_numbers(store, new_job):
    """Who follows asks for those after the last one seen: one that appears later with a smaller number is lost."""
    job_id = new_job()
    written, seen = threading.Event(), []

    def late():
        with store.writing() as session:
            record(session, job_id, "warning", "first")
            session.flush()
            written.set()
            time.sleep(0.5)

    other = threading.Thread(target=late)
    other.start()
    assert written.wait(5)
    with store.writing() as session:
        record(session, job_id, "warning", "second")
    with store.reading() as session:
        seen = [event.message for event in jobs.events(session, job_id)]
    other.join()
    assert seen[1:] == ["first", "second"]


def test_two_who_insert_the_same_are_told_of_a_conflict(store):
    values = {"sha256": "a", "token_sha256": "b", "expires_unix_s": 1.0}
    with pytest.raises(ConflictError, match="just changed"), store.writing() as session:
        session.execute(insert(SignIn), [values, values])


def test_the_sweeper_leaves_a_job_with_a_heartbeat_alone(store, new_job):
    new_job()
    job = claim(store)
    age(store, job.id, LEASE_S - 5)
    with store.writing() as session:
        assert leases.sweep(session, LEASE_S) == []


def test_an_owner_takes_back_only_its_own_jobs(store, new_job):
    new_job(), new_job()
    mine, other = claim(store, ONE), claim(store, TWO)
    with store.writing() as session:
        assert leases.take_back(session, ONE.owner) == [(mine.id, State.QUEUED)]
    assert state_of(store, other.id) == State.RUNNING


ATTEMPTS_MAX = 3
DECISIONS = [
    (State.RUNNING, Ending.FINISHED, 1, State.SUCCEEDED),
    (State.RUNNING, Ending.FAULTY, 1, State.FAILED),
    (State.RUNNING, Ending.LOST, 2, State.QUEUED),
    (State.RUNNING, Ending.LOST, 3, State.FAILED),
    (State.RUNNING, Ending.STOPPED, 3, State.QUEUED),
    (State.PAUSING, Ending.FINISHED, 1, State.SUCCEEDED),
    (State.PAUSING, Ending.FAULTY, 1, State.FAILED),
    (State.PAUSING, Ending.LOST, 3, State.PAUSED),
    (State.PAUSING, Ending.STOPPED, 1, State.PAUSED),
    (State.CANCELLING, Ending.FINISHED, 1, State.CANCELLED),
    (State.CANCELLING, Ending.FAULTY, 1, State.CANCELLED),
    (State.CANCELLING, Ending.LOST, 3, State.CANCELLED),
    (State.CANCELLING, Ending.STOPPED, 1, State.CANCELLED),
]


@pytest.mark.parametrize(("state", "ending", "attempts", "expected"), DECISIONS)
def test_the_end_of_an_attempt_moves_the_job_where_the_table_says(store, new_job, state, ending, attempts, expected):
    job_id = new_job(attempts_max=ATTEMPTS_MAX)
    job = claim(store)
    with store.writing() as session:
        session.execute(update(Job).values(state=state, attempts=attempts))
    assert conclude(store, job, Outcome(ending, "so it ended")) is expected
    with store.reading() as session:
        row = jobs.get(session, job_id)
    assert (row.state, row.lease) == (expected, None)
    assert (row.error is not None) == (expected is State.FAILED)
    assert (row.finished_unix_s is not None) == (expected in jobs.FINAL)


def test_attempts_are_bounded_and_the_last_error_says_how_often_it_was_tried(store, new_job):
    job_id = new_job(attempts_max=2)
    for _ in range(2):
        conclude(store, claim(store), Outcome(Ending.LOST, "killed"))
    assert claim(store) is None
    with store.reading() as session:
        assert jobs.get(session, job_id).error == "given up after 2 attempts: killed"


def test_a_stop_on_request_does_not_count_as_an_attempt(store, new_job):
    job_id = new_job()
    conclude(store, claim(store), Outcome(Ending.STOPPED, "shutdown"))
    with store.reading() as session:
        assert jobs.get(session, job_id).attempts == 0


def test_a_finished_job_registers_its_model_in_the_same_transaction(store, new_job):
    job_id = new_job()
    job = claim(store)
    bundle = StoredBundle("m.heimdall", "models/x/m.heimdall", "0" * 64, 12)
    conclude(store, job, Outcome(Ending.FINISHED, "finished", {"scores": {"median_m": 3.0}}, bundle))
    with store.reading() as session:
        model = session.scalar(select(Model))
        assert session.scalar(select(func.count()).select_from(Model)) == 1
    assert (model.job_id, model.scores) == (job_id, {"median_m": 3.0})
    assert model.record["accelerator"]["requested"] == "auto"


def announce(store, name, gpu_usable, age_s=0.0):
    with store.writing() as session:
        at = now_unix_s() - age_s
        session.add(
            Worker(
                name=name,
                started_unix_s=at,
                heartbeat_unix_s=at,
                accelerator="auto",
                gpu_usable=gpu_usable,
                devices=[],
                versions={},
            )
        )


def test_a_worker_without_a_gpu_leaves_gpu_jobs_to_one_that_has_it(store, new_job):
    new_job(accelerator="gpu")
    announce(store, "two", gpu_usable=True)
    assert claim(store, ONE) is None
    cpu = new_job(accelerator="cpu")
    assert claim(store, ONE).id == cpu


def test_with_no_gpu_anywhere_a_gpu_job_is_taken_so_that_somebody_says_why_it_fails(store, new_job):
    new_job(accelerator="gpu")
    announce(store, "gone", gpu_usable=True, age_s=LEASE_S + 1)
    assert claim(store, ONE).accelerator_requested == "gpu"


def test_a_job_that_asks_for_nothing_gets_the_workers_setting(store, new_job):
    new_job()
    assert claim(store, Claimant("one", "a" * 16, "cpu", False)).accelerator_requested == "cpu"
