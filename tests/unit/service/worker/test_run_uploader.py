"""A run folder goes through the artifact store whole, and only where the row says so."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from heimdall.errors import HeimdallError
from heimdall.files.artifacts import open_artifacts
from heimdall.runs import run_archive
from heimdall.runs.reader import RunReader
from heimdall.service.settings import Settings
from heimdall.service.storage.run_reader import RunFolders
from heimdall.service.worker.retrying_task import RetryingTask
from heimdall.service.worker.run_uploader import RunUploader

JOB = "0123456789abcdef"


@pytest.fixture(params=["folder", "memory"])
def artifacts(request, tmp_path):
    return open_artifacts(str(tmp_path / "store") if request.param == "folder" else f"memory://carriage{tmp_path}")


def run_folder(path, step=7):
    folder = RunReader(path)
    (path / "checkpoints").mkdir(parents=True)
    (path / "checkpoints" / "last.ckpt").write_text(f"step {step}")
    (path / "log.txt").write_text("hello\n")
    return folder


@pytest.fixture
def here(tmp_path):
    return run_folder(tmp_path / "a" / JOB)


@pytest.fixture
def there(tmp_path):
    return RunReader(tmp_path / "b" / JOB)


def files(folder):
    return {str(path.relative_to(folder.path)) for path in folder.path.rglob("*") if path.is_file()}


def test_what_was_left_here_is_there_and_nothing_else(here, there, artifacts):
    (here.path / ".lock").touch()
    (here.path / "inputs").mkdir()
    (here.path / "inputs" / "model").write_text("large")
    (here.path / "progress.json.tmp").write_text("half")
    there.make()
    (there.path / "stale.txt").write_text("of an earlier attempt")
    key = run_archive.leave(here, JOB, artifacts)
    assert run_archive.is_newer_elsewhere(there, key)
    run_archive.bring(there, key, artifacts)
    assert files(there) == {"checkpoints/last.ckpt", "log.txt", ".lock", ".carried"}
    assert not run_archive.is_newer_elsewhere(there, key)
    assert there.checkpoint_unix_s() == pytest.approx(here.checkpoint_unix_s(), abs=1e-3)


def test_a_folder_is_not_replaced_under_a_program_that_runs_in_it(here, there, artifacts, monkeypatch):
    import fcntl

    monkeypatch.setattr(run_archive, "_LOCK_LIMIT_S", 0.1)
    key = run_archive.leave(here, JOB, artifacts)
    there.make()
    with there.lock.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(HeimdallError, match="still runs"):
            run_archive.bring(there, key, artifacts)
    run_archive.bring(there, key, artifacts)


def test_bringing_that_was_interrupted_is_done_again(here, there, artifacts):
    key = run_archive.leave(here, JOB, artifacts)
    run_archive.bring(there, key, artifacts)
    (there.path / ".carried").unlink()
    assert run_archive.is_newer_elsewhere(there, key)
    assert not run_archive.is_newer_elsewhere(there, None), "the row names nothing: what is here counts"


def advance(carrier, until, limit_s=10.0):
    deadline_s = time.monotonic() + limit_s
    while not until():
        assert time.monotonic() < deadline_s
        carrier.look()
        time.sleep(0.01)


def test_each_checkpoint_is_left_once_and_the_one_before_goes_when_the_row_names_the_new_one(here, artifacts):
    with ThreadPoolExecutor(2) as pool:
        carrier = RunUploader(SimpleNamespace(id=JOB, carried=None), here, artifacts, pool)
        carrier.started()
        advance(carrier, carrier.columns)
        first = carrier.columns()["carried"]
        carrier.told(True)
        assert carrier.columns() == {}
        assert not run_archive.is_newer_elsewhere(here, first)
        (here.path / "checkpoints" / "last.ckpt").write_text("step 8")
        advance(carrier, carrier.columns)
        second = carrier.columns()["carried"]
        carrier.told(True)
        advance(carrier, lambda: carrier.finish(60.0))
        assert second != first
    archives = [key for key in artifacts.names(run_archive.prefix(JOB)) if key.endswith(".tar")]
    assert archives == [second]


def test_what_is_left_after_the_lease_is_gone_is_taken_away_again(here, artifacts):
    with ThreadPoolExecutor(2) as pool:
        carrier = RunUploader(SimpleNamespace(id=JOB, carried="runs/other.tar"), here, artifacts, pool)
        advance(carrier, carrier.columns)
        late = carrier.columns()["carried"]
        carrier.told(False)
    assert late not in artifacts.names(run_archive.prefix(JOB))
    assert run_archive.is_newer_elsewhere(here, "runs/other.tar")


def test_a_store_that_does_not_answer_at_first_is_asked_again(monkeypatch):
    monkeypatch.setattr("heimdall.service.worker.retrying_task._AGAIN_S", 0.01)
    answers = iter([OSError("refused"), OSError("refused"), "there"])

    def work():
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    with ThreadPoolExecutor(1) as pool:
        task = RetryingTask(pool, work)
        assert finished(task).result() == "there"
        refused = RetryingTask(pool, lambda: (_ for _ in ()).throw(HeimdallError("the artifact store has no such key")))
        assert isinstance(finished(refused).exception(), HeimdallError), "an answer, though not the wished one"


def finished(task, limit_s=10.0):
    deadline_s = time.monotonic() + limit_s
    while (future := task.poll()) is None:
        assert time.monotonic() < deadline_s
        time.sleep(0.005)
    return future


def test_people_see_the_log_of_a_job_that_runs_on_another_machine(here, artifacts, tmp_path, monkeypatch):
    monkeypatch.setattr("heimdall.service.storage.run_reader._FRESH_S", 0.0)
    folders = RunFolders(Settings(home=tmp_path / "api", artifacts="elsewhere"), artifacts)
    assert folders.of(JOB).log_page().text == ""
    run_archive.leave_news(here, JOB, artifacts)
    assert folders.of(JOB).log_page().text == "hello\n"
    own = RunReader(tmp_path / "api" / "runs" / JOB)
    own.make()
    own.log.write_text("newer\n")
    assert folders.of(JOB).log_page().text == "newer\n", "the job came to this machine"
    folders.delete(JOB)
    assert folders.of(JOB).log_page().text == ""
    assert artifacts.names(run_archive.prefix(JOB)) == []


@pytest.mark.parametrize("name", ["a.jsonl", "sessions/one"])
def test_recordings_that_are_shared_arrive_under_their_name(tmp_path, artifacts, name):
    source = tmp_path / "data" / name
    if "." in name:
        source.parent.mkdir(parents=True)
        source.write_text("{}")
    else:
        (source / "deep").mkdir(parents=True)
        (source / "deep" / "file").write_text("{}")
    run_archive.share(source, "data/x.tar", artifacts)
    run_archive.unpack(artifacts.fetch("data/x.tar", tmp_path / "in"), tmp_path / "out")
    found = tmp_path / "out" / source.name
    assert (found if found.is_file() else found / "deep" / "file").read_text() == "{}"
