"""The tracking server starts on the tables of the release before."""

from __future__ import annotations

from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest
from alembic import command
from sqlalchemy import create_engine

pytest.importorskip("mlflow.store.tracking.sqlalchemy_store")

SCRIPT = Path(__file__).parents[3] / "docker" / "mlflow-server"


@pytest.fixture
def script() -> ModuleType:
    module = ModuleType("mlflow_server")
    SourceFileLoader("mlflow_server", str(SCRIPT)).exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_tables_of_the_release_before_are_brought_to_this_one(tmp_path, script) -> None:
    from mlflow.store.db.utils import _get_alembic_config, _get_schema_version, _initialize_tables, _verify_schema

    engine = create_engine(f"sqlite:///{tmp_path / 'mlflow.db'}")
    _initialize_tables(engine)
    newest = _get_schema_version(engine)
    config = _get_alembic_config(str(engine.url))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "-1")
    assert _get_schema_version(engine) != newest
    script.upgrade(str(engine.url))
    assert _get_schema_version(engine) == newest
    _verify_schema(engine)  # what a server asks before it starts
    engine.dispose()


@pytest.mark.filterwarnings("ignore")
def test_a_database_without_tables_is_left_to_the_server(tmp_path, script) -> None:
    address = f"sqlite:///{tmp_path / 'mlflow.db'}"
    script.upgrade(address)
    engine = create_engine(address)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar() == 0


def test_tables_of_a_later_release_are_told_in_one_line(tmp_path, script, monkeypatch, capsys) -> None:
    def refuse(address: str) -> None:
        raise RuntimeError("Can't locate revision\nidentified by 'ffff'")

    monkeypatch.setattr(script, "database", lambda: "sqlite://")
    monkeypatch.setattr(script, "upgrade", refuse)
    assert script.main() == 1
    assert capsys.readouterr().err.count("\n") == 1
