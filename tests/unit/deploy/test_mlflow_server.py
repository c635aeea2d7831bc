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


def old_database(folder: Path) -> str:
    """As an MLflow left it that had every table, and lacks a later change of one: the kind that a server refuses."""
    from mlflow.store.db.utils import Base, _get_alembic_config, _initialize_tables

    whole = create_engine(f"sqlite:///{folder / 'mlflow.db'}")
    _initialize_tables(whole)
    config = _get_alembic_config(str(whole.url))
    with whole.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "-1")
    Base.metadata.create_all(whole)  # where a table is missing the server helps itself
    whole.dispose()
    return str(whole.url)


@pytest.mark.filterwarnings("ignore")
def test_an_older_schema_is_upgraded_where_the_server_starts_and_would_be_refused_otherwise(tmp_path, script) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    address, artifacts = old_database(tmp_path), str(tmp_path / "artifacts")
    with pytest.raises(MlflowException, match="out-of-date"):
        SqlAlchemyStore(address, artifacts)
    script.upgrade(address)
    store = SqlAlchemyStore(address, artifacts)
    assert store.get_experiment("0").name == "Default"


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
