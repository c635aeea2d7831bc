"""What is kept of sessions and for how long: a bin with a way back, and a limit of age and size for recordings.

Only recordings are ever put into the bin by themselves, and none that is pinned or in use: a session that a model was trained
on, that a correction was fitted to, or that a job names which may still read it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from heimdall.service.database.store import Store
from heimdall.service.database.tables import Job, Model, RegisteredReceiver, StoredSession, now_unix_s
from heimdall.service.errors import ConflictError
from heimdall.service.settings import Settings
from heimdall.service.storage import sessions
from heimdall.service.storage.job_recordings import WAITING

_DAY_S = 86_400.0
_OVER = ("succeeded", "cancelled")
"""Jobs that read nothing any more: what they made says itself what it was made from."""


class Amount(BaseModel):
    count: int
    size_bytes: int


class Usage(BaseModel):
    """How much sessions take, and what is deleted by itself."""

    sessions: Amount = Field(description="All sessions that are not in the bin.")
    recordings: Amount = Field(description="Sessions not in the bin that jobs recorded.")
    protected: Amount = Field(description="Recordings that are pinned or in use, and so never deleted automatically.")
    bin: Amount
    free_bytes: int = Field(description="Free space on the disk of the service.")
    keep_recordings_days: float | None = Field(
        description="Age above which recordings go into the bin (HEIMDALL_KEEP_RECORDINGS_DAYS); null: never."
    )
    keep_recordings_gb: float | None = Field(
        description="Most space for recordings (HEIMDALL_KEEP_RECORDINGS_GB); null: no limit."
    )
    bin_days: float = Field(description="How long sessions stay in the bin (HEIMDALL_BIN_DAYS).")


def discard(session: Session, session_id: str, who: str) -> None:
    """Put a session into the bin. Raises ConflictError for one that is pinned."""
    _check_free(sessions.get(session, session_id))
    _to_bin(session, [session_id], who)


def delete(store: Store, settings: Settings, session_id: str) -> None:
    """Delete a session for good, with its files and fixes. Raises ConflictError for one that is pinned."""
    with store.reading() as session:
        _check_free(sessions.get(session, session_id, or_binned=True))
    sessions.delete(store, settings, session_id)


def restore(session: Session, session_id: str) -> None:
    """Take a session out of the bin again; one that was there for its age or size is pinned, or it would soon be back."""
    stored = sessions.get(session, session_id, or_binned=True)
    if stored.deleted_unix_s is not None and stored.deleted_by is None:
        stored.pinned = True
    stored.deleted_unix_s = stored.deleted_by = None
    session.flush()


def pin(session: Session, session_id: str, pinned: bool) -> None:
    sessions.get(session, session_id).pinned = pinned
    session.flush()


def binned(session: Session) -> Sequence[StoredSession]:
    """What was put there last comes first."""
    query = select(StoredSession).where(StoredSession.deleted_unix_s.is_not(None))
    return session.scalars(query.order_by(StoredSession.deleted_unix_s.desc(), StoredSession.id)).all()


def bin_amount(session: Session) -> Amount:
    query = select(func.count(), func.coalesce(func.sum(StoredSession.size_bytes), 0))
    count, size_bytes = session.execute(query.where(StoredSession.deleted_unix_s.is_not(None))).one()
    return Amount(count=count, size_bytes=size_bytes)


def used_by(session: Session) -> dict[str, list[str]]:
    """Sessions in use, by their ids: what uses each, in words."""
    found: dict[str, list[str]] = {}
    for session_id, user in _uses(session):
        found.setdefault(session_id, []).append(user)
    return found


def usage(session: Session, settings: Settings) -> Usage:
    """How much is stored, how much of it is protected, and how much room is left."""
    there = list(sessions.find(session))
    recorded = [each for each in there if each.recorded is not None]
    used = used_by(session)
    return Usage(
        sessions=_amount(there),
        recordings=_amount(recorded),
        protected=_amount(each for each in recorded if each.pinned or each.id in used),
        bin=bin_amount(session),
        free_bytes=shutil.disk_usage(settings.data if settings.data.exists() else settings.home).free,
        keep_recordings_days=settings.keep_recordings_days,
        keep_recordings_gb=settings.keep_recordings_gb,
        bin_days=settings.bin_days,
    )


def apply(store: Store, settings: Settings) -> tuple[int, int]:
    """Put recordings into the bin whose time is over or that are too many, and empty the bin; how many of each."""
    with store.reading() as session:
        outdated = _outdated(session, settings, _now(session))
    if outdated:
        with store.writing() as session:
            _to_bin(session, outdated, None)
    with store.reading() as session:
        over = _over(session, settings, _now(session))
    for stored in over:
        sessions.delete(store, settings, stored.id, and_fixes=stored.deleted_by is not None)
    return len(outdated), len(over)


def _check_free(stored: StoredSession) -> None:
    if stored.pinned:
        raise ConflictError(f"{stored.name} is pinned: unpin it before you delete it")


def _outdated(session: Session, settings: Settings, now: float) -> list[str]:
    """Recordings that have to go, the oldest first."""
    if settings.keep_recordings_days is None and settings.keep_recordings_gb is None:
        return []
    recorded = sorted(
        (each for each in sessions.find(session) if each.recorded is not None), key=lambda each: each.created_unix_s
    )
    used = used_by(session)
    left_bytes = sum(each.size_bytes for each in recorded)
    chosen = []
    for each in recorded:
        if each.pinned or each.id in used or each.fix_state == WAITING:
            continue
        if _is_old(each.created_unix_s, settings.keep_recordings_days, now) or _is_much(left_bytes, settings):
            chosen.append(each.id)
            left_bytes -= each.size_bytes
    return chosen


def _over(session: Session, settings: Settings, now: float) -> list[StoredSession]:
    """What leaves the bin for good: for its age there, or because what put itself there takes as much again as may be kept."""
    there = binned(session)
    if not there:
        return []
    used = used_by(session)
    there = [each for each in reversed(there) if each.id not in used]
    left_bytes = sum(each.size_bytes for each in there if each.deleted_by is None)
    over = []
    for each in there:
        by_itself = each.deleted_by is None
        if _is_old(each.deleted_unix_s or 0.0, settings.bin_days, now) or (
            by_itself and _is_much(left_bytes, settings)
        ):
            over.append(each)
            left_bytes -= each.size_bytes if by_itself else 0
    return over


def _is_old(since_unix_s: float, days: float | None, now: float) -> bool:
    return days is not None and now - since_unix_s >= days * _DAY_S


def _is_much(size_bytes: int, settings: Settings) -> bool:
    return settings.keep_recordings_gb is not None and size_bytes > 1e9 * settings.keep_recordings_gb


def _to_bin(session: Session, session_ids: Sequence[str], who: str | None) -> None:
    # One that was pinned a moment ago stays.
    chosen = update(StoredSession).where(StoredSession.id.in_(session_ids), StoredSession.pinned.is_(False))
    session.execute(chosen.values(deleted_unix_s=now_unix_s(), deleted_by=who))


def _uses(session: Session) -> Iterator[tuple[str, str]]:
    jobs = select(Job).where(Job.kind.in_(("fine-tune", "evaluate")), Job.state.not_in(_OVER))
    for job in session.scalars(jobs):
        yield from ((each, f"job {job.id} ({job.name})") for each in _named(job.arguments))
    for model in session.scalars(select(Model)):
        arguments = model.record.get("arguments") or {}
        yield from ((each, f"model {model.id} ({model.name})") for each in _named(arguments))
    for row in session.scalars(select(RegisteredReceiver).where(RegisteredReceiver.correction.is_not(None))):
        fitted_to = (row.correction or {}).get("sessions") or {}
        yield from ((each, f"the correction of {row.name}") for each in fitted_to)


def _named(arguments: dict[str, Any]) -> list[str]:
    return [each for name in arguments.get("data") or [] for each in sessions.ids_of(name)]


def _amount(stored: Iterable[StoredSession]) -> Amount:
    sizes = [each.size_bytes for each in stored]
    return Amount(count=len(sizes), size_bytes=sum(sizes))


def _now(session: Session) -> float:
    return session.scalar(select(now_unix_s())) or 0.0
