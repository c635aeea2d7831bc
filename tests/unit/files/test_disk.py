"""A full disk is one sentence, leaves nothing half-written, and costs nobody an attempt."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from heimdall.files import disk
from heimdall.files.artifacts import FolderArtifacts
from heimdall.files.disk import is_disk_full
from heimdall.service.api import create_app
from heimdall.service.auth import Role, create_token
from heimdall.service.database.migrate import migrate
from heimdall.service.database.store import Store
from heimdall.service.outage import OutageLog
from heimdall.service.queue.leases import Ending
from heimdall.service.settings import Settings
from heimdall.service.storage.uploads import keep
from heimdall.service.worker.attempt import Attempt
from heimdall.service.worker.program.watchdog import LET_GO
from heimdall.service.worker.supervisor import Supervisor

SIZE_BYTES = 2 << 20


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 2 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES}", "none", folder], capture_output=True)
    if made.returncode:
        pytest.skip("a small disk needs the right to mount one")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder):
    with open(folder / "fill", "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_store_and_an_upload_that_find_no_room_leave_nothing(small_disk, tmp_path):
    (tmp_path / "large").mkdir()
    source = tmp_path / "large" / "file"
    source.write_bytes(os.urandom(2 * SIZE_BYTES))
    for write in (
        lambda: FolderArtifacts(small_disk).put(source, "models/a"),
        lambda: keep(source.parent, small_disk / "session"),
    ):
        with pytest.raises(OSError, match="No space") as found:
            write()
        assert is_disk_full(found.value)
        assert files(small_disk) == []


def test_a_checkpoint_that_finds_no_room_says_so_and_leaves_the_one_before(small_disk):
    torch = pytest.importorskip("torch")
    from heimdall.learning.run.checkpoint import AtomicCheckpointIO, read_checkpoint

    path = small_disk / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"step": 1}, path)
    with pytest.raises((OSError, RuntimeError)) as found:
        AtomicCheckpointIO().save_checkpoint({"weights": torch.zeros(SIZE_BYTES)}, path)
    assert is_disk_full(found.value)
    assert files(small_disk) == ["last.ckpt"]
    assert read_checkpoint(path) == {"step": 1}


def test_a_full_database_is_507_and_goes_on_when_there_is_room(small_disk):
    settings = Settings(home=small_disk, accelerator="cpu")
    store = Store(settings.database)
    migrate(store)
    with store.writing() as session:
        word = create_token(session, "t", Role.ADMIN)
    client = TestClient(create_app(settings, store), headers={"Authorization": f"Bearer {word}"})
    fill(small_disk)
    job = {"kind": "train", "recipe": "quick", "overrides": {"purpose": "x" * 250}}
    answers = []
    while not answers or answers[-1].status_code == 201:
        assert len(answers) < 1000, "the disk is not full"
        answers.append(client.post("/api/v1/jobs", json=job))
    full = answers[-1]
    assert (full.status_code, full.json()["detail"]) == (507, disk.FULL)
    (small_disk / "fill").unlink()
    assert client.post("/api/v1/jobs", json=job).status_code == 201
    listed = client.get("/api/v1/jobs", params={"limit": 500}).json()["jobs"]
    assert len(listed) == 1 + sum(answer.status_code == 201 for answer in answers), "nothing is lost"
    store.close()


def test_the_command_line_says_one_sentence_and_never_a_statement_with_its_values(monkeypatch, capsys):
    from heimdall.cli import app as cli

    def run(error):
        def command(*_, **__):
            raise error

        monkeypatch.setattr(cli.typer.main, "get_command", lambda _: SimpleNamespace(main=command))
        return cli._run(["x"], False), capsys.readouterr().err

    assert run(OSError(28, "No space left on device")) == (disk.EXIT_CODE, f"heimdall: {disk.FULL}\n")
    code, told = run(OperationalError("INSERT INTO tokens", {"sha256": "secret"}, sqlite3.OperationalError("locked")))
    assert (code, "secret" in told, "locked" in told) == (1, False, True)


@pytest.mark.parametrize("arguments", [["--version"], ["locate", "nothing-there"]])
def test_a_program_whose_words_find_no_room_tells_by_its_exit_code_that_the_disk_is_full(arguments):
    """Its log is on the same disk, so the reason may be cut short: the exit code must tell a full disk from a failed training."""
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "heimdall", *arguments]
        ended = subprocess.run(command, stdout=full, stderr=full, check=False)
    assert ended.returncode == disk.EXIT_CODE


@pytest.fixture
def attempt(tmp_path):
    settings = Settings(home=tmp_path / "home", accelerator="cpu")
    tools = SimpleNamespace(settings=settings, store=None, artifacts=None, executor=None, gpu_reason=lambda: None)
    return Attempt(SimpleNamespace(id="0" * 16, lease="a.b", needs_capture=False), SimpleNamespace(name="cpu"), tools)  # type: ignore[arg-type]


@pytest.mark.parametrize(("code", "told"), [(disk.EXIT_CODE, "the disk is full"), (LET_GO, "the watchdog ended")])
def test_a_full_disk_and_a_lost_database_cost_no_attempt_and_are_told(attempt, code, told):
    outcome = attempt._interpret(code)
    assert outcome.ending is Ending.STOPPED
    assert outcome.message.startswith(told)
    assert attempt.out_of_room == (code == disk.EXIT_CODE)


def test_a_worker_that_is_not_ready_takes_no_job(tmp_path):
    settings = Settings(home=tmp_path, accelerator="cpu")
    store = Store(settings.database)
    why = ["disk: 0.1 GB free"]

    supervisor = Supervisor(settings, store, None, "o", lambda: None, lambda: why[0])  # type: ignore[arg-type, return-value]
    assert supervisor._is_hindered()
    why[0] = None  # type: ignore[call-overload]
    assert not supervisor._is_hindered()
    store.close()


def test_after_an_outage_the_living_have_a_lease_to_renew_before_jobs_are_taken_from_them(tmp_path):
    settings = Settings(home=tmp_path, accelerator="cpu")
    store = Store(settings.database)  # without tables: it does not answer as it should
    supervisor = Supervisor(settings, store, None, "o", lambda: None)  # type: ignore[arg-type]
    with pytest.raises(OperationalError):
        supervisor._sweep()
    migrate(store)
    supervisor._sweep()
    with store.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM jobs")) == 0
    assert supervisor._sweep_s > time.monotonic() + settings.sweep_s
    store.close()


def test_an_outage_is_told_once_a_minute_and_its_end_too(caplog):
    now = [0.0]
    outage = OutageLog(lambda: now[0])
    for now[0] in range(0, 130, 10):
        outage.tell(OperationalError("SELECT 1", {}, Exception("gone")))
    outage.over()
    outage.over()
    assert [record.message for record in caplog.records] == [
        *["the database does not take it: (builtins.Exception) gone"] * 3,
        "the database answers again",
    ]


def test_the_run_folder_keeps_its_document_when_there_is_no_room(small_disk):
    from heimdall.runs.writer import RunWriter

    RunWriter(small_disk).write_json("progress.json", {"step": 1})
    fill(small_disk)
    with pytest.raises(OSError, match="No space"):
        RunWriter(small_disk).write_json("progress.json", {"text": "x" * 10_000})
    assert files(small_disk) == ["fill", "progress.json"]
