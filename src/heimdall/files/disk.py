"""A full disk, told apart from every other failure: nobody's fault, and over as soon as there is room."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterator

EXIT_CODE = 73
"""Of a program that found no room (EX_CANTCREAT of sysexits.h): what it had written before is whole, and it can go on."""
FULL = "the disk is full, and nothing was changed: make room, or delete old runs, and try again"
_ERRNOS = (errno.ENOSPC, errno.EDQUOT)
_SQLITE = ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE")
_POSTGRES = "53100"


def is_disk_full(error: BaseException) -> bool:
    """Whether this error, or one that led to it, came of a disk without room."""
    return any(_is_full(each) for each in _chain(error))


def exit_code_of(run: Callable[[], int]) -> int:
    """The exit code of a program, also where there is no room for what it says: then it alone tells of the full disk."""
    try:
        code = run()
        sys.stderr.flush()
        return code
    except OSError as error:
        if not is_disk_full(error):
            raise
        # What is still in the buffers would fail once more when the interpreter ends, with an exit code of its own.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
        return EXIT_CODE


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from: its cause or context, and the driver's error within SQLAlchemy's."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [each.__cause__, each.__context__, getattr(each, "orig", None)]


def _is_full(error: BaseException) -> bool:
    if isinstance(error, shutil.Error):  # what went wrong with each file of a folder is kept only as text
        return any(os.strerror(number) in str(error) for number in _ERRNOS)
    if isinstance(error, OSError):
        return error.errno in _ERRNOS
    return getattr(error, "sqlite_errorname", None) in _SQLITE or getattr(error, "sqlstate", None) == _POSTGRES
