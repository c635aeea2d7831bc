"""A PostgreSQL database goes into files and comes back, whatever a library made its columns of."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from heimdall.service.backup.table_dump import dump, load

pytestmark = pytest.mark.postgres


def test_a_column_that_the_database_computes_is_computed_again(postgres_url: str, tmp_path: Path) -> None:
    """MLflow's traces have one."""
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE spans (a bigint, b bigint, d bigint GENERATED ALWAYS AS (b - a) STORED)"))
        connection.execute(text("INSERT INTO spans (a, b) VALUES (1, 5)"))
    assert dump(make_url(postgres_url), tmp_path / "rows") == {"spans": 1}
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM spans"))
        load(connection, tmp_path / "rows")
        connection.execute(text("INSERT INTO spans (a, b) VALUES (1, 8)"))
        assert connection.execute(text("SELECT d FROM spans ORDER BY d")).scalars().all() == [4, 7]
    engine.dispose()
