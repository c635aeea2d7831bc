"""External programs, each with a time limit; asking one never raises and never hangs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

NOT_INSTALLED = "not installed"
NO_ANSWER = "did not answer"
NOT_ASKED = "not asked, the examined tree is not this machine"


@dataclass(frozen=True)
class ProgramOutput:
    """What a program said. `code` is None where it could not be asked; `stderr` then says why."""

    code: int | None
    stdout: str = ""
    stderr: str = ""

    @property
    def is_missing(self) -> bool:
        return self.code is None and self.stderr.endswith((NOT_INSTALLED, NOT_ASKED))

    @property
    def is_silent(self) -> bool:
        """It was started and did not end in time: how a driver that hangs shows itself."""
        return self.code is None and NO_ANSWER in self.stderr

    @property
    def text(self) -> str:
        return "\n".join(part for part in (self.stdout.strip(), self.stderr.strip()) if part)


Run = Callable[[Sequence[str], float], ProgramOutput]
"""Takes a command and a time limit in seconds."""


def run_program(command: Sequence[str], timeout_s: float) -> ProgramOutput:
    """Its output, or why there is none; never raises, and never waits longer than `timeout_s`."""
    # Files rather than pipes: a program stuck in the driver cannot be killed, and reading its pipe would hang with it.
    try:
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            code = _wait(_start(command, stdout, stderr), timeout_s)
            if code is None:
                return ProgramOutput(None, _text(stdout), f"{command[0]} {NO_ANSWER} within {timeout_s:g} s")
            return ProgramOutput(code, _text(stdout), _text(stderr))
    except FileNotFoundError:
        return ProgramOutput(None, stderr=f"{command[0]}: {NOT_INSTALLED}")
    except (OSError, ValueError) as error:
        return ProgramOutput(None, stderr=f"{command[0]}: {getattr(error, 'strerror', None) or error}")


def _start(command: Sequence[str], stdout: IO[bytes], stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env={**os.environ, "LC_ALL": "C"},
        start_new_session=True,
    )


def run_nothing(command: Sequence[str], timeout_s: float) -> ProgramOutput:
    """The runner for a tree that is not this machine: a program here would answer about here, one of the tree is a stranger's."""
    return ProgramOutput(None, stderr=f"{command[0]}: {NOT_ASKED}")


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
