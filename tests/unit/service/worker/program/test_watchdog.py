"""A leashed program and its worker do not outlive each other's trust."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from heimdall.service.worker.program import watchdog
from heimdall.service.worker.program.process import WatchedProcess

SLEEP = "import time; time.sleep(60)"
TELL_PID = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(60)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {TELL_PID}"


@pytest.fixture
def leash(tmp_path):
    started: list[WatchedProcess] = []

    def start(code: str, *arguments: str, **options: object) -> WatchedProcess:
        command = [sys.executable, "-c", code, *arguments]
        process = WatchedProcess(command, lock=tmp_path / ".lock", log=tmp_path / "log.txt", **options)  # type: ignore[arg-type]
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        assert process.wait(10) is not None


def until(seen: Callable[[], object], limit_s: float = 20.0) -> object:
    deadline_s = time.monotonic() + limit_s
    while not (value := seen()):
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    return value


def pid_in(path: Path) -> int:
    return int(str(until(lambda: path.exists() and path.read_text())))


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("code", [0, 1, 75])
def test_the_exit_code_of_the_program_is_told(leash, code):
    assert leash(f"raise SystemExit({code})").wait(20) == code


def test_a_signal_that_ended_the_program_is_told_as_a_shell_does(leash):
    assert leash("import os; os.kill(os.getpid(), 11)").wait(20) == 128 + signal.SIGSEGV


def test_output_and_errors_go_to_the_log_behind_what_was_there(leash, tmp_path):
    (tmp_path / "log.txt").write_text("before\n")
    leash("import sys; print('out'); sys.stdout.flush(); print('err', file=sys.stderr)").wait(20)
    assert (tmp_path / "log.txt").read_text() == "before\nout\nerr\n"


def test_a_request_to_stop_reaches_the_program(leash, tmp_path):
    process = leash(
        "import pathlib, signal, sys, time; signal.signal(15, lambda *_: sys.exit(75));"
        "pathlib.Path(sys.argv[1]).touch(); time.sleep(60)",
        str(tmp_path / "ready"),
    )
    until((tmp_path / "ready").exists)
    process.stop()
    assert process.wait(20) == 75


def test_killing_ends_a_program_that_does_not_listen_and_everything_it_started(leash, tmp_path):
    pid = tmp_path / "pid"
    process = leash(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {DEAF!r}, sys.argv[1]])", str(pid))
    grandchild = pid_in(pid)
    process.kill()
    assert process.wait(20) == watchdog.KILLED
    until(lambda: not is_alive(grandchild))


def test_without_news_of_the_lease_the_program_is_killed(leash):
    assert leash(SLEEP, patience_s=0.5).wait(20) == watchdog.LET_GO


def test_with_news_of_the_lease_it_goes_on(leash):
    process = leash("import time; time.sleep(1.5); raise SystemExit(7)", patience_s=1.0)
    until(lambda: process.beat() or process.wait(0.1) is not None)
    assert process.poll() == 7


def test_a_killed_warden_takes_its_program_along(leash, tmp_path):
    process = leash(TELL_PID, str(tmp_path / "pid"))
    program = pid_in(tmp_path / "pid")
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: not is_alive(program))


def test_what_the_program_of_a_killed_warden_had_started_is_found_and_killed(leash, tmp_path):
    pid = tmp_path / "pid"
    process = leash(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {DEAF!r}, sys.argv[1]])", str(pid))
    grandchild = pid_in(pid)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(20) == watchdog.KILLED
    until(lambda: not is_alive(grandchild))


def test_a_killed_worker_takes_the_program_along(tmp_path):
    worker = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import pathlib, sys, time; from heimdall.service.worker.program.process import WatchedProcess;"
            f"p = WatchedProcess([sys.executable, '-c', {TELL_PID!r}, sys.argv[1]], lock=pathlib.Path(sys.argv[2]));"
            "time.sleep(60)",
            str(tmp_path / "pid"),
            str(tmp_path / ".lock"),
        ]
    )
    program = pid_in(tmp_path / "pid")
    worker.kill()
    worker.wait()
    until(lambda: not is_alive(program))


def test_a_second_program_for_the_same_folder_waits_until_the_last_process_of_the_first_is_gone(leash, tmp_path):
    first = leash(TELL_PID, str(tmp_path / "first"))
    held = pid_in(tmp_path / "first")
    second = leash(TELL_PID, str(tmp_path / "second"))
    assert second.wait(0.5) is None
    assert not (tmp_path / "second").exists()
    first.kill()
    pid_in(tmp_path / "second")
    assert not is_alive(held)


def test_a_warden_that_waits_for_the_folder_can_be_told_to_stop(leash, tmp_path):
    leash(TELL_PID, str(tmp_path / "first"))
    pid_in(tmp_path / "first")
    second = leash(SLEEP)
    assert second.wait(0.5) is None
    second.stop()
    assert second.wait(20) == watchdog.STOPPED


def test_with_grace_the_program_may_end_by_itself_when_its_worker_is_gone(tmp_path):
    code = (
        "import pathlib, signal, sys, time;"
        "signal.signal(15, lambda *_: (pathlib.Path(sys.argv[2]).touch(), sys.exit(0)));"
        "pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
    )
    ready, saved = tmp_path / "ready", tmp_path / "saved"
    command = [sys.executable, "-c", code, str(ready), str(saved)]
    process = WatchedProcess(command, lock=tmp_path / ".lock", grace_s=20.0)
    until(ready.exists)
    process._heartbeat.close()  # what the kernel does for a worker that was killed
    assert process.wait(20) == 0
    assert saved.exists()
