"""What an earlier commit wrote is still read: a run folder, a bundle, a database, a stored session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import heimdall
from heimdall.geometry import geodesic_distance_m
from heimdall.runs.reader import RunReader
from heimdall.service.database.migrate import migrate
from heimdall.service.database.store import Store
from heimdall.service.models import registry
from heimdall.service.queue import jobs
from heimdall.service.settings import Settings
from heimdall.service.storage import sessions


@pytest.fixture
def settings(before: Path) -> Settings:
    return Settings(home=before / "home", accelerator="cpu")


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = Store(settings.database)
    migrate(store)
    yield store
    store.close()


def test_progress_result_and_metrics_of_a_run_are_read(before: Path) -> None:
    run = RunReader(before / "run")
    progress, result = run.progress(), run.result()
    assert progress is not None
    assert (progress.step, progress.phase, progress.accelerator.used) == (2, "done", "cpu")
    assert result is not None
    assert result.model == "quick.heimdall"
    assert result.scores
    assert [row["step"] for row in run.metrics()] == [1, 2]
    assert run.checkpoint_unix_s() is not None
    assert [warning.code for warning in run.warnings()] == ["cpu-fallback"]


def test_the_database_migrates_and_lists_its_jobs_and_models(store: Store) -> None:
    with store.reading() as session:
        found = {job.name: job.state for job in jobs.find(session)}
        models = [model.name for model in registry.find(session)]
    assert found == {"first": "queued", "second": "cancelled"}
    assert models == ["quick.heimdall"]


def test_the_stored_session_locates_with_the_bundle(before: Path, store: Store, settings: Settings) -> None:
    with store.reading() as session:
        (stored,) = sessions.find(session)
    observations = sessions.read(settings, stored)
    fixes = heimdall.locate(observations, method="learned", model=str(before / "run" / "quick.heimdall"))
    assert len(fixes) == 2
    for fix, observation in zip(fixes, observations, strict=True):
        assert (fix.method, fix.status) == ("hybrid", heimdall.Status.OK)
        assert fix.latitude_deg is not None
        assert fix.longitude_deg is not None
        assert observation.truth is not None
        truth = observation.truth.latitude_deg, observation.truth.longitude_deg
        assert geodesic_distance_m(fix.latitude_deg, fix.longitude_deg, *truth) < 1000
