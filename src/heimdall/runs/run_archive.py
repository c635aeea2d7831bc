"""A run folder on its way to another machine, by the artifact store.

Where workers share no folder, whoever holds a job leaves its run folder in the store after every checkpoint, under a new
name, and then writes that name into the job's row by the same compare-and-set as everything else. Whoever takes the job next
goes on from what the row names. What a worker leaves after its lease is gone stands in no row and changes nothing.
"""

from __future__ import annotations

import fcntl
import logging
import secrets
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from heimdall.errors import HeimdallError
from heimdall.files.artifacts import Artifacts
from heimdall.files.atomic import held, incoming
from heimdall.runs import RECORDINGS
from heimdall.runs.reader import CHECKPOINT, RunReader

log = logging.getLogger(__name__)

LEAVING = ".leaving-"
"""How the name of an archive begins that is on its way into the store."""
_MARK = ".carried"
"""In a run folder: the key it was last left under, or brought from."""
_NEWS = ("log.txt", "metrics.jsonl", "progress.json", "warnings.json", "tracking.json", "result.json")
_LOCK_RETRY_S = 0.05
_LOCK_LIMIT_S = 60.0


def prefix(job_id: str) -> str:
    return f"runs/{job_id}"


def leave(folder: RunReader, job_id: str, artifacts: Artifacts) -> str:
    """Put the whole folder into the store; the key."""
    key = f"{prefix(job_id)}/{secrets.token_hex(8)}.tar"
    _put_archive(folder.path, _travelling(folder.path), key, artifacts, "w")
    return key


def leave_news(folder: RunReader, job_id: str, artifacts: Artifacts) -> None:
    """What people look at while the job runs: small, and under one name."""
    _put_archive(folder.path, [folder.path / name for name in _NEWS], news_key(job_id), artifacts, "w:gz")


def news_key(job_id: str) -> str:
    return f"{prefix(job_id)}/news.tar.gz"


def data_key(name: str) -> str:
    return f"data/{name}.tar"


def is_newer_elsewhere(folder: RunReader, carried: str | None) -> bool:
    """Whether the row names a state of the folder that this machine neither left nor brought."""
    return carried is not None and _marked(folder) != carried


def mark(folder: RunReader, key: str) -> None:
    (folder.path / _MARK).write_text(key)


def bring(folder: RunReader, key: str, artifacts: Artifacts) -> None:
    """Replace what is in the folder by what was left under the key; waits until nothing runs there any more."""
    folder.make()
    with alone(folder):
        (folder.path / _MARK).unlink(missing_ok=True)
        _clear(folder.path)
        with incoming(folder.path) as place:
            unpack(artifacts.fetch(key, place), folder.path)
        mark(folder, key)


def share(source: Path, key: str, artifacts: Artifacts) -> None:
    """Put a file or folder into the store, for whichever machine will run the job."""
    paths = sorted(source.rglob("*")) if source.is_dir() else [source]
    _put_archive(source.parent, paths, key, artifacts, "w")


def unpack(archive: Path, target: Path) -> None:
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter="data")


def _put_archive(base: Path, paths: Iterable[Path], key: str, artifacts: Artifacts, mode: str) -> None:
    with tempfile.NamedTemporaryFile(dir=base.parent, prefix=LEAVING) as file, held(Path(file.name)):
        with tarfile.open(fileobj=file, mode=mode) as tar:  # type: ignore[call-overload]  # one of its many modes
            for path in paths:
                _add(tar, path, str(path.relative_to(base)))
        file.flush()
        artifacts.put(Path(file.name), key)


def _travelling(folder: Path) -> list[Path]:
    """The checkpoint first: then the files beside it are at least as new, as after a kill."""
    found = [path for path in sorted(folder.rglob("*")) if _travels(path.relative_to(folder))]
    return sorted(found, key=lambda path: path != folder / CHECKPOINT)


def _travels(path: Path) -> bool:
    mine = path.parts[0] == "inputs" or _is_recording(path) or any(part.startswith(".") for part in path.parts)
    return not mine and path.suffix not in (".tmp", ".new")


def _is_recording(path: Path) -> bool:
    """What a job records becomes a session of its own, which travels by itself."""
    return path.parts[0] == RECORDINGS and len(path.parts) > 2


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    """Add a file as it was when it was opened, even if it is replaced or grows meanwhile."""
    try:
        if path.is_symlink() or not path.is_file():
            return
        with path.open("rb") as file:
            tar.addfile(tar.gettarinfo(arcname=name, fileobj=file), file)
    except FileNotFoundError:
        return


def _marked(folder: RunReader) -> str | None:
    try:
        return (folder.path / _MARK).read_text()
    except OSError:
        return None


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name == ".lock":
            continue
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@contextmanager
def alone(folder: RunReader) -> Iterator[None]:
    """With the lock that every program of this folder holds as long as it lives."""
    with folder.lock.open("a") as lock:
        _acquire(lock)
        yield


def _acquire(lock: IO[str]) -> None:
    deadline_s = time.monotonic() + _LOCK_LIMIT_S
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline_s:
                raise HeimdallError(f"a program still runs in {lock.name}") from None
        time.sleep(_LOCK_RETRY_S)
