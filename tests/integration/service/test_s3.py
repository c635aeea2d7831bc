"""A real S3 store keeps artifacts, and carries a job from a machine that is gone to another that shares nothing with it."""

from __future__ import annotations

import hashlib
import os

import pytest
from sqlalchemy import select

from heimdall.errors import HeimdallError
from heimdall.files.artifacts import open_artifacts
from heimdall.runs import run_archive
from heimdall.service.database.tables import Model
from heimdall.service.queue.jobs import State
from heimdall.service.storage.run_reader import RunFolders

from .conftest import Site
from .test_kill import STEPS, assert_never_at_once, undisturbed

LARGE_BYTES = 60_000_000
"""More than s3fs puts in one piece."""


@pytest.mark.slow
def test_a_real_s3_store_takes_lists_gives_back_and_deletes(s3, tmp_path):
    artifacts = open_artifacts(s3)
    assert "answers" in artifacts.check(), "with a bucket that it has to make first"
    for name, content in (("small", b"x"), ("large", os.urandom(LARGE_BYTES))):
        source = tmp_path / name
        source.write_bytes(content)
        artifacts.put(source, f"models/1/{name}")
        artifacts.put(source, f"models/1/{name}")
        assert artifacts.fetch(f"models/1/{name}", tmp_path / "in").read_bytes() == content
    assert artifacts.names("models/1") == ["models/1/large", "models/1/small"]
    assert artifacts.names("models/2") == []
    artifacts.delete("models/1/large")
    artifacts.delete("models/1/large")
    assert artifacts.names("models/1") == ["models/1/small"]
    with pytest.raises(HeimdallError, match="has no models/1/large"):
        artifacts.fetch("models/1/large", tmp_path / "in")


@pytest.mark.postgres
@pytest.mark.slow
def test_a_job_of_a_machine_that_is_gone_goes_on_elsewhere_from_its_checkpoint_in_s3(s3, postgres_url, tmp_path):
    here, there = (Site(tmp_path / name, database_url=postgres_url, artifacts=s3) for name in ("here", "there"))
    try:
        gone = here.start_worker("here")
        job_id = here.submit(steps=STEPS, step_s=0.1)
        here.wait(job_id, lambda job: job.carried is not None and (job.step or 0) > 6)
        gone.kill()
        gone.wait()
        there.start_worker("there")
        job = there.wait_state(job_id, State.SUCCEEDED, State.FAILED)
        assert (job.state, job.worker) == (State.SUCCEEDED, "there"), there.told(job_id)
        steps = there.trace(job_id)
        processes = list(dict.fromkeys(process for process, _, _ in steps))
        first = next(step for process, step, _ in steps if process == processes[-1])
        assert len(processes) == 2
        assert first > 3, "it went on from a checkpoint that it had not written"
        assert_never_at_once(steps)
        assert model_content(there, job_id, tmp_path) == undisturbed(STEPS).encode()
        seen_elsewhere(here, tmp_path, job_id)
        assert not (here.settings.home / "artifacts").exists()
    finally:
        here.close()
        there.close()


def model_content(site, job_id: str, place) -> bytes:
    """Of the one model of a job, out of the store; its fingerprint is the row's."""
    with site.store.reading() as session:
        models = session.scalars(select(Model).where(Model.job_id == job_id)).all()
    assert len(models) == 1
    content = open_artifacts(site.settings.artifact_address).fetch(models[0].artifact, place / "fetched").read_bytes()
    assert hashlib.sha256(content).hexdigest() == models[0].sha256
    return content


def seen_elsewhere(site, place, job_id: str) -> None:
    """A machine that ran nothing shows log and metrics, and keeps nothing in the store after the job is deleted."""
    looking = site.settings.model_copy(update={"home": place / "looking"})
    artifacts = open_artifacts(looking.artifact_address)
    folders = RunFolders(looking, artifacts)
    assert f"step {STEPS}\n" in folders.of(job_id).log_page().text
    assert folders.of(job_id).metrics()[-1]["step"] == STEPS
    folders.delete(job_id)
    assert artifacts.names(run_archive.prefix(job_id)) == []
