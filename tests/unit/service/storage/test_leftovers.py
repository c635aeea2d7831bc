"""What a kill has left is cleared away, and what somebody still uses is not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from heimdall.files import atomic
from heimdall.files.artifacts import FolderArtifacts, open_artifacts
from heimdall.files.atomic import INCOMING, held, incoming, scratch
from heimdall.service.storage import leftovers

KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from heimdall.files.artifacts import FolderArtifacts
from heimdall.runs import run_archive
from heimdall.runs.reader import RunReader
shutil.copyfile = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
run_archive.leave(RunReader(Path(sys.argv[1])), "job", FolderArtifacts(Path(sys.argv[2])))
"""


KILLED_WHILE_KEEPING = """
import os, shutil, signal, sys
from pathlib import Path
from heimdall.service.storage.uploads import keep
shutil.copy2 = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
shutil.copytree.__defaults__ = (False, None, shutil.copy2, False, False)
keep(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def aged(path: Path) -> Path:
    os.utime(path, (time.time() - 60, time.time() - 60))
    return path


def test_a_kill_while_a_checkpoint_leaves_is_cleared_away_by_the_next_start(settings, tmp_path):
    folder = settings.runs / "job"
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text("x")
    subprocess.run([sys.executable, "-c", KILLED, folder, settings.artifact_address], check=False)
    left = [path for path in settings.home.rglob("*") if path.name.startswith((".leaving-", ".incoming-"))]
    assert len(left) == 2
    artifacts = open_artifacts(settings.artifact_address)
    assert leftovers.clear(settings, artifacts) == 0  # so young they may be about to be held
    for path in left:
        aged(path)
    assert leftovers.clear(settings, artifacts) == 2
    assert (folder / "log.txt").exists()


def test_a_kill_while_an_upload_is_kept_is_cleared_away_by_the_next_start(settings, tmp_path):
    upload = tmp_path / "upload"
    upload.mkdir()
    (upload / "m.jsonl").write_text("x")
    target = settings.data / "sessions" / "0123"
    subprocess.run([sys.executable, "-c", KILLED_WHILE_KEEPING, upload, target], check=False)
    (left,) = target.parent.iterdir()
    assert not target.exists()
    artifacts = open_artifacts(settings.artifact_address)
    assert leftovers.clear(settings, artifacts) == 0  # so young it may be about to be held
    aged(left)
    assert leftovers.clear(settings, artifacts) == 1
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("where", ["data/sessions", "runs", "runs/job", "runs/job/inputs"])
def test_what_comes_in_is_cleared_away_only_when_nobody_is_there_any_more(settings, where):
    artifacts = open_artifacts(settings.artifact_address)
    with incoming(settings.home / where) as place:
        aged(place)
        assert leftovers.clear(settings, artifacts) == 0
    (settings.home / where / f"{INCOMING}killed").mkdir()
    aged(settings.home / where / f"{INCOMING}killed")
    assert leftovers.clear(settings, artifacts) == 1


def test_what_is_in_use_stays(settings, tmp_path):
    with scratch() as folder:
        aged(folder)
        assert leftovers.clear(settings, open_artifacts(settings.artifact_address)) == 0
        assert folder.is_dir()
    killed = tmp_path / f"{folder.name}-of-another"
    killed.mkdir()
    assert leftovers.clear(settings, open_artifacts(settings.artifact_address)) == 0
    aged(killed)
    assert leftovers.clear(settings, open_artifacts(settings.artifact_address)) == 1


def test_every_temporary_folder_is_one_that_is_swept():
    """Others stay for ever after a kill. Benchmarks are for a person at a terminal."""
    source = Path(atomic.__file__).parents[1]
    made = re.compile(r"TemporaryDirectory\(|mkdtemp\(")
    found = {path.relative_to(source) for path in source.rglob("*.py") if made.search(path.read_text())}
    assert {path for path in found if "benchmark" not in str(path)} == {Path("files/atomic.py")}


def test_two_that_put_the_same_at_once_do_not_disturb_each_other(tmp_path):
    artifacts = FolderArtifacts(tmp_path / "store")
    source = tmp_path / "source"
    source.write_bytes(b"x" * 3_000_000)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: artifacts.put(source, "models/1/m"), range(40)))
    assert [path.name for path in (tmp_path / "store" / "models" / "1").iterdir()] == ["m"]


def test_a_file_is_held_only_as_long_as_it_is_said(tmp_path):
    path = tmp_path / "store" / ".incoming-x"
    path.parent.mkdir()
    path.touch()
    artifacts = FolderArtifacts(path.parent)
    with held(path):
        assert artifacts.sweep() + (aged(path) and artifacts.sweep()) == 0
    assert artifacts.sweep() == 1
