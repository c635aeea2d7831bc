"""A worker's tools on an embedded database, with chores that are done at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from heimdall.files.artifacts import FolderArtifacts
from heimdall.service.database.store import Store
from heimdall.service.database.tables import Job
from heimdall.service.queue import leases
from heimdall.service.queue.leases import Claimant
from heimdall.service.settings import Settings
from heimdall.service.worker.program.launch import Tools


class AtOnce(Executor):
    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*arguments, **named))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture
def tools(settings: Settings, store: Store, tmp_path: Path) -> Tools:
    return Tools(settings, store, FolderArtifacts(tmp_path / "artifacts"), AtOnce(), lambda: None)


@pytest.fixture
def taken(store: Store, new_job: Callable[..., str]) -> Job:
    """A training that this worker has just taken."""
    new_job()
    with store.writing() as session:
        job = leases.claim(session, Claimant("one", "a" * 16, "auto", gpu_usable=False), 60.0)
    assert job is not None
    return job
