"""A fresh embedded database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from heimdall.service.database.migrate import migrate
from heimdall.service.database.store import Store
from heimdall.service.queue import jobs
from heimdall.service.settings import Settings


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A module with `EVERY_DATABASE` runs on each of them."""
    if "database" in metafunc.fixturenames and getattr(metafunc.module, "EVERY_DATABASE", False):
        both = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
        metafunc.parametrize("database", both, indirect=True)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    return getattr(request, "param", "sqlite")


@pytest.fixture
def settings(tmp_path: Path, database: str, request: pytest.FixtureRequest) -> Settings:
    url = request.getfixturevalue("postgres_url") if database == "postgres" else None
    return Settings(home=tmp_path / "home", accelerator="cpu", database_url=url)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = Store(settings.database)
    migrate(store)
    yield store
    store.close()


@pytest.fixture
def new_job(store: Store) -> Callable[..., str]:
    def create(**values: object) -> str:
        given = {"name": "n", "created_by": "test", "attempts_max": 3} | values
        with store.writing() as session:
            return jobs.create(session, "train", {"recipe": "quick"}, **given).id  # type: ignore[arg-type]

    return create
