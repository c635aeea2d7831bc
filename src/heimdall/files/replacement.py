"""Folders that get another content as a whole, or keep theirs: a kill midway is put right by whoever comes next.

What is done stands in a journal in the stage, the temporary folder of the content to come. The new content waits in a folder
beside the present one, and the present one in another until it is known that the new one stays.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from heimdall.files.atomic import alone, claimed, held_folder, just_made

log = logging.getLogger(__name__)

STAGE = ".restoring-"
_NEW, _OLD = "-new", "-old"
_JOURNAL, _DONE = "journal", "done"
_BEGUN, _EMPTIED = "begun", "emptied"


@contextmanager
def stage_in(home: Path) -> Iterator[Path]:
    """A temporary folder in `home` for content to come."""
    with held_folder(STAGE, home) as stage:
        give_to_owner_of(home, stage)
        yield stage


@contextmanager
def exchanged(stage: Path, contents: Mapping[Path, Path]) -> Iterator[None]:
    """Folders, by name, with the content of others; with their own again if that or what follows fails."""
    try:
        for folder, content in contents.items():
            _exchange(stage, folder, content)
        yield
    except BaseException:
        _undo(stage)
        raise
    (stage / _DONE).touch()
    _clear(stage)


def put_right(home: Path) -> None:
    """Undo what a process that was killed had begun, and delete what it has left; not if it still runs."""
    if not any(home.glob(f"{STAGE}*")):
        return
    with alone(home):
        for stage in home.glob(f"{STAGE}*"):
            if not stage.name.endswith((_NEW, _OLD)):
                _put_one_right(stage)


def give_to_owner_of(folder: Path, given: Path) -> None:
    """What root has made must still be writable to the user that the folder belongs to."""
    if os.geteuid() == 0:
        owner = folder.stat()
        for path in (given, *given.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _exchange(stage: Path, folder: Path, content: Path) -> None:
    """Entry by entry, since the folder may be a volume, which cannot be renamed."""
    new, old = _beside(stage, folder)
    _note(stage, _BEGUN, folder)
    old.mkdir(mode=0o700)
    give_to_owner_of(folder, old)
    give_to_owner_of(folder, content)
    if content.stat().st_dev == folder.stat().st_dev:
        content.rename(new)
    else:
        shutil.copytree(content, new)
        give_to_owner_of(folder, new)
    _move_all(folder, old)
    _note(stage, _EMPTIED, folder)
    _move_all(new, folder)


def _undo(stage: Path) -> None:
    emptied = {folder for what, folder in _journal(stage) if what == _EMPTIED}
    for folder in _folders(stage):
        new, old = _beside(stage, folder)
        if folder in emptied:
            new.mkdir(exist_ok=True)
            _move_all(folder, new)
        if old.is_dir():
            _move_all(old, folder)
    _clear(stage)


def _move_all(source: Path, target: Path) -> None:
    """Entries that two hold are the source's."""
    for path in [path for path in source.iterdir() if not path.name.startswith(STAGE)]:
        path.rename(target / path.name)


def _clear(stage: Path) -> None:
    for folder in _folders(stage):
        for place in _beside(stage, folder):
            shutil.rmtree(place, ignore_errors=True)


def _put_one_right(stage: Path) -> None:
    with ExitStack() as claim:
        try:
            if not (stage / _JOURNAL).exists() and just_made(stage):
                return
            claim.enter_context(claimed(stage))
        except (BlockingIOError, FileNotFoundError):  # somebody restores at this moment, or has just ended
            return
        if (stage / _DONE).exists():
            _clear(stage)
        elif _folders(stage):
            _undo(stage)
            log.warning("a restore into %s was killed midway: what was there before is back", stage.parent)
        shutil.rmtree(stage, ignore_errors=True)


def _beside(stage: Path, folder: Path) -> tuple[Path, Path]:
    """Where a folder's new content waits, and where the present one does."""
    return folder / f"{stage.name}{_NEW}", folder / f"{stage.name}{_OLD}"


def _note(stage: Path, what: str, folder: Path) -> None:
    with (stage / _JOURNAL).open("a") as file:
        file.write(f"{what}\t{folder}\n")
        file.flush()
        os.fsync(file.fileno())
    give_to_owner_of(stage, stage / _JOURNAL)


def _journal(stage: Path) -> list[tuple[str, Path]]:
    if not (stage / _JOURNAL).exists():
        return []
    rows = [line.partition("\t") for line in (stage / _JOURNAL).read_text().splitlines()]
    return [(what, Path(folder)) for what, _, folder in rows]


def _folders(stage: Path) -> list[Path]:
    return list(dict.fromkeys(folder for _, folder in _journal(stage)))
