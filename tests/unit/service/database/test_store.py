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
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise error
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


def test_what_will_not_pass_is_said_at_once(tmp_path, monkeypatch):
    (tmp_path / "new.db").write_text("this is no database, and long enough to be read as one" * 20)
    monkeypatch.setattr(stored.time, "sleep", lambda _: pytest.fail("it waits"))
    with pytest.raises(Exception, match="not a database"):
        Store(URL.create("sqlite", database=str(tmp_path / "new.db"))).engine.connect()
    (tmp_path / "folder").mkdir()
    with pytest.raises(Exception, match="unable to open"):
        Store(URL.create("sqlite", database=str(tmp_path / "folder"))).engine.connect()
