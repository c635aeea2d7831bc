"""From what a job recorded to stored sessions: each recording once, whatever is killed in between."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from heimdall.capture.watching.watch_history import history
from heimdall.errors import InputError
from heimdall.files.artifacts import Artifacts
from heimdall.files.atomic import incoming
from heimdall.formats.readers.read import read_observations
from heimdall.formats.readers.sigmf.accounts import RECEIVERS_KEY
from heimdall.formats.readers.sigmf.collection import about_session
from heimdall.formats.readers.sigmf.stated import BANDWIDTH_KEY, FREQUENCY_KEY
from heimdall.formats.readers.source import COLLECTION_SUFFIX
from heimdall.formats.wording import frequency_text
from heimdall.runs import RECORDINGS, run_archive
from heimdall.service.database.events import record
from heimdall.service.database.store import Store
from heimdall.service.database.tables import Job, StoredSession
from heimdall.service.errors import ConflictError
from heimdall.service.settings import Settings
from heimdall.service.storage import sessions
from heimdall.service.storage.session_summary import Summary, default_name, summarise
from heimdall.service.storage.uploads import limits_of, size_of

WAITING, LOCATED, FAILED = "waiting", "located", "failed"
"""Of a session whose fixes are wanted: `fix_state`."""
_REFUSED = ".refused"
"""In a recording that cannot be a session: why."""


def found(run: Path, *, running: bool) -> list[Path]:
    """Recordings of a run folder that are to be stored; while its program runs, those that are complete."""
    folder = run / RECORDINGS
    there = sorted(path.parent for path in folder.glob(f"*/*{COLLECTION_SUFFIX}"))
    complete = {line.get("session") for line in history(folder)} if running and there else set()
    return [path for path in there if not (path / _REFUSED).exists() and (not running or path.name in complete)]


def store_recording(store: Store, settings: Settings, artifacts: Artifacts, job: Job, path: Path) -> str | None:
    """Make a session of a recording and delete it where it lay; the id, or None where it is stored already or cannot be read."""
    with store.reading() as session:
        known = session.scalar(_of(job.id).where(StoredSession.recording == path.name))
    if known is not None:  # a kill came between the row and the end of the recording's folder
        shutil.rmtree(path, ignore_errors=True)
        return None
    try:
        stored = _row(job, path, summarise(read_observations(path, limits_of(settings))))
    except InputError as error:
        _refuse(store, job, path, str(error).replace(f"{path.parent}/", ""))
        return None
    _keep(settings, artifacts, stored, path)
    try:
        with store.writing() as session:
            stored.name = sessions.distinct(session, stored.name)
            session.add(stored)
            record(session, job.id, "recording", _told(stored))
    except ConflictError:  # another worker has stored it in the same moment
        sessions.remove_files(settings, stored.id)
        return None
    shutil.rmtree(path, ignore_errors=True)
    return stored.id


def of_job(session: Session, job_id: str) -> Sequence[StoredSession]:
    """The newest first."""
    return session.scalars(_of(job_id).order_by(StoredSession.created_unix_s.desc())).all()


def _of(job_id: str) -> Any:
    return select(StoredSession).where(StoredSession.job_id == job_id)


def _row(job: Job, path: Path, summary: Summary) -> StoredSession:
    return StoredSession(
        id=secrets.token_hex(8),
        name=_name(job, summary),
        created_by=job.created_by,
        size_bytes=size_of(path),
        summary=summary.model_dump(mode="json"),
        job_id=job.id,
        recording=path.name,
        recorded=_recorded(path),
        fix_state=WAITING,
        pinned=False,
    )


def _name(job: Job, summary: Summary) -> str:
    """What people called the job, else the frequency; and when it was recorded."""
    usual = default_name(summary)
    nameless = f"{job.kind} {frequency_text(job.arguments.get('frequency_hz', summary.frequency_hz[0]))}"
    if job.name == nameless or summary.first_utc is None:
        return usual
    return f"{job.name}, {summary.first_utc:%Y-%m-%d %H:%M}"


def _recorded(path: Path) -> dict[str, Any]:
    """What the recording's collection says of the channel and of each receiver."""
    about = about_session(path)
    return {
        "frequency_hz": about[FREQUENCY_KEY],
        "bandwidth_hz": about[BANDWIDTH_KEY],
        "receivers": about[RECEIVERS_KEY],
    }


def _keep(settings: Settings, artifacts: Artifacts, stored: StoredSession, path: Path) -> None:
    """Put the files where sessions are kept, and within reach of other machines; nobody sees them before they are whole."""
    folder = sessions.folder_of(settings, stored.id)
    with incoming(folder.parent) as place:
        part = place / folder.name
        shutil.copytree(path, part, copy_function=_link)
        part.rename(folder)
    if settings.carries:
        run_archive.share(folder, run_archive.data_key(sessions.data_name(stored.id)), artifacts)


def _link(source: str, target: str) -> str:
    """The same file under another name: a recording that is complete is not written to any more."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _refuse(store: Store, job: Job, path: Path, why: str) -> None:
    (path / _REFUSED).write_text(f"{why}\n", encoding="utf-8")
    message = f"{path.name} stays in the run folder, since it is no session that can be located: {why}"
    with store.writing() as session:
        record(session, job.id, "warning", message)


def _told(stored: StoredSession) -> str:
    assert stored.recorded is not None
    parts = stored.recorded["receivers"]
    useful = sum(part.get("gave") is not None for part in parts)
    return f"session {stored.id}: {useful} of {len(parts)} receivers"
