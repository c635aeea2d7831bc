"""`heimdall restore`: everything is read and checked before anything is touched; then databases and files change together."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, func, select
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import SQLAlchemyError

from heimdall.errors import HeimdallError, InputError
from heimdall.files.artifacts import open_artifacts
from heimdall.files.replacement import exchanged, give_to_owner_of, stage_in
from heimdall.service.backup import archive, table_dump
from heimdall.service.backup.make import (
    ARTIFACTS,
    DATABASE,
    HOME,
    MLFLOW_DATABASE,
    SECRETS,
    SQLITE,
    folders,
    mlflow_database,
)
from heimdall.service.database.migrate import VERSION_TABLE, alembic_config, opened
from heimdall.service.database.tables import Job, Model, Worker, now_unix_s
from heimdall.service.settings import Settings

ADMIN_TOKEN = "admin_token"
"""The one secret that people hold. The others belong to the servers that were made with them."""


def restore(settings: Settings, source: Path, *, replace: bool = False, only_secrets: bool = False) -> dict[str, Any]:
    """Put a backup in place of what is there; what was restored. Raises InputError or HeimdallError with nothing changed."""
    about = archive.verify(source)
    if only_secrets:
        return about | {"secrets": _restore_secrets(settings, source, everything=True)}
    settings.home.mkdir(parents=True, exist_ok=True)
    with _nobody_works(settings), stage_in(settings.home) as stage:
        archive.unpack(source, stage)
        _check(settings, stage, about)
        _refuse_to_replace(settings, replace)
        _take_over(settings, stage)
    secrets = _restore_secrets(settings, source, everything=False)
    with opened(settings):  # brings the tables of an older release to this one's
        pass
    for path in settings.home.glob("heimdall.db*"):
        give_to_owner_of(settings.home, path)
    return about | {"secrets": secrets}


def _check(settings: Settings, stage: Path, about: dict[str, Any]) -> None:
    """Each database is whole, of the kind that is configured, and not of a later release."""
    if DATABASE not in about["databases"]:
        raise InputError("the backup holds no database; nothing was changed")
    for name, url in _databases(settings):
        kind = about["databases"].get(name, {}).get("kind")
        if kind is None:
            continue
        if kind != url.get_backend_name():
            raise InputError(
                f"the backup's {name} is {kind}, and {url.get_backend_name()} is configured; nothing was changed"
            )
        if kind == "sqlite":
            _check_sqlite(stage / name / SQLITE)
        else:
            table_dump.check(stage / name, may_be_empty=name != DATABASE)
    _check_revision(stage, about["databases"][DATABASE]["kind"])


def _check_sqlite(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path)) as connection:
            sound = connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
            tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0]
    except sqlite3.Error:
        sound, tables = False, 0
    if not sound or not tables:
        raise InputError("the backup's database is empty or damaged; nothing was changed")


def _check_revision(stage: Path, kind: str) -> None:
    if kind == "sqlite":
        with closing(sqlite3.connect(stage / DATABASE / SQLITE)) as connection:
            found = [str(row[0]) for row in connection.execute(f"SELECT version_num FROM {VERSION_TABLE}")]
    else:
        found = (stage / DATABASE / f"{VERSION_TABLE}.copy").read_text().split()
    known = {script.revision for script in ScriptDirectory.from_config(alembic_config(None)).walk_revisions()}
    if not set(found) <= known or not found:
        raise InputError("the backup was made by a newer Heimdall: restore it with that release; nothing was changed")


@contextmanager
def _nobody_works(settings: Settings) -> Iterator[None]:
    """Neither a service that brings its own worker, nor a worker that was heard lately."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with (settings.home / "embedded-worker.lock").open("a") as lock:
        give_to_owner_of(settings.home, Path(lock.name))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HeimdallError(f"a service runs on {settings.home}: stop it first; nothing was changed") from None
        with opened(settings) as store, store.reading() as session:
            heard = select(Worker.name).where(Worker.heartbeat_unix_s > now_unix_s() - settings.lease_s)
            names = list(session.scalars(heard))
        if names:
            raise HeimdallError(
                f"the worker {', '.join(names)} was active within the last {settings.lease_s:g} s: stop it and wait that long; "
                "nothing was changed"
            )
        yield


def _refuse_to_replace(settings: Settings, replace: bool) -> None:
    with opened(settings) as store, store.reading() as session:
        jobs, models = (session.scalar(select(func.count()).select_from(each)) for each in (Job, Model))
    if (jobs or models) and not replace:
        raise InputError(
            f"there are {jobs} jobs and {models} models here: --replace gives them up; nothing was changed"
        )


def _databases(settings: Settings) -> list[tuple[str, URL]]:
    found = [(DATABASE, settings.database), (MLFLOW_DATABASE, mlflow_database(settings) or _embedded_mlflow(settings))]
    return [(name, url) for name, url in found if url is not None]


def _embedded_mlflow(settings: Settings) -> URL | None:
    return None if settings.mlflow_tracking_uri else URL.create("sqlite", database=str(settings.home / "mlflow.db"))


def _take_over(settings: Settings, stage: Path) -> None:
    """Rows in transactions that end only once the files are in their place; files by renaming, back again if that fails."""
    _put_into_store(settings, stage)
    try:
        with ExitStack() as transactions:
            for name, url in _databases(settings):
                if not (stage / name).is_dir():
                    continue
                if url.get_backend_name() == "sqlite":
                    _stage_sqlite(stage / name / SQLITE, Path(str(url.database)), stage)
                else:
                    table_dump.load(transactions.enter_context(_transaction(url)), stage / name)
            with exchanged(stage, _contents(settings, stage)):
                transactions.close()  # commits
    except SQLAlchemyError as error:
        raise table_dump.described(error) from error
    except OSError as error:
        raise HeimdallError(f"the files could not be put in place: {error}; everything is as it was") from error


@contextmanager
def _transaction(url: URL) -> Iterator[Connection]:
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _stage_sqlite(content: Path, target: Path, stage: Path) -> None:
    """Among the files of the home folder, which are exchanged as a whole."""
    if target.parent != stage.parent:
        raise InputError(f"{target} lies outside {stage.parent}: restore knows SQLite only there; nothing was changed")
    place = stage / HOME / target.name
    place.parent.mkdir(exist_ok=True)
    content.replace(place)


def _put_into_store(settings: Settings, stage: Path) -> None:
    """Into a store that is no folder: under their old names, so that nothing there is lost."""
    if "://" in settings.artifact_address and (stage / ARTIFACTS).is_dir():
        artifacts = open_artifacts(settings.artifact_address)
        for path in sorted((stage / ARTIFACTS).rglob("*")):
            if path.is_file():
                artifacts.put(path, str(path.relative_to(stage / ARTIFACTS)))


def _contents(settings: Settings, stage: Path) -> dict[Path, Path]:
    """What each folder of the installation is to hold."""
    found = {folder: stage / name for name, folder in folders(settings).items() if name != SECRETS}
    return {folder: content for folder, content in found.items() if content.is_dir()}


def _restore_secrets(settings: Settings, source: Path, *, everything: bool) -> list[str]:
    """Names of the secrets that were put back."""
    folder = settings.secrets_folder
    if folder is None:
        return []
    found = archive.read_members(source, SECRETS)
    taken = [name for name in found if everything or name == ADMIN_TOKEN or not (folder / name).exists()]
    for name in taken:
        temporary = folder / f".{name}.new"
        temporary.write_bytes(found[name])
        temporary.chmod(0o400)
        temporary.replace(folder / name)
    return taken
