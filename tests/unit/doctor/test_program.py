"""Asking programs: always an answer, always in time."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from heimdall.doctor.program import run_nothing, run_program


def test_output_errors_and_code_come_back() -> None:
    answer = run_program(
        [sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"], 30
    )
    assert (answer.code, answer.stdout, answer.stderr) == (3, "out\n", "err\n")


def test_a_program_that_is_not_there_is_an_answer() -> None:
    answer = run_program(["no-such-program-anywhere"], 1)
    assert answer.code is None
    assert answer.is_missing
    assert not answer.is_silent


def test_a_file_that_may_not_be_run_is_an_answer(tmp_path: Path) -> None:
    (tmp_path / "program").write_text("")
    answer = run_program([str(tmp_path / "program")], 1)
    assert answer.code is None
    assert not answer.is_missing


def test_a_program_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    answer = run_program(["sh", "-c", f"sleep 600 & echo $! > {mark}; wait"], 0.5)
    assert answer.is_silent
    child = int(mark.read_text())
    for _ in range(100):
        if not _runs(child):
            return
        time.sleep(0.05)
    pytest.fail("the child still runs")


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_child_that_keeps_the_output_open_does_not_hold_the_answer() -> None:
    answer = run_program(["sh", "-c", "sleep 5 & echo done"], 3)
    assert (answer.code, answer.stdout) == (0, "done\n")


def test_answers_are_in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert run_program(["sh", "-c", "echo $LC_ALL"], 5).stdout == "C\n"


def test_for_another_machines_tree_no_program_is_asked(tmp_path: Path) -> None:
    assert run_nothing(["ls", "/"], 5).is_missing
