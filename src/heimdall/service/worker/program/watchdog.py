"""Stands between a worker and the one program it runs, and lets neither outlive the other's trust.

    watchdog.py --lock FILE --patience SECONDS [--grace SECONDS] -- COMMAND...

The worker holds the heartbeat pipe: one on standard input into which it writes a byte with every renewed lease. When the pipe
closes (the worker was killed) or no byte comes for `--patience` seconds (it is frozen, or cut off from the database), the
program's whole process group is killed, before anybody else may start the job again. The program inherits a lock on FILE:
a second watchdog for the same run folder waits until the last process of the first is gone. SIGTERM is passed on.

Runs as a script with the standard library alone (`python -I -S`), so that it starts within a blink.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable

STOPPED = 75
KILLED = 128 + signal.SIGKILL
LET_GO = 76
"""The program was killed here because no byte came for the patience: the lease could not be renewed."""
_LOCK_RETRY_S = 0.05
_PR_SET_PDEATHSIG = 1


def _now_s() -> float:
    """Goes on while the machine sleeps, as the lease in the database does."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class HeartbeatPipe:
    """Standard input, and the signals that arrived, in one place to wait for."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._last_pull_s = _now_s()
        self._closed = False
        self._signals, notify = os.pipe()
        os.set_blocking(notify, False)
        signal.set_wakeup_fd(notify, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def held(self) -> bool:
        fresh = not self._patience_s or _now_s() - self._last_pull_s < self._patience_s
        return fresh and not self._closed

    def wait(self, timeout_s: float) -> set[int]:
        """Until something happens; the numbers of the signals that arrived."""
        sources = [self._signals] if self._closed else [self._signals, 0]
        ready, _, _ = select.select(sources, [], [], timeout_s)
        if 0 in ready:
            self._closed = not os.read(0, 4096)
            self._last_pull_s = _now_s()
        return set(os.read(self._signals, 4096)) if self._signals in ready else set()


def main() -> int:
    options = _parse(sys.argv[1:])
    heartbeat = HeartbeatPipe(options.patience)
    with open(options.lock, "a") as lock:
        code = _acquire(lock.fileno(), heartbeat)
        if code is None:
            program = _start(options.command, lock.fileno())
            code = _guard(program, heartbeat, options.grace)
        return code


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="watchdog")
    parser.add_argument("--lock", required=True)
    parser.add_argument(
        "--patience",
        type=float,
        default=0.0,
        help="seconds without a heartbeat before the program is stopped; with 0 only the closed pipe counts",
    )
    parser.add_argument("--grace", type=float, default=0.0, help="seconds to end by itself once the pipe is closed")
    parser.add_argument("command", nargs="+")
    return parser.parse_args(arguments)


def _acquire(lock: int, heartbeat: HeartbeatPipe) -> int | None:
    """None once the lock is ours, or the exit code when it is over before it began."""
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return None
        except BlockingIOError:
            arrived = heartbeat.wait(_LOCK_RETRY_S)
        if signal.SIGTERM in arrived or signal.SIGINT in arrived:
            return STOPPED
        if not heartbeat.held:
            return KILLED


def _start(command: list[str], lock: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, pass_fds=(lock,), start_new_session=True, preexec_fn=_die_with(os.getpid())
    )


def _die_with(parent: int) -> Callable[[], None]:
    """For the child, before it becomes the program: be killed when `parent` dies, even by SIGKILL."""
    libc = ctypes.CDLL(None, use_errno=True)

    def arrange() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(KILLED)  # it died before the arrangement was made

    return arrange


def _guard(program: subprocess.Popen[bytes], heartbeat: HeartbeatPipe, grace_s: float) -> int:
    """Wait for the program's end; its exit code, 128 + N if signal N ended it."""
    deadline_s: float | None = None
    let_go = False
    while not _ended(program.pid):
        if heartbeat.wait(0.5) & {signal.SIGTERM, signal.SIGINT}:
            program.terminate()
        if not heartbeat.held and deadline_s is None:
            deadline_s = _now_s() + grace_s
            let_go = not heartbeat.closed
            if grace_s > 0:
                program.terminate()
        if deadline_s is not None and _now_s() >= deadline_s:
            _kill_group(program.pid)
            deadline_s = float("inf")
    _kill_group(program.pid)  # before it is reaped, so that the number still names this group
    code = program.wait()
    if let_go and code != 0:
        return LET_GO
    return 128 - code if code < 0 else code


def _ended(process: int) -> bool:
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
