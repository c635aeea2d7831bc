"""A service of an earlier release is upgraded under a job that runs: nothing is lost, and it goes on from its checkpoint."""

from __future__ import annotations

import json
import time

import pytest
from alembic import command
from sqlalchemy import text

from heimdall.service.database.migrate import alembic_config, opened
from heimdall.service.queue.jobs import State

from .conftest import Site
from .test_control import ask
from .test_kill import undisturbed

FIRST, STEPS, DONE = "0001", 20, 9


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def old_site(request, tmp_path):
    """Tables of the first release, with a job that its worker left running at a checkpoint, and a job that made a model."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    site = Site(tmp_path / "home", database_url=url)
    with site.store.engine.execution_options(writing=True).begin() as connection:
        command.downgrade(alembic_config(connection), FIRST)
        columns = "id, kind, name, state, arguments, created_by, created_unix_s, updated_unix_s, attempts, attempts_max"
        arguments = json.dumps({"recipe": "quick", "overrides": {"steps": STEPS}})
        for job, state in (("running", State.RUNNING), ("done", State.SUCCEEDED)):
            values = f"'{job}', 'train', 'of the first release', '{state}', '{arguments}', 'me', 1, 1, 1, 5"
            connection.execute(text(f"INSERT INTO jobs ({columns}) VALUES ({values})".replace(":", "\\:")))
        connection.execute(
            text("UPDATE jobs SET lease = 'held', worker = 'gone', heartbeat_unix_s = 1 WHERE id = 'running'")
        )
        model = "'m', 'm', 'done', 'models/done/m.heimdall', 'ab', 5, '{}', '{}', 1"
        connection.execute(text(f"INSERT INTO models VALUES ({model})".replace(":", "\\:")))
        connection.execute(text("INSERT INTO tokens VALUES ('t', 'me', 'admin', 'cd', 1, NULL)"))
    run = site.settings.runs / "running"
    (run / "checkpoints").mkdir(parents=True)
    (run / "log.txt").write_text("what the old one said\n")
    (run / "checkpoints" / "last.ckpt").write_text(json.dumps({"step": DONE, "weights": undisturbed(DONE)}))
    yield site
    site.close()


def test_the_job_goes_on_from_its_checkpoint_and_every_row_is_there(old_site):
    worker = old_site.start_worker("new")
    deadline_s = time.monotonic() + 60
    while ask(old_site.ports[worker.pid], "/health")[0] != 200:  # then its tables are upgraded
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
    job = old_site.wait_state("running", State.SUCCEEDED, State.FAILED)
    assert job.state == State.SUCCEEDED, job.error
    assert [step for _, step, _ in old_site.trace("running")] == list(range(DONE + 1, STEPS + 1))
    with opened(old_site.settings) as store, store.engine.connect() as connection:
        assert connection.execute(text("SELECT id FROM models WHERE job_id = 'done'")).scalar() == "m"
        assert connection.execute(text("SELECT role FROM tokens")).scalar() == "admin"
        assert connection.execute(text("SELECT name FROM jobs WHERE id = 'done'")).scalar() == "of the first release"
