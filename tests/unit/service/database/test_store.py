"""SQLite's first moments, when several programs start on a new file."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy import event
from sqlalchemy.engine import URL

from heimdall.service.database import store as stored
from heimdall.service.database.store import Store


class Contended(sqlite3.Connection):
    """One of two that switch to the write-ahead log at once: SQLite refuses it at once, since waiting could never end."""

    refusals = 3

    def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
        if "journal_mode" in sql and self.refusals:
            self.refusals -= 1
            raise sqlite3.OperationalError("database is locked")
        return super().execute(sql, *parameters)


def _store(tmp_path) -> Store:
    store = Store(URL.create("sqlite", database=str(tmp_path / "new.db")))

    def contended(_dialect, _record, arguments, options):
        return sqlite3.connect(*arguments, **options, factory=Contended)

    event.listen(store.engine, "do_connect", contended)
    return store


def test_a_switch_of_the_journal_that_is_refused_is_tried_again(tmp_path):
    store = _store(tmp_path)
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    store.close()


def test_it_is_not_tried_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "BUSY_TIMEOUT_S", 0.05)
    monkeypatch.setattr(Contended, "refusals", 1000)
    store = _store(tmp_path)
    with pytest.raises(Exception, match="database is locked"):
        store.engine.connect()
    store.close()
