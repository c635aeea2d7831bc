"""Positions of what was recorded, by time and frequency; they stay when the recordings themselves are gone."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session

from heimdall.fix import Fix
from heimdall.observation import Observation
from heimdall.service.database.events import record
from heimdall.service.database.tables import Job, StoredFix, StoredSession
from heimdall.service.storage.job_recordings import FAILED, LOCATED, WAITING

MOST = 10_000
"""Most fixes that one request for the history returns."""


@dataclass(frozen=True)
class Wanted:
    """A part of the history; None: no limit. At most the newest `limit`."""

    since_unix_s: float | None = None
    until_unix_s: float | None = None
    low_hz: float | None = None
    high_hz: float | None = None
    job_id: str | None = None
    session_id: str | None = None
    limit: int = 2000


def find(session: Session, wanted: Wanted) -> Sequence[StoredFix]:
    """Fixes in order of time, without those of a session that somebody put into the bin."""
    binned = select(StoredSession.id).where(
        StoredSession.deleted_unix_s.is_not(None), StoredSession.deleted_by.is_not(None)
    )
    query = select(StoredFix).where(StoredFix.session_id.not_in(binned))
    at, frequency = StoredFix.at_unix_s, StoredFix.frequency_hz
    query = query if wanted.since_unix_s is None else query.where(at >= wanted.since_unix_s)
    query = query if wanted.until_unix_s is None else query.where(at <= wanted.until_unix_s)
    query = query if wanted.low_hz is None else query.where(frequency >= wanted.low_hz)
    query = query if wanted.high_hz is None else query.where(frequency <= wanted.high_hz)
    query = query if wanted.job_id is None else query.where(StoredFix.job_id == wanted.job_id)
    query = query if wanted.session_id is None else query.where(StoredFix.session_id == wanted.session_id)
    newest = session.scalars(query.order_by(StoredFix.at_unix_s.desc(), StoredFix.id).limit(min(wanted.limit, MOST)))
    return list(reversed(newest.all()))


def waiting(session: Session, limit: int) -> Sequence[StoredSession]:
    """Recordings that nobody has located yet, the oldest first."""
    query = select(StoredSession).where(StoredSession.fix_state == WAITING, StoredSession.deleted_unix_s.is_(None))
    return session.scalars(query.order_by(StoredSession.created_unix_s, StoredSession.id).limit(limit)).all()


def keep(session: Session, stored: StoredSession, fixes: Sequence[Fix], observations: Sequence[Observation]) -> None:
    """The fixes of a recording, unless another server has kept them meanwhile."""
    if not _conclude(session, stored, LOCATED, None):
        return
    for fix, observation in zip(fixes, observations, strict=True):
        session.add(_row(stored, fix, observation))
        _tell(session, stored, "fix", _told(stored, fix))


def give_up(session: Session, stored: StoredSession, why: str) -> None:
    if _conclude(session, stored, FAILED, why):
        _tell(session, stored, "warning", f"session {stored.id} is not located: {why}")


def _conclude(session: Session, stored: StoredSession, state: str, why: str | None) -> bool:
    query = update(StoredSession).where(StoredSession.id == stored.id, StoredSession.fix_state == WAITING)
    result = session.execute(query.values(fix_state=state, fix_problem=why))
    assert isinstance(result, CursorResult)
    return bool(result.rowcount)


def _row(stored: StoredSession, fix: Fix, observation: Observation) -> StoredFix:
    at = observation.time_utc
    return StoredFix(
        id=secrets.token_hex(8),
        session_id=stored.id,
        job_id=stored.job_id,
        name=stored.name,
        at_unix_s=stored.created_unix_s if at is None else at.timestamp(),
        frequency_hz=observation.frequency_hz,
        status=fix.status.value,
        latitude_deg=fix.latitude_deg,
        longitude_deg=fix.longitude_deg,
        document=fix.to_json(),
    )


def _told(stored: StoredSession, fix: Fix) -> str:
    if fix.latitude_deg is None or fix.longitude_deg is None:
        return f"session {stored.id}: {fix.status.value}"
    return f"session {stored.id}: {fix.status.value}, {fix.latitude_deg:.5f}, {fix.longitude_deg:.5f}"


def _tell(session: Session, stored: StoredSession, event: str, message: str) -> None:
    """Add an event to the job that recorded the session, if it is still there."""
    if stored.job_id is not None and session.get(Job, stored.job_id) is not None:
        record(session, stored.job_id, event, message)
