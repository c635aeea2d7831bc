"""How an attempt ends, by how its program ended and what people wanted meanwhile. The program is played."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from heimdall.files import disk
from heimdall.runs.reader import RunReader
from heimdall.service.database.store import Store
from heimdall.service.database.tables import Job, JobEvent, Model
from heimdall.service.health.statistics import LEASE_LOST
from heimdall.service.queue import jobs
from heimdall.service.storage.run_reader import run_folder
from heimdall.service.worker.attempt import Attempt
from heimdall.service.worker.program import launch
from heimdall.service.worker.program.launch import Slot, Tools
from heimdall.service.worker.program.watchdog import KILLED, LET_GO, STOPPED


class Program:
    """Runs until it is given an exit code, or killed."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.starts = self.stops = self.kills = 0

    def poll(self) -> int | None:
        return self.code

    def stop(self) -> None:
        self.stops += 1

    def kill(self) -> None:
        self.kills += 1
        self.code = KILLED

    def beat(self) -> None: ...


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Program:
    played = Program()

    def start(*_: object) -> Program:
        played.starts += 1
        return played

    monkeypatch.setattr(launch, "start", start)
    return played


@pytest.fixture
def attempt(taken: Job, tools: Tools, program: Program) -> Attempt:
    return Attempt(taken, Slot("cpu"), tools)


@pytest.fixture
def folder(taken: Job, tools: Tools) -> RunReader:
    return run_folder(tools.settings, taken.id)


def until(done: Callable[[], bool], attempt: Attempt) -> None:
    for _ in range(20):
        if done():
            return
        attempt.advance()
    raise AssertionError("it never came so far")


def ended(attempt: Attempt) -> None:
    for _ in range(20):
        if not attempt.advance():
            return
    raise AssertionError("the attempt goes on")


def told(store: Store, job: Job) -> tuple[str, str]:
    """The job's state, and the last thing that is said of it."""
    with store.reading() as session:
        messages = session.scalars(select(JobEvent.message).where(JobEvent.job_id == job.id).order_by(JobEvent.id))
        return jobs.get(session, job.id).state, list(messages)[-1]


def finish(folder: RunReader, **result: object) -> None:
    folder.make()
    (folder.path / "result.json").write_text(json.dumps(result))


def test_the_model_of_a_program_that_ends_well_is_kept_and_registered(attempt, program, folder, store, tools):
    until(lambda: program.starts == 1, attempt)
    (folder.path / "quick.heimdall").write_bytes(b"bundle")
    finish(folder, model="quick.heimdall", scores={"hybrid_ratio": 0.9})
    program.code = 0
    ended(attempt)
    assert told(store, attempt.job)[0] == "succeeded"
    with store.reading() as session:
        (model,) = session.scalars(select(Model)).all()
    assert (model.job_id, model.scores) == (attempt.job.id, {"hybrid_ratio": 0.9})
    assert tools.artifacts.fetch(model.artifact, folder.path).read_bytes() == b"bundle"


@pytest.mark.parametrize(
    ("code", "state", "words"),
    [
        (0, "failed", "without a result"),
        (1, "failed", "the loss is not a number"),
        (2, "failed", "the loss is not a number"),
        (disk.EXIT_CODE, "queued", "the disk is full"),
        (LET_GO, "queued", "could not renew its lease"),
        (STOPPED, "queued", "told to stop by someone else"),
        (KILLED, "queued", "signal 9"),
        (128 + 11, "queued", "signal 11"),
        (77, "queued", "exit code 77"),
    ],
)
def test_the_exit_code_decides_whether_it_is_tried_again(attempt, program, folder, store, code, state, words):
    until(lambda: program.starts == 1, attempt)
    folder.log.write_text("step 7\nheimdall: the loss is not a number\n")
    program.code = code
    ended(attempt)
    found, message = told(store, attempt.job)
    assert (found, words in message) == (state, True), message
    assert attempt.out_of_room == (code == disk.EXIT_CODE)


def test_words_of_an_earlier_attempt_are_not_this_ones_reason(attempt, program, folder, store):
    folder.make()
    folder.log.write_text("heimdall: out of memory\n")
    until(lambda: program.starts == 1, attempt)
    program.code = 1
    ended(attempt)
    assert told(store, attempt.job) == ("failed", "it said nothing")


@pytest.mark.parametrize(("wish", "state"), [(jobs.cancel, "cancelled"), (jobs.pause, "paused")])
def test_a_wish_to_stop_is_passed_on_once_and_decides_the_end(attempt, program, store, wish, state):
    until(lambda: program.starts == 1, attempt)
    with store.writing() as session:
        wish(session, attempt.job.id, "somebody")
    until(lambda: program.stops == 1, attempt)
    attempt.advance()
    assert (program.stops, program.kills) == (1, 0)
    program.code = STOPPED
    ended(attempt)
    assert told(store, attempt.job)[0] == state


def test_a_program_that_does_not_listen_is_killed_when_its_grace_is_over(taken, program, store, tools):
    impatient = tools.settings.model_copy(update={"cancel_grace_s": 0.0})
    attempt = Attempt(taken, Slot("cpu"), replace(tools, settings=impatient))
    until(lambda: program.starts == 1, attempt)
    with store.writing() as session:
        jobs.cancel(session, attempt.job.id, "somebody")
    ended(attempt)
    assert (program.kills, told(store, attempt.job)[0]) == (1, "cancelled")


def test_a_worker_that_leaves_puts_the_job_back(attempt, program, store):
    until(lambda: program.starts == 1, attempt)
    attempt.shut_down()
    assert program.stops == 1
    program.code = STOPPED
    ended(attempt)
    assert told(store, attempt.job) == ("queued", "put back because the worker shut down")


def test_who_has_lost_the_lease_kills_its_program_and_says_nothing_of_the_job(attempt, program, store, tools):
    until(lambda: program.starts == 1, attempt)
    with store.writing() as session:
        session.execute(update(Job).where(Job.id == attempt.job.id).values(lease="another"))
    before = told(store, attempt.job)
    ended(attempt)
    assert (program.kills, program.code) == (1, KILLED)
    assert told(store, attempt.job) == before
    assert tools.statistics.ended["train", LEASE_LOST] == 1


def test_a_result_that_a_killed_worker_left_is_published_without_a_second_run(attempt, program, folder, store):
    finish(folder)
    ended(attempt)
    assert (program.starts, told(store, attempt.job)[0]) == (0, "succeeded")


def test_a_job_that_no_command_can_be_made_of_fails_in_one_line(attempt, program, store):
    attempt.job.arguments = {"recipe": 7}
    ended(attempt)
    state, message = told(store, attempt.job)
    assert (program.starts, state) == (0, "failed")
    assert "made by another version" in message
    assert "\n" not in message


def test_a_model_that_is_not_in_the_run_folder_is_the_programs_fault(attempt, program, folder, store):
    until(lambda: program.starts == 1, attempt)
    finish(folder, model="../quick.heimdall")
    program.code = 0
    ended(attempt)
    assert told(store, attempt.job) == ("failed", "../quick.heimdall is not inside the run folder")
