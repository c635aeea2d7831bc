"""The database's tables are what the program thinks they are, whoever made them and whoever starts first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from heimdall.errors import HeimdallError
from heimdall.service.database.migrate import VERSION_TABLE, main, migrate
from heimdall.service.database.store import Store
from heimdall.service.database.tables import Base

EVERY_DATABASE = True


def test_the_migrated_tables_are_those_of_the_models(store):
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_many_that_start_at_once_migrate_once_and_all_find_the_tables(settings):
    def start(_):
        store = Store(settings.database)
        migrate(store)
        tables = set(inspect(store.engine).get_table_names())
        store.close()
        return tables

    with ThreadPoolExecutor(6) as pool:
        assert all({"jobs", "tokens", VERSION_TABLE} <= tables for tables in pool.map(start, range(6)))


def test_a_database_of_a_newer_program_is_refused_in_one_line(store):
    with store.engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(HeimdallError, match="newer Heimdall") as caught:
        migrate(store)
    assert "\n" not in str(caught.value)


def test_as_a_program_it_says_that_it_is_done_or_in_one_line_why_not(store, settings, monkeypatch, capsys):
    monkeypatch.setattr("heimdall.service.database.migrate.load_settings", lambda: settings)
    assert main() == 0
    assert "at this version" in capsys.readouterr().out
    with store.engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    assert main() == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_the_databases_clock_is_the_clock_of_the_world(store):
    import time

    from sqlalchemy import select

    from heimdall.service.database.tables import now_unix_s

    with store.reading() as session:
        assert session.scalar(select(now_unix_s())) == pytest.approx(time.time(), abs=5.0)
