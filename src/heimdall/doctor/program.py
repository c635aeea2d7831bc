"""External programs, each with a time limit; asking one never raises and never hangs."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

NOT_INSTALLED = "not installed"
NO_ANSWER = "did not answer"
READS_FILES_ONLY = "modinfo"


@dataclass(frozen=True)
class Answer:
    """What a program said. `code` is None where it could not be asked; `stderr` then says why."""

    code: int | None
    stdout: str = ""
    stderr: str = ""

    @property
    def is_missing(self) -> bool:
        return self.code is None and self.stderr.endswith(NOT_INSTALLED)

    @property
    def is_silent(self) -> bool:
        """It was started and did not end in time: how a driver that hangs shows itself."""
        return self.code is None and NO_ANSWER in self.stderr

    @property
    def text(self) -> str:
        return "\n".join(part for part in (self.stdout.strip(), self.stderr.strip()) if part)


Run = Callable[[Sequence[str], float], Answer]
"""Takes a command and a time limit in seconds."""


def run_program(command: Sequence[str], timeout_s: float) -> Answer:
    # Files rather than pipes: a program stuck in the driver cannot be killed, and reading its pipe would hang with it.
    try:
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            code = _wait(_start(command, stdout, stderr), timeout_s)
            if code is None:
                return Answer(None, _text(stdout), f"{command[0]} {NO_ANSWER} within {timeout_s:g} s")
            return Answer(code, _text(stdout), _text(stderr))
    except FileNotFoundError:
        return Answer(None, stderr=f"{command[0]}: {NOT_INSTALLED}")
    except (OSError, ValueError) as error:
        return Answer(None, stderr=f"{command[0]}: {getattr(error, 'strerror', None) or error}")


def _start(command: Sequence[str], stdout: IO[bytes], stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env={**os.environ, "LC_ALL": "C"},
        start_new_session=True,
    )


def run_stand_ins(root: Path) -> Run:
    """The runner for another machine's tree: the real docker would answer about this machine and mix the two.

    Asked are stand-ins that replay an answer (programs in the tree, scripts on PATH), and what only reads given files.
    """

    def run(command: Sequence[str], timeout_s: float) -> Answer:
        program = _stand_in(root, command[0])
        if program is None:
            return Answer(None, stderr=f"{command[0]}: {NOT_INSTALLED}")
        return run_program([program, *command[1:]], timeout_s)

    return run


def _stand_in(root: Path, name: str) -> str | None:
    inside = shutil.which(name, path=":".join(str(root / folder) for folder in ("usr/bin", "bin", "usr/sbin", "sbin")))
    found = inside or shutil.which(name)
    if found is None or inside or name in (READS_FILES_ONLY, sys.executable):
        return found
    try:
        with open(found, "rb") as file:
            return found if file.read(2) == b"#!" else None
    except OSError:
        return None


def _wait(process: subprocess.Popen[bytes], timeout_s: float) -> int | None:
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1.0)
        return None


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")
