"""What a person does with jobs: create, look, cancel, pause, resume, delete. Every change is one compare-and-set."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import delete as delete_rows
from sqlalchemy import func, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from heimdall.errors import HeimdallError, InputError
from heimdall.service.database.events import record
from heimdall.service.database.paging import Page, Part, newest_first
from heimdall.service.database.tables import Job, JobEvent, now_unix_s
from heimdall.service.queue.matching import Needs, count_stranded


class State(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


LEASED = (State.RUNNING, State.PAUSING, State.CANCELLING)
"""A worker holds the job: the row has a lease and a heartbeat."""
FINAL = (State.SUCCEEDED, State.FAILED, State.CANCELLED)


class UnknownJobError(InputError):
    """No job has this id."""


class JobConflictError(HeimdallError):
    """The job is in a state that does not allow the change."""


def create(
    session: Session,
    kind: str,
    arguments: dict[str, Any],
    *,
    name: str,
    created_by: str,
    attempts_max: int,
    accelerator: str | None = None,
    needs: Needs = Needs(),  # noqa: B008 - frozen
    needs_capture: bool = False,
) -> Job:
    """A new job, queued; it is in the database once the session is committed."""
    job = Job(
        id=secrets.token_hex(8),
        kind=kind,
        name=name,
        state=State.QUEUED,
        arguments=arguments,
        created_by=created_by,
        attempts_max=attempts_max,
        accelerator=accelerator,
        needs_gpu=needs.any_gpu,
        needs_gpu_memory_gb=needs.gpu_memory_gb,
        needs_memory_gb=needs.memory_gb,
        needs_capture=needs_capture,
    )
    session.add(job)
    session.flush()
    record(session, job.id, State.QUEUED, f"created by {created_by}")
    session.refresh(job)
    return job


def get(session: Session, job_id: str) -> Job:
    job = session.get(Job, job_id, populate_existing=True)
    if job is None:
        raise UnknownJobError(f"no job {job_id}: `GET /api/v1/jobs` lists them")
    return job


def find(
    session: Session,
    *,
    state: str | None = None,
    kind: str | None = None,
    records: bool | None = None,
    limit: int = 50,
) -> Sequence[Job]:
    """The newest first."""
    return find_part(session, Page(limit), state=state, kind=kind, records=records).rows


def find_part(
    session: Session, page: Page, *, state: str | None = None, kind: str | None = None, records: bool | None = None
) -> Part[Job]:
    """`records`: only jobs that record receivers, or only others."""
    query = select(Job)
    if records is not None:
        query = query.where(Job.needs_capture.is_(records))
    if state is not None:
        query = query.where(Job.state == state)
    if kind is not None:
        query = query.where(Job.kind == kind)
    return newest_first(session, query, Job, page)


@dataclass
class QueueStatistics:
    """Statistics of the queue, as last seen."""

    by_state: dict[str, int] = field(default_factory=dict)
    stranded: int = 0
    """Queued, and no living worker can take them."""
    oldest_queued_s: float = 0.0
    """How long the job waits that was created first; 0 if none does."""


def count_queue(session: Session, statistics: QueueStatistics, lease_s: float) -> None:
    statistics.by_state = count_by_state(session)
    statistics.stranded = count_stranded(session, lease_s)
    oldest = select(now_unix_s() - func.min(Job.created_unix_s)).where(Job.state == State.QUEUED)
    statistics.oldest_queued_s = max(session.scalar(oldest) or 0.0, 0.0)


def count_by_state(session: Session) -> dict[str, int]:
    rows = session.execute(select(Job.state, func.count()).group_by(Job.state))
    counts = {state: count for state, count in rows}  # noqa: C416 - a Row is not the tuple `dict` wants of its type
    return {state.value: counts.get(state, 0) for state in State}


def events(session: Session, job_id: str, after: int = 0, limit: int | None = None) -> Sequence[JobEvent]:
    query = select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.id > after)
    return session.scalars(query.order_by(JobEvent.id).limit(limit)).all()


def cancel(session: Session, job_id: str, who: str) -> Job:
    """A job that runs is asked to stop, any other is over at once. Raises UnknownJobError or JobConflictError."""
    message = f"cancelled by {who}"
    _ = (
        move(session, job_id, (State.QUEUED, State.PAUSED), State.CANCELLED, message, finished_unix_s=now_unix_s())
        or move(session, job_id, (State.RUNNING, State.PAUSING), State.CANCELLING, message)
        or _require(session, job_id, (State.CANCELLING, State.CANCELLED), "cancelled")
    )
    return get(session, job_id)


def pause(session: Session, job_id: str, who: str) -> Job:
    """A job that runs stops at its next checkpoint. Raises UnknownJobError or JobConflictError."""
    message = f"paused by {who}"
    _ = (
        move(session, job_id, (State.QUEUED,), State.PAUSED, message)
        or move(session, job_id, (State.RUNNING,), State.PAUSING, message)
        or _require(session, job_id, (State.PAUSING, State.PAUSED), "paused")
    )
    return get(session, job_id)


def resume(session: Session, job_id: str, who: str) -> Job:
    """Back into the queue, from the last good checkpoint; a failed job gets its attempts back."""
    values: dict[str, Any] = {"error": None, "finished_unix_s": None, "attempts": 0}
    _ = move(session, job_id, (State.PAUSED, State.FAILED), State.QUEUED, f"resumed by {who}", **values) or _require(
        session, job_id, (State.QUEUED, State.RUNNING), "resumed"
    )
    return get(session, job_id)


def delete(session: Session, job_id: str) -> None:
    """Forget a job that no worker holds. Its models stay."""
    allowed = (*FINAL, State.PAUSED)
    removed = session.execute(delete_rows(Job).where(Job.id == job_id, Job.state.in_(allowed)))
    if not _rows(removed):
        _require(session, job_id, (), "deleted; cancel it first")


def move(
    session: Session,
    job_id: str,
    start: Collection[State],
    end: State,
    message: str,
    *,
    held_by: str | None = None,
    **values: Any,
) -> bool:
    """Compare and set: True if the job was in a `start` state (and held by this lease, if given) and is now in `end`."""
    query = update(Job).where(Job.id == job_id, Job.state.in_(start))
    if held_by is not None:
        query = query.where(Job.lease == held_by)
    if not _rows(session.execute(query.values(state=end, **values))):
        return False
    record(session, job_id, end, message)
    return True


def _require(session: Session, job_id: str, allowed: Collection[State], what: str) -> bool:
    job = get(session, job_id)
    if job.state not in allowed:
        raise JobConflictError(f"job {job_id} is {job.state} and cannot be {what}")
    return True


def _rows(result: Any) -> int:
    assert isinstance(result, CursorResult)
    return result.rowcount
