"""A backup brings everything back, or changes nothing and says why."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import uuid
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import create_engine, inspect, select, text

from heimdall.errors import HeimdallError, InputError
from heimdall.files.replacement import STAGE
from heimdall.service.auth import Role, create_token, identify
from heimdall.service.backup.archive import MANIFEST, verify
from heimdall.service.backup.make import back_up
from heimdall.service.backup.restore import restore
from heimdall.service.database.migrate import VERSION_TABLE, opened
from heimdall.service.database.store import Store
from heimdall.service.database.tables import Base, Job, JobEvent, Model, Worker
from heimdall.service.queue import jobs
from heimdall.service.queue.jobs import State
from heimdall.service.settings import Settings

EVERY_DATABASE = True
NUL_AND_TABS = "a\tname with\\ backslash, \n a line break, and \u20ac"


@pytest.fixture
def installation(settings, store, new_job, tmp_path) -> Settings:
    """A job that runs, one that made a model, a token, run folders, recordings, MLflow's file, secrets."""
    done, running = new_job(name=NUL_AND_TABS), new_job()
    with store.writing() as session:
        session.get(Job, running).state = State.RUNNING
        session.get(Job, running).lease = "held"
        session.get(Job, done).state = State.SUCCEEDED
        model = {"sha256": "0" * 64, "size_bytes": 5, "scores": {"median_m": 1.5}, "record": {"ü": [1, None]}}
        session.add(Model(id="m", name="m", job_id=done, artifact=f"models/{done}/m.heimdall", **model))
        create_token(session, "me", Role.ADMIN)
    home = settings.home
    for path, content in {
        f"artifacts/models/{done}/m.heimdall": "model",
        f"runs/{running}/checkpoints/last.ckpt": "checkpoint",
        f"runs/{running}/log.txt": "log",
        f"runs/{running}/.lock": "",
        "data/sessions/s/one.sigmf-meta": "{}",
        "workers/one": "word",
        "broker/message": "not kept",
    }.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(content)
    secrets = tmp_path / "vault"
    secrets.mkdir()
    (secrets / "admin_token").write_text("the token that people hold")
    (secrets / "database_password").write_text("of the server that was")
    return settings.model_copy(update={"secrets_folder": secrets})


@pytest.fixture
def elsewhere(installation, tmp_path, database, request) -> Settings:
    """Another installation, without anything, with secrets of its own."""
    url = None
    if database == "postgres":
        server, name = str(installation.database_url.get_secret_value()).rsplit("/", 1)
        url = f"{server}/{name}b"
        engine = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}b"))
        engine.dispose()
    vault = tmp_path / "other-vault"
    vault.mkdir()
    (vault / "admin_token").write_text("made at the first start here")
    (vault / "database_password").write_text("of the server here")
    return Settings(home=tmp_path / "other", accelerator="cpu", database_url=url, secrets_folder=vault)


@pytest.fixture
def make_database(postgres_server):
    def make() -> str:
        name = f"m{uuid.uuid4().hex}"
        engine = create_engine(f"{postgres_server}/postgres", isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return f"{postgres_server}/{name}"

    return make


def rows_of(settings: Settings) -> dict[str, list[tuple]]:
    store = Store(settings.database)
    with store.engine.connect() as connection:
        names = sorted(inspect(store.engine).get_table_names())
        rows = {name: sorted(map(repr, connection.execute(text(f"SELECT * FROM {name}")))) for name in names}
    store.close()
    return rows


def files_of(settings: Settings) -> dict[str, bytes]:
    left_out = ("heimdall.db", "embedded-worker.lock")
    found = {str(path.relative_to(settings.home)): path for path in settings.home.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith(left_out)}


def test_everything_comes_back_and_the_running_job_is_done_by_whoever_comes(installation, elsewhere, tmp_path):
    about = back_up(installation, tmp_path)
    restore(elsewhere, Path(about["path"]))
    assert rows_of(elsewhere) == rows_of(installation)
    kept = {name: content for name, content in files_of(installation).items() if "/.lock" not in name}
    assert files_of(elsewhere) == {name: content for name, content in kept.items() if not name.startswith("broker")}
    with opened(elsewhere) as store, store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, Base.metadata) == [], "the tables are the program's, with keys and indexes"
    with opened(elsewhere) as store, store.writing() as session:
        (job,) = session.scalars(select(Job).where(Job.state == State.RUNNING))
        assert job.name == "n"
        session.add(JobEvent(job_id=job.id, type="t", message="the numbers go on where they were"))


def test_what_people_hold_comes_back_and_what_the_servers_were_made_with_stays(installation, elsewhere, tmp_path):
    source = Path(back_up(installation, tmp_path)["path"])
    assert restore(elsewhere, source)["secrets"] == ["admin_token"]
    vault = elsewhere.secrets_folder
    assert (vault / "admin_token").read_text() == "the token that people hold"
    assert (vault / "database_password").read_text() == "of the server here"
    restore(elsewhere, source, only_secrets=True)
    assert (vault / "database_password").read_text() == "of the server that was"


def test_a_backup_can_be_read_by_its_owner_alone_and_never_replaces_another(installation, tmp_path):
    path = Path(back_up(installation, tmp_path / "b.tar")["path"])
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(InputError, match="there already"):
        back_up(installation, path)
    with pytest.raises(InputError, match="elsewhere"):
        back_up(installation, installation.home)
    assert [entry.name for entry in tmp_path.glob(".b*")] == []


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip(content: bytes) -> bytes:
    place = content.index(b"checkpoint", content.index(b"last.ckpt") + 100)
    return content[:place] + b"C" + content[place + 1 :]


def without_database(content: bytes) -> bytes:
    """A backup whose checksums agree, and which holds nothing."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        document = json.dumps({"format": 1, "databases": {}, "members": {}}).encode()
        entry = tarfile.TarInfo(MANIFEST)
        entry.size = len(document)
        tar.addfile(entry, io.BytesIO(document))
    return target.getvalue()


DAMAGES = {
    "empty": lambda _: b"",
    "cut": cut,
    "flipped": flip,
    "other": lambda _: b"-- SQL" * 999,
    "none": without_database,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_empty_a_cut_and_a_changed_backup_are_refused_in_one_line_with_nothing_changed(
    installation, elsewhere, tmp_path, damage
):
    source = Path(back_up(installation, tmp_path / "b.tar")["path"])
    with opened(elsewhere) as store, store.writing() as session:
        word = create_token(session, "here before", Role.ADMIN)
    before = rows_of(elsewhere), files_of(elsewhere)
    source.write_bytes(DAMAGES[damage](source.read_bytes()))
    with pytest.raises(InputError, match="nothing was changed") as told:
        restore(elsewhere, source, replace=True)
    assert "\n" not in str(told.value)
    assert (rows_of(elsewhere), files_of(elsewhere)) == before
    with opened(elsewhere) as store, store.reading() as session:
        assert identify(session, word, elsewhere) is not None


def test_jobs_that_are_there_are_given_up_only_when_told_to(installation, tmp_path):
    source = Path(back_up(installation, tmp_path / "b.tar")["path"])
    before = rows_of(installation)
    with opened(installation) as store, store.writing() as session:
        jobs.create(session, "train", {"recipe": "quick"}, name="later", created_by="t", attempts_max=3)
    with pytest.raises(InputError, match="--replace"):
        restore(installation, source)
    restore(installation, source, replace=True)
    assert rows_of(installation) == before
    assert [path.name for path in installation.home.iterdir() if path.name.startswith(STAGE)] == []


def test_a_worker_that_was_heard_lately_keeps_a_restore_away(installation, elsewhere, tmp_path, store):
    source = Path(back_up(installation, tmp_path / "b.tar")["path"])
    with opened(elsewhere) as other, other.writing() as session:
        said = {"accelerator": "cpu", "gpu_usable": False, "devices": [], "versions": {}}
        session.add(Worker(name="busy", started_unix_s=0, heartbeat_unix_s=4e9, **said))
    with pytest.raises(HeimdallError, match="busy"):
        restore(elsewhere, source, replace=True)


def test_when_the_files_cannot_be_put_in_place_rows_and_files_are_as_they_were(
    installation, elsewhere, tmp_path, monkeypatch
):
    source = Path(back_up(installation, tmp_path / "b.tar")["path"])
    with opened(elsewhere) as store, store.writing() as session:
        create_token(session, "here before", Role.ADMIN)
    (elsewhere.home / "data").mkdir(parents=True)
    (elsewhere.home / "data" / "mine").write_text("mine")
    before = rows_of(elsewhere), files_of(elsewhere)
    rename = Path.rename

    def full_disk(self, target):
        if self.name == "runs" and Path(target).parent == elsewhere.home:
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", full_disk)
    with pytest.raises(HeimdallError, match="No space"):
        restore(elsewhere, source)
    monkeypatch.undo()
    assert (rows_of(elsewhere), files_of(elsewhere)) == before


KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from heimdall.files import replacement
from heimdall.service.backup.restore import restore
from heimdall.service.settings import Settings
left = int(sys.argv[3])
def counted(work):
    def do(*args, **kwargs):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return work(*args, **kwargs)
    return do
if left < 0:
    replacement._clear = counted(replacement._clear)
else:
    Path.rename = counted(Path.rename)
restore(Settings(home=Path(sys.argv[1]), accelerator="cpu"), Path(sys.argv[2]))
"""


@pytest.mark.parametrize("renamed", [0, 1, 3, 5, 7, -1])
def test_what_a_kill_in_the_midst_of_a_restore_has_left_is_put_right_by_whoever_comes(tmp_path, installation, renamed):
    """-1: all is done but for the clearing away."""
    if installation.database_url is not None:
        pytest.skip("rows of PostgreSQL are in a transaction")
    source = Path(back_up(installation, tmp_path / "b.tar")["path"])
    target = Settings(home=tmp_path / "other", accelerator="cpu")
    with opened(target) as store, store.writing() as session:
        create_token(session, "here before", Role.ADMIN)
    (target.home / "data").mkdir(parents=True)
    (target.home / "data" / "mine").write_text("mine")
    expected = shutil.copytree(target.home, tmp_path / "before")
    killed = subprocess.run([sys.executable, "-c", KILLED, target.home, source, str(renamed)], check=False)
    assert killed.returncode == -signal.SIGKILL
    with opened(target):
        pass
    assert rows_of(target) == rows_of(installation if renamed < 0 else Settings(home=expected))
    assert (target.home / "data" / "mine").exists() == (renamed >= 0)
    assert (target.home / "data" / "sessions").exists() == (renamed < 0)
    assert [path for path in target.home.iterdir() if path.name.startswith(STAGE)] == []


def test_what_a_killed_backup_has_left_is_cleared_away_by_the_next_to_the_same_place(installation, tmp_path):
    left = tmp_path / ".heimdall-backup-killed"
    left.mkdir()
    os.utime(left, (time.time() - 60, time.time() - 60))
    (tmp_path / ".backup-of-a-person").mkdir()
    back_up(installation, tmp_path / "b.tar")
    dotted = [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert dotted == [".backup-of-a-person"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_restored_by_root_belong_to_the_user_that_the_service_runs_as(installation, elsewhere, tmp_path):
    source = Path(back_up(installation, tmp_path / "b.tar")["path"])
    elsewhere.home.mkdir()
    os.chown(elsewhere.home, 10001, 10001)
    restore(elsewhere, source)
    restored = list(elsewhere.home.rglob("*"))
    assert restored
    assert {(path.stat().st_uid, path.stat().st_gid) for path in restored} == {(10001, 10001)}


def test_a_backup_of_a_later_release_is_refused(installation, elsewhere, tmp_path):
    set_revision(installation, "9999")
    about = back_up_as_it_is(installation, tmp_path)
    set_revision(installation, "0004")
    with pytest.raises(InputError, match="newer"):
        restore(elsewhere, Path(about["path"]))


def set_revision(settings: Settings, revision: str) -> None:
    store = Store(settings.database)
    with store.engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'"))
    store.close()


def back_up_as_it_is(settings: Settings, folder: Path) -> dict:
    """As the later release would, which takes its own database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("heimdall.service.database.migrate.migrate", lambda store: None)
        return back_up(settings, folder)


def test_the_manifest_tells_how_much_is_in_it(installation, tmp_path):
    about = verify(Path(back_up(installation, tmp_path / "b.tar")["path"]))
    assert about["databases"]["database"]["rows"]["jobs"] == 2
    assert about["databases"]["database"]["rows"]["tokens"] == 1


def test_an_mlflow_database_comes_back_with_it_even_one_without_tables(installation, elsewhere, tmp_path, request):
    if installation.database_url is None:
        pytest.skip("beside SQLite MLflow's database is a file in the home folder")
    addresses = [SecretStr(request.getfixturevalue("make_database")()) for _ in range(4)]
    for filled, (there, here) in zip((True, False), (addresses[:2], addresses[2:]), strict=True):
        if filled:
            engine = create_engine(there.get_secret_value())
            with engine.begin() as connection:
                connection.execute(text("CREATE TABLE runs (id serial PRIMARY KEY, note text CHECK (note <> ''))"))
                connection.execute(text("INSERT INTO runs (note) VALUES ('one')"))
            engine.dispose()
        source = installation.model_copy(update={"mlflow_database_url": there})
        target = elsewhere.model_copy(update={"mlflow_database_url": here})
        path = Path(back_up(source, tmp_path / f"{filled}.tar")["path"])
        restore(target, path, replace=True)
        engine = create_engine(here.get_secret_value())
        with engine.begin() as connection:
            found = inspect(connection).get_table_names()
            assert found == (["runs"] if filled else [])
            if filled:
                connection.execute(text("INSERT INTO runs (note) VALUES ('two')"))
                assert [row[0] for row in connection.execute(text("SELECT id FROM runs ORDER BY id"))] == [1, 2]
        engine.dispose()
