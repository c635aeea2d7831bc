"""What happened to a job, in the order in which whoever follows it hears of it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from heimdall.service.database.tables import Job, JobEvent


def record(session: Session, job_id: str, event: str, message: str) -> None:
    """Followers ask for ids after the last one seen: the lock of the job's row lets its events appear in that order."""
    session.execute(select(Job.id).where(Job.id == job_id).with_for_update())
    session.add(JobEvent(job_id=job_id, type=event, message=message))
