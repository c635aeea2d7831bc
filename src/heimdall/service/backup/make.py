"""`heimdall backup`: databases first, then files, so that a job is never further in its row than in its folder."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import URL

from heimdall import __version__
from heimdall.errors import HeimdallError, InputError
from heimdall.files.artifacts import MissingArtifactError, open_artifacts
from heimdall.files.atomic import held_folder, sweep
from heimdall.runs.reader import CHECKPOINT
from heimdall.service.backup import archive, table_dump
from heimdall.service.backup.archive import ArchiveWriter
from heimdall.service.database.migrate import opened
from heimdall.service.database.store import Store
from heimdall.service.database.tables import Job, Model
from heimdall.service.settings import Settings

DATABASE, MLFLOW_DATABASE = "database", "mlflow-database"
HOME, ARTIFACTS, MLFLOW, SECRETS = "home", "artifacts", "mlflow-artifacts", "secrets"
SQLITE = "content.db"
_SCRATCH = ".heimdall-backup-"
"""How the folder of a backup that is not finished begins; the next one to the same place deletes those of killed ones."""
LEFT_OUT = ("broker", "cache", "heimdall.db", "mlflow.db", "embedded-worker.lock", "lost+found")
"""At the top of the home folder: dumped as databases, or of no worth elsewhere."""


def back_up(settings: Settings, target: Path) -> dict[str, Any]:
    """Write one file; what is in it. `target` is the file, or a folder for one with the time in its name."""
    path = _file_in(target.absolute())
    if path.is_relative_to(settings.home):
        raise InputError(f"{path} lies in the folder to be backed up, {settings.home}: choose a place elsewhere")
    begun_s = time.monotonic()
    about: dict[str, Any] = {"heimdall": __version__, "made_utc": datetime.now(UTC).isoformat(timespec="seconds")}
    try:
        _write(path, settings, about)
    except OSError as error:
        raise HeimdallError(f"no backup was made: {error}") from error
    return about | {"path": str(path), "bytes": path.stat().st_size, "seconds": round(time.monotonic() - begun_s, 1)}


def _write(path: Path, settings: Settings, about: dict[str, Any]) -> None:
    sweep(path.parent, f"{_SCRATCH}*")
    with (
        opened(settings) as store,
        held_folder(_SCRATCH, path.parent) as scratch,
        archive.writing(path, scratch) as writer,
    ):
        about["databases"] = _add_databases(writer, settings, scratch)
        about["missing"] = list(_add_remote(writer, settings, store, scratch))
        _add_folders(writer, settings)
        writer.add_manifest(about)


def mlflow_database(settings: Settings) -> URL | None:
    """The database of the MLflow server if it was told; else the file in home, if there is one."""
    if settings.mlflow_database is not None:
        return settings.mlflow_database
    embedded = settings.home / "mlflow.db"
    return URL.create("sqlite", database=str(embedded)) if embedded.exists() else None


def folders(settings: Settings) -> dict[str, Path]:
    """What is copied as files, by its name in the backup; only those that are there."""
    local = settings.artifacts if settings.artifacts and "://" not in settings.artifacts else None
    outside = Path(local).expanduser().absolute() if local else None
    if outside is not None and outside.is_relative_to(settings.home):
        outside = None
    found = {
        HOME: settings.home,
        ARTIFACTS: outside,
        MLFLOW: settings.mlflow_artifacts,
        SECRETS: settings.secrets_folder,
    }
    return {name: path for name, path in found.items() if path is not None and path.is_dir()}


def _file_in(target: Path) -> Path:
    if target.is_dir():
        return target / f"heimdall-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar"
    if not target.parent.is_dir():
        raise InputError(f"{target.parent}: no such folder")
    if target.exists():
        raise InputError(f"{target} is there already: name another file")
    return target


def _add_databases(writer: ArchiveWriter, settings: Settings, scratch: Path) -> dict[str, Any]:
    about: dict[str, Any] = {}
    for name, url in ((DATABASE, settings.database), (MLFLOW_DATABASE, mlflow_database(settings))):
        if url is None:
            continue
        folder = scratch / name
        about[name] = {"kind": url.get_backend_name(), "rows": _dump(url, folder)}
        for path in sorted(folder.iterdir()):
            writer.add_file(path, f"{name}/{path.name}")
    return about


def _dump(url: URL, folder: Path) -> dict[str, int]:
    if url.get_backend_name() != "sqlite":
        return table_dump.dump(url, folder)
    folder.mkdir(parents=True)
    with closing(sqlite3.connect(str(url.database))) as source, closing(sqlite3.connect(folder / SQLITE)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        tables = [name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: copy.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in tables}


def _add_folders(writer: ArchiveWriter, settings: Settings) -> None:
    for name, folder in folders(settings).items():
        for path in _files_of(folder, LEFT_OUT if name == HOME else ()):
            writer.add_file(path, f"{name}/{path.relative_to(folder)}")


def _files_of(folder: Path, left_out: tuple[str, ...]) -> list[Path]:
    """Checkpoints first: then the files beside them are at least as new, as after a kill."""
    found = [path for path in sorted(folder.rglob("*")) if _belongs(path, folder, left_out)]
    return sorted(found, key=lambda path: not path.match(f"*/{CHECKPOINT}"))


def _belongs(path: Path, folder: Path, left_out: tuple[str, ...]) -> bool:
    parts = path.relative_to(folder).parts
    # Of a database also its journal and lock; dotted names are locks and what is not finished.
    ours = not any(
        parts[0] == name or parts[0].startswith(f"{name}-") or parts[0].startswith(f"{name}.") for name in left_out
    )
    return ours and not any(part.startswith(".") for part in parts) and path.is_file() and not path.is_symlink()


def _add_remote(writer: ArchiveWriter, settings: Settings, store: Store, scratch: Path) -> Iterator[str]:
    """What rows name in a store that is no folder; yields what was not found there."""
    if "://" not in settings.artifact_address:
        return
    artifacts = open_artifacts(settings.artifact_address)
    with store.reading() as session:
        keys = [
            *session.scalars(select(Model.artifact)),
            *session.scalars(select(Job.carried).where(Job.carried.is_not(None))),
        ]
    for key in keys:
        try:
            path = artifacts.fetch(str(key), scratch)
        except MissingArtifactError:
            yield str(key)
            continue
        except Exception as error:
            raise HeimdallError(f"the artifact store does not answer: {error}") from error
        writer.add_file(path, f"{ARTIFACTS}/{key}")
        path.unlink()
