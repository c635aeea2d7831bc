"""Bring the database's tables to this program's version, once, whoever starts first."""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from heimdall.errors import HeimdallError, InputError
from heimdall.files.replacement import put_right
from heimdall.service.database.store import Store
from heimdall.service.settings import Settings, load_settings

VERSION_TABLE = "heimdall_schema"
_ADVISORY_LOCK = 0x4845494D  # "HEIM": any number will do that no other program on this database takes


def migrate(store: Store) -> None:
    """Upgrade to the newest revision; others that start at the same time wait for it."""
    if _is_current(store):
        return
    with _one_at_a_time(store) as connection:
        try:
            command.upgrade(alembic_config(connection), "head")
        except CommandError as error:
            raise HeimdallError(
                f"the database was made by a newer Heimdall ({error}): start that version, or give it another database"
            ) from error


def main() -> int:
    """`python -m heimdall.service.database.migrate`: exit 0 when the tables are at this version, else 1 with one line."""
    try:
        with opened(load_settings()) as store:
            print(f"{store.engine.url.render_as_string(hide_password=True)} is at this version")
    except (HeimdallError, InputError) as error:
        print(f"heimdall: {error}", file=sys.stderr)
        return 1
    return 0


@contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    """The configured database, at this program's version, and nothing of a restore that was killed beside it."""
    put_right(settings.home)
    store = Store(settings.database)
    try:
        _migrate_or_say(store)
        yield store
    finally:
        store.close()


def _migrate_or_say(store: Store) -> None:
    try:
        migrate(store)
    except OperationalError as error:
        where = store.engine.url.render_as_string(hide_password=True)
        raise HeimdallError(f"the database {where} does not answer: {str(error.orig).splitlines()[0]}") from error


def alembic_config(connection: Connection | None) -> Config:
    """`connection` may be None for a look at the revisions alone."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _is_current(store: Store) -> bool:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        newest = ScriptDirectory.from_config(alembic_config(connection)).get_current_head()
        return context.get_current_revision() == newest


@contextmanager
def _one_at_a_time(store: Store) -> Iterator[Connection]:
    if store.engine.dialect.name == "sqlite":
        with _file_lock(Path(f"{store.engine.url.database}.migrate")), _writing(store) as connection:
            yield connection
    else:
        with _writing(store) as connection:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
            yield connection


@contextmanager
def _writing(store: Store) -> Iterator[Connection]:
    with store.engine.execution_options(writing=True).begin() as connection:
        yield connection


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
