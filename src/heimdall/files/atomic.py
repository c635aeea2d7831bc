"""Files that are replaced in one step, temporary ones that are cleared away after a kill, and where a person's lists lie."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

TEMPORARY_SUFFIX = ".tmp"
INCOMING = ".incoming-"
SCRATCH = "heimdall-scratch-"
"""How the names of temporary folders in the system's begin."""
_JUST_MADE_S = 10.0


@contextmanager
def replacing(path: Path, *, mode: int | None = None, durable: bool = False) -> Iterator[Path]:
    """A file beside `path` to write to, which takes its name at the end: a reader sees the old file or the new one, whole.

    Where writing fails nothing is left of it: what a full disk could not take would keep it full. `mode` is the new file's,
    from its first byte on. `durable`: it is on the disk before it takes the name, which costs milliseconds.
    """
    temporary = path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")
    try:
        if mode is not None:
            temporary.unlink(missing_ok=True)
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        yield temporary
        if durable:
            _flush(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        _flush(path.parent)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Mark a temporary file or folder as in use: `sweep` leaves it as long as this process lives and does not let go."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait for whoever else changes what is in this folder, in this process or another, and keep others waiting."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def held_folder(prefix: str, folder: Path | None = None) -> Iterator[Path]:
    """A temporary folder, which `sweep` deletes only if this process is killed; in the system's where no folder is named."""
    with TemporaryDirectory(dir=folder, prefix=prefix) as place, held(Path(place)):
        yield Path(place)


@contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder of the system's, which a later start clears away if this process is killed."""
    with held_folder(SCRATCH) as folder:
        yield folder


def sweep_scratch() -> int:
    """Delete the scratch folders of processes that were killed; how many there were."""
    return sweep(Path(gettempdir()), f"{SCRATCH}*")


@contextmanager
def incoming(folder: Path) -> Iterator[Path]:
    """A temporary folder in `folder`, made if need be, for what is moved to its place there when it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    with held_folder(INCOMING, folder) as place:
        yield place


def sweep(folder: Path, pattern: str) -> int:
    """Delete the files and folders of that name that no living process holds; how many there were."""
    return sum(_sweep_one(path) for path in folder.glob(pattern)) if folder.is_dir() else 0


def _sweep_one(path: Path) -> bool:
    try:
        if path.is_symlink() or just_made(path):
            return False
        with claimed(path):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    except OSError:  # in use, gone, or another user's
        return False
    return True


def just_made(path: Path) -> bool:
    """Whether a temporary file or folder is so young that whoever makes it may be about to hold it."""
    return time.time() - path.stat().st_mtime < _JUST_MADE_S


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """A temporary file or folder that no living process holds. Raises BlockingIOError where one does."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def replace_text(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def user_list(variable: str, name: str) -> Path:
    """The file that an environment variable names, else one in heimdall's part of the configuration folder (XDG)."""
    named = os.environ.get(variable)
    if named:
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "heimdall" / name


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
