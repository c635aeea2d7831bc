"""Stored sessions: observations kept for locating again, fine-tuning, evaluation and calibration."""

from __future__ import annotations

import itertools
import secrets
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from sqlalchemy import delete as delete_rows
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from heimdall.errors import InputError
from heimdall.files.artifacts import MissingArtifactError, open_artifacts
from heimdall.files.atomic import alone, incoming
from heimdall.formats.readers.read import read_observations
from heimdall.formats.writers.truth import write_truth
from heimdall.observation import Observation, Place
from heimdall.runs import run_archive
from heimdall.service.database.paging import Page, Part, newest_first
from heimdall.service.database.store import Store
from heimdall.service.database.tables import StoredFix, StoredSession
from heimdall.service.errors import UnknownError
from heimdall.service.settings import Settings
from heimdall.service.storage.session_summary import Summary, Truth, default_name, summarise
from heimdall.service.storage.uploads import Upload, keep, limits_of, size_of

FOLDER = "sessions"
_ORPHAN_S = 3600.0
"""A folder without a row that is younger may be an upload that another process is about to list."""


def folder_of(settings: Settings, session_id: str) -> Path:
    return settings.data / FOLDER / session_id


def data_name(session_id: str) -> str:
    """How a job names it."""
    return f"{FOLDER}/{session_id}"


def ids_of(name: str) -> list[str]:
    """The stored session that a job names so; none for other recordings."""
    return [name.removeprefix(f"{FOLDER}/")] if name.startswith(f"{FOLDER}/") else []


def prepare(upload: Upload, truth: Place | None = None) -> Summary:
    """Unpack an upload that is to be stored and read it. Raises InputError where it cannot be read."""
    upload.unpack()
    if truth is not None:
        write_truth(upload.folder, truth, upload.limits)
    return summarise(read_upload(upload))


def add(
    store: Store, settings: Settings, upload: Upload, summary: Summary, *, name: str, created_by: str
) -> StoredSession:
    """Store a prepared upload: its files first, so that no row is ever without them."""
    session_id = secrets.token_hex(8)
    folder = folder_of(settings, session_id)
    folder.parent.mkdir(parents=True, exist_ok=True)
    keep(upload.folder, folder)
    stored = StoredSession(
        id=session_id,
        name=name.strip(),
        created_by=created_by,
        size_bytes=size_of(folder),
        summary=summary.model_dump(mode="json"),
    )
    try:
        with store.writing() as session:
            stored.name = stored.name or distinct(session, default_name(summary))
            session.add(stored)
            session.flush()
            session.refresh(stored)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return stored


def read_upload(upload: Upload) -> list[Observation]:
    """The observations of an unpacked upload; what goes wrong is said without the folder, which nobody knows."""
    try:
        return _named("upload", upload.folder, read_observations(upload.folder, upload.limits))
    except InputError as error:
        message = str(error).replace(f"{upload.folder}/", "").replace(f"{upload.folder}", "the upload")
        message = message.replace(upload.folder.name, "the upload")
        raise type(error)(message) from error


def find(session: Session) -> Sequence[StoredSession]:
    """The newest first."""
    return find_part(session, Page()).rows


def find_part(session: Session, page: Page, *, binned: bool = False, job_id: str | None = None) -> Part[StoredSession]:
    """Sessions in the bin, or all others; only those of one job, if it is named."""
    there = StoredSession.deleted_unix_s.is_(None)
    query = select(StoredSession).where(~there if binned else there)
    if job_id is not None:
        query = query.where(StoredSession.job_id == job_id)
    return newest_first(session, query, StoredSession, page)


class Sort(StrEnum):
    NEWEST = "newest"
    OLDEST = "oldest"
    NAME = "name"
    LARGEST = "largest"


_ORDERS = {
    Sort.NEWEST: StoredSession.created_unix_s.desc(),
    Sort.OLDEST: StoredSession.created_unix_s,
    Sort.NAME: func.lower(StoredSession.name),
    Sort.LARGEST: StoredSession.size_bytes.desc(),
}


@dataclass(frozen=True)
class Wanted:
    """A part of the list: `text` occurs in the name or is who uploaded it; `known`: its transmitter is."""

    text: str = ""
    known: bool = False
    sort: Sort = Sort.NEWEST
    offset: int = 0
    limit: int = 20


def search(session: Session, wanted: Wanted) -> tuple[Sequence[StoredSession], int]:
    """The part of the list, and how many there are in all of its kind."""
    chosen = select(StoredSession).where(StoredSession.deleted_unix_s.is_(None))
    if wanted.text.strip():
        pattern = wanted.text.strip()
        chosen = chosen.where(
            StoredSession.name.icontains(pattern, autoescape=True)
            | StoredSession.created_by.icontains(pattern, autoescape=True)
        )
    if wanted.known:
        chosen = chosen.where(StoredSession.summary["with_truth"].as_integer() > 0)
    total = session.scalar(select(func.count()).select_from(chosen.subquery())) or 0
    part = chosen.order_by(_ORDERS[wanted.sort], StoredSession.id).offset(wanted.offset).limit(wanted.limit)
    return session.scalars(part).all(), total


def remove_files(settings: Settings, session_id: str) -> None:
    """Here, and where other machines reach them."""
    shutil.rmtree(folder_of(settings, session_id), ignore_errors=True)
    if settings.carries:
        open_artifacts(settings.artifact_address).delete(run_archive.data_key(data_name(session_id)))


def distinct(session: Session, name: str) -> str:
    """The name, with a number where another session has it."""
    taken = set(session.scalars(select(StoredSession.name).where(StoredSession.name.startswith(name, autoescape=True))))
    others = (f"{name} ({number})" for number in itertools.count(2))
    return name if name not in taken else next(each for each in others if each not in taken)


def get(session: Session, session_id: str, *, or_binned: bool = False) -> StoredSession:
    """Raises UnknownError for one that is gone, or in the bin."""
    stored = session.get(StoredSession, session_id, populate_existing=True)
    if stored is None:
        raise UnknownError(f"no session {session_id}: `GET /api/v1/sessions` lists them")
    if stored.deleted_unix_s is not None and not or_binned:
        raise UnknownError(f"session {stored.name} ({session_id}) is in the bin: restore it first")
    return stored


def read(settings: Settings, stored: StoredSession) -> list[Observation]:
    folder = files_of(settings, stored)
    return _named(stored.name, folder, read_observations(folder, limits_of(settings)))


def read_chosen(store: Store, settings: Settings, stored: StoredSession) -> list[Observation]:
    """Observations of a session that somebody asked for. Raises UnknownError where it was deleted after that."""
    try:
        return read(settings, stored)
    except (InputError, OSError):
        with store.reading() as session:
            get(session, stored.id)
        raise


def files_of(settings: Settings, stored: StoredSession) -> Path:
    """The folder of a session's files. Raises InputError where they are gone."""
    folder = _brought(settings, stored.id)
    if not folder.is_dir():
        raise InputError(
            f"the files of session {stored.name} are gone from the data folder: delete it, upload it again"
        )
    return folder


def _brought(settings: Settings, session_id: str) -> Path:
    """The session's recordings in this machine's data folder; fetched if a worker elsewhere recorded them."""
    folder = folder_of(settings, session_id)
    if folder.is_dir() or not settings.carries:
        return folder
    key = run_archive.data_key(data_name(session_id))
    with incoming(folder.parent) as place, suppress(MissingArtifactError):
        run_archive.unpack(open_artifacts(settings.artifact_address).fetch(key, place), place)
        with suppress(OSError):  # somebody else has brought them meanwhile
            (place / session_id).rename(folder)
    return folder


def _named(name: str, folder: Path, observations: Sequence[Observation]) -> list[Observation]:
    """With a name people know where the reader could only take the folder's."""
    return [replace(each, id=name) if each.id == folder.name else each for each in observations]


def rename(session: Session, session_id: str, name: str) -> None:
    if not name.strip():
        raise InputError("a session needs a name")
    session.execute(update(StoredSession).where(StoredSession.id == session_id).values(name=name.strip()))


def set_truth(store: Store, settings: Settings, session_id: str, truth: Place | None) -> None:
    """Say of every observation of a session where its transmitter was; None: nobody knows."""
    with store.reading() as session:
        folder = files_of(settings, get(session, session_id))
    with alone(folder):  # of two who say it at once the last one is believed, in the files and in the row alike
        write_truth(folder, truth, limits_of(settings))
        _note_truth(store, session_id, truth)


def _note_truth(store: Store, session_id: str, truth: Place | None) -> None:
    with store.writing() as session:
        known = Summary.model_validate(get(session, session_id).summary)
        place = None if truth is None else Truth(**vars(truth))
        told = {"truth": place, "with_truth": 0 if place is None else known.observations}
        summary = known.model_copy(update=told).model_dump(mode="json")
        session.execute(update(StoredSession).where(StoredSession.id == session_id).values(summary=summary))


def delete(store: Store, settings: Settings, session_id: str, *, and_fixes: bool = True) -> None:
    """Delete a session for good, whether it is in the bin or not; see `retention.discard`.

    The row first: files without a row are found again by `remove_orphans`, a row without files is a fault.
    """
    with store.writing() as session:
        get(session, session_id, or_binned=True)
        session.execute(delete_rows(StoredSession).where(StoredSession.id == session_id))
        if and_fixes:
            session.execute(delete_rows(StoredFix).where(StoredFix.session_id == session_id))
    remove_files(settings, session_id)


def remove_orphans(store: Store, settings: Settings) -> int:
    """Delete the folders that a crash between files and row has left; how many there were."""
    root = settings.data / FOLDER
    if not root.is_dir():
        return 0
    latest_unix_s = time.time() - _ORPHAN_S
    folders = [folder for folder in root.iterdir() if folder.is_dir() and folder.stat().st_mtime < latest_unix_s]
    with store.reading() as session:
        known = set(session.scalars(select(StoredSession.id)))
    orphans = [folder for folder in folders if folder.name not in known]
    for folder in orphans:
        shutil.rmtree(folder, ignore_errors=True)
    return len(orphans)
