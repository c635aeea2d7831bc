"""A fresh embedded database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from heimdall.service import jobs
from heimdall.service.migrate import migrate
from heimdall.service.settings import Settings
from heimdall.service.store import Store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", accelerator="cpu")


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
