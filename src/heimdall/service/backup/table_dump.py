"""A PostgreSQL database as files: `schema.json` and the rows of each table as COPY writes them.

Made by the database's own COPY in one snapshot, so that it can be taken while jobs run, and put into any later release of the
server in one transaction. It needs no pg_dump, whose release must not be older than the server's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, ForeignKeyConstraint, MetaData, Table, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable, DropTable

from heimdall.errors import HeimdallError, InputError

SCHEMA = "schema.json"
_LOCK_TIMEOUT = "10s"


def dump(url: URL, folder: Path) -> dict[str, int]:
    """Number of rows of each table."""
    folder.mkdir(parents=True)
    engine = create_engine(url)
    try:
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            tables = _tables(connection)
            document = {"server": connection.scalar(text("SHOW server_version")), **_statements(connection, tables)}
            rows = {table.name: _copy_out(connection, table, folder) for table in tables}
            (folder / SCHEMA).write_text(json.dumps(document | {"tables": {t.name: _columns(t) for t in tables}}))
        return rows
    finally:
        engine.dispose()


def load(connection: Connection, folder: Path) -> None:
    """Replace all tables of this database; the caller commits."""
    document = json.loads((folder / SCHEMA).read_text())
    connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
    for table in _tables(connection):
        connection.exec_driver_sql(f"{_sql(connection, DropTable(table))} CASCADE")
    for statement in document["create"]:
        connection.exec_driver_sql(statement)
    for name, columns in document["tables"].items():
        _copy_in(connection, name, columns, folder)
    for statement in document["finish"]:
        connection.exec_driver_sql(statement)


def check(folder: Path, *, may_be_empty: bool = False) -> None:
    """Raise InputError where this is not what `dump` writes, or has no table, as an MLflow that never started."""
    try:
        tables = json.loads((folder / SCHEMA).read_text())["tables"]
    except (OSError, ValueError, KeyError):
        raise InputError("the backup holds no database: it is incomplete, and nothing was changed") from None
    missing = [name for name in tables if not (folder / f"{name}.copy").is_file()]
    if missing or not (tables or may_be_empty):
        raise InputError(f"the backup's database lacks {', '.join(missing) or 'every table'}; nothing was changed")


def _tables(connection: Connection) -> list[Table]:
    metadata = MetaData()
    metadata.reflect(connection)
    return sorted(metadata.tables.values(), key=lambda table: table.name)


def _columns(table: Table) -> list[str]:
    """The columns that are stored as they were given; the database computes the others again."""
    return [column.name for column in table.columns if column.computed is None]


def _statements(connection: Connection, tables: list[Table]) -> dict[str, list[str]]:
    """What makes the tables, and what is to be done once the rows are in: keys, indexes, where to count on."""
    create = [_sql(connection, CreateTable(table, include_foreign_key_constraints=[])) for table in tables]
    keys = [key for table in tables for key in table.constraints if isinstance(key, ForeignKeyConstraint)]
    finish = [_sql(connection, AddConstraint(key)) for key in keys]
    finish += [_sql(connection, CreateIndex(index)) for table in tables for index in sorted(table.indexes, key=str)]
    counters = [(table, column) for table in tables for column in table.columns if column.autoincrement is True]
    return {"create": create, "finish": finish + [_count_on(connection, *counter) for counter in counters]}


def _count_on(connection: Connection, table: Table, column: Any) -> str:
    name, quoted = table.name, _quoted(connection, column.name)
    source = f"SELECT max({quoted}) FROM {_quoted(connection, name)}"
    return f"SELECT setval(pg_get_serial_sequence('{name}', '{column.name}'), coalesce(({source}), 0) + 1, false)"


def _sql(connection: Connection, element: Any) -> str:
    return str(element.compile(dialect=connection.dialect)).strip()


def _quoted(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote(name)


def _copy(connection: Connection, name: str, columns: list[str]) -> str:
    listed = ", ".join(_quoted(connection, column) for column in columns)
    return f"COPY {_quoted(connection, name)} ({listed})"


def _copy_out(connection: Connection, table: Table, folder: Path) -> int:
    driver: Any = connection.connection.driver_connection
    statement = f"{_copy(connection, table.name, _columns(table))} TO STDOUT"
    with driver.cursor() as cursor, (folder / f"{table.name}.copy").open("wb") as file:
        with cursor.copy(statement) as rows:
            for content in rows:
                file.write(content)
        return int(cursor.rowcount)


def _copy_in(connection: Connection, name: str, columns: list[str], folder: Path) -> None:
    driver: Any = connection.connection.driver_connection
    statement = f"{_copy(connection, name, columns)} FROM STDIN"
    with driver.cursor() as cursor, (folder / f"{name}.copy").open("rb") as file, cursor.copy(statement) as rows:
        while content := file.read(1 << 20):
            rows.write(content)


def described(error: SQLAlchemyError) -> HeimdallError:
    return HeimdallError(f"the database was not restored, and is as it was: {str(error).splitlines()[0]}")
