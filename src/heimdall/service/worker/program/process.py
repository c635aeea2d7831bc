"""One training as a process of its own, under a `watchdog`."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from heimdall.service.worker.program import watchdog

_KILL_GRACE_S = 1.0
_MARK = "HEIMDALL_WATCHDOG"
"""In the environment of everything a program starts, by which it is found again."""


class WatchedProcess:
    """Start it, renew its trust with `beat`, ask it to stop, or kill it with everything it started."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        lock: Path,
        patience_s: float = 0.0,
        grace_s: float = 0.0,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        options = ["--lock", str(lock), "--patience", str(patience_s), "--grace", str(grace_s), "--"]
        self._mark = f"{_MARK}={uuid.uuid4().hex}"
        given = dict(os.environ if environment is None else environment)
        output = log.open("ab") if log is not None else None
        try:
            self._watchdog = subprocess.Popen(
                [sys.executable, "-I", "-S", watchdog.__file__, *options, *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                env=given | dict([self._mark.split("=")]),
                start_new_session=True,
                bufsize=0,
            )
        finally:
            if output is not None:
                output.close()
        assert self._watchdog.stdin is not None
        self._heartbeat = self._watchdog.stdin
        os.set_blocking(self._heartbeat.fileno(), False)
        self._kill_asked_s: float | None = None

    @property
    def pid(self) -> int:
        return self._watchdog.pid

    def beat(self) -> None:
        """The lease holds: go on."""
        # A broken or closed pipe means that it has ended, which `poll` will tell.
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._heartbeat.write(b".")

    def stop(self) -> None:
        """Ask for a checkpoint and an end."""
        self._watchdog.terminate()

    def kill(self) -> None:
        """Close the heartbeat pipe, which kills the group; a watchdog that does not follow is killed, which does the same."""
        self._heartbeat.close()
        self._kill_asked_s = self._kill_asked_s or time.monotonic()

    def poll(self) -> int | None:
        """The exit code (128 + N for signal N), or None while it runs."""
        code = self._watchdog.poll()
        if code is None and self._kill_asked_s and time.monotonic() - self._kill_asked_s > _KILL_GRACE_S:
            self._watchdog.kill()
        if code is not None:
            self._heartbeat.close()
            if code < 0:
                _kill_marked(self._mark)  # the watchdog itself was killed and could not see to what the program started
        return 128 - code if code is not None and code < 0 else code

    def wait(self, timeout_s: float) -> int | None:
        deadline_s = time.monotonic() + timeout_s
        while (code := self.poll()) is None and time.monotonic() < deadline_s:
            time.sleep(0.02)
        return code


def _kill_marked(mark: str) -> None:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    os.kill(int(entry.name), signal.SIGKILL)
