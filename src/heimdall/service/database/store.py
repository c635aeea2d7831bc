"""The database: sessions that read or write."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from heimdall.service.errors import ConflictError

log = logging.getLogger(__name__)

BUSY_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 3
_AGAIN_S = 0.02
HELD_S = 0.5
"""Other writers, heartbeats among them, wait for each other: a transaction that takes longer than this is a fault."""
_transaction = threading.local()


class Store:
    """Sessions on one database. `reading` sees a snapshot; `writing` is SQLite's one writer from its start.

    Files, archives and other services are read and written before or after `writing`, never within.
    """

    def __init__(self, url: URL) -> None:
        self.engine = _engine(url)
        self._reading = sessionmaker(self.engine, expire_on_commit=False)
        self._writing = sessionmaker(self.engine.execution_options(writing=True), expire_on_commit=False)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with self._reading() as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Raises ConflictError where another has written the same thing at the same moment."""
        try:
            with self._writing.begin() as session:
                session.connection()
                begun_s = time.monotonic()
                _transaction.writing = True
                try:
                    yield session
                finally:
                    _transaction.writing = False
        except IntegrityError as error:
            raise ConflictError("someone else has just changed the same thing: look again, then repeat") from error
        held_s = time.monotonic() - begun_s
        if held_s > HELD_S:
            log.warning("a transaction held the database for %.1f s: others could not write meanwhile", held_s)

    def close(self) -> None:
        self.engine.dispose()


def within_writing() -> bool:
    """Whether this thread holds a transaction that keeps others from writing."""
    return getattr(_transaction, "writing", False)


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": CONNECT_TIMEOUT_S})
    Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin by itself: `_begin_sqlite` does
    _use_write_ahead_log(connection)
    for pragma in ("foreign_keys=ON", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """The switch needs the whole file, and SQLite does not wait for it as it does for a lock: others may just be starting."""
    end_s = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end_s:
                raise
            time.sleep(_AGAIN_S)


def _begin_sqlite(connection: Connection) -> None:
    # A reader that turns writer fails at once when another wrote in between; one that says so at first only waits.
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
