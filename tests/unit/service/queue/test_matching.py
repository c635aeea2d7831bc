"""A worker takes what it can do, and a job that no living worker can do says what is missing."""

from __future__ import annotations

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from heimdall.service.database.tables import Job, Worker, now_unix_s
from heimdall.service.queue import jobs, leases
from heimdall.service.queue.leases import Claimant
from heimdall.service.queue.matching import Needs, Offer, can, count_stranded, fits, living, why_waiting

LEASE_S = 60.0
EVERY_DATABASE = True

SIZES = st.sampled_from([None, 8.0, 16.0, 24.0])
OFFERS = st.builds(
    Offer,
    accelerator=st.sampled_from(["auto", "cpu", "gpu"]),
    gpus_gb=st.lists(SIZES, max_size=2).map(tuple),
    memory_gb=SIZES,
    takes=st.sampled_from([("gpu", "cpu", "capture"), ("gpu", "cpu"), ("gpu",), ("cpu",), ("capture",)]),
    has_device=st.booleans(),
)
NEEDS = st.builds(Needs, gpu=st.booleans(), gpu_memory_gb=SIZES, memory_gb=SIZES)


def create(store, needs=Needs(), accelerator=None, **given):  # noqa: B008 - frozen
    with store.writing() as session:
        values = {"name": "n", "created_by": "t", "attempts_max": 3, "accelerator": accelerator, "needs": needs}
        values |= given
        return jobs.create(session, "train", {"recipe": "quick"}, **values).id


def announce(store, name, **values):
    given = {"accelerator": "auto", "gpu_usable": False, "devices": [], "versions": {}, "memory_gb": 16.0} | values
    age_s = given.pop("age_s", 0.0)
    with store.writing() as session:
        at = now_unix_s() - age_s
        session.add(Worker(name=name, started_unix_s=at, heartbeat_unix_s=at, **given))


def waiting(store, job_id):
    with store.reading() as session:
        return why_waiting(jobs.get(session, job_id), living(session, LEASE_S))


def claim(store, **values):
    claimant = Claimant("one", "a" * 16, **({"accelerator": "auto", "gpu_usable": False} | values))
    with store.writing() as session:
        return leases.claim(session, claimant, LEASE_S)


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    offer=OFFERS,
    needs=NEEDS,
    accelerator=st.sampled_from([None, "auto", "cpu", "gpu"]),
    needs_capture=st.booleans(),
)
def test_the_database_and_python_agree_on_who_can_take_what(store, offer, needs, accelerator, needs_capture):
    with store.writing() as session:
        session.execute(delete(Job))
    create(store, needs, accelerator, needs_capture=needs_capture)
    with store.reading() as session:
        taken = session.scalar(select(Job).where(fits(offer))) is not None
        assert taken == can(session.scalar(select(Job)), offer)


def test_a_job_waits_for_the_worker_that_has_what_it_needs(store):
    job_id = create(store, Needs(gpu_memory_gb=24))
    assert claim(store) is None, "no GPU"
    assert claim(store, gpu_usable=True) is None, "its memory is not known"
    assert claim(store, gpu_usable=True, gpu_memory_gb=16.0) is None
    assert claim(store, gpu_usable=True, gpu_memory_gb=25.4).id == job_id


def test_main_memory_is_counted_too_and_an_unknown_amount_is_not_enough(store):
    job_id = create(store, Needs(memory_gb=12))
    assert claim(store) is None
    assert claim(store, memory_gb=8.0) is None
    assert claim(store, memory_gb=12.0).id == job_id


def test_a_worker_that_takes_only_gpu_jobs_leaves_those_for_the_cpu_and_takes_those_for_anywhere(store):
    cpu, anywhere = create(store, accelerator="cpu"), create(store, accelerator="auto")
    assert claim(store, gpu_usable=True, takes=("gpu",)).id == anywhere
    assert claim(store, gpu_usable=True, takes=("gpu",)) is None
    assert claim(store, takes=("cpu",)).id == cpu


def test_a_gpu_that_cannot_take_the_job_does_not_keep_it_from_others(store):
    """`gpu` without a need only prefers: with too little memory beside the GPU a worker without one goes on with the CPU."""
    job_id = create(store, Needs(memory_gb=64), accelerator="gpu")
    announce(store, "small", gpu_usable=True, devices=["0"], memory_gb=32.0)
    assert claim(store, memory_gb=128.0).id == job_id


def test_what_no_living_worker_has_is_told_in_one_line(store):
    job_id = create(store, Needs(gpu_memory_gb=24))
    assert waiting(store, job_id) == "waiting: no worker runs; start one with `heimdall worker`"
    announce(store, "cpu")
    assert waiting(store, job_id) == "waiting: needs a GPU with 24 GB; no worker has one"
    announce(store, "small", gpu_usable=True, devices=["0"], gpu_memory_gb=[8.5])
    assert waiting(store, job_id) == "waiting: needs a GPU with 24 GB; no worker has one (the largest has 8.5 GB)"
    announce(store, "gone", gpu_usable=True, devices=["0"], gpu_memory_gb=[80.0], age_s=LEASE_S + 1)
    assert waiting(store, job_id) is not None
    announce(store, "large", gpu_usable=True, devices=["0"], gpu_memory_gb=[25.4])
    assert waiting(store, job_id) is None


def test_memory_and_what_workers_take_are_told_as_well(store):
    announce(store, "cpu", takes=["cpu"])
    large = create(store, Needs(memory_gb=64))
    assert waiting(store, large) == "waiting: needs 64 GB of memory; no worker has so much (the largest has 16 GB)"
    gpu = create(store, accelerator="gpu")
    assert waiting(store, gpu) == "waiting: asks for gpu; no worker takes such jobs (HEIMDALL_TAKES)"


def test_stranded_jobs_are_counted_and_a_running_one_is_none(store):
    announce(store, "cpu")
    create(store), create(store, Needs(gpu=True))
    with store.reading() as session:
        assert count_stranded(session, LEASE_S) == 1
    assert claim(store, memory_gb=16.0) is not None
    with store.reading() as session:
        assert count_stranded(session, LEASE_S) == 1


def test_with_no_worker_every_queued_job_is_stranded(store):
    create(store), create(store)
    with store.reading() as session:
        assert count_stranded(session, LEASE_S) == 2
