"""What a worker does with jobs: take one, renew the lease, say how it ended, and put back what others have lost.

A job is held by whoever knows its lease, a random word set by one UPDATE that only succeeds on a free job. Everything a
worker writes names that word, so a worker that was given up for dead changes nothing when it comes back. The word begins
with its owner, which outlives a worker's process: after a crash the same owner takes back its jobs without waiting.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import func, not_, select, update
from sqlalchemy.orm import Session

from heimdall.service.database.events import record
from heimdall.service.database.tables import Job, Model, now_unix_s
from heimdall.service.queue.jobs import LEASED, State, get, move
from heimdall.service.queue.matching import (
    EVERYTHING,
    ON_THE_CPU,
    Offer,
    better_elsewhere,
    fits,
    leaves_gpu_free,
    living,
)

_CANDIDATES = 10


class Ending(StrEnum):
    FINISHED = "finished"
    STOPPED = "stopped"
    """On our request, with a checkpoint or at least the one before."""
    LOST = "lost"
    """Killed, or without a heartbeat: not its own fault as far as we know."""
    FAULTY = "faulty"
    """It said itself that it cannot go on."""


@dataclass(frozen=True)
class StoredBundle:
    """A model in the artifact store, not yet in the database."""

    name: str
    artifact: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended, and what it leaves."""

    ending: Ending
    message: str
    result: dict[str, Any] = field(default_factory=dict)
    bundle: StoredBundle | None = None


@dataclass(frozen=True)
class Claimant:
    """A worker that looks for a job."""

    name: str
    owner: str
    accelerator: str
    """For jobs that ask for none."""
    gpu_usable: bool
    gpu_memory_gb: float | None = None
    """Memory of the device that is free."""
    memory_gb: float | None = None
    """Main memory that no other job of this worker was promised."""
    takes: tuple[str, ...] = EVERYTHING
    has_device: bool = True
    """Something to compute on is free."""
    beside_gpu: bool | None = None
    """True: looks for what leaves the worker's GPU free; False: has the GPU, and leaves that to others; None: has none."""

    @property
    def offer(self) -> Offer:
        gpus = (self.gpu_memory_gb,) if self.gpu_usable else ()
        return Offer(self.accelerator, gpus, self.memory_gb, self.takes, has_device=self.has_device)


def anything_queued(session: Session, *, captures: bool = False) -> bool:
    """Whether one waits of those that record, or of the others: worth asking before `claim` takes SQLite's write lock."""
    query = select(Job.id).where(Job.state == State.QUEUED, Job.needs_capture == captures)
    return session.scalar(query.limit(1)) is not None


def claim(session: Session, claimant: Claimant, lease_s: float) -> Job | None:
    """Take the oldest job this worker can do, or None."""
    query = select(Job).where(Job.state == State.QUEUED, fits(claimant.offer))
    if claimant.beside_gpu is not None:
        query = query.where(leaves_gpu_free() if claimant.beside_gpu else not_(leaves_gpu_free()))
    if not claimant.gpu_usable:  # with no GPU anywhere a job that only prefers one goes on with the CPU
        others = living(session, lease_s, but=claimant.name)
        query = query.where(not_(better_elsewhere(others, claimant.accelerator)))
    query = query.order_by(Job.created_unix_s, Job.id).limit(_CANDIDATES)
    for job in session.scalars(query).all():
        if _take(session, job, claimant):
            return get(session, job.id)
    return None


def renew(session: Session, job_id: str, lease: str, **progress: Any) -> State | None:
    """Heartbeat and progress; the state the job should be in, or None if the lease is no longer ours."""
    query = update(Job).where(Job.id == job_id, Job.lease == lease).values(heartbeat_unix_s=now_unix_s(), **progress)
    session.execute(query)
    return wanted(session, job_id, lease)


def wanted(session: Session, job_id: str, lease: str) -> State | None:
    state = session.scalar(select(Job.state).where(Job.id == job_id, Job.lease == lease))
    return State(state) if state is not None else None


def conclude(session: Session, job_id: str, lease: str, outcome: Outcome) -> State | None:
    """End this attempt; the new state, or None if the lease is no longer ours."""
    job = session.scalar(select(Job).where(Job.id == job_id, Job.lease == lease).with_for_update())
    if job is None:
        return None
    return _conclude(session, job, outcome)


def sweep(session: Session, lease_s: float) -> list[tuple[str, State]]:
    """Put back every job whose worker has not been heard of for `lease_s`; the jobs and their new states."""
    stale = func.coalesce(Job.heartbeat_unix_s, 0.0) < now_unix_s() - lease_s
    query = select(Job).where(Job.state.in_(LEASED), stale).with_for_update(skip_locked=True)
    return [(job.id, _conclude(session, job, _silent(job, lease_s))) for job in session.scalars(query).all()]


def take_back(session: Session, owner: str) -> list[tuple[str, State]]:
    """Put back what this owner's earlier process held. Only for a worker that knows that process to be dead."""
    query = select(Job).where(Job.state.in_(LEASED), Job.lease.startswith(f"{owner}.")).with_for_update()
    outcome = Outcome(Ending.LOST, "the worker was killed")
    return [(job.id, _conclude(session, job, outcome)) for job in session.scalars(query).all()]


def decide(state: State, outcome: Outcome, attempts: int, attempts_max: int) -> tuple[State, str]:
    """Where a job goes that was in `state` when its attempt ended so. The person's wish comes before the attempt's end."""
    if state is State.CANCELLING:
        return State.CANCELLED, "stopped as asked"
    if outcome.ending is Ending.FINISHED:
        return State.SUCCEEDED, outcome.message
    if outcome.ending is Ending.FAULTY:
        return State.FAILED, outcome.message
    if state is State.PAUSING:
        return State.PAUSED, outcome.message
    if outcome.ending is Ending.STOPPED or attempts < attempts_max:
        return State.QUEUED, outcome.message
    return State.FAILED, f"given up after {attempts} attempts: {outcome.message}"


def _take(session: Session, job: Job, claimant: Claimant) -> bool:
    message = f"attempt {job.attempts + 1} on {claimant.name}"
    values: dict[str, Any] = {
        "lease": f"{claimant.owner}.{secrets.token_hex(16)}",
        "worker": claimant.name,
        "attempts": Job.attempts + 1,
        "heartbeat_unix_s": now_unix_s(),
        "started_unix_s": func.coalesce(Job.started_unix_s, now_unix_s()),
        "accelerator_requested": "cpu" if job.kind in ON_THE_CPU else job.accelerator or claimant.accelerator,
        "accelerator_used": None,
        "accelerator_reason": None,
    }
    return move(session, job.id, (State.QUEUED,), State.RUNNING, message, **values)


def _silent(job: Job, lease_s: float) -> Outcome:
    return Outcome(Ending.LOST, f"no heartbeat from worker {job.worker} for {lease_s:g} s")


def _conclude(session: Session, job: Job, outcome: Outcome) -> State:
    state, message = decide(State(job.state), outcome, job.attempts, job.attempts_max)
    values: dict[str, Any] = {"lease": None, "heartbeat_unix_s": None, "eta_s": None}
    if state in (State.SUCCEEDED, State.FAILED, State.CANCELLED):
        values["finished_unix_s"] = now_unix_s()
    if state is State.FAILED:
        values["error"] = message
    if state is State.SUCCEEDED:
        values |= {"result": outcome.result, "fraction": 1.0}
        _register(session, job, outcome)
    if outcome.ending is Ending.STOPPED:
        values["attempts"] = job.attempts - 1  # a stop on request is nobody's failure
    moved = move(session, job.id, LEASED, state, message, held_by=job.lease, **values)
    assert moved, "the row was locked by this transaction"
    return state


def _register(session: Session, job: Job, outcome: Outcome) -> None:
    if outcome.bundle is None:
        return
    model = Model(
        id=secrets.token_hex(8),
        name=outcome.bundle.name,
        job_id=job.id,
        artifact=outcome.bundle.artifact,
        sha256=outcome.bundle.sha256,
        size_bytes=outcome.bundle.size_bytes,
        scores=outcome.result.get("scores", {}),
        record=training_record(job),
    )
    session.add(model)
    session.flush()
    record(session, job.id, "model", f"model {model.id} ({model.name})")


def training_record(job: Job) -> dict[str, Any]:
    """How a model came to be, for its page and for comparison."""
    accelerator = {
        "requested": job.accelerator_requested,
        "used": job.accelerator_used,
        "reason": job.accelerator_reason,
        "device": job.device,
        "precision": job.precision,
    }
    return {"job": job.id, "kind": job.kind, "arguments": job.arguments, "accelerator": accelerator}
